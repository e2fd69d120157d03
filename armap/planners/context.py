"""What a planner works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.errors import ConfigError, EnvError, ModelError
from armap.types import Candidate, StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from armap.protocols import RewardModel
    from armap.rollout import Runner
    from armap.types import Trajectory

__all__ = ["Context", "argmax", "spent"]


@dataclass(frozen=True, slots=True)
class Context:
    """The interaction loop and the reward model; shared by all tasks of a run."""

    runner: Runner
    reward: RewardModel | None = None

    async def scored(self, trajectories: Sequence[Trajectory]) -> list[Candidate]:
        """Score trajectories, each once: ``[K] -> [K]``. Failed episodes stay unscored.

        Raises:
            ConfigError: the run has no reward model.
            RewardError: a score could not be computed.
        """
        if self.reward is None:
            raise ConfigError("this planner needs a reward model; add `reward:` to the config")
        whole = [t for t in trajectories if t.stop is not StopReason.FAILED]
        scores = iter(await self.reward.score(whole))
        return [
            Candidate(trajectory=t, score=None if t.stop is StopReason.FAILED else next(scores))
            for t in trajectories
        ]


def argmax(candidates: Sequence[Candidate]) -> int:
    """Index of the first candidate with the highest raw score.

    Raises:
        ModelError, EnvError: no candidate has a score, because every episode failed; the kind
            and the message are those of the first failure.
    """
    scored = [
        (candidate.score.raw, -index)
        for index, candidate in enumerate(candidates)
        if candidate.score is not None
    ]
    if not scored:
        raise failure_of(candidate.trajectory for candidate in candidates)
    return -max(scored)[1]


def failure_of(trajectories: Iterable[Trajectory]) -> ModelError | EnvError:
    """The error that stands for a task none of whose episodes could be run."""
    failed = next((t.failure for t in trajectories if t.failure is not None), None)
    if failed is None:
        return ModelError("no episode could be run")
    return (EnvError if failed.kind == "EnvError" else ModelError)(failed.message)


def spent(trajectories: Iterable[Trajectory]) -> Usage:
    """What the episodes cost together."""
    return sum((trajectory.usage for trajectory in trajectories), Usage())
