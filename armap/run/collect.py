"""``armap collect``."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from armap.batching import finish
from armap.collect import Effort, collect
from armap.config import FREE
from armap.envs import find_tasks, make_env
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.envs.scienceworld.expert import NoisyExpert
from armap.policy import PromptedPolicy
from armap.rollout import Runner
from armap.run.model import recorded_model
from armap.run.order import Placed, by_task
from armap.run.progress import Progress, Quiet
from armap.run.tasks import read_all
from armap.run.world import world_of
from armap.storage import JsonLines, Origin, RunFolder
from armap.types import Trajectory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from armap.config import CollectRun
    from armap.protocols import Policy
    from armap.types import Task

__all__ = ["run_collect"]


def run_collect(
    run: CollectRun, *, overwrite: bool = False, progress: Progress | None = None
) -> JsonLines[Trajectory]:
    """Explore; leaves ``trajectories.jsonl`` (sorted) and, if any, ``failures.jsonl``."""
    watch = progress or Quiet()
    found = find_tasks(run.env, run.tasks)
    if overwrite:  # before anything is thrown away
        found = read_all(found, watch)
    path = Path(run.out)
    origin = Origin(world=world_of(run))
    with RunFolder.open(
        path,
        stage="collect",
        config=run,
        free=FREE,
        origin=origin,
        overwrite=overwrite,
    ) as folder:
        done = folder.lines("trajectories.jsonl", Trajectory)
        if folder.manifest.finished:
            return done
        tasks = read_all(found, watch)
        failed = folder.lines("failures.jsonl", Trajectory)
        failed.clear()
        total = len(tasks) * run.samples
        watch.start("collecting trajectories", total, done=sum(1 for _ in done))
        with _policy(run, folder, watch) as (policy, close):
            finish(_collect(run, tasks, policy, close, (done, failed), watch))
        count = done.sort(by_task(tasks), Placed)
        failed.close()
        if count == total:
            folder.finish()
        else:
            watch.say(f"{total - count} of {total} episodes are missing, see failures.jsonl")
    return done


@contextmanager
def _policy(
    run: CollectRun, folder: RunFolder, watch: Progress
) -> Generator[tuple[Policy, Callable[[], Awaitable[None]]]]:
    """Who explores, and how to let go of it: a language model, or an expert."""
    if run.expert is not None:
        assert isinstance(run.env, ScienceWorldConfig)
        expert = NoisyExpert(run.expert, run.env)
        watch.say(f"{expert.name}: knows the solutions; no language model is asked")
        yield expert, expert.close
    else:
        with recorded_model(run, folder, watch) as model:
            yield PromptedPolicy(model, run.policy), model.close


async def _collect(
    run: CollectRun,
    tasks: list[Task],
    policy: Policy,
    close: Callable[[], Awaitable[None]],
    files: tuple[JsonLines[Trajectory], JsonLines[Trajectory]],
    watch: Progress,
) -> None:
    done, failed = files
    runner = Runner(lambda: make_env(run.env), policy, run.limits)
    try:
        await collect(
            tasks,
            runner=runner,
            effort=Effort(run.samples, run.seed, run.concurrency),
            done=done,
            failed=failed,
            progress=lambda episode: watch.advance(episode.task.name),
        )
    finally:
        await runner.close()
        await close()
