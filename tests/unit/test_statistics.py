"""Intervals against known values, curves against brute force."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.statistics import best_of, mean_interval, paired, wilson

SCORES = st.sampled_from((0.0, 0.25, 0.5, 1.0))
CANDIDATES = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (1, 1, 0.2065, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(deadline=None, max_examples=100)
def test_wilson_holds_the_proportion_and_is_symmetric(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


def test_more_trials_narrow_the_interval() -> None:
    widths = [high - low for low, high in (wilson(n // 4, n) for n in (4, 40, 400, 4000))]
    assert widths == sorted(widths, reverse=True)


def test_mean_interval() -> None:
    # mean 0.5, standard deviation 0.5: half of 1.96 * 0.5 / sqrt(3)
    assert mean_interval([0.0, 0.5, 1.0]) == pytest.approx((0.0, 1.0))
    half = 1.959964 * (100 / 99 * 0.25) ** 0.5 / 10
    assert mean_interval([0.0, 1.0] * 50) == pytest.approx((0.5 - half, 0.5 + half))
    assert mean_interval([0.3] * 10) == pytest.approx((0.3, 0.3))
    assert mean_interval([0.3]) == (0.0, 1.0)


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_paired(values: list[tuple[float, float]]) -> None:
    left, right = [a for a, _ in values], [b for _, b in values]
    forth, back = paired(left, right, resamples=500), paired(right, left, resamples=500)
    assert forth.difference == pytest.approx(sum(left) / len(left) - sum(right) / len(right))
    low, high = forth.interval
    assert -1 <= low <= high <= 1
    assert back.interval == pytest.approx((-high, -low))
    assert (forth.better, forth.worse) == (back.worse, back.better)
    assert paired(left, right, resamples=500) == forth


def test_pairing_narrows_the_interval() -> None:
    """Against the textbook's interval of a mean difference, and of unpaired means."""
    hard = [0.0, 1.0] * 50
    better = [*hard[:90], *[1.0] * 10]
    low, high = paired(better, hard).interval
    half = 1.959964 * (0.05 * 0.95 / 99) ** 0.5
    assert (low, high) == pytest.approx((0.05 - half, 0.05 + half), abs=0.01)
    apart = [mean_interval(values)[1] - mean_interval(values)[0] for values in (hard, better)]
    assert high - low < min(apart)


def test_what_is_no_pair_is_refused() -> None:
    for left, right in (([], []), ([1.0], [1.0, 0.0])):
        with pytest.raises(ValueError, match="do not make pairs"):
            paired(left, right)


def brute(scores: list[float], successes: list[float], n: int) -> float:
    found = [
        successes[max(chosen, key=lambda index: (scores[index], -index))]
        for chosen in combinations(range(len(scores)), n)
    ]
    return sum(found) / len(found)


@given(CANDIDATES, st.data())
@settings(deadline=None, max_examples=100)
def test_best_of_is_the_mean_over_all_subsets(
    candidates: list[tuple[float, float]], data: st.DataObject
) -> None:
    scores, successes = map(list, zip(*candidates, strict=True))
    n = data.draw(st.integers(1, len(scores)))
    assert best_of(scores, successes, n) == pytest.approx(brute(scores, successes, n))


@given(st.lists(SCORES, min_size=1, max_size=12))
@settings(deadline=None, max_examples=100)
def test_the_curve_of_the_oracle_rises_from_mean_to_maximum(successes: list[float]) -> None:
    curve = [best_of(successes, successes, n) for n in range(1, len(successes) + 1)]
    assert curve[0] == pytest.approx(sum(successes) / len(successes))
    assert curve[-1] == pytest.approx(max(successes))
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(curve))


def test_a_tie_goes_to_the_earlier_candidate() -> None:
    assert best_of([0.5, 0.5], [1.0, 0.0], 2) == 1.0
    assert best_of([0.5, 0.5], [0.0, 1.0], 2) == 0.0


@pytest.mark.parametrize(
    ("scores", "successes", "n"),
    [([], [], 1), ([1.0], [1.0], 0), ([1.0], [1.0], 2), ([1.0], [1.0], -1), ([1.0, 0.0], [1.0], 1)],
)
def test_best_of_refuses(scores: list[float], successes: list[float], n: int) -> None:
    with pytest.raises(ValueError, match=rf"n={n} of {len(scores)} scores and {len(successes)} "):
        best_of(scores, successes, n)
