"""From documents to an inverted index, a batch at a time."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from armap.envs.webshop.search.analyser import term
from armap.envs.webshop.search.bm25 import K1, B, Postings, quantise
from armap.envs.webshop.search.words import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["IndexBuilder"]

_BATCH = 4_000_000
"""Words that are sorted at once: 100 MB."""
_STOPPED = -1


class _Batch(NamedTuple):
    """Postings of some consecutive documents, by term and then by document."""

    terms: NDArray[np.int32]
    documents: NDArray[np.int32]
    frequencies: NDArray[np.int32]


class _Numbers(dict[str, int]):
    """The number of the term of each word; stop words have number -1."""

    def __init__(self) -> None:
        super().__init__()
        self.vocabulary: dict[str, int] = {}

    def __missing__(self, word: str) -> int:
        found = term(word)
        number = (
            _STOPPED if found is None else self.vocabulary.setdefault(found, len(self.vocabulary))
        )
        self[word] = number
        return number


class IndexBuilder:
    """Takes documents one after the other, then makes the index of all."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._words = array("i")
        self._sizes = array("i")
        self._batches: list[_Batch] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._done = 0

    def add(self, contents: str) -> None:
        """Take the next document; its text is in lower case."""
        words = cut(contents)
        self._words.extend(map(self._numbers.__getitem__, words))
        self._sizes.append(len(words))
        if len(self._words) >= _BATCH:
            self._flush()

    def finish(self, ranks: NDArray[np.int32]) -> Postings:
        """The index; ``ranks`` orders documents of equal score."""
        self._flush()
        lengths = np.concatenate([*self._lengths, np.zeros(0, np.int64)])
        filled = int(np.count_nonzero(lengths))
        inverse = _inverse_norms(lengths, filled)
        count = len(self._numbers.vocabulary)
        sizes = np.zeros(count, np.int64)
        for batch in self._batches:
            sizes += np.bincount(batch.terms, minlength=count)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        documents = np.empty(starts[-1], np.int32)
        loads = np.empty(starts[-1], np.float32)
        cursor = starts[:-1].copy()
        for batch in self._batches:
            own = np.bincount(batch.terms, minlength=count)
            shift = cursor - (np.cumsum(own) - own)
            at = np.arange(len(batch.terms)) + shift[batch.terms]
            documents[at] = batch.documents
            loads[at] = (
                np.float32(1) + batch.frequencies.astype(np.float32) * inverse[batch.documents]
            )
            cursor += own
        heaviest = np.maximum.reduceat(loads, starts[:-1]) if count else np.zeros(0, np.float32)
        return Postings(self._numbers.vocabulary, starts, documents, loads, heaviest, ranks, filled)

    def _flush(self) -> None:
        """Sort and count what has been taken since the last time."""
        words = np.frombuffer(self._words, np.int32).astype(np.int64)
        sizes = np.frombuffer(self._sizes, np.int32)
        owners = np.repeat(np.arange(len(sizes)), sizes)
        kept = words != _STOPPED
        words, owners = words[kept], owners[kept]
        self._lengths.append(np.bincount(owners, minlength=len(sizes)).astype(np.int64))
        keys, frequencies = np.unique((words << 32) | owners, return_counts=True)
        self._batches.append(
            _Batch(
                (keys >> 32).astype(np.int32),
                ((keys & 0xFFFFFFFF) + self._done).astype(np.int32),
                frequencies.astype(np.int32),
            )
        )
        self._done += len(sizes)
        self._words, self._sizes = array("i"), array("i")


def _inverse_norms(lengths: NDArray[np.int64], filled: int) -> NDArray[np.float32]:
    """``1 / norm`` by document, in float32 steps as Lucene takes them."""
    average = np.float32(lengths.sum() / filled) if filled else np.float32(1)
    kept = {int(length): np.float32(quantise(int(length))) for length in np.unique(lengths)}
    one = np.float32(1)
    table = {length: one / (K1 * ((one - B) + B * size / average)) for length, size in kept.items()}
    known = np.array(sorted(table), np.int64)
    values = np.array([table[int(length)] for length in known], np.float32)
    found: NDArray[np.float32] = values[np.searchsorted(known, lengths)]
    return found
