"""Live episodes: bounded, shared, led back by the shortest way, verified, lost on failure."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from armap.errors import EnvError
from armap.llms.scripted import Scripted, ScriptedConfig
from armap.policy import PromptedPolicy
from armap.rollout import Point, Runner
from armap.types import Action, Limits, Observation, Step, StopReason, Task
from tests.contracts.worlds import Corridor

TASK, OTHER, THIRD = Corridor.tasks("train")
RIGHT = Action(text="right")
LEFT = Action(text="left")


class Rooms(Corridor):
    """A corridor of which there may be two at a time; counts its instances."""

    alive = 0
    most = 0

    def __init__(self, *, capacity: int | None = 2, blocking: bool = False) -> None:
        super().__init__(length=9, blocking=blocking)
        self.capacity = capacity
        type(self).alive += 1
        type(self).most = max(self.most, self.alive)

    def close(self) -> None:
        type(self).alive -= 1


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Rooms.alive = Rooms.most = 0


def runner_of(make: object = Rooms, **limits: object) -> Runner:
    policy = PromptedPolicy(Scripted(ScriptedConfig(default=("right",))))
    return Runner(make, policy, Limits(max_steps=8, **limits))  # type: ignore[arg-type]


async def walk(runner: Runner, task: Task, actions: Sequence[Action]) -> list[Point]:
    """The points on the way."""
    points = [await runner.begin(task)]
    for action in actions:
        points += await runner.advance(task, points[-1], [action])
    return points


def test_going_on_costs_one_step_and_going_back_the_prefix() -> None:
    runner = runner_of(lambda: Rooms(capacity=1))

    async def work() -> None:
        points = await walk(runner, TASK, [RIGHT] * 4)
        assert (runner.counts.steps, runner.counts.replayed, runner.counts.resets) == (4, 0, 1)
        await runner.advance(TASK, points[2], [LEFT])
        assert (runner.counts.steps, runner.counts.replayed, runner.counts.resets) == (7, 2, 2)

    asyncio.run(work())


def test_the_longest_prefix_is_taken_and_the_cheapest_given_up() -> None:
    runner = runner_of(lambda: Rooms(capacity=2))

    async def work() -> None:
        long = await walk(runner, TASK, [RIGHT] * 4)
        short = await walk(runner, TASK, [LEFT])
        before = runner.counts.replayed
        await runner.advance(TASK, long[-1], [RIGHT])
        await runner.advance(TASK, short[-1], [LEFT])
        assert runner.counts.replayed == before, "each went on where it stood"
        await walk(runner, OTHER, [RIGHT])
        (again,) = await runner.advance(TASK, Point(long[-1].steps, long[-1].observation), [LEFT])
        assert again.observation.text == "You stand at 3 of 9."

    asyncio.run(work())
    assert Rooms.most == 2


def test_what_was_seen_before_is_not_asked_again() -> None:
    runner = runner_of(lambda: Rooms(capacity=1))

    async def work() -> None:
        start = await runner.begin(TASK)
        spoken = Action(text="right", thought="Surely this way.")
        (first,) = await runner.advance(TASK, start, [RIGHT])
        (again,) = await runner.advance(TASK, start, [spoken])
        assert again == Point(
            (Step(observation=start.observation, action=spoken),), first.observation
        )
        assert (runner.counts.steps, runner.counts.known) == (1, 1)
        (beyond,) = await runner.advance(TASK, again, [RIGHT])
        assert beyond.steps[0].action is spoken, "its own history, not that of who was here first"
        assert (await runner.advance(TASK, first, [RIGHT]))[0].observation == beyond.observation
        assert (runner.counts.steps, runner.counts.replayed, runner.counts.known) == (2, 0, 2)

    asyncio.run(work())


@pytest.mark.parametrize("capacity", [1, None])
def test_an_episode_repeated_from_a_point_needs_no_environment_until_it_differs(
    capacity: int | None,
) -> None:
    runner = runner_of(lambda: Rooms(capacity=capacity))

    async def work() -> None:
        start = (await walk(runner, TASK, [RIGHT] * 5))[0]
        episode = await runner.run(TASK, seed=0, start=start)
        assert episode.actions == ("right",) * 8
        assert episode.final.text == "You stand at 8 of 9."
        assert (runner.counts.known, runner.counts.steps, runner.counts.replayed) == (5, 8, 0)

    asyncio.run(work())


def test_the_end_of_an_episode_is_no_place_to_go_on_from_without_its_snapshot() -> None:
    class Copied(Rooms):
        def snapshot(self) -> int:
            return self.place

        def restore(self, token: int) -> None:
            self.place = token

    runner = runner_of(lambda: Copied(capacity=1))

    async def work() -> None:
        start = (await walk(runner, TASK, [RIGHT] * 7))[-1]
        episode = await runner.run(TASK, seed=0, start=start)
        assert len(episode.steps) == 8, "cut where it stands, so that nothing was copied there"
        (again,) = await runner.advance(TASK, start, [RIGHT])
        assert again.snapshot == 8

    asyncio.run(work())


def test_where_there_are_enough_instances_nobody_takes_anothers() -> None:
    runner = runner_of(lambda: Rooms(capacity=2))

    async def work() -> None:
        episodes = [runner.episode(task, seed=0) for task in (TASK, OTHER)]
        for _ in range(4):
            for episode in episodes:
                await episode.turn()
        assert runner.counts.replayed == 0
        episodes[0].leave()
        start = await runner.begin(TASK)
        await runner.advance(TASK, start, [LEFT])
        await episodes[1].turn()
        assert runner.counts.replayed == 0, "what was quitted is taken, not what is played"

    asyncio.run(work())


def test_where_there_are_too_few_the_latest_left_is_taken() -> None:
    runner = runner_of(lambda: Rooms(capacity=2))

    async def work() -> None:
        episodes = [runner.episode(task, seed=0) for task in (TASK, OTHER, THIRD)]
        for _ in range(4):
            for episode in episodes:
                await episode.turn()

    asyncio.run(work())
    assert runner.counts.steps - runner.counts.replayed == 12
    assert runner.counts.replayed == 8, "the shortest, or the first left: 18"


@pytest.mark.parametrize("blocking", [False, True])
def test_never_more_instances_than_there_may_be(*, blocking: bool) -> None:
    runner = runner_of(lambda: Rooms(capacity=2, blocking=blocking))

    async def work() -> list[StopReason]:
        runs = (runner.run(task, seed=i) for i in range(12) for task in (TASK, OTHER))
        episodes = await asyncio.gather(*runs)
        await runner.close()
        return [episode.stop for episode in episodes]

    assert asyncio.run(work()) == [StopReason.MAX_STEPS] * 24
    assert Rooms.most == 2
    assert Rooms.alive == 0


def test_instances_are_used_again() -> None:
    runner = runner_of(lambda: Rooms(capacity=None))

    async def work() -> None:
        for seed in range(5):
            await runner.run(TASK, seed=seed)
        await runner.close()

    asyncio.run(work())
    assert Rooms.most == 1
    assert Rooms.alive == 0


class Changing(Rooms):
    """Shows something else each time."""

    resets = 0

    def reset(self, task: Task) -> Observation:
        type(self).resets += 1
        self.length = 9 + self.resets
        return super().reset(task)


def test_a_divergence_is_an_error_and_costs_the_instance() -> None:
    runner = runner_of(lambda: Changing(capacity=1))

    async def work() -> None:
        points = await walk(runner, TASK, [RIGHT, RIGHT])
        with pytest.raises(EnvError, match="corridor/a diverged before step 0: 'You stand at 0"):
            await runner.advance(TASK, points[1], [LEFT])
        assert Rooms.alive == 0
        await walk(runner, TASK, [RIGHT])

    asyncio.run(work())


class Hanging(Rooms):
    """Never comes back from going left."""

    gate = threading.Event()

    def step(self, action: Action) -> Observation:
        if action.text == "left":
            self.gate.wait(20)
        return super().step(action)


def test_an_environment_that_hangs_costs_its_branch_only() -> None:
    runner = runner_of(lambda: Hanging(capacity=1, blocking=True), step_seconds=0.1)

    async def work() -> None:
        points = await walk(runner, TASK, [RIGHT])
        begun = time.monotonic()
        with pytest.raises(EnvError, match=r"stepping corridor/a: no answer in 0.1 s"):
            await runner.advance(TASK, points[1], [LEFT])
        (on,) = await runner.advance(TASK, points[1], [RIGHT])
        assert on.observation.text == "You stand at 2 of 9."
        await runner.close()
        assert time.monotonic() - begun < 5

    try:
        asyncio.run(work())
    finally:
        Hanging.gate.set()
    assert Rooms.alive == 0


def test_who_waits_is_served_when_an_instance_is_lost() -> None:
    class Breaking(Rooms):
        def step(self, action: Action) -> Observation:
            raise ValueError("no floor")

    runner = runner_of(lambda: Breaking(capacity=1, blocking=True))

    async def work() -> list[StopReason]:
        episodes = await asyncio.gather(*(runner.run(TASK, seed=i) for i in range(6)))
        return [episode.stop for episode in episodes]

    assert asyncio.run(asyncio.wait_for(work(), 10)) == [StopReason.FAILED] * 6


def test_a_blocking_environment_has_one_thread() -> None:
    threads: dict[int, set[int]] = {}

    class Loyal(Rooms):
        def step(self, action: Action) -> Observation:
            threads.setdefault(id(self), set()).add(threading.get_ident())
            return super().step(action)

    runner = runner_of(lambda: Loyal(capacity=2, blocking=True))

    async def work() -> None:
        await asyncio.gather(*(runner.run(TASK, seed=i) for i in range(8)))
        await runner.close()

    asyncio.run(work())
    assert all(len(own) == 1 for own in threads.values())
    assert threading.get_ident() not in set().union(*threads.values())


class Copied(Rooms):
    """With snapshots."""

    def snapshot(self) -> int:
        return self.place

    def restore(self, token: int) -> None:
        self.place = token


def test_snapshots_make_going_back_free() -> None:
    runner = runner_of(lambda: Copied(capacity=1))

    async def work() -> None:
        points = await walk(runner, TASK, [RIGHT] * 4)
        (back,) = await runner.advance(TASK, points[2], [LEFT])
        assert back.observation.text == "You stand at 1 of 9."
        assert [step.action.text for step in back.steps] == ["right", "right", "left"]
        episode = await runner.run(TASK, seed=0, start=points[3])
        assert episode.actions == ("right",) * 8
        assert runner.counts.replayed == 0

    asyncio.run(work())


def test_giving_up_waiting_loses_nothing() -> None:
    runner = runner_of(lambda: Rooms(capacity=1, blocking=True))

    async def work() -> None:
        tasks = [asyncio.create_task(runner.run(TASK, seed=i)) for i in range(6)]
        await asyncio.sleep(0.005)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in done) <= 3
        await runner.run(TASK, seed=9)
        await runner.close()

    asyncio.run(asyncio.wait_for(work(), 10))
    assert Rooms.alive == 0
