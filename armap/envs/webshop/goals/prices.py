"""Hidden prices and price bounds.

The original draws both from Python's global random numbers, which nobody seeds: it is why prices
and instructions differ from process to process. Here ``faithful`` draws them from a seed in the
original's order: first the price of every product with a price range, in file order, then a
bound for every goal. ``strict`` derives each draw from the seed and the product alone, so that a
goal stays the same whatever else is in the catalogue.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from armap.seeding import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.columns import Columns

__all__ = ["NO_BOUND", "Bound", "Draws", "Shared", "Single"]

NO_BOUND = 1_000_000.0
"""The bound of a goal that names none."""
_BOUNDS = tuple(10.0 * ten for ten in range(1, 100))
_NEAR = 4


class Bound(NamedTuple):
    """The most that a shopper wants to pay."""

    dollars: float
    text: str
    """How an instruction says it; empty where there is no bound."""


class Draws(Protocol):
    """Draws prices and bounds; the calls must come in the order of the catalogue."""

    def prices(self, columns: Columns) -> NDArray[np.float64]:
        """The hidden price of every product, ``[N]``."""
        ...

    def bound(self, price: float, asin: str, ordinal: int) -> Bound:
        """A bound for the goal number ``ordinal`` of a product."""
        ...


class Shared:
    """One row of random numbers for everything, as in the original."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def prices(self, columns: Columns) -> NDArray[np.float64]:
        found = np.array(columns.low)
        rows = np.flatnonzero(columns.ranged)
        ends = zip(columns.low[rows].tolist(), columns.high[rows].tolist(), strict=True)
        found[rows] = [self._random.uniform(low, high) for low, high in ends]
        return found

    def bound(self, price: float, asin: str, ordinal: int) -> Bound:  # noqa: ARG002
        return _bound(price, self._random)


class Single:
    """Random numbers of its own for every product and goal."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def prices(self, columns: Columns) -> NDArray[np.float64]:
        found = np.array(columns.low)
        rows = np.flatnonzero(columns.ranged)
        asins = columns.asins[rows].tolist()
        ends = zip(asins, columns.low[rows].tolist(), columns.high[rows].tolist(), strict=True)
        found[rows] = [
            round(low + (high - low) * derive(self._seed, "price", asin) / 2**63, 2)
            for asin, low, high in ends
        ]
        return found

    def bound(self, price: float, asin: str, ordinal: int) -> Bound:
        return _bound(price, Random(derive(self._seed, "bound", asin, ordinal)))


def _bound(price: float, random: Random) -> Bound:
    """The larger of two among the first four multiples of 10 above ``price``."""
    near = [bound for bound in _BOUNDS if bound > price][:_NEAR]
    if len(near) < 2:
        return Bound(NO_BOUND, "")
    dollars = max(random.sample(near, 2))
    return Bound(dollars, f", and price lower than {dollars:.2f} dollars")
