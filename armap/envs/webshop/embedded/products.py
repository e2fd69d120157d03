"""Products from word lists: families of near-duplicates, written as shops write."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256
from math import exp, log
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from armap.seeding import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.envs.webshop.embedded.words import ProductType, Words

__all__ = ["Item", "make_items"]

_FAMILIES = (4, 4, 3, 3, 2, 2, 1, 1)
"""Sizes of a type's families: the members share a brand, a kind and most of their attributes."""
_HOST = "https://shop.example"
_BY_SIZE = frozenset({"Size", "Fit Type", "Number of Items", "Item Package Quantity"})
"""Groups whose values are products of their own; those of the others have a picture."""


@dataclass(frozen=True, slots=True)
class Item:
    """A product as it is written down, and what it is."""

    type: ProductType
    record: dict[str, Any]
    attributes: tuple[str, ...]
    options: dict[str, tuple[str, ...]]

    @property
    def asin(self) -> str:
        """Its identifier; ``X`` at the front, as no real one has."""
        return str(self.record["asin"])


class _Family(NamedTuple):
    """What near-duplicates have in common."""

    brand: str
    kind: str
    noun: str
    features: tuple[str, ...]
    attributes: tuple[str, ...]
    price: float


class _Draft(NamedTuple):
    """A product before its texts are written."""

    type: ProductType
    family: _Family
    attributes: tuple[str, ...]
    in_title: tuple[str, ...]
    in_bullets: tuple[str, ...]


def make_items(words: Words, seed: int) -> list[Item]:
    """All products, type by type: 20 of each."""
    return [item for product_type in words.types for item in _of_type(product_type, words, seed)]


def _of_type(product_type: ProductType, words: Words, seed: int) -> list[Item]:
    rng = Random(derive(seed, "type", product_type.query))
    brands = rng.sample(words.brands, len(_FAMILIES))
    items = []
    for brand, size in zip(brands, _FAMILIES, strict=True):
        family = _Family(
            brand=brand,
            kind=rng.choice(product_type.kinds),
            noun=rng.choice(product_type.titles),
            features=tuple(rng.sample(product_type.features, 3)),
            attributes=tuple(rng.sample(product_type.attributes, rng.randint(3, 5))),
            price=exp(rng.uniform(*map(log, product_type.price))),
        )
        for member in range(size):
            draft = _draft(product_type, family, rng)
            asin = _asin(seed, product_type.query, brand, member)
            items.append(_item(draft, asin, words, rng))
    return items


def _draft(product_type: ProductType, family: _Family, rng: Random) -> _Draft:
    """A member of a family: one or two attributes differ, and where they are told."""
    kept = rng.sample(family.attributes, len(family.attributes) - rng.randint(0, 1))
    others = [name for name in product_type.attributes if name not in kept]
    attributes = (*kept, *rng.sample(others, rng.randint(0, 2)))
    told = {name: rng.random() for name in attributes}
    in_title = tuple(name for name in attributes if told[name] < 0.35)[:3]
    return _Draft(
        type=product_type,
        family=family,
        attributes=tuple(rng.sample(attributes, len(attributes))),
        in_title=in_title,
        in_bullets=tuple(n for n in attributes if n not in in_title and told[n] < 0.88),
    )


def _item(draft: _Draft, asin: str, words: Words, rng: Random) -> Item:
    product_type = draft.type
    options = _choose_options(product_type, rng)
    cents = round(100 * draft.family.price * rng.uniform(0.75, 1.35))
    record: dict[str, Any] = {
        "name": _title(draft, words, rng),
        "full_description": _description(draft, words, rng),
        "pricing": _pricing(cents, rng),
        "images": [f"{_HOST}/images/{asin}-{n}.png" for n in range(rng.randint(1, 6))],
        "product_category": " › ".join((product_type.department, *product_type.path)),
        "average_rating": round(rng.uniform(2.6, 5.0), 1) if rng.random() < 0.65 else "",
        "small_description": _bullets(draft, words, rng),
        "customization_options": _options(options, asin, cents, rng),
        "asin": asin,
        "category": product_type.category,
        "query": product_type.query,
        "page": rng.randint(1, 40),
    }
    return Item(type=product_type, record=record, attributes=draft.attributes, options=options)


def _asin(seed: int, *path: str | int) -> str:
    digest = sha256("\x1f".join(map(str, ("asin", seed, *path))).encode()).digest()
    return "X0" + b32encode(digest[:5]).decode()


def _title(draft: _Draft, words: Words, rng: Random) -> str:
    family = draft.family
    bits = [_heading(words.attributes[name].pre or name) for name in draft.in_title]
    bits += rng.sample(family.features, 1 if len(bits) > 1 else 2)
    rng.shuffle(bits)
    pattern = rng.choice(words.shop.titles)
    return pattern.format(
        brand=family.brand,
        kind=family.kind,
        noun=family.noun,
        use=_heading(rng.choice(draft.type.uses)),
        bits=(" | " if "|" in pattern else ", ").join(bits),
    )


def _description(draft: _Draft, words: Words, rng: Random) -> str:
    if rng.random() < 0.25:
        return ""
    patterns = rng.sample(words.shop.descriptions, rng.randint(2, 5))
    return " ".join(_written(pattern, draft, words, rng) for pattern in patterns)


def _bullets(draft: _Draft, words: Words, rng: Random) -> list[str] | str:
    """Mostly a list; now and then one text, or nothing but an empty line, as in the original."""
    if rng.random() < 0.04:
        return [""]
    bullets = [_praise(name, words, rng) for name in draft.in_bullets]
    patterns = rng.sample(words.shop.bullets, max(1, rng.randint(3, 5) - len(bullets)))
    bullets += [_written(pattern, draft, words, rng) for pattern in patterns]
    rng.shuffle(bullets)
    return ". ".join(bullets) if rng.random() < 0.02 else bullets


def _praise(name: str, words: Words, rng: Random) -> str:
    """A line about an attribute, half the time with the attribute's own words."""
    said = rng.choice(words.attributes[name].says)
    if rng.random() < 0.5:
        return said
    heading = name.upper() if rng.random() < 0.4 else _heading(name)
    return f"{heading}: {said[0].lower() if said[1:2].islower() else said[0]}{said[1:]}"


def _written(pattern: str, draft: _Draft, words: Words, rng: Random) -> str:
    use, other = rng.sample(draft.type.uses, 2)
    text = pattern.format(
        brand=draft.family.brand,
        kind=draft.family.kind.lower(),
        query=draft.type.query,
        feature=rng.choice(draft.family.features),
        use=use,
        other=other,
        said=rng.choice(words.attributes[rng.choice(draft.attributes)].says),
    )
    return text[0].upper() + text[1:]


def _heading(text: str) -> str:
    """Title case that leaves small words and odd spellings alone."""
    small = {"a", "and", "at", "for", "in", "of", "the", "to", "with", "who", "that", "under"}
    return " ".join(
        word if word in small or not word.islower() else word.capitalize() for word in text.split()
    )


def _pricing(cents: int, rng: Random) -> str:
    """One price, a range (one in ten), or none (one in twenty)."""
    draw = rng.random()
    if draw < 0.05:
        return ""
    if draw < 0.15:
        return f"{_dollars(cents)} - {_dollars(round(cents * rng.uniform(1.15, 1.9)))}"
    return _dollars(cents)


def _dollars(cents: int) -> str:
    return f"${cents / 100:,.2f}"


def _choose_options(product_type: ProductType, rng: Random) -> dict[str, tuple[str, ...]]:
    """Which values of which groups this product has, in the order of the word lists."""
    if rng.random() < 0.15:
        return {}
    chosen = {}
    for group, values in product_type.options.items():
        if rng.random() < 0.85:
            kept = set(rng.sample(values, rng.randint(min(2, len(values)), len(values))))
            chosen[group] = tuple(value for value in values if value in kept)
    return chosen


def _options(
    options: dict[str, tuple[str, ...]], asin: str, cents: int, rng: Random
) -> dict[str, Any] | str:
    """The groups in the official form: a text when there is none, null for an empty group."""
    if not options:
        return {"Color": None} if rng.random() < 0.3 else ""
    written: dict[str, Any] = {}
    for group, values in options.items():
        selected = rng.randrange(len(values))
        write = _sizes if group in _BY_SIZE else _pictures
        written[group] = write(values, selected, asin, cents)
    return written


def _sizes(values: Sequence[str], selected: int, asin: str, cents: int) -> list[dict[str, Any]]:
    return [
        {
            "is_selected": place == selected,
            "is_available": True,
            "value": value,
            "asin": _asin(cents, asin, value),
        }
        for place, value in enumerate(values)
    ]


def _pictures(values: Sequence[str], selected: int, asin: str, cents: int) -> list[dict[str, Any]]:
    return [
        {
            "is_selected": place == selected,
            "url": None if place == selected else f"{_HOST}/dp/{_asin(cents, asin, value)}",
            "value": value,
            "price_string": _dollars(cents),
            "price": cents / 100,
            "image": f"{_HOST}/images/{asin}-{value.lower().replace(' ', '-')}.png",
        }
        for place, value in enumerate(values)
    ]
