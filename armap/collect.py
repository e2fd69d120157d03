"""Let a policy explore tasks and keep what happened. No reward is read or written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from armap.batching import for_each
from armap.calls import task_scope
from armap.errors import BoundaryError, ModelError, RunBudgetSpent
from armap.seeding import derive
from armap.types import StopReason, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.rollout import Opening, Runner
    from armap.storage import JsonLines
    from armap.types import Task

__all__ = ["Effort", "Health", "collect", "episode_seed", "opening_seed"]

_HOPELESS = 8
"""So many failures before the first success end the run: the endpoint is down."""


@dataclass(slots=True)
class Health:
    """Tells a flaky boundary from a dead one."""

    succeeded: int = 0
    failed: int = 0

    def record(self, failure: str | None) -> None:
        """Count one result.

        Raises:
            ModelError: nothing has ever worked; carries the failure's own message.
        """
        if failure is None:
            self.succeeded += 1
            return
        self.failed += 1
        if self.succeeded == 0 and self.failed >= _HOPELESS:
            raise ModelError(f"the first {self.failed} all failed, giving up: {failure}")


def episode_seed(seed: int, task: Task, sample: int) -> int:
    """The seed of one sample of one task, in any order of work."""
    return derive(seed, task.env, task.split, task.name, sample)


def opening_seed(seed: int, task: Task) -> int:
    """The seed of a task's first actions, which all its samples draw together."""
    return derive(seed, task.env, task.split, task.name, "openings")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to explore."""

    samples: int
    """Episodes per task, each with its own seed."""
    seed: int
    """Of the whole run."""
    concurrency: int
    """Episodes in flight."""


async def collect(
    tasks: Sequence[Task],
    *,
    runner: Runner,
    effort: Effort,
    done: JsonLines[Trajectory],
    failed: JsonLines[Trajectory],
    progress: Callable[[Trajectory], None] = lambda _: None,
) -> None:
    """Run episodes of every task and append each as it ends.

    Episodes that are in ``done`` already are not repeated; failed ones are, in a later call.

    Args:
        tasks: what to explore.
        runner: the interaction loop with its policy.
        effort: how much to explore.
        done: receives finished episodes.
        failed: receives episodes that a boundary failure ended.
        progress: told of every episode that ends.

    Raises:
        ModelError: nothing works at all.
    """
    have = {(episode.task.name, episode.seed) for episode in done}
    health = Health(succeeded=len(have))
    openings = _Openings(runner, effort)
    broke = False
    work = (
        (task, sample)
        for sample in range(effort.samples)
        for task in tasks
        if (task.name, episode_seed(effort.seed, task, sample)) not in have
    )

    async def one(item: tuple[Task, int]) -> None:
        nonlocal broke
        task, sample = item
        if broke:
            return
        with task_scope(task):
            episode = await _episode(runner, openings, task, sample)
        (done if episode.whole else failed).append(episode)
        progress(episode)
        if episode.stop is not StopReason.BUDGET:
            health.record(episode.failure.message if episode.failure else None)
        elif episode.failure is not None and episode.failure.kind == _RUN_SPENT:
            broke = True

    await for_each(work, one, concurrency=effort.concurrency)


_RUN_SPENT = RunBudgetSpent.__name__


async def _episode(runner: Runner, openings: _Openings, task: Task, sample: int) -> Trajectory:
    """One episode; when the task does not even begin, that is what is recorded of it."""
    seed = episode_seed(openings.effort.seed, task, sample)
    try:
        opening = await openings.get(task, sample)
    except BoundaryError as error:
        return runner.unbegun(task, seed=seed, error=error)
    return await runner.run(task, seed=seed, opening=opening)


@dataclass(slots=True)
class _Openings:
    """The first actions of all samples of a task, drawn when the first of them is wanted."""

    runner: Runner
    effort: Effort
    _drawn: dict[str, asyncio.Task[list[Opening]]] = field(default_factory=dict)

    async def get(self, task: Task, sample: int) -> Opening:
        if task.name not in self._drawn:
            seed = opening_seed(self.effort.seed, task)
            drawing = self.runner.openings(task, n=self.effort.samples, seed=seed)
            self._drawn[task.name] = asyncio.create_task(drawing)
        return (await asyncio.shield(self._drawn[task.name]))[sample]
