"""The only module that reads or sets environment variables."""

from __future__ import annotations

import os

__all__ = ["secret", "suggest"]


def secret(name: str) -> str:
    """Return the variable's value, or an empty string; the value is never logged or stored."""
    return os.environ.get(name, "")


def suggest(name: str, value: str) -> None:
    """Set a variable for a library that is configured by no other means, unless it is set."""
    os.environ.setdefault(name, value)
