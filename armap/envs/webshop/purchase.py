"""What an episode bought, read from its own pages: nothing here knows more than the agent saw."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from armap.storefront import item, labels, strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from armap.types import Observation, Trajectory

__all__ = ["Purchase", "product_page", "purchase"]

_THANKS = "Thank you for shopping with us!"


@dataclass(frozen=True, slots=True)
class Purchase:
    """A product as it was bought, or as it was last looked at."""

    title: str
    price: tuple[float, ...]
    """Dollars as shown: one number, or the ends of a range."""
    groups: dict[str, tuple[str, ...]]
    """The options on offer, values by group."""
    options: dict[str, str] = field(default_factory=dict)
    """Those chosen, value by group."""
    told: tuple[str, ...] = ()
    """What its description and features said, where they were read."""
    bought: bool = False
    code: str = ""
    """What was clicked to open it: its asin in lower case."""

    @property
    def dearest(self) -> float:
        """The highest price that the page shows."""
        return max(self.price)


def product_page(observation: Observation) -> Purchase | None:
    """The product of an item page, nothing chosen; None for another page."""
    shown = item(strings(observation.text), labels(observation.choices))
    return None if shown is None else Purchase(*shown)


def purchase(trajectory: Trajectory) -> Purchase | None:
    """What an episode bought, else the product it looked at last; None when it opened none."""
    open_now: Purchase | None = None
    read: dict[str, tuple[str, ...]] = {}
    before = ""
    for step in trajectory.steps:
        open_now = _seen(step.observation, open_now, read)
        if open_now is not None and not open_now.code:
            open_now = replace(open_now, code=before)
        before = step.action.text.strip()[6:-1].lower()
        if open_now is not None:
            open_now = _chosen(open_now, step.action.text)
    if open_now is None and (last := _seen(trajectory.final, None, read)) is not None:
        open_now = replace(last, code=before)
    found = strings(trajectory.final.text)
    if open_now is None:
        return None
    bought = found[:1] == [_THANKS]
    told = read.get(open_now.title, ())
    options = _billed(found, open_now) if bought else open_now.options
    return replace(open_now, bought=bought, told=told, options=options)


def _seen(
    observation: Observation, before: Purchase | None, read: dict[str, tuple[str, ...]]
) -> Purchase | None:
    """The open product after a page was seen."""
    shown = product_page(observation)
    if shown is not None:
        same = before is not None and before.title == shown.title
        if not same or before is None:
            return shown
        return replace(shown, options=before.options, code=before.code)
    found = strings(observation.text)
    if before is not None and "< Prev" in found and not _lists(found):
        known = read.get(before.title, ())
        new = found[found.index("< Prev") + 1 :]
        read[before.title] = (*known, *(text for text in new if text not in known))
        return before
    return None


def _chosen(product: Purchase, action: str) -> Purchase:
    label = action.strip()[6:-1].lower()
    for group, values in product.groups.items():
        if label in values:
            return replace(product, options={**product.options, group: label})
    return product


def _billed(found: Sequence[str], product: Purchase) -> dict[str, str]:
    """The options of the last page, which has the last word."""
    for text in found[1:]:
        if text.startswith("{") and text.endswith("}"):
            return {str(group): str(value) for group, value in json.loads(text).items()}
    offered = {f"{group}: {value}": (group, value) for group, value in _pairs(product)}
    return dict(offered[text] for text in found if text in offered)


def _pairs(product: Purchase) -> Iterable[tuple[str, str]]:
    for group, values in product.groups.items():
        for value in values:
            yield group, value.removeprefix(f"{group}: ")


def _lists(found: Sequence[str]) -> bool:
    """Whether a page is one of results."""
    return any("(Total results:" in text for text in found)
