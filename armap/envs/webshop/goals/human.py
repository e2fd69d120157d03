"""Goals that people wrote, one for each of a product's instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armap.envs.webshop.goals.goal import Goal
from armap.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.catalogue import Catalogue
    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.goals.prices import Draws

__all__ = ["human_goals"]


def human_goals(
    catalogue: Catalogue,
    instructions: Mapping[str, Sequence[Mapping[str, Any]]],
    prices: NDArray[np.float64],
    draws: Draws,
) -> list[Goal]:
    """The goals in the order of the catalogue; instructions without attributes are left out.

    Raises:
        DataError: an instruction lacks a field, or none belongs to this catalogue.
    """
    rows = {catalogue.columns.row(asin): asin for asin in instructions}
    rows.pop(None, None)
    if not rows:
        raise DataError(
            f"human instructions: the products of all {len(instructions):,} are missing from "
            "this catalogue"
        )
    goals: list[Goal] = []
    for row in sorted(row for row in rows if row is not None):
        product, price = catalogue.products[row], float(prices[row])
        for ordinal, entry in enumerate(_annotated(product, instructions[product.asin])):
            bound = draws.bound(price, product.asin, ordinal)
            goals.append(
                Goal(
                    asin=product.asin,
                    category=product.category,
                    query=product.query,
                    name=product.title,
                    product_category=product.product_category,
                    instruction=entry["instruction"].strip(".") + bound.text,
                    attributes=tuple(entry["instruction_attributes"]),
                    price_upper=bound.dollars,
                    options=tuple(entry["instruction_options"]),
                    weight=1,
                )
            )
    return goals


def _annotated(
    product: Product, entries: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    for entry in entries:
        for key in ("instruction", "instruction_attributes", "instruction_options"):
            if key not in entry:
                raise DataError(f"human instruction for {product.asin}: {key!r} is missing")
        if entry["instruction_attributes"]:
            yield entry
