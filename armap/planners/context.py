"""What a planner works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from armap.calls import Budget
from armap.errors import BudgetSpent, ConfigError, ModelError, TaskBudgetSpent
from armap.types import Candidate, Failure, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from armap.answers import FinalAnswer
    from armap.objective import Objective
    from armap.protocols import RewardModel
    from armap.rollout import Runner
    from armap.types import Score, Trajectory

__all__ = [
    "NO_REWARD",
    "Context",
    "argmax",
    "dearer",
    "failures_of",
    "give_up",
    "less",
    "remark",
    "spent",
]

NO_REWARD = "this planner needs a reward model; add `reward:` to the config"


@dataclass(frozen=True, slots=True)
class Context:
    """The interaction loop, the reward model and the budget; shared by all tasks of a run."""

    runner: Runner
    reward: RewardModel | None = None
    budget: Budget = field(default_factory=Budget)
    """What one task may cost. Calls beyond it raise ``TaskBudgetSpent``; a planner that looks at
    it beforehand can do better than to be cut off."""
    objective: Objective | None = None
    """What the answer is to maximise; None for the raw score."""
    answer: FinalAnswer | None = None
    """How the environment's final answers are compared; None if it does not say."""

    @property
    def aim(self) -> str:
        """The objective's text for ``Plan.objective``; empty without one."""
        return "" if self.objective is None else self.objective.text

    async def scored(self, trajectories: Sequence[Trajectory]) -> list[Candidate]:
        """Score trajectories, each once: ``[K] -> [K]``. Those cut short stay unscored.

        With an objective every scored candidate has a utility too.

        Raises:
            ConfigError: the run has no reward model.
            ObjectiveError: the objective has no value for a trajectory.
            RewardError: a score could not be computed.
        """
        if self.reward is None:
            raise ConfigError(NO_REWARD)
        scores = iter(await self.reward.score([t for t in trajectories if t.whole]))
        return [
            self._judged(t, next(scores)) if t.whole else Candidate(trajectory=t)
            for t in trajectories
        ]

    def _judged(self, trajectory: Trajectory, score: Score) -> Candidate:
        utility = None if self.objective is None else self.objective.utility(trajectory, score)
        return Candidate(trajectory=trajectory, score=score, utility=utility)


def argmax(candidates: Sequence[Candidate]) -> int | None:
    """Index of the first candidate with the highest utility, or raw score without an objective.

    None when no candidate has a score.
    """
    scored = [
        (candidate.score.raw if candidate.utility is None else candidate.utility, -index)
        for index, candidate in enumerate(candidates)
        if candidate.score is not None
    ]
    return -max(scored)[1] if scored else None


def give_up(failures: Sequence[Failure]) -> None:
    """Say why there is no answer. The task's own budget is a reason to return without one.

    Raises:
        BoundaryError: something failed, or the whole run's budget is spent, so that planning
            the task another time may do better: the first such failure.
    """
    for failure in failures:
        if failure.kind != TaskBudgetSpent.__name__:
            raise failure.error()
    if not failures:
        raise ModelError("no episode could be run")


def failures_of(trajectories: Iterable[Trajectory]) -> tuple[Failure, ...]:
    """What ended episodes before their end."""
    return tuple(t.failure for t in trajectories if t.failure is not None)


def remark(ending: str, failures: Iterable[Failure]) -> str:
    """How a search ended, if not by itself, and how many branches failed on the way.

    What the budget refused is no failed branch; ``ending`` tells of it.
    """
    failed = [f for f in failures if not isinstance(f.error(), BudgetSpent)]
    count = f"{len(failed)} branch{'es' if len(failed) > 1 else ''} failed"
    lost = f"{count}, the first: {failed[0].message}" if failed else ""
    return "; ".join(text for text in (ending, lost) if text)


def spent(trajectories: Iterable[Trajectory]) -> Usage:
    """What the episodes cost together."""
    return sum((trajectory.usage for trajectory in trajectories), Usage())


def dearer(*usages: Usage) -> Usage:
    """The largest of each count: what one more may cost.

    >>> dearer(Usage(calls=3), Usage(calls=1, prompt_tokens=9)).prompt_tokens
    9
    """
    return _by_field(max, usages)


def less(usage: Usage, part: Usage) -> Usage:
    """What is left of ``usage`` without ``part``; never below zero."""
    return _by_field(lambda counts: max(counts[0] - counts[1], 0), (usage, part))


def _by_field(of: Callable[[tuple[float, ...]], float], usages: tuple[Usage, ...]) -> Usage:
    counts = {name: of(tuple(getattr(u, name) for u in usages)) for name in Usage.model_fields}
    return Usage.model_validate(counts)
