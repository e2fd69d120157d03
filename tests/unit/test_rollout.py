"""The one loop: every way an episode can end is a record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from armap.collect import Effort, Health, collect, episode_seed
from armap.errors import EnvError, ModelError, RunBudgetSpent, TaskBudgetSpent
from armap.llms.scripted import Scripted, ScriptedConfig
from armap.policy import PolicyConfig, PromptedPolicy
from armap.protocols import Environment
from armap.rollout import Point, Runner, replay
from armap.storage import JsonLines
from armap.types import (
    Action,
    Completions,
    Limits,
    Message,
    Observation,
    Sampling,
    StopReason,
    Task,
    Trajectory,
)
from tests.contracts.worlds import Corridor

TASK = Corridor.tasks("train")[0]


def run(
    reply: str = "right", *, limits: Limits | None = None, env: Environment | None = None
) -> Trajectory:
    policy = PromptedPolicy(Scripted(ScriptedConfig(default=(reply,))))
    runner = Runner(lambda: env or Corridor(length=2), policy, limits or Limits())
    return asyncio.run(runner.run(TASK, seed=4))


def test_an_episode_that_ends() -> None:
    episode = run()
    assert episode.stop is StopReason.TERMINAL
    assert episode.actions == ("right", "right")
    assert episode.final.text == "You stand at 2 of 2."
    assert episode.usage.calls == 2
    assert (episode.policy, episode.seed) == ("scripted", 4)


def test_an_episode_that_is_cut_short() -> None:
    episode = run("left", limits=Limits(max_steps=3))
    assert episode.stop is StopReason.MAX_STEPS
    assert len(episode.steps) == 3


def test_a_reply_without_an_action() -> None:
    episode = run("   \n ")
    assert episode.stop is StopReason.UNPARSABLE
    assert episode.steps == ()
    assert episode.usage.calls == 1


class Breaking(Corridor):
    def step(self, action: Action) -> Observation:
        raise ValueError("the floor gave way")


def test_an_environment_that_breaks_is_data() -> None:
    episode = run(env=Breaking())
    assert episode.stop is StopReason.FAILED
    assert episode.failure is not None
    assert episode.failure.kind == "EnvError"
    assert "stepping corridor/a: ValueError: the floor gave way" in episode.failure.message


def test_a_model_that_fails_is_data_and_what_went_before_is_kept() -> None:
    policy = PromptedPolicy(Scripted(ScriptedConfig(default=("right",), fail_every=2)))
    runner = Runner(lambda: Corridor(length=5), policy)
    episode = asyncio.run(runner.run(TASK, seed=0))
    assert episode.failure is not None
    assert episode.failure.kind == "ModelError"
    assert episode.actions == ("right",)


def test_a_prefix_is_replayed_and_costs_nothing() -> None:
    whole = run()
    policy = PromptedPolicy(Scripted(ScriptedConfig(default=("right",))))
    runner = Runner(lambda: Corridor(length=2), policy)
    start = Point(whole.steps[:1], whole.steps[1].observation)
    rest = asyncio.run(runner.run(TASK, seed=4, start=start))
    assert rest.steps == whole.steps
    assert rest.usage.calls == 1


def test_a_replay_that_diverges_is_an_error() -> None:
    whole = run()
    with pytest.raises(EnvError, match="diverged before step 0"):
        replay(Corridor(length=3), TASK, whole.steps)


class Blocking(Corridor):
    threads: ClassVar[set[int]] = set()

    def step(self, action: Action) -> Observation:
        self.threads.add(threading.get_ident())
        return super().step(action)


def test_an_environment_that_blocks_is_stepped_elsewhere() -> None:
    env = Blocking(length=2, blocking=True)
    assert run(env=env).stop is StopReason.TERMINAL
    assert threading.get_ident() not in env.threads


def test_the_seed_of_a_turn_depends_on_its_place_only() -> None:
    seen: list[int] = []

    class Watching(Scripted):
        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
            seen.append(sampling.seed)
            return await super().complete(messages, sampling)

    runner = Runner(
        lambda: Corridor(length=2),
        PromptedPolicy(Watching(ScriptedConfig(default=("right",))), PolicyConfig()),
    )
    for _ in range(2):
        asyncio.run(runner.run(TASK, seed=9))
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]


def explore(tmp_path: Path, model: Scripted, samples: int = 2) -> tuple[list[Trajectory], int]:
    done = JsonLines(tmp_path / "done.jsonl", Trajectory)
    failed = JsonLines(tmp_path / "failed.jsonl", Trajectory)
    runner = Runner(lambda: Corridor(length=2), PromptedPolicy(model))
    work = collect(
        Corridor.tasks("train"),
        runner=runner,
        effort=Effort(samples, 0, 4),
        done=done,
        failed=failed,
    )
    try:
        asyncio.run(work)
    finally:
        done.close()
        failed.close()
    return list(done), len(list(failed))


def test_collecting_again_repeats_nothing_but_what_failed(tmp_path: Path) -> None:
    flaky = Scripted(ScriptedConfig(default=("right",), fail_every=8))
    first, failed = explore(tmp_path, flaky)
    assert failed == 1, "3 openings, then a second step for each of 6"
    assert len(first) + failed == 6
    solid = Scripted(ScriptedConfig(default=("right",)))
    second, _ = explore(tmp_path, solid)
    assert second[: len(first)] == first
    assert len(second) == 6
    assert solid.calls == 2 * failed
    seeds = {(t.task.name, t.seed) for t in second}
    assert seeds == {
        (task.name, episode_seed(0, task, i)) for task in Corridor.tasks("train") for i in (0, 1)
    }


def test_a_dead_endpoint_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the first 8 all failed, giving up: scripted failure"):
        explore(tmp_path, Scripted(ScriptedConfig(fail_every=1)), samples=20)


def test_one_success_makes_failures_bearable() -> None:
    health = Health()
    health.record(None)
    for _ in range(50):
        health.record("now and then")
    assert health.failed == 50


def test_a_spent_run_begins_nothing_more(tmp_path: Path) -> None:
    begun: list[str] = []

    class Spent(Runner):
        async def run(self, task: Task, *, seed: int, **_: object) -> Trajectory:
            begun.append(task.name)
            first = len(begun) == 1
            await asyncio.sleep(0 if first else 0.01)
            error = (RunBudgetSpent if first else TaskBudgetSpent)("no more")
            return self.unbegun(task, seed=seed, error=error)

    runner = Spent(lambda: Corridor(length=2), PromptedPolicy(Scripted()))
    done = JsonLines(tmp_path / "done.jsonl", Trajectory)
    failed = JsonLines(tmp_path / "failed.jsonl", Trajectory)
    effort = Effort(samples=3, seed=0, concurrency=2)
    tasks = Corridor.tasks("train")
    asyncio.run(collect(tasks, runner=runner, effort=effort, done=done, failed=failed))
    failed.close()
    assert len(begun) == 2
    assert {episode.stop for episode in failed} == {StopReason.BUDGET}
