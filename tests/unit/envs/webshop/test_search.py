"""Words, stems and ranks."""

from __future__ import annotations

from collections import Counter
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.envs.webshop.search import bm25
from armap.envs.webshop.search.analyser import STOP_WORDS, analyse
from armap.envs.webshop.search.bm25 import Bm25, Postings, quantise
from armap.envs.webshop.search.build import IndexBuilder
from armap.envs.webshop.search.porter import stem
from armap.envs.webshop.search.words import LONGEST, cut


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.b a,b 1,000 1:2", ["a.b", "a", "b", "1,000", "1", "2"]),
        ("a:b x_y _ __a", ["a:b", "x_y", "__a"]),
        ("don't women’s 5'2\"", ["don't", "women’s", "5'2"]),
        ("90cm×190cm", ["90cm", "190cm"]),
        ("café über", ["café", "über"]),
        ("東京 ひら カタカナ", ["東", "京", "ひ", "ら", "カタカナ"]),
        ("★best® ❤️ 👨‍👩‍👧 🇩🇪", ["★", "best", "®", "❤️", "👨‍👩‍👧", "🇩🇪"]),
        ("—…!?", []),
        ("สวัสดี", ["สวัสดี"]),
        ("١٢٣", ["١٢٣"]),
        ("١\u066b٢ a\u0387b 1\u037e2", ["١\u066b٢", "a\u0387b", "1\u037e2"]),
    ],
)  # fmt: skip
def test_words(text: str, words: list[str]) -> None:
    assert cut(text) == words


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
def test_both_ways_of_cutting_agree_on_ascii(text: str) -> None:
    sign = "—"  # belongs to no word, and makes the text go the other way
    assert cut(f"{text} {sign}") == cut(text)


def test_long_words_are_cut() -> None:
    assert [len(word) for word in cut("a" * (2 * LONGEST + 3))] == [LONGEST, LONGEST, 3]


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("caresses", "caress"), ("ponies", "poni"), ("feed", "feed"), ("agreed", "agre"),
        ("plastered", "plaster"), ("motoring", "motor"), ("sized", "size"), ("falling", "fall"),
        ("filing", "file"), ("happy", "happi"), ("sky", "sky"), ("relational", "relat"),
        ("possibly", "possibl"), ("archaeology", "archaeolog"), ("adoption", "adopt"),
        ("controll", "control"), ("12th", "12th"), ("4ers", "4er"), ("is", "is"),
    ],
)  # fmt: skip
def test_stems(word: str, stemmed: str) -> None:
    assert stem(word) == stemmed


def test_there_are_thirty_three_stop_words() -> None:
    assert len(STOP_WORDS) == 33
    assert analyse(" ".join(STOP_WORDS)) == []


def index(texts: list[str]) -> Postings:
    builder = IndexBuilder()
    for text in texts:
        builder.add(text)
    return builder.finish(np.arange(len(texts), dtype=np.int32)[::-1].copy())


def plainly(texts: list[str], query: str) -> dict[int, float]:
    """BM25 straight from its formula."""
    documents = [Counter(analyse(text)) for text in texts]
    lengths = [sum(document.values()) for document in documents]
    filled = sum(length > 0 for length in lengths)
    average = sum(lengths) / max(filled, 1)
    scores: dict[int, float] = {}
    for word, count in Counter(analyse(query)).items():
        frequency = sum(word in document for document in documents)
        weight = count * log(1 + (filled - frequency + 0.5) / (frequency + 0.5))
        for row, document in enumerate(documents):
            if document[word]:
                norm = 0.9 * (0.6 + 0.4 * quantise(lengths[row]) / average)
                part = weight - weight / (1 + document[word] / norm)
                scores[row] = scores.get(row, 0.0) + part
    return scores


WORDS = st.lists(st.sampled_from("red blue shoe lamp cup of 12".split()), max_size=60)  # noqa: SIM905
TEXTS = st.lists(WORDS.map(" ".join), min_size=1, max_size=12)


@settings(deadline=None)
@given(texts=TEXTS, query=WORDS.map(" ".join))
def test_scores_are_the_formulas(texts: list[str], query: str) -> None:
    hits = Bm25(index(texts)).search(query)
    want = plainly(texts, query)
    assert {hit.row for hit in hits} == set(want)
    assert [hit.score for hit in hits] == pytest.approx([want[hit.row] for hit in hits], rel=1e-4)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, -hit.row))


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_long_lists_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    words = np.array([f"w{n}" for n in range(60)])
    shares = 1 / np.arange(1, 61)
    drawn = [random.choice(words, 12, p=shares / shares.sum()) for _ in range(3000)]
    engine = Bm25(index([" ".join(text) for text in drawn]))
    queries = [" ".join(random.choice(words, 8)) for _ in range(40)]
    whole = [engine.search(query, limit=10) for query in queries]
    decided = []
    honest = bm25._able

    def watched(*given: object) -> object:
        decided.append(honest(*given))  # type: ignore[arg-type]
        return decided[-1]

    monkeypatch.setattr(bm25, "_LONG", 20)
    monkeypatch.setattr(bm25, "_able", watched)
    assert [engine.search(query, limit=10) for query in queries] == whole
    assert any(found is not None for found in decided)


def test_an_empty_index_finds_nothing() -> None:
    assert Bm25(index(["", "of the"])).search("shoes") == []
