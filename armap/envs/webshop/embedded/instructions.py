"""What people ask for, in several registers, and what a template asks for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from armap.envs.webshop.embedded.words import agree
from armap.seeding import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.envs.webshop.embedded.products import Item
    from armap.envs.webshop.embedded.words import Number, ProductType, Words

__all__ = ["asked_by_people", "asked_by_template"]

_AN = ("a", "e", "i", "o", "hdmi")
"""Beginnings, among our words, that take "an"."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one person wants of one type of product."""

    type: ProductType
    attributes: tuple[str, ...]
    options: dict[str, str]


def asked_by_people(item: Item, words: Words, seed: int) -> list[dict[str, Any]]:
    """Between no and three instructions for a product, none with the same wishes."""
    rng = Random(derive(seed, "people", item.asin))
    asked: list[dict[str, Any]] = []
    wishes = []
    for _ in range(rng.choices((0, 1, 2, 3), weights=(8, 50, 27, 15))[0]):
        wish = _wish(item, rng)
        if wish not in wishes:
            wishes.append(wish)
            asked.append(
                {
                    "asin": item.asin,
                    "instruction": _say(wish, words, rng) + ".",
                    "instruction_attributes": list(wish.attributes),
                    "instruction_options": [_shown(value) for value in wish.options.values()],
                }
            )
    return asked


def asked_by_template(item: Item, words: Words, seed: int, *, asked: bool) -> dict[str, Any]:
    """The attributes that are known of a product and, for three in five, an instruction.

    Of those that nobody asks for, every other one has no known attributes, whatever its texts
    say; of the others all are known, so that each goal can be fulfilled.
    """
    rng = Random(derive(seed, "template", item.asin))
    if not asked and rng.random() < 0.5:
        return {"attributes": []}
    known: dict[str, Any] = {"attributes": list(item.attributes)}
    if rng.random() < 0.65:
        wished = rng.sample(item.attributes, min(len(item.attributes), rng.randint(1, 4)))
        text = rng.choice(words.person.synthetic).format(query=item.type.query)
        number: Number = "mass" if item.type.number == "mass" else "many"
        clauses = [agree(words.attributes[name].that, number) for name in wished]
        known["instruction"] = f"{text} that {_listed(clauses)}"
        known["instruction_attributes"] = wished
    return known


def _wish(item: Item, rng: Random) -> _Wish:
    most = min(3, len(item.attributes))
    count = rng.choices((1, 2, 3)[:most], weights=(62, 29, 9)[:most])[0]
    groups = [group for group in item.options if rng.random() < 0.62]
    return _Wish(
        type=item.type,
        attributes=tuple(rng.sample(item.attributes, count)),
        options={group: rng.choice(item.options[group]) for group in groups},
    )


def _say(wish: _Wish, words: Words, rng: Random) -> str:
    """One instruction: a register is drawn, then the words."""
    person = words.person
    registers = (person.openings, person.stories, person.terse, person.careful)
    register = rng.choices(registers, weights=(56, 18, 12, 14))[0]
    names = list(wish.attributes)
    hinted = _hinted(names, words, rng)
    noun = rng.choice(wish.type.ask)
    careful = register is person.careful and bool(names)
    vague = noun.startswith("something")
    number: Number = "one" if vague else wish.type.number
    pre = [] if careful or vague else _before(names, words, rng)
    rest = [agree(words.attributes[n].that, number) for n in names if n not in pre]
    bare = " ".join([", ".join(words.attributes[n].pre for n in pre), noun]).strip()
    pattern = rng.choice(register if careful or register is not person.careful else person.openings)
    if rest and "{that}" not in pattern and "{clauses}" not in pattern:
        pattern = rng.choice(person.openings)
    it = "they" if number == "many" else "it"
    text = pattern.format(
        np=_with_article(bare, wish.type, rng),
        bare=bare,
        that=f" that {_listed(rest)}" if rest else "",
        clauses=f"{it} {_listed(rest)}",
        options=_asked_options(wish, words, rng),
        need=rng.choice(wish.type.need),
    )
    if hinted:
        text += ". " + rng.choice(person.hints).format(hint=words.attributes[hinted].hint)
    return _careless(text) if rng.random() < 0.12 else text


def _hinted(names: list[str], words: Words, rng: Random) -> str:
    """Take an attribute out of ``names`` that is said without being named, or none."""
    able = [name for name in names if words.attributes[name].hint]
    if not able or rng.random() > 0.14:
        return ""
    names.remove(able[0])
    return able[0]


def _before(names: Sequence[str], words: Words, rng: Random) -> list[str]:
    """The attributes that stand before the noun."""
    return [name for name in names if words.attributes[name].pre and rng.random() < 0.6][:2]


def _with_article(phrase: str, wanted: ProductType, rng: Random) -> str:
    if phrase.startswith("something"):
        return phrase
    if wanted.number != "one":
        return phrase if rng.random() < 0.6 else f"some {phrase}"
    return f"{'an' if phrase.startswith(_AN) else 'a'} {phrase}"


def _asked_options(wish: _Wish, words: Words, rng: Random) -> str:
    """`` in navy blue, size large``, or nothing."""
    phrases = [
        rng.choice(words.person.options[group]).format(value=_spoken(value))
        for group, value in wish.options.items()
    ]
    if not phrases:
        return ""
    rng.shuffle(phrases)
    separator = " " if phrases[0].split()[0] in {"in", "with"} and rng.random() < 0.7 else ", "
    return separator + ", ".join(phrases)


def _shown(value: str) -> str:
    """An option as the pages show it."""
    return value.strip().replace("/", " | ").lower()


def _spoken(value: str) -> str:
    """An option as people say it.

    >>> _spoken("12 Ounce (Pack of 3)")
    '12 ounce, pack of 3'
    """
    return value.lower().replace(" (pack of 1)", "").replace(" (", ", ").replace(")", "")


def _listed(phrases: Sequence[str]) -> str:
    """``a, b and c``."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _careless(text: str) -> str:
    """As typed in a hurry: no apostrophes, no commas, words left out."""
    text = text.replace("i am ", "im ").replace("'", "").replace(",", "")
    return text.replace("please ", "pls ").replace("something", "smth")
