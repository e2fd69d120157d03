"""What a shopper makes of a prompt: the wish, the page, what it did. It knows nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from armap.types import Message

__all__ = ["Group", "Scene", "Wish", "overlap", "read", "words"]

_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_BOUND = re.compile(r"price (?:lower|less) than ([\d.]+)")
_MONEY = re.compile(r"\$([\d.]+)")
_ACTION = re.compile(r"^(?:- |.*Action:\s*)((?:click|search)\[.*\])\s*$", re.MULTILINE)
_MARKS = re.compile(r"\[(?:clicked )?button_?\]|</?[a-z][^>]*>")
_ASIN = re.compile(r"[a-z0-9]{10}")
_TRIED = re.compile(r"click\[([a-z0-9]{10})\]", re.IGNORECASE)
_RESULTS = "(Total results:"
_FIXED = ("back to search", "< prev", "next >", "description", "features", "reviews", "buy now")
_EMPTY = frozenset(
    """a an and any are as at be because but by can cannot do dollars does for from get give has
    have help him her i if im in is it its just like look looking lower make me must my need needs
    no of on one or our please pls price should show shopping so some something smth sure than that
    the them there they this to under want wants we what when which will with would you your find
    buy made come comes works""".split()  # noqa: SIM905  (easier to read)
)
"""Words that say nothing about a product."""


class Wish(NamedTuple):
    """What is asked for."""

    text: str
    terms: tuple[str, ...]
    """Its telling words, in order."""
    bound: float | None
    """Dollars, when a bound is named."""


class Group(NamedTuple):
    """A group of options of the open product."""

    name: str
    values: tuple[str, ...]


class Offer(NamedTuple):
    """One row of a results page."""

    asin: str
    title: str
    price: float


class Scene(NamedTuple):
    """All that the prompt tells."""

    wish: Wish
    actions: tuple[str, ...]
    """The actions on offer."""
    done: tuple[str, ...]
    """The shopper's own actions so far."""
    visit: tuple[str, ...]
    """Those since it opened a product from a results page; all when it has not."""
    offers: tuple[Offer, ...]
    groups: tuple[Group, ...]
    price: float | None
    """Of the open product, the dearest if there is a range."""
    tried: frozenset[str]
    """Products of which a note says that buying them failed, or that were looked at and left."""


def words(text: str) -> list[str]:
    """Lower-case words and numbers, without the plural's s.

    >>> words("2 Cameras, 3.4 Ounce (Glass)")
    ['2', 'camera', '3.4', 'ounce', 'glass']
    """
    found = _WORD.findall(text.lower())
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in found]


def overlap(phrase: str, terms: Iterable[str]) -> float:
    """Share of a phrase's words that are among ``terms``, 0 to 1."""
    own = words(phrase)
    known = set(terms)
    return sum(word in known for word in own) / len(own) if own else 0.0


def read(messages: Sequence[Message]) -> Scene:
    """Read the dialogue; a page that is none of WebShop's has neither offers nor groups."""
    first = next(message.content for message in messages if message.role == "user")
    page, _, listed = messages[-1].content.partition("\nAvailable actions:\n")
    strings = list(_strings(page))
    actions = tuple(_ACTION.findall(listed))
    done = tuple(_acts(messages))
    pages = [message.content for message in messages if message.role == "user"]
    places = [n for n, page in enumerate(pages[: len(done)]) if _RESULTS in page]
    opened = [done[n] for n in places]
    wish = _wish(strings, first)
    return Scene(
        wish=wish,
        actions=actions,
        done=done,
        visit=done[places[-1] + 1 :] if places else done,
        offers=tuple(_offers(strings, actions)),
        groups=tuple(_groups(strings, actions)),
        price=_price(strings),
        tried=_tried(first, opened),
    )


def _strings(page: str) -> Iterator[str]:
    """The strings of a page in any of the environment's views."""
    for part in re.split(r" \[SEP\] |\n", page):
        text = _MARKS.sub("", part).strip()
        if text:
            yield text


def _acts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if message.role == "assistant":
            found = _ACTION.findall(f"- {message.content}") or _ACTION.findall(message.content)
            yield found[-1] if found else message.content


def _wish(strings: Sequence[str], first: str) -> Wish:
    places = [n for n, text in enumerate(strings[:-1]) if text == "Instruction:"]
    text = strings[places[0] + 1] if places else first.splitlines()[0]
    told, _, _ = text.partition(", and price lower")
    bound = _BOUND.search(text)
    terms = (word for word in words(told) if word not in _EMPTY)
    return Wish(told, tuple(dict.fromkeys(terms)), float(bound[1]) if bound else None)


def _labels(actions: Sequence[str]) -> list[str]:
    return [action[6:-1] for action in actions if action.startswith("click[")]


def _offers(strings: Sequence[str], actions: Sequence[str]) -> Iterator[Offer]:
    products = {label for label in _labels(actions) if _ASIN.fullmatch(label)}
    for asin, title, tag in zip(strings, strings[1:], strings[2:], strict=False):
        prices = _MONEY.findall(tag)
        if asin.lower() in products and tag.startswith("$") and prices:
            yield Offer(asin.lower(), title, float(prices[-1].rstrip(".")))


def _groups(strings: Sequence[str], actions: Sequence[str]) -> Iterator[Group]:
    end = next((n for n, text in enumerate(strings) if text.startswith("Price: $")), None)
    if end is None or "< Prev" not in strings:
        return
    values = {label for label in _labels(actions) if label not in _FIXED}
    name, own = "", []
    for text in strings[strings.index("< Prev") + 1 : end - 1]:
        if text in values:
            own.append(text)
            continue
        if own:
            yield Group(name, tuple(own))
        name, own = text, []
    if own:
        yield Group(name, tuple(own))


def _price(strings: Sequence[str]) -> float | None:
    tag = next((text for text in strings if text.startswith("Price: $")), "")
    prices = _MONEY.findall(tag)
    return float(prices[-1].rstrip(".")) if prices else None


def _tried(first: str, opened: Sequence[str]) -> frozenset[str]:
    notes = "\n".join(line for line in first.splitlines() if line.startswith("Failed:"))
    return frozenset(asin.lower() for asin in _TRIED.findall("\n".join((notes, *opened))))
