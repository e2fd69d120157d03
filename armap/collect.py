"""Let a policy explore tasks and keep what happened. No reward is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.batching import for_each
from armap.errors import ModelError
from armap.seeding import derive
from armap.types import StopReason, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.rollout import Runner
    from armap.storage import JsonLines
    from armap.types import Task

__all__ = ["Effort", "Health", "collect", "episode_seed"]

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
    work = [
        (task, episode_seed(effort.seed, task, sample))
        for sample in range(effort.samples)
        for task in tasks
    ]

    async def one(item: tuple[Task, int]) -> None:
        task, own_seed = item
        episode = await runner.run(task, seed=own_seed)
        (failed if episode.stop is StopReason.FAILED else done).append(episode)
        progress(episode)
        health.record(episode.failure.message if episode.failure else None)

    missing = [item for item in work if (item[0].name, item[1]) not in have]
    await for_each(missing, one, concurrency=effort.concurrency)
