"""The word lists: what there is to buy, what it is like, and how people speak about it."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from armap.types import Record

__all__ = ["Attribute", "Person", "ProductType", "Shop", "Words", "agree", "read_words"]

_CATEGORIES = ("beauty", "electronics", "garden", "fashion", "grocery")

Number = Literal["one", "many", "mass"]

_AGREEMENT = {
    "{is}": ("is", "are"),
    "{has}": ("has", "have"),
    "{does}": ("does", "do"),
    "{s}": ("s", ""),
}


class Attribute(Record):
    """Something that a product may be; the fields are explained in ``words/attributes.toml``."""

    pre: str = ""
    that: str
    hint: str = ""
    says: tuple[str, ...]


class ProductType(Record):
    """A kind of product that people look for by one name."""

    category: str
    department: str
    query: str
    """The shelf: what WebShop calls ``query``."""
    path: tuple[str, ...]
    number: Number
    price: tuple[float, float]
    """Lowest and highest usual price in dollars."""
    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    features: tuple[str, ...]
    uses: tuple[str, ...]
    ask: tuple[str, ...]
    need: tuple[str, ...]
    attributes: tuple[str, ...]
    options: dict[str, tuple[str, ...]]


class Shop(Record):
    """Patterns in which shops write."""

    titles: tuple[str, ...]
    descriptions: tuple[str, ...]
    bullets: tuple[str, ...]


class Person(Record):
    """Patterns in which people ask."""

    openings: tuple[str, ...]
    stories: tuple[str, ...]
    terse: tuple[str, ...]
    careful: tuple[str, ...]
    hints: tuple[str, ...]
    synthetic: tuple[str, ...]
    options: dict[str, tuple[str, ...]]


class Words(Record):
    """All word lists."""

    attributes: dict[str, Attribute]
    types: tuple[ProductType, ...]
    brands: tuple[str, ...]
    shop: Shop
    person: Person


@lru_cache(maxsize=1)
def read_words() -> Words:
    """Read ``words/*.toml``, once."""
    types = [
        {**entry, "category": content["category"], "department": content["department"]}
        for content in map(_load, _CATEGORIES)
        for entry in content["type"]
    ]
    phrases = _load("phrases")
    return Words.model_validate({"attributes": _load("attributes"), "types": types, **phrases})


def agree(text: str, number: Number) -> str:
    """Put the verbs of ``text`` into the number of the noun.

    >>> agree("{is} light and {has} pockets", "many")
    'are light and have pockets'
    """
    for mark, (one, many) in _AGREEMENT.items():
        text = text.replace(mark, many if number == "many" else one)
    return text


def _load(name: str) -> dict[str, Any]:
    source = files(__package__).joinpath("words", f"{name}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
