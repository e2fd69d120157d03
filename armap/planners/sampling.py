"""Greedy and Sampling: the baselines without a reward model (ARMAP section 4.1)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.collect import episode_seed
from armap.planners.context import Context, failure_of, spent
from armap.types import Candidate, Plan, Record, StopReason

if TYPE_CHECKING:
    from armap.types import Task, Trajectory

__all__ = ["Greedy", "GreedyConfig", "Sampling", "SamplingConfig", "draw"]


class GreedyConfig(Record):
    """One episode at temperature 0."""

    kind: Literal["greedy"] = "greedy"


class SamplingConfig(Record):
    """``n`` independent episodes; the result is their mean, so nothing is selected."""

    kind: Literal["sampling"] = "sampling"
    n: int = Field(default=10, gt=0)


async def draw(context: Context, task: Task, n: int, seed: int) -> list[Trajectory]:
    """Run ``n`` independent episodes; sample ``i`` is the same whatever ``n`` is."""
    seeds = [episode_seed(seed, task, sample) for sample in range(n)]
    return list(await asyncio.gather(*(context.runner.run(task, seed=own) for own in seeds)))


@dataclass(frozen=True, slots=True)
class Sampling:
    """Draws ``n`` episodes. The plan's answer is the first that did not fail."""

    config: SamplingConfig
    context: Context
    name: str = "sampling"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Draw and keep everything."""
        episodes = await draw(self.context, task, self.config.n, seed)
        return unselected(self.name, task, episodes)


@dataclass(frozen=True, slots=True)
class Greedy:
    """One episode; the policy's temperature is 0 unless its config says otherwise."""

    config: GreedyConfig
    context: Context
    name: str = "greedy"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Run the one episode."""
        return unselected(self.name, task, await draw(self.context, task, 1, seed))


def unselected(name: str, task: Task, episodes: list[Trajectory]) -> Plan:
    """A plan without scores.

    Raises:
        ModelError, EnvError: every episode failed.
    """
    whole = [i for i, episode in enumerate(episodes) if episode.stop is not StopReason.FAILED]
    if not whole:
        raise failure_of(episodes)
    return Plan(
        task=task,
        planner=name,
        candidates=tuple(Candidate(trajectory=episode) for episode in episodes),
        chosen=whole[0],
        usage=spent(episodes),
    )
