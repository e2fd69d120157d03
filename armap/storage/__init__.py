"""Run folders and the append-only files in them; a process may be killed at any moment."""

from __future__ import annotations

from armap.storage.folder import (
    Manifest,
    Origin,
    RunFolder,
    differences,
    last_checkpoint,
    read_manifest,
)
from armap.storage.lines import JsonLines, parse_line, read_records, write_text

__all__ = [
    "JsonLines",
    "Manifest",
    "Origin",
    "RunFolder",
    "differences",
    "last_checkpoint",
    "parse_line",
    "read_manifest",
    "read_records",
    "write_text",
]
