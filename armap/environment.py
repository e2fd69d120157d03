"""The only module that reads environment variables."""

from __future__ import annotations

import os

__all__ = ["secret"]


def secret(name: str) -> str:
    """Return the variable's value, or an empty string; the value is never logged or stored."""
    return os.environ.get(name, "")
