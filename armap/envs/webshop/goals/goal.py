"""One goal."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Goal"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a shopper asks for, and what the reward compares a purchase with."""

    asin: str
    """The product that the goal was written for; the reward never asks for it."""
    category: str
    query: str
    name: str
    product_category: str
    instruction: str
    """What the agent is told, the price bound included."""
    attributes: tuple[str, ...]
    price_upper: float
    """Dollars; 1,000,000 where the instruction names no bound."""
    options: tuple[str, ...] | tuple[tuple[str, str], ...]
    """Values alone (human goals), or (group, value) pairs (synthetic goals)."""
    weight: float
    """Share with which the original draws it at random."""
