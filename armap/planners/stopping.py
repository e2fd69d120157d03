"""When another sample is not worth its price any more.

Sampling goes on while the next episode is expected to raise the best value by ``gain`` or more:

    expected gain = 1 / (k + 1) * mean over v of max(0, v - best)

This is the reservation rule of optimal search (Weitzman, "Optimal search for the best
alternative", Econometrica 47, 1979: open one more box while its expected improvement exceeds its
cost) with two estimates for what is unknown. ``1 / (k + 1)`` is the chance that the next of
``k + 1`` exchangeable samples is the best so far; it holds for every continuous distribution.
``v`` are values that a *good* episode may have: what the reward model gives to held-out
trajectories that fulfil their instruction. A best value among those leaves little to gain, however
few were drawn; a worse one is looked beyond until many have failed to beat it.

With an objective, ``v`` are its values where an episode like one of those drawn (its steps, its
price, ...) has such a score. Where the reward model has no held-out scores, every calibrated
score in [0, 1] counts as equally likely: it then stops later than it should near the top of what
that model gives, and sooner below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING

from armap.errors import ObjectiveError
from armap.planners.threshold import positives
from armap.types import Candidate, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.planners.context import Context
    from armap.types import Trajectory

__all__ = ["Patience", "Search", "expected_gain"]

_ANY = tuple(Score(raw=0.0, calibrated=(i + 0.5) / 50) for i in range(50))
"""Scores of a reward model of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When to stop."""

    gain: float
    """Go on while another episode is expected to add this much."""
    fewest: int
    """Episodes to draw in any case."""
    wave: int
    """Episodes to draw between two looks, at most."""


def expected_gain(best: float, values: Sequence[float], drawn: int) -> float:
    """What the next sample is expected to add to ``best``, given ``drawn`` so far.

    Args:
        best: highest value so far.
        values: of good episodes; equally likely.
        drawn: samples so far.

    >>> expected_gain(0.5, [0.4, 0.8], drawn=2)
    0.05000000000000001
    """
    return fmean(max(0.0, value - best) for value in values) / (drawn + 1)


@dataclass(slots=True)
class Search:
    """One task's candidates, scored as they come, and what to do next."""

    context: Context
    patience: Patience
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    gain: float = inf
    """Expected of another episode, when last looked at."""
    _good: list[Score] = field(init=False)
    _values: list[float] = field(default_factory=list[float])
    """What a good episode may be worth."""
    _valued: int = 0
    """Candidates that ``_values`` knows of."""

    def __post_init__(self) -> None:
        self._good = positives(self.context) or list(_ANY)
        if self.context.objective is None:
            self._values = [score.calibrated for score in self._good]

    async def more(self, episodes: Sequence[Trajectory]) -> int:
        """How many episodes to draw next, side by side; 0 when the answer is good enough.

        As many as would have to miss, one after the other, before it stops: never more than
        ``wave``, so little is drawn in vain. The number depends on the scores alone.
        """
        await self.catch_up(episodes)
        self._value()
        if len(episodes) < self.patience.fewest:
            return self.patience.fewest - len(episodes)
        worths = [_worth(c) for c in self.candidates if c.score is not None]
        if not worths:
            return 1
        self.gain = expected_gain(max(worths), self._values, len(worths))
        if self.gain < self.patience.gain:
            return 0
        misses = int(self.gain * (len(worths) + 1) / self.patience.gain) - len(worths)
        return max(1, min(misses, self.patience.wave))

    async def catch_up(self, episodes: Sequence[Trajectory]) -> None:
        """Score the episodes that were not scored yet."""
        if new := episodes[len(self.candidates) :]:
            self.candidates += await self.context.scored(new)

    def _value(self) -> None:
        """With an objective: what good episodes like the new candidates would be worth."""
        new = self.candidates[self._valued :]
        self._valued = len(self.candidates)
        for candidate in new:
            if candidate.utility is not None:
                self._values += [self._utility(candidate.trajectory, s) for s in self._good]

    def _utility(self, like: Trajectory, score: Score) -> float:
        assert self.context.objective is not None
        try:
            return self.context.objective.utility(like, score)
        except ObjectiveError:  # no value for this score: then no episode can win by it
            return -inf


def _worth(candidate: Candidate) -> float:
    assert candidate.score is not None
    return candidate.score.calibrated if candidate.utility is None else candidate.utility
