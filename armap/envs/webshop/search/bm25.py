"""BM25 as Lucene computes it: the same documents, in the same order, with the same scores.

``score(t, d) = w - w / (1 + tf / norm(d))`` with ``w = count(t in query) * idf(t)``,
``idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))`` and
``norm(d) = k1 * (1 - b + b * length(d) / average length)``, where ``length(d)`` is quantised to
one byte. Terms are computed in float32 and summed in float64, as Lucene does. Equal scores are
ordered by the document's outer identifier.

Long posting lists are not read in full when the other terms have already decided who can be
among the first (Turtle and Flood 1995, *MaxScore*); that changes no result.
"""

from __future__ import annotations

from collections import Counter
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from armap.envs.webshop.search.analyser import analyse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["K1", "B", "Bm25", "Hit", "Postings", "Vocabulary", "quantise"]

K1 = np.float32(0.9)
B = np.float32(0.4)
"""Anserini's defaults."""

_LONG = 4096
"""Posting lists longer than this are worth avoiding."""
_SLACK = 1e-4
"""More than rounding can add to a sum of bounds."""
_EXACT = 24
"""Lengths below this plus 16 are stored exactly in Lucene's byte."""


_NONE = np.zeros(0)
_LEAST = 1e-30
"""Less than any score."""


class Vocabulary(Protocol):
    """Numbers of terms."""

    def get(self, term: str, /) -> int | None:
        """The number of ``term``; None when no document holds it."""
        ...


class Postings(NamedTuple):
    """An inverted index: ``T`` terms, ``P`` postings, ``N`` documents."""

    vocabulary: Vocabulary
    starts: NDArray[np.int64]
    """``[T + 1]``: where the postings of each term begin."""
    documents: NDArray[np.int32]
    """``[P]``: rows, ascending within a term."""
    loads: NDArray[np.float32]
    """``[P]``: ``1 + tf / norm``, by which ``w`` is divided."""
    heaviest: NDArray[np.float32]
    """``[T]``: the largest load of each term."""
    ranks: NDArray[np.int32]
    """``[N]``: place of each document in the order of outer identifiers."""
    filled: int
    """How many documents hold any term at all: Lucene's ``N``."""


class Hit(NamedTuple):
    """One document that was found."""

    row: int
    score: float


class _Term(NamedTuple):
    documents: NDArray[np.int32]
    loads: NDArray[np.float32]
    weight: np.float32
    bound: float
    """What it can add to a score at most."""

    def scores(self, at: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        return self.weight - self.weight / self.loads[at]


def quantise(length: int) -> int:
    """What Lucene's one byte keeps of a document's length.

    >>> [quantise(n) for n in (40, 45, 100, 333)]
    [40, 44, 96, 312]
    """
    if length < _EXACT:
        return length
    rest = length - _EXACT
    shift = max(0, rest.bit_length() - 4)
    return _EXACT + ((rest >> shift) << shift)


class Bm25:
    """Ranks the documents of one index."""

    def __init__(self, postings: Postings) -> None:
        self._postings = postings

    def search(self, query: str, *, limit: int = 50) -> list[Hit]:
        """The best documents for a query, best first.

        Args:
            query: words; repeated ones count as often as they stand there.
            limit: at most so many.
        """
        terms = self._terms(analyse(query))
        scores = np.zeros(len(self._postings.ranks))
        read: list[NDArray[np.int32]] = []
        candidates: NDArray[np.int64] | None = None
        rest = sum(term.bound for term in terms)
        for term in terms:
            if len(term.documents) > _LONG:
                floor = _floor(scores, read if candidates is None else [candidates], limit)
                candidates = _able(scores, floor, rest, candidates)
            if candidates is None:
                scores[term.documents] += term.scores(slice(None))
                read.append(term.documents)
            else:
                _add(scores, term, candidates)
            rest -= term.bound
        if candidates is None:
            candidates = np.flatnonzero(scores >= max(_floor(scores, read, limit) - _SLACK, _LEAST))
        return self._best(scores, candidates, limit)

    def _terms(self, words: Iterable[str]) -> list[_Term]:
        """The known terms of a query, those that can add most first."""
        index = self._postings
        found = []
        for word, count in Counter(words).items():
            number = index.vocabulary.get(word)
            if number is None:
                continue
            first, last = int(index.starts[number]), int(index.starts[number + 1])
            frequency = last - first
            idf = np.float32(log(1 + (index.filled - frequency + 0.5) / (frequency + 0.5)))
            weight = np.float32(count) * idf
            bound = float(weight - weight / index.heaviest[number])
            span = slice(first, last)
            found.append(_Term(index.documents[span], index.loads[span], weight, bound))
        return sorted(found, key=lambda term: -term.bound)

    def _best(self, scores: NDArray[np.float64], rows: NDArray[np.int64], limit: int) -> list[Hit]:
        values = scores[rows].astype(np.float32)
        if len(rows) > limit:
            least = np.partition(values, len(rows) - limit)[len(rows) - limit]
            kept = values >= least
            rows, values = rows[kept], values[kept]
        order = np.lexsort((self._postings.ranks[rows], -values))[:limit]
        return [
            Hit(*pair) for pair in zip(rows[order].tolist(), values[order].tolist(), strict=True)
        ]


def _floor(
    scores: NDArray[np.float64], read: Sequence[NDArray[np.integer[Any]]], limit: int
) -> float:
    """A score that at least ``limit`` rows have reached, from some rows alone; 0 if too few.

    Args:
        scores: so far.
        read: the posting lists behind them, the weightiest first.
        limit: how many are wanted.
    """
    if len(scores) <= _LONG:
        return 0.0  # all of them are soon looked at
    some: list[NDArray[np.integer[Any]]] = []
    for rows in read:
        some.append(rows[:_LONG])
        if sum(map(len, some)) >= _LONG:
            break
    values = scores[np.unique(np.concatenate(some))] if some else _NONE
    if len(values) < limit:
        return 0.0
    return float(np.partition(values, len(values) - limit)[len(values) - limit])


def _able(
    scores: NDArray[np.float64], floor: float, rest: float, candidates: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """The rows that can still be among the best; None as long as any row can.

    Args:
        scores: so far.
        floor: what enough rows have reached.
        rest: what the terms that are still to come can add at most.
        candidates: what was found before; fewer are left each time.
    """
    least = floor - rest - _SLACK
    if candidates is not None:
        return candidates[scores[candidates] >= least]
    return np.flatnonzero(scores >= least) if least > 0 else None


def _add(scores: NDArray[np.float64], term: _Term, rows: NDArray[np.int64]) -> None:
    """Add a term's score to ``rows`` alone."""
    at = np.searchsorted(term.documents, rows)
    inside = at < len(term.documents)
    at, rows = at[inside], rows[inside]
    there = term.documents[at] == rows
    scores[rows[there]] += term.scores(at[there])
