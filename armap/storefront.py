"""A page of WebShop as its reader has it, in any of the environment's views.

Who shops, who judges purchases and who makes pairs of them read the same strings, so that they
cannot disagree about what a page says. Nothing here knows more than the page.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["BUTTONS", "Item", "Offer", "item", "labels", "offers", "strings", "words"]

BUTTONS = frozenset(
    (
        "attributes", "back to search", "buy now", "description", "features", "next >", "< prev",
        "reviews", "search",
    )
)  # fmt: skip
"""Labels that are neither products nor options."""

_SEPARATOR = " [SEP] "
_BODY = "<body>\n"
_MARKS = re.compile(r"\[(?:clicked )?button_?\]")
_ELEMENT = re.compile(r">([^<\n]+)<")
_MONEY = re.compile(r"\$([\d.e+]+)")
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")


class Offer(NamedTuple):
    """One row of a results page."""

    code: str
    """The product's, in lower case, as it is clicked."""
    title: str
    price: float
    """Dollars; of a range the dearer end."""


class Item(NamedTuple):
    """The product of an item page."""

    title: str
    price: tuple[float, ...]
    """Dollars as shown: one number, or the ends of a range."""
    groups: dict[str, tuple[str, ...]]
    """The options on offer, values by group."""


def strings(text: str) -> list[str]:
    r"""The strings of a page; what stands before it (an intent, notes) comes first.

    >>> strings("Price: $9.5 [SEP] < Prev") == strings("Price: $9.5\n[button] < Prev [button_]")
    True
    >>> strings("<body>\n<p>Price: $9.5</p>\n<button>&lt; Prev</button>\n</body>\n")
    ['Price: $9.5', '< Prev']
    """
    before, html, body = text.partition(_BODY)
    parts = before.split(_SEPARATOR) if _SEPARATOR in before else before.split("\n")
    parts = [_MARKS.sub("", part) for part in parts]
    if html:
        parts += [unescape(found) for found in _ELEMENT.findall(body)]
    return [part for part in map(str.strip, parts) if part]


def labels(actions: Sequence[str]) -> tuple[str, ...]:
    """What the clicks among the actions on offer are on.

    >>> labels(["search[...]", "click[buy now]"])
    ('buy now',)
    """
    return tuple(action[6:-1] for action in actions if action.startswith("click["))


def words(text: str) -> list[str]:
    """Lower-case words and numbers, without the plural's s.

    >>> words("2 Cameras, 3.4 Ounce (Glass)")
    ['2', 'camera', '3.4', 'ounce', 'glass']
    """
    found = _WORD.findall(text.lower())
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in found]


def offers(found: Sequence[str], clickable: Collection[str]) -> tuple[Offer, ...]:
    """The rows of a results page; none on another page.

    Args:
        found: its strings.
        clickable: its labels.
    """
    if item(found, clickable) is not None:
        return ()
    rows = []
    for place, code in enumerate(found):
        if code.lower() not in clickable or code.lower() in BUTTONS:
            continue
        title, tag, *_ = (*found[place + 1 : place + 3], "", "")
        if title.startswith("$") and not tag.startswith("$"):
            title, tag = "", title  # some product has no title
        prices = _MONEY.findall(tag) if tag.startswith("$") else ()
        if prices:
            rows.append(Offer(code.lower(), title, max(map(float, prices))))
    return tuple(rows)


def item(found: Sequence[str], clickable: Collection[str]) -> Item | None:
    """The product of an item page; None on another page.

    Args:
        found: its strings.
        clickable: its labels.
    """
    end = next((n for n, text in enumerate(found) if text.startswith("Price: $")), None)
    if end is None or "Buy Now" not in found or "< Prev" not in found[:end]:
        return None
    between = found[found.index("< Prev") + 1 : end]
    values = set(clickable) - BUTTONS
    titled = bool(between) and between[-1] not in values  # some product has no title
    groups: dict[str, tuple[str, ...]] = {}
    name = ""
    for text in between[:-1] if titled else between:
        if text in values:
            groups[name] = (*groups.get(name, ()), text)
        else:
            name = text
    prices = tuple(map(float, _MONEY.findall(found[end])))
    return Item(between[-1] if titled else "", prices, groups)
