"""One product as WebShop sees it, and how an official record becomes one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from armap.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Groups", "Product", "describe", "pack", "parse_price", "parse_product", "unpack"]

Groups = tuple[tuple[str, tuple[str, ...]], ...]
"""Option groups with their values, in the order of the data."""

MISSING_PRICE = 100.0
"""Price of a product that has none."""
NO_ATTRIBUTES = ("DUMMY_ATTR",)
"""Attributes of a product that nobody annotated, as the original writes them."""
LONGEST_ASIN = 10
_NOT_NUMERIC = re.compile(r"[^\d.]")


@dataclass(frozen=True, slots=True)
class Product:
    """A product; every string is shown or compared exactly as it stands here."""

    asin: str
    title: str
    description: str
    bullets: tuple[str, ...]
    pricing: tuple[float, ...]
    """One price in dollars, or the ends of a range."""
    options: Groups
    """Group names and values in lower case."""
    attributes: tuple[str, ...]
    category: str
    query: str
    product_category: str
    """Path of the shop's own tree, its parts separated by ``›``."""
    image: str = ""
    """Address of the main picture; empty when there is none."""
    instruction: str | None = None
    """What a synthetic goal says, without options and price."""
    instruction_attributes: tuple[str, ...] = ()
    """The attributes that this instruction names."""

    @property
    def tag(self) -> str:
        """The price as pages show it.

        >>> describe(pricing=(16.05, 40.98)).tag
        '$16.05 to $40.98'
        """
        return " to ".join(f"${price}" for price in self.pricing)

    @property
    def contents(self) -> str:
        """What the search engine indexes: title, description, *first* bullet and options."""
        first = self.bullets[0] if self.bullets else ""
        options = ", and ".join(f"{name}: {', '.join(values)}" for name, values in self.options)
        return f"{self.title} {self.description} {first} {options}".lower()


def describe(**fields: Any) -> Product:
    """A product of which only some fields matter, for examples."""
    empty: dict[str, Any] = {
        "asin": "B000000000", "title": "", "description": "", "bullets": (),
        "pricing": (MISSING_PRICE,), "options": (), "attributes": NO_ATTRIBUTES,
        "category": "", "query": "", "product_category": "",
    }  # fmt: skip
    return Product(**{**empty, **fields})


def parse_product(record: Mapping[str, Any], annotated: Mapping[str, Any]) -> Product | None:
    """Read one record of ``items_shuffle*.json``.

    Args:
        record: the product.
        annotated: its entry of ``items_ins_v2*.json``; empty where there is none.

    Returns:
        None for a record that the original skips: its ``asin`` is ``nan`` or too long.

    Raises:
        DataError: a field that every product needs is missing or has a wrong type.
    """
    asin = _text(record, "asin", "?")
    if asin == "nan" or len(asin) > LONGEST_ASIN:
        return None
    small = record.get("small_description")
    bullets = small if isinstance(small, list) else [small]
    return Product(
        asin=asin,
        title=_text(record, "name", asin),
        description=_text(record, "full_description", asin),
        bullets=tuple("" if bullet is None else str(bullet) for bullet in bullets),
        pricing=parse_price(record.get("pricing"), asin),
        options=_options(record.get("customization_options"), asin),
        attributes=tuple(annotated.get("attributes", NO_ATTRIBUTES)),
        category=_text(record, "category", asin),
        query=_text(record, "query", asin).lower().strip(),
        product_category=_text(record, "product_category", asin),
        image=_image(record.get("images")),
        instruction=annotated.get("instruction"),
        instruction_attributes=tuple(annotated.get("instruction_attributes") or ()),
    )


def pack(product: Product) -> bytes:
    """A product in canonical bytes: what a store keeps and a digest covers."""
    fields = [getattr(product, name) for name in product.__slots__]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(line: bytes) -> Product:
    """The product of :func:`pack`."""
    product: Product = Product(*map(_frozen, json.loads(line)))
    return product


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def parse_price(text: Any, asin: str) -> tuple[float, ...]:
    """The prices in a string like ``$16.05 to $40.98``, two at most; 100 where it is empty.

    Raises:
        DataError: there is no price in it.

    >>> parse_price("$1,016.05", "B0"), parse_price("", "B0")
    ((1016.05,), (100.0,))
    """
    if not text:
        return (MISSING_PRICE,)
    try:
        found = [float(_NOT_NUMERIC.sub("", part)) for part in str(text).split("$")[1:]]
    except ValueError:
        found = []
    if not found:
        raise DataError(f"product {asin}: pricing {text!r:.40} is no price like '$9.99'")
    return tuple(found[:2])


def _options(groups: Any, asin: str) -> Groups:
    if not groups:
        return ()
    if not isinstance(groups, dict):
        raise DataError(f"product {asin}: customization_options must be a mapping of groups")
    found: dict[str, tuple[str, ...]] = {}
    for name, contents in groups.items():
        if contents is not None:
            found[name.lower()] = tuple(
                option["value"].strip().replace("/", " | ").lower() for option in contents
            )
    return tuple(found.items())


def _image(images: Any) -> str:
    return str(images[0]) if isinstance(images, list) and images else ""


def _text(record: Mapping[str, Any], key: str, asin: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise DataError(f"product {asin}: {key!r} is missing, or not a text: {value!r:.40}")
    return value
