"""What is known of every product at once, as arrays: identifiers, categories, prices."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from armap.envs.webshop.catalogue.product import LONGEST_ASIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.product import Product

__all__ = ["Columns", "ColumnsBuilder"]


class Columns(NamedTuple):
    """One entry a product, ``[N]``, in the order of the file."""

    asins: NDArray[np.str_]
    order: NDArray[np.int32]
    """Rows by ascending asin."""
    low: NDArray[np.float64]
    """Price in dollars, or the lower end of its range as it is written."""
    high: NDArray[np.float64]
    """The other end; equal to ``low`` for a single price."""
    ranged: NDArray[np.bool_]
    """Whether the price is a range."""
    category: NDArray[np.int32]
    query: NDArray[np.int32]
    asked: NDArray[np.bool_]
    """Whether there is a synthetic instruction."""
    categories: tuple[str, ...]
    """Names of the numbers in ``category``."""
    queries: tuple[str, ...]

    def row(self, asin: str) -> int | None:
        """The row of a product; None when there is none."""
        # Not by searchsorted: it would copy the arrays at every call.
        places = range(len(self.order))
        at = bisect_left(places, asin, key=lambda place: str(self.asins[self.order[place]]))
        if at == len(places):
            return None
        row = int(self.order[at])
        return row if self.asins[row] == asin else None

    def in_category(self, name: str) -> tuple[int, ...]:
        """Rows of all products of a category."""
        return _rows(self.category, self.categories, name)

    def with_query(self, text: str) -> tuple[int, ...]:
        """Rows of all products that were once found by the query ``text``."""
        return _rows(self.query, self.queries, text)


def _rows(codes: NDArray[np.int32], names: tuple[str, ...], name: str) -> tuple[int, ...]:
    if name not in names:
        return ()
    return tuple(np.flatnonzero(codes == names.index(name)).tolist())


class ColumnsBuilder:
    """Takes products one after the other."""

    def __init__(self) -> None:
        self._asins: dict[str, None] = {}
        self._pricing: list[tuple[float, ...]] = []
        self._codes: list[tuple[int, int, bool]] = []
        self._categories: dict[str, int] = {}
        self._queries: dict[str, int] = {}

    def __contains__(self, asin: str) -> bool:
        return asin in self._asins

    def __len__(self) -> int:
        return len(self._asins)

    def add(self, product: Product) -> None:
        """Take the next product."""
        self._asins[product.asin] = None
        self._pricing.append(product.pricing)
        self._codes.append(
            (
                self._categories.setdefault(product.category, len(self._categories)),
                self._queries.setdefault(product.query, len(self._queries)),
                product.instruction is not None,
            )
        )

    def finish(self) -> Columns:
        """The columns of all products."""
        asins = np.array(list(self._asins), f"<U{LONGEST_ASIN}")
        codes = np.array(self._codes, np.int32).reshape(-1, 3)
        return Columns(
            asins=asins,
            order=np.argsort(asins, kind="stable").astype(np.int32),
            low=np.array([prices[0] for prices in self._pricing], np.float64),
            high=np.array([prices[-1] for prices in self._pricing], np.float64),
            ranged=np.array([len(prices) > 1 for prices in self._pricing], np.bool_),
            category=codes[:, 0].copy(),
            query=codes[:, 1].copy(),
            asked=codes[:, 2].astype(np.bool_),
            categories=tuple(self._categories),
            queries=tuple(self._queries),
        )
