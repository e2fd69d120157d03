"""Gather what a report tells of a run's calls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from armap.calls import JOURNAL, read_ledger
from armap.llms.openai import CapChange
from armap.report.data import RunCalls
from armap.report.failures import read_failures
from armap.report.headline import display_name
from armap.run.model import CAPS
from armap.storage import read_records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from armap.storage import Manifest

__all__ = ["about", "names", "read_calls_of"]

_CALLING = ("plan", "collect")
"""The stages that ask a language model."""


def read_calls_of(manifests: Mapping[Path, Manifest]) -> list[RunCalls]:
    """Read journals, caps and failures of the runs that ask a language model, in order.

    Raises:
        DataError: a file is damaged.
    """
    calling = {path: m for path, m in manifests.items() if m.stage in _CALLING}
    called = names(calling)
    return [_read(path, manifest, called[path]) for path, manifest in calling.items()]


def _read(path: Path, manifest: Manifest, name: str) -> RunCalls:
    ledger = read_ledger(path) if (path / JOURNAL).is_file() else None
    caps = path / CAPS
    return RunCalls(
        name=name,
        about=about(manifest),
        finished=manifest.finished,
        ledger=ledger if ledger is not None and ledger.stretches else None,
        failures=read_failures(path, exploring=manifest.stage == "collect"),
        caps=tuple(read_records(caps, CapChange)) if caps.is_file() else (),
    )


def names(paths: Mapping[Path, Manifest]) -> dict[Path, str]:
    """The last part of every path where that tells them apart, else all of it."""
    last = {path: path.resolve().name for path in paths}
    count = Counter(last.values())
    return {path: name if count[name] == 1 else str(path) for path, name in last.items()}


def about(manifest: Manifest) -> str:
    """A run's planner, or its stage."""
    planner = manifest.config.get("planner")
    kind = planner.get("kind") if isinstance(planner, dict) else None
    return display_name(kind) if isinstance(kind, str) else manifest.stage
