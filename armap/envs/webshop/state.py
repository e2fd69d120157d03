"""One episode of WebShop as an immutable record."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Chosen", "PageKind", "State"]

PageKind = Literal["start", "results", "item", "sub", "done"]
Chosen = tuple[tuple[str, str], ...]
"""Options that were chosen: group and value, in the order of first choice."""


class State(NamedTuple):
    """The whole episode: a snapshot is the state itself, hashable and never changed."""

    session: str
    """Name of the session, part of every address."""
    instruction: str
    kind: PageKind = "start"
    keywords: tuple[str, ...] | None = None
    number: int | None = None
    """Of the results page."""
    product: int | None = None
    """Row of the open product in the catalogue."""
    sub: str = ""
    """Which sub-page: ``Description``, ``Features``, ``Reviews`` or ``Attributes``."""
    options: Chosen = ()
    opened: frozenset[int] = frozenset()
    """Rows of the products that were opened since the start page."""
    counts: tuple[tuple[str, int], ...] = ()
    """How often each kind of action was done since the start page."""
    kept: tuple[tuple[int, Chosen], ...] = ()
    """Choices on products that were left (``strict`` only)."""
    steps: int = 0
    """Actions taken."""
