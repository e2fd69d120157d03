"""What an episode bought, read from its own pages: nothing here knows more than the agent saw."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from html import unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from armap.types import Observation, Trajectory

__all__ = ["Purchase", "product_page", "purchase", "strings"]

_MARKS = re.compile(r"\[(?:clicked )?button_?\]")
_ELEMENT = re.compile(r">([^<\n]+)<")
_MONEY = re.compile(r"\$([\d.e+]+)")
_THANKS = "Thank you for shopping with us!"
_FIXED = frozenset(
    ("back to search", "< prev", "next >", "description", "features", "reviews", "attributes")
) | {"buy now", "search"}


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


def strings(text: str) -> list[str]:
    r"""The strings of a page, in any of the environment's views.

    >>> strings("Price: $9.5 [SEP] Buy Now") == strings("Price: $9.5\n[button] Buy Now [button_]")
    True
    """
    if text.startswith("<body>"):
        return [unescape(found).strip() for found in _ELEMENT.findall(text)]
    parts = text.split(" [SEP] ") if " [SEP] " in text else text.split("\n")
    return [part for part in (_MARKS.sub("", part).strip() for part in parts) if part]


def product_page(observation: Observation) -> Purchase | None:
    """The product of an item page, nothing chosen; None for another page."""
    found = strings(observation.text)
    end = next((n for n, text in enumerate(found) if text.startswith("Price: $")), None)
    if end is None or "Buy Now" not in found or "< Prev" not in found:
        return None
    labels = {choice[6:-1] for choice in observation.choices} - _FIXED
    groups = _groups(found[found.index("< Prev") + 1 : end - 1], labels)
    prices = tuple(float(price) for price in _MONEY.findall(found[end]))
    return Purchase(title=found[end - 1], price=prices, groups=groups)


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


def _groups(found: Sequence[str], labels: set[str]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    name = ""
    for text in found:
        if text in labels:
            groups[name] = (*groups.get(name, ()), text)
        else:
            name = text
    return groups
