"""Goals made from a template: every combination of a product's options is one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product as combinations
from typing import TYPE_CHECKING

import numpy as np

from armap.envs.webshop.goals.goal import Goal
from armap.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.catalogue import Catalogue
    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.goals.prices import Bound, Draws

__all__ = ["synthetic_goals"]


def synthetic_goals(catalogue: Catalogue, prices: NDArray[np.float64], draws: Draws) -> list[Goal]:
    """The goals in the order of the catalogue; all of one product share a price bound.

    Rare attributes weigh more: a goal's weight is the mean over its attributes of one over how
    many goals have that attribute.

    Raises:
        DataError: a product has an instruction without attributes.
    """
    goals: list[Goal] = []
    for row in np.flatnonzero(catalogue.columns.asked).tolist():
        product = catalogue.products[row]
        if not product.instruction_attributes:
            raise DataError(f"product {product.asin}: its instruction names no attributes")
        bound = draws.bound(float(prices[row]), product.asin, 0)
        goals += _combined(product, bound)
    counts = Counter(attribute for goal in goals for attribute in goal.attributes)
    return [replace(goal, weight=_weight(goal, counts)) for goal in goals]


def _combined(product: Product, bound: Bound) -> Iterator[Goal]:
    groups = sorted(product.options)
    names = [name for name, _ in groups]
    for values in combinations(*(values for _, values in groups)):
        options = tuple(zip(names, values, strict=True))
        wished = ", and ".join(f"{name}: {value}" for name, value in options)
        yield Goal(
            asin=product.asin,
            category=product.category,
            query=product.query,
            name=product.title,
            product_category=product.product_category,
            instruction=f"{product.instruction}{' with ' if wished else ''}{wished}{bound.text}",
            attributes=product.instruction_attributes,
            price_upper=bound.dollars,
            options=options,
            weight=1.0,
        )


def _weight(goal: Goal, counts: Counter[str]) -> float:
    return sum(1.0 / counts[attribute] for attribute in goal.attributes) / len(goal.attributes)
