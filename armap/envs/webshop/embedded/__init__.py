"""A catalogue that comes with the package: about 1,000 products that nobody sells.

It has the form of WebShop's official files, key by key, so that whatever reads those reads it
too, and it is made from a seed and our own word lists (``words/*.toml``) in a fraction of a
second. Products come in families of near-duplicates which differ in attributes, options and
price, so that choosing matters.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from armap.envs.webshop.embedded.instructions import asked_by_people, asked_by_template
from armap.envs.webshop.embedded.products import make_items
from armap.envs.webshop.embedded.words import read_words
from armap.seeding import derive

if TYPE_CHECKING:
    from armap.types import Split

__all__ = ["Official", "make", "split_of"]

_TRAIN, _DEV = 0.7, 0.1


class Official(NamedTuple):
    """What the three official files hold, as ``json.load`` returns it."""

    products: list[dict[str, Any]]
    """``items_shuffle*.json``: the products, in the order of the catalogue."""
    attributes: dict[str, dict[str, Any]]
    """``items_ins_v2*.json``: asin to attributes and, for some, a synthetic instruction."""
    instructions: dict[str, list[dict[str, Any]]]
    """``items_human_ins.json``: asin to what people ask for, with the wished attributes and
    options."""


def make(seed: int = 0) -> Official:
    """Make the catalogue of ``seed``; equal seeds give equal catalogues.

    What a person asks for can be had in full: the product that an instruction was written for
    has all its attributes and options. (In the original's reward, one in sixty combinations of
    a synthetic goal cannot, because ``sandalwood`` is taken for the colour ``sand``.)

    >>> official = make()
    >>> len(official.products), len(official.attributes)
    (1000, 1000)
    >>> asin = official.products[0]["asin"]
    >>> sorted(official.attributes[asin]["attributes"])
    ['easy carry', 'long lasting', 'natural ingredients', 'sensitive skin']
    >>> official.instructions[asin][0]["asin"] == asin
    True
    """
    words = read_words()
    items = make_items(words, seed)
    Random(derive(seed, "order")).shuffle(items)
    people = {item.asin: asked_by_people(item, words, seed) for item in items}
    return Official(
        products=[item.record for item in items],
        attributes={
            item.asin: asked_by_template(item, words, seed, asked=bool(people[item.asin]))
            for item in items
        },
        instructions={asin: asked for asin, asked in people.items() if asked},
    )


def split_of(asin: str) -> Split:
    """The split of a product and of all its goals: 70 % train, 10 % dev, 20 % test.

    It depends on the asin alone, whatever else is in the catalogue.

    >>> split_of("X0000000AB") == split_of("X0000000AB")
    True
    """
    place = int.from_bytes(sha256(f"split {asin}".encode()).digest()[:8], "big") / 2**64
    if place < _TRAIN:
        return "train"
    return "dev" if place < _TRAIN + _DEV else "test"
