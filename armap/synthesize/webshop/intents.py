"""A wish in words, in many ways, with the chatter that real wishes come with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from armap.synthesize.webshop.wishes import Wish

__all__ = ["intent"]

_OPENINGS = (
    "i want {np}{rest}",
    "i need {np}{rest}",
    "i am after {np}{rest}",
    "get me {np}{rest}",
    "find me {np}{rest}",
    "could you order {np}{rest}",
    "please buy {np}{rest} for me",
    "{np}{rest}",
    "we could use {np}{rest}",
    "where can i get {np}{rest}",
    "i'd love to have {np}{rest}",
    "time for {np}{rest}",
    "{chatter}, so i want {np}{rest}",
    "{chatter}. find {np}{rest}",
    "order {np}{rest}, because {chatter}",
    "{chatter}, and now i need {np}{rest}",
)
_CHATTER = (
    "my old one broke last week",
    "our neighbours are coming over on sunday",
    "the kids start school soon",
    "my mother has her birthday in may",
    "i am moving into a smaller flat",
    "winter came early this year",
    "the doctor told me to take better care of myself",
    "we are going on a trip by train",
    "my partner is hard to please",
    "the one from the market was no good",
    "i spend most of my day in the kitchen",
    "the dog ate the last one",
    "i promised my sister a present",
    "there is hardly any room in the bathroom",
    "it is for the new office",
    "my skin gets red so quickly",
)
_OPTIONS = (
    " in {value}",
    ", {group} {value}",
    ", {value}",
    " with {group}: {value}",
    " in the {group} {value}",
    ", the {value} one",
    ", {group}: {value}",
)
_AFTER = (
    " that is {what}",
    " with {what}",
    ", {what}",
    " that has {what}",
    ". it must be {what}",
    " and i insist on {what}",
)
_BOUNDS = (
    ", and price lower than {bound:.2f} dollars",
    ", and price lower than {bound:.2f} dollars",
    ", and price lower than {bound:.2f} dollars",
    ", for less than {bound:.0f} dollars",
)


def intent(wish: Wish, rng: Random) -> str:
    """One instruction for a wish; equal wishes and random numbers give equal words.

    >>> from random import Random
    >>> from armap.synthesize.webshop.wishes import Wish
    >>> text = intent(Wish(("desk", "lamp"), ("usb port",), (("color", "red"),), 40.0), Random(1))
    >>> all(word in text for word in ("desk lamp", "usb port", "red", "40"))
    True
    """
    said = [_reworded(attribute, rng) for attribute in wish.attributes]
    rng.shuffle(said)
    before = said[: rng.choice((0, 1, 1, 2))]
    after = said[len(before) :]
    noun = " ".join(wish.type) + rng.choice(("", "", "s"))
    article = rng.choice(("a ", "some ", "", "", "this kind of "))
    phrase = article + ", ".join(before) + (" " if before else "") + noun
    rest = _listed(rng.choice(_AFTER), after) + _options(wish, rng)
    opening = rng.choice(_OPENINGS)
    text = opening.format(np=phrase.strip(), rest=rest, chatter=rng.choice(_CHATTER))
    if wish.bound is not None:
        text += rng.choice(_BOUNDS).format(bound=wish.bound)
    return text


def _listed(pattern: str, phrases: list[str]) -> str:
    if not phrases:
        return ""
    *most, last = phrases
    what = f"{', '.join(most)} and {last}" if most else last
    return pattern.format(what=what)


def _options(wish: Wish, rng: Random) -> str:
    options = list(wish.options)
    rng.shuffle(options)
    return "".join(
        rng.choice(_OPTIONS).format(group=group, value=_spoken(value, rng))
        for group, value in options
    )


def _spoken(value: str, rng: Random) -> str:
    """An option as somebody would write it, mostly as the shop does."""
    if rng.random() < 0.5:
        value = value.replace(" (pack of 1)", "")
    return value.replace(" (", ", ").replace(")", "") if rng.random() < 0.5 else value


def _reworded(attribute: str, rng: Random) -> str:
    """The attribute in other words, where there are simple ones."""
    head, _, tail = attribute.rpartition(" ")
    ways = [attribute, attribute]
    if tail == "free" and head:
        ways += [f"free of {head}", f"without {head}", f"no {head}"]
    elif tail in {"resistant", "proof"} and head:
        ways += [f"resistant to {head}", f"{head} {tail}"]
    elif head == "easy":
        ways += [f"easy to {tail}"]
    elif attribute.startswith("easy to "):
        ways += [attribute.replace("easy to ", "easy ")]
    return rng.choice(ways)
