"""From text to the terms that are indexed and looked up: Lucene's English analyser."""

from __future__ import annotations

from armap.envs.webshop.search.porter import stem
from armap.envs.webshop.search.words import cut

__all__ = ["STOP_WORDS", "analyse", "term"]

STOP_WORDS = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is",
    "it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there",
    "these", "they", "this", "to", "was", "will", "with",
))  # fmt: skip

_POSSESSIVE = ("'s", "’s", "＇s")
_KEPT = 200_000


def term(word: str) -> str | None:
    """The term of one lower-case word; None for a stop word.

    >>> term("women's"), term("the"), term("the's")
    ('women', None, None)
    """
    if word.endswith(_POSSESSIVE):
        word = word[:-2]
    return None if word in STOP_WORDS else stem(word)


class _Terms(dict[str, str | None]):
    """Terms by word; forgets everything when it has grown too large."""

    def __missing__(self, word: str) -> str | None:
        if len(self) >= _KEPT:
            self.clear()
        found = self[word] = term(word)
        return found


_TERMS = _Terms()


def analyse(text: str) -> list[str]:
    """The terms of a text, in order, repetitions included.

    >>> analyse("The Women's running shoes, size 10.5")
    ['women', 'run', 'shoe', 'size', '10.5']
    """
    return [found for word in cut(text.lower()) if (found := _TERMS[word]) is not None]
