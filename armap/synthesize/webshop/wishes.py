"""What a purchase shows: its type, attributes that its texts tell, chosen options, a price.

Read from the pages of the episode alone; the goal that the episode was played for, the hidden
attributes and the score are out of reach.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.storefront import words

if TYPE_CHECKING:
    from random import Random

    from armap.envs.webshop.purchase import Purchase

__all__ = ["Wish", "attributes_of", "bound_above", "misses", "type_of"]

_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_CHUNK = re.compile(r"\s*[,|()\[\]]\s*|\s+[-\N{EN DASH}]\s+|:\s")
_TAIL = re.compile(r"\s+(?:for|with|by|from)\s.*", re.IGNORECASE)
_LONGEST = 4
"""Words of an attribute at most."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody could have wanted who bought that."""

    type: tuple[str, ...]
    """Words for the kind of product."""
    attributes: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    """(group, value)."""
    bound: float | None = None
    """Dollars."""


def type_of(title: str, rng: Random) -> tuple[str, ...]:
    """The last words of a title's first part: there the noun stands, in most shops.

    >>> from random import Random
    >>> type_of("Windlass Indoor Home Camera for the Shed, Two Way Talk", Random(0))[-1]
    'camera'
    """
    first = _TAIL.sub("", _CHUNK.split(title)[0]) or title
    named = [word for word in words(first) if len(word) > 1]
    return tuple(named[-rng.choice((1, 2, 2, 3)) :])


def attributes_of(bought: Purchase) -> list[str]:
    """Short phrases of the title and of what was read that say what the product is like.

    >>> from armap.envs.webshop.purchase import Purchase
    >>> attributes_of(Purchase("Acme Lamp, Easy Clean, USB Port - Acme", (9.0,), {}))
    ['easy clean', 'usb port']
    """
    chunks = [_TAIL.sub("", part) for part in _CHUNK.split(bought.title)[1:]]
    chunks += [_CHUNK.split(text)[0] for text in bought.told]
    phrases = (" ".join(_WORD.findall(chunk.lower())) for chunk in chunks)
    return [
        phrase
        for phrase in dict.fromkeys(phrases)
        if 2 <= len(phrase.split()) <= _LONGEST and "you" not in phrase.split()
    ]


def bound_above(price: float, rng: Random) -> float:
    """One of the next multiples of ten above a price."""
    return 10.0 * (int(price // 10) + rng.choice((1, 2, 2, 3, 3, 3, 4)))


def misses(wish: Wish, bought: Purchase | None) -> frozenset[str]:
    """The parts of a wish that a purchase does not show; all of them when nothing was bought."""
    parts = [f"attribute: {attribute}" for attribute in wish.attributes]
    parts += [f"option: {group}" for group, _ in wish.options]
    parts += ["price"] if wish.bound is not None else []
    if bought is None or not bought.bought:
        return frozenset(("purchase", "type", *parts))
    told = set(words(" ".join((bought.title, *bought.told, *bought.options.values()))))
    chosen = set(bought.options.values())
    title = set(words(bought.title))
    missed = [] if 2 * sum(word in title for word in wish.type) >= len(wish.type) else ["type"]
    missed += [f"attribute: {a}" for a in wish.attributes if not told.issuperset(words(a))]
    missed += [f"option: {group}" for group, value in wish.options if value not in chosen]
    if wish.bound is not None and bought.dearest > wish.bound:
        missed.append("price")
    return frozenset(missed)
