"""A catalogue that can be searched and priced: the part of the world that an episode walks in."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from armap.envs.webshop.search.bm25 import Bm25
from armap.seeding import derive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.catalogue import Catalogue
    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.config import Profile
    from armap.envs.webshop.state import State

__all__ = ["PER_PAGE", "TOP", "Shop"]

TOP = 50
"""Products that a search finds at most."""
PER_PAGE = 10
_KEPT = 4096
"""Searches whose results are remembered."""

Rows = tuple[int, ...]


class Shop:
    """Products by row, their prices, and what searches find.

    Args:
        catalogue: the products.
        prices: the hidden price of each, in dollars, ``[N]``.
        profile: ``strict`` shows hidden prices and knows no search prefixes.
        seed: of the products that the prefix ``<r>`` draws.
    """

    def __init__(
        self, catalogue: Catalogue, prices: NDArray[np.float64], profile: Profile, seed: int
    ) -> None:
        self.catalogue = catalogue
        self.prices = prices
        self.profile = profile
        self._products = catalogue.products
        self._seed = seed
        self._engine = Bm25(catalogue.postings)
        self._found = lru_cache(_KEPT)(self._find)

    def product(self, row: int) -> Product:
        """One product."""
        return self._products[row]

    def price(self, row: int) -> float:
        """What a product costs: for a price range, a hidden draw from it."""
        return float(self.prices[row])

    def tag(self, row: int) -> str:
        """The price as a page shows it: what it costs (``strict``), or the range (``faithful``)."""
        if self.profile == "strict":
            return f"${self.price(row)}"
        return self._products[row].tag

    def results(self, state: State) -> Rows:
        """All that the search of a results page has found, best first."""
        assert state.keywords is not None
        if self.profile == "faithful" and state.keywords[0] == "<r>":
            return self._drawn(state)
        return self._found(state.keywords)

    def page(self, state: State) -> Rows:
        """What one results page shows; empty past the end."""
        assert state.number is not None
        return self.results(state)[(state.number - 1) * PER_PAGE : state.number * PER_PAGE]

    def _find(self, keywords: tuple[str, ...]) -> Rows:
        if self.profile == "faithful" and keywords[0] == "<c>":
            return self.catalogue.columns.in_category(keywords[1].strip())
        if self.profile == "faithful" and keywords[0] == "<q>":
            return self.catalogue.columns.with_query(" ".join(keywords[1:]).strip())
        hits = self._engine.search(" ".join(keywords), limit=TOP)
        return tuple(hit.row for hit in hits)

    def _drawn(self, state: State) -> Rows:
        """Products at random, others at every look, as in the original; but repeatably."""
        random = Random(derive(self._seed, "<r>", state.session, dict(state.counts)["search"]))
        count = len(self.catalogue.products)
        return tuple(random.sample(range(count), min(TOP, count)))
