"""A shopping trip as a script, and other trips that one could have made instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from armap.storefront import labels, offers, strings

if TYPE_CHECKING:
    from random import Random

    from armap.envs.webshop.purchase import Purchase
    from armap.storefront import Offer
    from armap.types import Observation, Trajectory

__all__ = ["Walk", "dressed", "offers_on", "walk_of"]

_BUY, _PREV, _NEXT = "click[buy now]", "click[< prev]", "click[next >]"


@dataclass(frozen=True, slots=True)
class Walk:
    """Search, turn pages, open a product, choose options, look around, buy."""

    search: str
    """The whole action."""
    turns: tuple[str, ...]
    """Clicks on results pages before the product's."""
    code: str
    options: dict[str, str]
    detours: tuple[str, ...] = ()
    """Sub-pages that are read before the options are chosen."""
    again: int = 0
    """Options that are clicked a second time, which changes nothing."""
    buys: bool = True
    offers: tuple[Offer, ...] = field(default=(), compare=False)
    """What the results page had."""

    @property
    def opening(self) -> tuple[str, ...]:
        """The actions up to the product's page."""
        return (self.search, *self.turns, f"click[{self.code}]")

    @property
    def actions(self) -> tuple[str, ...]:
        """All actions."""
        reading = [a for page in self.detours for a in (f"click[{page}]", _PREV)]
        chosen = [f"click[{value}]" for value in self.options.values()]
        repeated = chosen[: self.again] if chosen else []
        ending = [_BUY] if self.buys else []
        return (*self.opening, *reading, *chosen, *repeated, *ending)


def walk_of(trajectory: Trajectory, bought: Purchase) -> Walk | None:
    """The straight way to what an episode bought; None when it cannot be told."""
    search, opened = "", ""
    turns: list[str] = []
    way: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    for step in trajectory.steps:
        text = step.action.text.strip()
        rows = offers_on(step.observation)
        if text.startswith("search["):
            search, turns = text, []
        elif rows and text in {_NEXT, _PREV}:
            turns.append(text)
        elif rows and text[6:-1].lower() in {row.code for row in rows}:
            opened, offers = text[6:-1].lower(), rows
            way = tuple(turns)
    if not search or not opened or opened != bought.code:
        return None
    return Walk(search, way, opened, dict(bought.options), offers=offers)


def dressed(page: Purchase, like: Walk, rng: Random) -> dict[str, str]:
    """Options for another product: the same values where it has them, others in most cases."""
    wanted = set(like.options.values())
    chosen = {}
    for group, values in page.groups.items():
        same = [value for value in values if value in wanted]
        if same:
            chosen[group] = same[0]
        elif group in like.options or rng.random() < 0.3:
            chosen[group] = rng.choice(values)
    return chosen


def offers_on(observation: Observation) -> tuple[Offer, ...]:
    """The rows of a results page; none of another page."""
    return offers(strings(observation.text), labels(observation.choices))
