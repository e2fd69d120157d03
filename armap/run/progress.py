"""How runs tell of their work."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Quiet"]


class Progress(Protocol):
    """Told how far a run is."""

    def start(self, what: str, total: int | None, done: int = 0) -> None:
        """A piece of work begins; ``done`` of it was on disk already."""
        ...

    def advance(self, note: str = "") -> None:
        """One more item is done."""
        ...

    def say(self, text: str) -> None:
        """A line for the reader."""
        ...


class Quiet:
    """Progress that nobody watches."""

    def start(self, what: str, total: int | None, done: int = 0) -> None:
        """Nothing."""

    def advance(self, note: str = "") -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""
