"""Who tells the nouns of a title; part of the reward compares those of two products.

``spacy`` is what the original uses. Published numbers used ``en_core_web_sm`` or ``_lg``,
depending on when they were made, so scores can differ between them; nothing but the same model
reproduces them. ``stub`` is the tagger of the recorded episodes in the conformance tests.
``rule`` needs nothing installed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

from armap.envs.webshop.graded.english import english_words
from armap.envs.webshop.graded.lists import ADJECTIVES, FUNCTION_WORDS, MEASURES, STUB_OTHERS
from armap.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["Nouns", "Rule", "Spacy", "Stub", "make_nouns"]

_KEPT = 16_384


class Nouns(Protocol):
    """Tells nouns."""

    @property
    def name(self) -> str:
        """Written into every outcome."""
        ...

    def of(self, title: str) -> tuple[str, ...]:
        """The nouns and proper nouns of a title in lower case, repetitions included."""
        ...


class Stub:
    """Every word of letters is a noun, except sixteen little ones."""

    name = "stub"

    @lru_cache(maxsize=_KEPT)  # noqa: B019  (one for the whole process)
    def of(self, title: str) -> tuple[str, ...]:
        words = (word.lower() for word in english_words(title) if word.isalpha())
        return tuple(word for word in words if word not in STUB_OTHERS)


class Rule:
    """Words of letters without function words, measures and the commonest adjectives.

    Product titles are mostly nouns, so leaving out what is none comes close.

    >>> Rule().of("Soft Women's Running Shoes with Zipper (Pack of 2)")
    ('women', 'running', 'shoes', 'zipper', 'pack')
    """

    name = "rule"

    @lru_cache(maxsize=_KEPT)  # noqa: B019  (one for the whole process)
    def of(self, title: str) -> tuple[str, ...]:
        words = (word.lower() for word in english_words(title) if word.isalpha())
        return tuple(
            word
            for word in words
            if len(word) > 1 and word not in _NO_NOUNS and not _ADJECTIVE.search(word)
        )


_ADJECTIVE = re.compile(r".{3}(?:able|ible|ful|less|ous|ish|ively|ly)$")
_NO_NOUNS = FUNCTION_WORDS | MEASURES | ADJECTIVES


class Spacy:
    """An installed spaCy pipeline, as the original uses it."""

    def __init__(self, model: str) -> None:
        try:
            import spacy

            self._parse = cast("Callable[..., list[object]]", spacy.load(model))
        except ImportError as error:
            raise ConfigError(
                "env.nouns: spacy is not installed; pip install spacy, or choose nouns: rule"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"env.spacy_model: {model!r} is not installed; python -m spacy download {model}"
            ) from error
        self.name = f"spacy {model}"
        self.of = lru_cache(_KEPT)(self._of)

    def _of(self, title: str) -> tuple[str, ...]:
        nouns = {"NOUN", "PROPN"}
        found = ((str(token), getattr(token, "pos_", "")) for token in self._parse(title))
        return tuple(text.lower() for text, part in found if part in nouns)


@lru_cache(maxsize=4)
def make_nouns(kind: str, model: str) -> Nouns:
    """The tagger of a configuration; pipelines are loaded once."""
    match kind:
        case "spacy":
            return Spacy(model)
        case "stub":
            return Stub()
        case _:
            return Rule()
