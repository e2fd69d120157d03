"""Goals that people wrote, one for each of a product's instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armap.envs.webshop.goals.goal import Goal
from armap.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.catalogue import Catalogue
    from armap.envs.webshop.goals.prices import Draws

__all__ = ["human_goals"]

_FIELDS = {"instruction": str, "instruction_attributes": list, "instruction_options": list}


def human_goals(
    catalogue: Catalogue,
    instructions: Mapping[str, Sequence[Mapping[str, Any]]],
    prices: NDArray[np.float64],
    draws: Draws,
    source: str,
) -> list[Goal]:
    """The goals in the order of the catalogue; instructions without attributes are left out.

    Args:
        catalogue: what is sold.
        instructions: what people asked for, by asin, as in ``items_human_ins.json``.
        prices: in dollars, ``[N]`` by row of the catalogue.
        draws: of price bounds.
        source: where the instructions come from, for errors.

    Raises:
        DataError: an instruction lacks a field, or none belongs to this catalogue.
    """
    rows = {catalogue.columns.row(asin): asin for asin in instructions}
    rows.pop(None, None)
    if not rows:
        raise DataError(
            f"{source}: human instructions: the products of all {len(instructions):,} are missing "
            "from this catalogue; is it the official items_human_ins.json, and is size right?"
        )
    goals: list[Goal] = []
    for row in sorted(row for row in rows if row is not None):
        product, price = catalogue.products[row], float(prices[row])
        where = f"{source}: human instructions for {product.asin}"
        for ordinal, entry in enumerate(_annotated(instructions[product.asin], where)):
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


def _annotated(entries: Any, where: str) -> Iterator[Mapping[str, Any]]:
    if not isinstance(entries, list):
        raise DataError(f"{where}: the wrong file: wanted a list, not {entries!r:.40}")
    for entry in entries:
        for key, kind in _FIELDS.items():
            if not isinstance(entry, dict) or key not in entry:
                raise DataError(f"{where}: {key!r} is missing in {entry!r:.40}")
            if not isinstance(entry[key], kind):
                raise DataError(f"{where}: {key!r} must be a {kind.__name__}: {entry[key]!r:.40}")
        if entry["instruction_attributes"]:
            yield entry
