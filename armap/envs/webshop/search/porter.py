"""The Porter stemmer as Lucene has it.

Porter (1980), *An algorithm for suffix stripping*, with Martin Porter's two later departures
``bli -> ble`` and ``logi -> log``. Letters, digits and everything else that is no vowel count as
consonants; words of one or two characters stay as they are.
"""

from __future__ import annotations

__all__ = ["stem"]

_VOWELS = frozenset("aeiou")
_UNDOUBLED = frozenset("lsz")

# Suffixes of steps 2, 3 and 4, each table in the order in which Porter tries them.
_STEP2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"),
    ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"),
    ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"),
    ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"),
    ("logi", "log"),
)  # fmt: skip
_STEP3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""),
    ("ness", ""),
)  # fmt: skip
_STEP4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
)  # fmt: skip


def stem(word: str) -> str:
    """The stem of a lower-case word.

    >>> [stem(word) for word in ("extensions", "natural", "hopping", "ties", "as", "10.5")]
    ['extens', 'natur', 'hop', 'ti', 'as', '10.5']
    """
    if len(word) <= 2:
        return word
    word = _plurals(word)
    word = _past(word)
    if word[-1] == "y" and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _STEP2)
    word = _replaced(word, _STEP3)
    word = _dropped(word)
    return _tidied(word)


def _shape(word: str) -> str:
    """One letter a character: ``v`` for a vowel, ``c`` for a consonant.

    >>> _shape("syzygy")
    'cvcvcv'
    """
    marks: list[str] = []
    for char in word:
        vowel = char in _VOWELS or (char == "y" and bool(marks) and marks[-1] == "c")
        marks.append("v" if vowel else "c")
    return "".join(marks)


def _measure(word: str) -> int:
    """How many times a vowel is followed by a consonant."""
    return _shape(word).count("vc")


def _has_vowel(word: str) -> bool:
    return "v" in _shape(word)


def _ends_short(word: str) -> bool:
    """Consonant, vowel, consonant at the end, the last not ``w``, ``x`` or ``y``."""
    return len(word) > 2 and _shape(word).endswith("cvc") and word[-1] not in "wxy"


def _ends_double(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1] == "c"


def _plurals(word: str) -> str:
    if word[-1] != "s":
        return word
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word if word[-2] == "s" else word[:-1]


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix):
            root = word[: -len(suffix)]
            return _mended(root) if _has_vowel(root) else word
    return word


def _mended(root: str) -> str:
    if root.endswith(("at", "bl", "iz")):
        return root + "e"
    if _ends_double(root):
        return root if root[-1] in _UNDOUBLED else root[:-1]
    return root + "e" if _measure(root) == 1 and _ends_short(root) else root


def _replaced(word: str, table: tuple[tuple[str, str], ...]) -> str:
    for suffix, put in table:
        if word.endswith(suffix):
            root = word[: -len(suffix)]
            return root + put if _measure(root) > 0 else word
    return word


def _dropped(word: str) -> str:
    for suffix in _STEP4:
        if word.endswith(suffix):
            root = word[: -len(suffix)]
            if suffix == "ion" and not root.endswith(("s", "t")):
                return word
            return root if _measure(root) > 1 else word
    return word


def _tidied(word: str) -> str:
    if word.endswith("e"):
        root = word[:-1]
        measure = _measure(root)
        if measure > 1 or (measure == 1 and not _ends_short(root)):
            word = root
    if word.endswith("ll") and _measure(word) > 1:
        word = word[:-1]
    return word
