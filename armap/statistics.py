"""The few statistics that the tables need, exact where they can be."""

from __future__ import annotations

from math import comb, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Paired",
    "best_of",
    "mean_interval",
    "paired",
    "paired_means",
    "paired_proportions",
    "wilson",
]

_Z = 1.959963984540054


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion.

    >>> low, high = wilson(25, 100)
    >>> round(low, 3), round(high, 3)
    (0.175, 0.343)
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    p, z2 = successes / trials, _Z**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z * sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return low, high


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of per-task values in [0, 1], from their spread (normal).

    The tasks are the sample: values of one task (say ten samples) come in as their mean.
    """
    n = len(values)
    if n == 0 or not all(0.0 <= value <= 1.0 for value in values):
        raise ValueError("an interval needs values in [0, 1]")
    mean = sum(values) / n
    if n < 2:
        return 0.0, 1.0
    half = _Z * sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return max(0.0, mean - half), min(1.0, mean + half)


def paired_proportions(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, float]:
    """95 % interval of the change of a proportion, from two verdicts on each task.

    Bonett and Price's adjusted Wald interval (2012). It has a width also where no verdict
    changed: that nothing changed on these tasks does not say that nothing will.

    >>> low, high = paired_proportions([True] * 6 + [False] * 94, [True] * 3 + [False] * 97)
    >>> round(low, 3), round(high, 3)
    (-0.072, 0.013)
    """
    n = len(before)
    if n == 0 or len(after) != n:
        raise ValueError(f"{n} verdicts before and {len(after)} after")
    gained = (sum(a and not b for b, a in zip(before, after, strict=True)) + 1) / (n + 2)
    lost = (sum(b and not a for b, a in zip(before, after, strict=True)) + 1) / (n + 2)
    change = gained - lost
    half = _Z * sqrt((gained + lost - change**2) / (n + 2))
    return max(-1.0, change - half), min(1.0, change + half)


def paired_means(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the change of a mean, from two values for each task (normal).

    >>> paired_means([4.0, 5.0, 6.0], [3.0, 4.0, 5.0])
    (-1.0, -1.0)
    """
    n = len(before)
    if n < 2 or len(after) != n:
        raise ValueError(f"{n} values before and {len(after)} after; two pairs at least")
    changes = [b - a for a, b in zip(before, after, strict=True)]
    mean = sum(changes) / n
    half = _Z * sqrt(sum((change - mean) ** 2 for change in changes) / (n - 1) / n)
    return mean - half, mean + half


class Paired(NamedTuple):
    """How two methods differ on the same tasks."""

    difference: float
    """Mean of left minus right."""
    interval: tuple[float, float]
    """95 %."""
    better: int
    """Tasks on which left is better."""
    worse: int


def paired(
    left: Sequence[float], right: Sequence[float], *, resamples: int = 10_000, seed: int = 0
) -> Paired:
    """Compare two methods task by task: the mean difference and its bootstrap interval.

    The percentile bootstrap over tasks (Efron 1979). Tasks are drawn as pairs, so that what makes
    a task hard for both cancels; the interval is narrower than that of two independent means.

    Args:
        left: values of one method, ``[tasks]``; several runs of one task come in as their mean.
        right: of the other, in the same order.
        resamples: bootstrap samples.
        seed: of the bootstrap; the same interval every time.

    >>> paired([1, 1, 1, 0], [0, 1, 1, 0]).difference
    0.25
    """
    import numpy as np

    if not left or len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} values do not make pairs")
    gaps = np.asarray(left, float) - np.asarray(right, float)
    # The bootstrap's weights: how often each task is drawn.
    even = np.full(len(gaps), 1 / len(gaps))
    weights = np.random.default_rng(seed).multinomial(len(gaps), even, size=resamples)
    low, high = np.quantile(weights @ gaps / len(gaps), (0.025, 0.975))
    return Paired(
        difference=float(gaps.mean()),
        interval=(float(low), float(high)),
        better=int((gaps > 0).sum()),
        worse=int((gaps < 0).sum()),
    )


def best_of(scores: Sequence[float], successes: Sequence[float], n: int) -> float:
    """Expected success of the top-scored one among ``n`` of ``K`` candidates, exactly.

    The mean over all ``comb(K, n)`` subsets. Ties go to the earlier candidate, as in planning.
    With ``scores = successes`` this is the oracle's curve.

    >>> best_of([0.1, 0.9, 0.5], [0.0, 1.0, 0.0], 1)
    0.3333333333333333
    >>> best_of([0.1, 0.9, 0.5], [0.0, 1.0, 0.0], 3)
    1.0
    """
    k = len(scores)
    if not 1 <= n <= k or len(successes) != k:
        raise ValueError(f"n={n} of {k} scores and {len(successes)} successes")
    order = sorted(range(k), key=lambda index: (-scores[index], index))
    total = comb(k, n)
    return sum(
        successes[index] * comb(k - 1 - rank, n - 1) / total for rank, index in enumerate(order)
    )
