"""What a shopper makes of a prompt: the wish, the page, what it did. It knows nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from armap.storefront import item, labels, offers, strings, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from armap.storefront import Offer
    from armap.types import Message

__all__ = ["Group", "Scene", "Wish", "overlap", "read"]

_BOUND = re.compile(r"price (?:lower|less) than ([\d.]+)")
_ACTION = re.compile(r"^(?:- |.*Action:\s*)((?:click|search)\[.*\])\s*$", re.MULTILINE)
_TRIED = re.compile(r"click\[([a-z0-9]{10})\]", re.IGNORECASE)
_RESULTS = "(Total results:"
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


def overlap(phrase: str, terms: Iterable[str]) -> float:
    """Share of a phrase's words that are among ``terms``, 0 to 1."""
    own = words(phrase)
    known = set(terms)
    return sum(word in known for word in own) / len(own) if own else 0.0


def read(messages: Sequence[Message]) -> Scene:
    """Read the dialogue; a page that is none of WebShop's has neither offers nor groups."""
    first = next(message.content for message in messages if message.role == "user")
    page, _, listed = messages[-1].content.partition("\nAvailable actions:\n")
    found = strings(page)
    actions = tuple(_ACTION.findall(listed))
    clickable = set(labels(actions))
    shown = item(found, clickable)
    done = tuple(_acts(messages))
    pages = [message.content for message in messages if message.role == "user"]
    places = [n for n, page in enumerate(pages[: len(done)]) if _RESULTS in page]
    opened = [done[n] for n in places]
    wish = _wish(found, first)
    return Scene(
        wish=wish,
        actions=actions,
        done=done,
        visit=done[places[-1] + 1 :] if places else done,
        offers=offers(found, clickable),
        groups=() if shown is None else tuple(Group(*group) for group in shown.groups.items()),
        price=None if shown is None else max(shown.price),
        tried=_tried(first, opened),
    )


def _acts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if message.role == "assistant":
            found = _ACTION.findall(f"- {message.content}") or _ACTION.findall(message.content)
            yield found[-1] if found else message.content


def _wish(found: Sequence[str], first: str) -> Wish:
    places = [n for n, text in enumerate(found[:-1]) if text == "Instruction:"]
    text = found[places[0] + 1] if places else first.splitlines()[0]
    told, _, _ = text.partition(", and price lower")
    bound = _BOUND.search(text)
    terms = (word for word in words(told) if word not in _EMPTY)
    return Wish(told, tuple(dict.fromkeys(terms)), float(bound[1]) if bound else None)


def _tried(first: str, opened: Sequence[str]) -> frozenset[str]:
    notes = "\n".join(line for line in first.splitlines() if line.startswith("Failed:"))
    return frozenset(asin.lower() for asin in _TRIED.findall("\n".join((notes, *opened))))
