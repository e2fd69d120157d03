"""The reward of a purchase: how well a product with its options fits a goal.

``reward = r_type * (attributes met + options met + price met) / (attributes + options + 1)``

``faithful`` is the original with its oddities: a colour is recognised by the first word of an
alphabetical list that occurs *anywhere* in a value (so ``standard`` is ``tan``), options of
synthetic goals are compared as (group, value) pairs turned to text, and no common noun in the
titles gives 0 even when query and category agree. ``strict`` compares options exactly, those of
synthetic goals within their group, and lets query or category stand in for the title.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from armap.envs.webshop.graded.fuzzy import alike, plain
from armap.envs.webshop.graded.lists import COLOURS

if TYPE_CHECKING:
    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.config import Profile
    from armap.envs.webshop.goals.goal import Goal
    from armap.envs.webshop.graded.nouns import Nouns
    from armap.envs.webshop.state import Chosen

__all__ = ["Purchase", "Reward", "colour", "grade"]

_BELOW, _FLOOR = 0.2, 0.1


class Purchase(NamedTuple):
    """What was bought."""

    product: Product
    options: Chosen
    price: float
    """What it costs, in dollars."""


class Reward(NamedTuple):
    """A reward with all that it is made of."""

    total: float
    """In [0, 1]."""
    r_type: float
    query_match: bool
    category_match: bool
    title_score: float
    """Share of the goal's title nouns that the product's title has too."""
    r_att: float
    """Share of the goal's attributes that are met."""
    w_att: float
    """Weight of the attributes; the three weights sum to 1."""
    r_option: float | None
    """Share of the goal's options that are met; None when it wants none."""
    w_option: float
    r_price: bool
    w_price: float


class _Kind(NamedTuple):
    """Is it the kind of thing that was asked for?"""

    r_type: float
    query_match: bool
    category_match: bool
    title_score: float


def grade(bought: Purchase, goal: Goal, nouns: Nouns, profile: Profile) -> Reward:
    """Compare a purchase with a goal."""
    kind = _kind(bought.product, goal, nouns, profile)
    attributes = sum(_has(bought.product, wanted) for wanted in goal.attributes)
    options = (_exactly if profile == "strict" else _roughly)(bought.options, goal)
    cheap = bought.price <= goal.price_upper
    parts = len(goal.attributes) + len(goal.options) + 1
    return Reward(
        total=(attributes + options + cheap) / parts * kind.r_type,
        **kind._asdict(),
        r_att=attributes / len(goal.attributes),
        w_att=len(goal.attributes) / parts,
        r_option=options / len(goal.options) if goal.options else None,
        w_option=len(goal.options) / parts,
        r_price=cheap,
        w_price=1 / parts,
    )


def _kind(product: Product, goal: Goal, nouns: Nouns, profile: Profile) -> _Kind:
    query = product.query == goal.query
    common = _path(product.product_category) & _path(goal.product_category)
    category = len(common) >= 2
    wanted = nouns.of(goal.name)
    shared = len({*nouns.of(product.title)} & {*wanted})
    title = shared / len(wanted) if wanted else _BELOW
    r_type = 1.0 if query or category or title > _BELOW else 0.5
    if profile == "faithful" or not (query or category):
        if title < _FLOOR:
            r_type = 0.1
        if title == 0.0:
            r_type = 0.0
    return _Kind(r_type, query, category, title)


def _path(category: str) -> set[str]:
    return {part.strip() for part in category.split("›")}


def _has(product: Product, wanted: str) -> bool:
    """Whether a product has an attribute: annotated, or somewhere in its texts."""
    return (
        any(alike(own, wanted) for own in product.attributes)
        or wanted in product.title.lower()
        or wanted in " ".join(product.bullets).lower()
        or wanted in product.description.lower()
    )


def colour(value: str | tuple[str, str]) -> str:
    """The colour in an option, else the option itself as text.

    A (group, value) pair holds a colour only where one of the two *is* one.

    >>> colour("violet lavender"), colour("standard"), colour(("size", "xl"))
    ('lavender', 'tan', "('size', 'xl')")
    """
    return next((name for name in COLOURS if name in value), str(value))


def _roughly(chosen: Chosen, goal: Goal) -> int:
    """How many wished options are like any chosen one, whatever its group."""
    values = [colour(value) for _, value in chosen]
    return sum(any(alike(value, colour(wish)) for value in values) for wish in goal.options)


def _exactly(chosen: Chosen, goal: Goal) -> int:
    """How many wished options were chosen, in their group where the goal names it."""
    pairs = {(group, plain(value)) for group, value in chosen}
    values = {value for _, value in pairs}
    return sum(
        plain(wish) in values if isinstance(wish, str) else (wish[0], plain(wish[1])) in pairs
        for wish in goal.options
    )
