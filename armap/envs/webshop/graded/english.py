"""English text cut into words as spaCy's blank English pipeline cuts it, without spaCy.

White space first; then punctuation is taken off both ends, a unit off a number's end; what is
left is cut at hyphens and the like between letters. Contractions, abbreviations and smileys are
known by heart. It serves the ``stub`` tagger, which asks only which words consist of letters:
signs that spaCy would cut otherwise into parts without letters are not followed up.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product

from armap.envs.webshop.graded.lists import ABBREVIATIONS, CONTRACTED, WORDS_OF_THEIR_OWN

__all__ = ["english_words"]

_PUNCTUATION = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_MONEY = (
    r"\$|£|€|¥|฿|US\$|C\$|A\$|﷼|[\u20a0-\u20bf]"
)  # fmt: skip
_UNITS = (
    "km²|km³|km/h|kmh|km|mm²|mm³|mm|m²|m³|m/s|mph|mbar|mb|mg|dm²|dm³|dm|cm²|cm³|cm|ha|µm|µg|nm|yd|"
    "in|ft|kg|g|lb|oz|hPa|Pa|MB|kb|KB|gb|GB|tb|TB|t|T|G|M|K|m|%"
)
_SIGNS = f"[{re.escape(_PUNCTUATION + _QUOTES)}]"
_LOWER = r"[^\W\d_A-Z]"
_LETTER = r"[^\W\d_]"

_PREFIX = re.compile(rf"US\$|C\$|A\$|\.\.+|\+(?![0-9])|[§%=—–]|{_SIGNS}|{_MONEY}")
_SUFFIX = re.compile(
    rf"(?:\.\.+|['’][sS]|[—–]|{_SIGNS}|(?<=[0-9])\+|(?<=[0-9])(?:{_MONEY})|(?<=[0-9])(?:{_UNITS})"
    rf"|(?<=[0-9%²\-+|])\.|(?<={_SIGNS})\.|(?<={_LOWER})\.|(?<=[A-Z][A-Z])\.)$"
)
_INFIX = re.compile(
    rf"\.\.+|…|(?<=[0-9])[+\-*^](?=[0-9-])"
    rf"|(?<={_LOWER})\.(?=[A-Z{re.escape(_QUOTES)}])"
    rf"|(?<=[{re.escape(_QUOTES)}])\.(?=[A-Z{re.escape(_QUOTES)}])"
    rf"|(?<={_LETTER}),(?={_LETTER})"
    rf"|(?<=[^\W_])(?:---|--|——|[-–—~])(?={_LETTER})"
    rf"|(?<=[^\W_])[:<>=/](?={_LETTER})"
)
_URL = re.compile(
    r"(?:[\w+.-]{2,}://)?(?:\S+@)?(?:[A-Za-z0-9\u00a1-\uffff][\w\u00a1-\uffff-]*\.)+[a-z]{2,}"
    r"(?::\d{2,5})?(?:[/?#]\S*)?"
)

_FIXED: tuple[tuple[str, ...], ...] = (("can", "not"), ("gon", "na"), ("got", "ta"))
_WHOLE = ABBREVIATIONS | {f"{letter}." for letter in "abcdefghijklmnopqrstuvwxyzäöü"}


@lru_cache(maxsize=1)
def _special() -> dict[str, tuple[str, ...]]:
    """What is known by heart: text to words, with a straight apostrophe."""
    parts = [*_FIXED, *((str(hour), f"{half}m") for hour, half in _hours())]
    parts += [(str(hour), f"{half}.m.") for hour, half in _hours()]
    for tail, heads in CONTRACTED.items():
        for head in heads:
            parts.append((head, *tail))
            bare = tuple(part.replace("'", "") for part in (head, *tail))
            if "".join(bare) not in WORDS_OF_THEIR_OWN:
                parts.append(bare)
    parts += [(words[0].capitalize(), *words[1:]) for words in parts]
    return {"".join(words): words for words in parts} | {word: (word,) for word in _WHOLE}


def _hours() -> product[tuple[int, str]]:
    return product(range(1, 13), "ap")


def english_words(text: str) -> list[str]:
    """The words of a text, punctuation included.

    >>> english_words("Don't buy size-10cm T-Shirts, Co. (2)")
    ['Do', "n't", 'buy', 'size-10', 'cm', 'T', '-', 'Shirts', ',', 'Co.', '(', '2', ')']
    """
    if not text.isascii():
        text = "".join(f" {char} " if unicodedata.category(char) == "So" else char for char in text)
    return [word for chunk in text.split() for word in _words(chunk)]


def _known(text: str) -> tuple[str, ...] | None:
    return _special().get(text.replace("’", "'"))


def _words(text: str) -> list[str]:
    """The words of a text without white space."""
    before: list[str] = []
    after: list[str] = []
    while text and _known(text) is None:
        start = _PREFIX.match(text)
        if start is not None:
            before.append(start[0])
            text = text[start.end() :]
            if _known(text):
                break
        end = _SUFFIX.search(text) if text else None
        if end is not None:
            after.append(end[0])
            text = text[: end.start()]
        if start is None and end is None:
            break
    return [*before, *_inner(text), *reversed(after)]


def _inner(text: str) -> list[str]:
    known = _known(text)
    if known is not None:
        return list(known)
    if _URL.fullmatch(text):
        return [text]
    words, at = [], 0
    for found in _INFIX.finditer(text):
        if found.start() > at or at > 0:
            words += [text[at : found.start()], found[0]]
            at = found.end()
    return [word for word in (*words, text[at:]) if word]
