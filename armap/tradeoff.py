"""Stored plans judged by other objectives: what would have been answered, and at what price.

A plan holds all of its candidates with their scores, so another objective needs no call: the
answer of each task is chosen anew among them. ARMAP's Table 2 is such a comparison; a sweep of
one weight draws the whole front between reward and a measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from armap.errors import DataError
from armap.objective import REWARD, Objective, named, taken
from armap.statistics import paired_means, paired_proportions, wilson
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from armap.evaluate import Graded
    from armap.measures import Measure
    from armap.oracle import Outcome
    from armap.types import Candidate, Plan

__all__ = ["Change", "Means", "Option", "Pool", "Stored", "penalised"]


class Option(NamedTuple):
    """A candidate in numbers."""

    values: Mapping[str, float]
    """Its measures by name, and ``reward`` if it has a score."""
    name: str
    """Which trajectory it is, for messages."""
    outcome: Outcome | None
    """Its grade; None also when a failure ended it, which counts as lost."""

    @property
    def scored(self) -> bool:
        """Whether the planner could have chosen it."""
        return REWARD in self.values


class Stored(NamedTuple):
    """One task of a pool."""

    task: str
    options: tuple[Option, ...]
    chosen: int | None
    """What was answered when it was planned."""

    def utilities(self, objective: Objective) -> list[float | None]:
        """What an objective makes of each option; None of one without a score.

        Raises:
            ObjectiveError: it has no value for one.
        """
        return [
            objective.value(option.values, option.name) if option.scored else None
            for option in self.options
        ]


class Change(Record):
    """How one set of answers differs from another, task by task."""

    success: tuple[float, float, float] | None
    """Difference of the shares, and its paired 95 % interval; None without grades."""
    measures: dict[str, tuple[float, float, float]]
    """Difference of the means over tasks that both answer, and its paired 95 % interval."""


class Means(Record):
    """What one objective's answers come to, over the tasks."""

    objective: str
    """Empty for the answers as they were planned without one."""
    weight: float | None = None
    """Of the measure that a sweep penalises."""
    tasks: int
    answered: int
    """Those with an answer; the means of reward and measures are over them."""
    reward: float
    """Calibrated score of the answers, in [0, 1]."""
    score: float | None
    """The environment's own score, in [0, 1]; None for plans that are not graded."""
    success: float | None
    """Share of tasks, in [0, 1]."""
    ci: tuple[float, float] | None
    """Its 95 % interval, Wilson's."""
    measures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Pool:
    """The scored candidates of a planning run."""

    tasks: tuple[Stored, ...]
    objective: str
    """By which the answers were chosen; empty for the raw score alone."""
    measures: Mapping[str, Measure]
    """By name; all of them are known of every candidate."""
    graded: bool

    @classmethod
    def of(
        cls, judged: Iterable[tuple[Plan, Graded | None]], measures: Mapping[str, Measure]
    ) -> Self:
        """Take the numbers out of plans; the trajectories may be forgotten then.

        Args:
            judged: plans, one per task, each with the truth about it, or None without.
            measures: those of the environment.

        Raises:
            DataError: a plan has another number of candidates than its grades.
            EnvError: a measure failed.
        """
        tasks, objectives, graded = [], dict[str, None](), True
        for plan, truth in judged:
            tasks.append(_stored(plan, truth, measures))
            objectives[plan.objective] = None
            graded = graded and truth is not None
        return cls(tuple(tasks), " | ".join(filter(None, objectives)), measures, graded)

    @property
    def scored(self) -> bool:
        """Whether there is anything to choose by."""
        return any(option.scored for stored in self.tasks for option in stored.options)

    @property
    def varying(self) -> tuple[str, ...]:
        """Measures in which the scored candidates of some task differ."""
        return tuple(
            name
            for name in self.measures
            if any(
                len({option.values[name] for option in stored.options if option.scored}) > 1
                for stored in self.tasks
            )
        )

    def planned(self) -> list[int | None]:
        """The answers as they were planned: ``[tasks]``."""
        return [stored.chosen for stored in self.tasks]

    def answers(self, objective: Objective) -> list[int | None]:
        """Index of each task's first candidate with the highest utility: ``[tasks]``.

        None for a task none of whose candidates has a score.

        Raises:
            ObjectiveError: the objective has no value for a trajectory.
        """
        return [_best(stored.utilities(objective)) for stored in self.tasks]

    def means(
        self, answers: Sequence[int | None], objective: str, weight: float | None = None
    ) -> Means:
        """What these answers come to.

        Args:
            answers: one per task, None for none, which counts as lost.
            objective: the text that they maximise, for the record.
            weight: that of a sweep, for the record.
        """
        given = [
            stored.options[index]
            for stored, index in zip(self.tasks, answers, strict=True)
            if index is not None
        ]
        wins = sum(option.outcome is not None and option.outcome.success for option in given)
        scores = [option.outcome.score for option in given if option.outcome is not None]
        count = len(self.tasks)
        return Means(
            objective=objective,
            weight=weight,
            tasks=count,
            answered=len(given),
            reward=_mean(option.values[REWARD] for option in given if option.scored),
            score=sum(scores) / count if self.graded else None,
            success=wins / count if self.graded else None,
            ci=wilson(wins, count) if self.graded else None,
            measures={name: _mean(o.values[name] for o in given) for name in self.measures},
        )

    def change(self, before: Sequence[int | None], after: Sequence[int | None]) -> Change:
        """What another choice changes: ``[tasks], [tasks]``."""
        triples = list(zip(self.tasks, before, after, strict=True))
        won = [(_won(stored, a), _won(stored, b)) for stored, a, b in triples]
        both = [
            (stored.options[a].values, stored.options[b].values)
            for stored, a, b in triples
            if a is not None and b is not None
        ]
        return Change(
            success=_shares(won) if self.graded else None,
            measures={
                name: _averages([(x[name], y[name]) for x, y in both])
                for name in (self.measures if len(both) > 1 else ())
            },
        )

    def weights(self, base: Objective, measure: str, *, most: int) -> list[float]:
        """Weights at which ``base - weight * measure`` chooses differently, from 0 upwards.

        As the weight grows from 0, the answer of a task moves along the upper hull of its
        candidates, from the best one to the one with the smallest measure. The weights lie
        between the places where some task's answer moves, so that each stands for a stretch of
        equal answers.

        Args:
            base: what the measure is taken off.
            measure: its name.
            most: of all such stretches so many are kept, evenly, the first and last included.
        """
        moves = sorted({move for stored in self.tasks for move in _moves(stored, base, measure)})
        if not moves:
            return [0.0]
        between = [(low + high) / 2 for low, high in pairwise(moves)]
        every = [0.0, *between, 1.25 * moves[-1] or 1.0]
        if len(every) > most:
            every = [every[round(i * (len(every) - 1) / (most - 1))] for i in range(most)]
        return list(dict.fromkeys(float(f"{weight:.3g}") for weight in every))


def penalised(base: str, measure: str, weight: float) -> str:
    """An objective less so much of a measure.

    >>> penalised("reward", "steps", 0.05), penalised("reward", "illegal", 0)
    ('reward - 0.05 * steps', 'reward')
    """
    sign = "+" if weight < 0 else "-"
    return f"{base} {sign} {abs(weight):g} * {measure}" if weight else base


def _stored(plan: Plan, truth: Graded | None, measures: Mapping[str, Measure]) -> Stored:
    count = len(plan.candidates)
    outcomes = (None,) * count if truth is None else truth.outcomes
    if len(outcomes) != count:
        raise DataError(
            f"task {plan.task.name!r}: {count} candidates and {len(outcomes)} grades; "
            "run armap plan on it again"
        )
    options = tuple(
        _option(candidate, outcome, measures)
        for candidate, outcome in zip(plan.candidates, outcomes, strict=True)
    )
    return Stored(plan.task.name, options, plan.chosen)


def _option(
    candidate: Candidate, outcome: Outcome | None, measures: Mapping[str, Measure]
) -> Option:
    values = taken(measures, candidate.trajectory)
    if candidate.score is not None:
        values[REWARD] = candidate.score.calibrated
    return Option(values, named(candidate.trajectory), outcome)


def _won(stored: Stored, index: int | None) -> bool:
    outcome = None if index is None else stored.options[index].outcome
    return outcome is not None and outcome.success


def _shares(won: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    before, after = zip(*won, strict=True)
    return fmean(after) - fmean(before), *paired_proportions(before, after)


def _averages(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    before, after = zip(*pairs, strict=True)
    return fmean(after) - fmean(before), *paired_means(before, after)


def _best(utilities: Sequence[float | None]) -> int | None:
    known = [(value, -index) for index, value in enumerate(utilities) if value is not None]
    return -max(known)[1] if known else None


def _moves(stored: Stored, base: Objective, measure: str) -> list[float]:
    """The weights at which one task's answer moves on, increasing; 0 where the best is tied."""
    lines = [
        (value, option.values[measure])
        for value, option in zip(stored.utilities(base), stored.options, strict=True)
        if value is not None
    ]
    if not lines:
        return []
    value, size = max(lines, key=lambda line: line[0])
    moves = []
    while cheaper := [line for line in lines if line[1] < size]:
        move, size, value = min(((value - v) / (size - s), s, v) for v, s in cheaper)
        moves.append(move)
    return moves


def _mean(values: Iterable[float]) -> float:
    held = list(values)
    return fmean(held) if held else 0.0
