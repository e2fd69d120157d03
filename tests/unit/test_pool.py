"""The pool under random schedules, and the ways in which somebody could wait for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import pytest

from armap.errors import EnvError, ModelError
from armap.rollout import Point, Runner
from armap.rollout.pool import Pool
from armap.rollout.worker import Worker
from armap.seeding import derive
from armap.types import Action, Limits, Observation, Proposal, Situation, Step, Task, Usage
from tests.contracts.worlds import Corridor

TASKS = Corridor.tasks("train")
RIGHT = Action(text="right")


def seen_after(task: str, actions: tuple[str, ...]) -> str:
    """What the world below shows: a digest of all that was done."""
    return str(derive(0, task, *actions) % 10**6)


@dataclass
class World:
    """Makes environments of one kind and watches over all of them."""

    rng: Random
    capacity: int | None
    blocking: bool
    copied: bool
    failing: float
    alive: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Digest:
        with self.lock:
            self.alive += 1
            self.most = max(self.most, self.alive)
        return Copied(self) if self.copied else Digest(self)


class Digest:
    """An environment that asserts how it is treated."""

    def __init__(self, world: World) -> None:
        self.world, self.capacity, self.blocking = world, world.capacity, world.blocking
        self.task, self.done = "", tuple[str, ...]()
        self.closed = False
        self.used = threading.Lock()

    def reset(self, task: Task) -> Observation:
        self.task, self.done = task.name, ()
        return self.observe()

    def step(self, action: Action) -> Observation:
        self.done += (action.text,)
        return self.observe()

    def observe(self) -> Observation:
        assert self.used.acquire(blocking=False), "two at a time"
        try:
            assert not self.closed
            if self.blocking and self.world.rng.random() < 0.3:
                time.sleep(self.world.rng.random() * 0.002)
            if self.world.rng.random() < self.world.failing:
                raise ValueError("the bridge is down")
            return Observation(text=seen_after(self.task, self.done))
        finally:
            self.used.release()

    def close(self) -> None:
        with self.world.lock:
            assert not self.closed
            self.closed = True
            self.world.alive -= 1


class Copied(Digest):
    """The same with snapshots."""

    def snapshot(self) -> tuple[str, tuple[str, ...]]:
        return self.task, self.done

    def restore(self, token: tuple[str, tuple[str, ...]]) -> None:
        self.task, self.done = token


class Thinker:
    """Two actions, and a thought of its own to each; at its own pace, and not always."""

    name = "thinker"

    def __init__(self, rng: Random, failing: float) -> None:
        self.rng, self.failing = rng, failing

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        if self.rng.random() < 0.7:
            await asyncio.sleep(self.rng.random() * 0.002)
        if self.rng.random() < self.failing:
            raise ModelError("no answer")
        actions = tuple(
            Action(text=Random(derive(seed, n)).choice("lr"), thought=str(derive(seed, n, "why")))
            for n in range(k)
        )
        return Proposal(actions=actions, usage=Usage())

    async def close(self) -> None:
        return


def check(task: Task, steps: tuple[Step, ...], last: Observation) -> None:
    """Every observation is the one that belongs there."""
    actions = tuple(step.action.text for step in steps)
    shown = [*(step.observation.text for step in steps), last.text]
    if actions or last.text:
        assert shown == [seen_after(task.name, actions[:n]) for n in range(len(actions) + 1)]


class Scenario:
    """Whole episodes, parts of episodes and trees, begun at random, some of them cancelled."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.world = World(
            rng=Random(seed + 1),
            capacity=rng.choice((1, 1, 2, 3, None)),
            blocking=rng.random() < 0.6,
            copied=rng.random() < 0.35,
            failing=rng.choice((0.0, 0.0, 0.02, 0.2)),
        )
        policy = Thinker(Random(seed + 2), rng.choice((0.0, 0.02)))
        self.runner = Runner(self.world, policy, Limits(max_steps=rng.randint(1, 9)))
        self.points: dict[str, list[Point]] = {task.name: [] for task in TASKS}

    async def play(self) -> None:
        kinds = (self.whole, self.part, self.tree)
        tasks = [
            asyncio.create_task(self.rng.choice(kinds)()) for _ in range(self.rng.randint(3, 18))
        ]
        if self.rng.random() < 0.5:
            for _ in range(self.rng.randint(0, 8)):
                await asyncio.sleep(self.rng.random() * 0.006)
                self.rng.choice(tasks).cancel()
        async with asyncio.timeout(20):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self.runner.close()
        wrong = [e for e in ended if e is not None and not isinstance(e, asyncio.CancelledError)]
        assert not wrong
        assert self.world.alive == 0
        assert self.world.most <= (self.world.capacity or 1000)

    async def whole(self) -> None:
        task = self.rng.choice(TASKS)
        episode = await self.runner.run(task, seed=self.rng.randint(0, 3))
        check(task, episode.steps, episode.final)

    async def part(self) -> None:
        task = self.rng.choice(TASKS)
        episode = self.runner.episode(task, seed=self.rng.randint(0, 3))
        try:
            for _ in range(self.rng.randint(1, 5)):
                if await episode.turn():
                    break
                await asyncio.sleep(self.rng.random() * 0.002)
        finally:
            episode.leave()
        record = episode.record()
        check(task, record.steps, record.final)

    async def tree(self) -> None:
        task = self.rng.choice(TASKS)
        known = self.points[task.name]
        try:
            known.append(await self.runner.begin(task))
            for _ in range(5):
                point = self.rng.choice(known)
                if self.runner.over(point):
                    continue
                actions = [
                    Action(text=self.rng.choice("lr"), thought=str(self.rng.random()))
                    for _ in range(2)
                ]
                for action, found in zip(
                    actions, await self.runner.advance(task, point, actions), strict=True
                ):
                    check(task, found.steps, found.observation)
                    assert found.steps[:-1] == point.steps
                    assert found.steps[-1].action == action
                    known.append(found)
                start = self.rng.choice(known)
                episode = await self.runner.run(task, seed=self.rng.randint(0, 3), start=start)
                check(task, episode.steps, episode.final)
                assert episode.steps[: len(start.steps)] == start.steps
        except EnvError:
            return


@pytest.mark.parametrize("block", range(8))
def test_whatever_the_schedule(block: int) -> None:
    for seed in range(block * 12, block * 12 + 12):
        asyncio.run(Scenario(seed).play())


class Single(Corridor):
    """One instance at a time; the makings of every second fail."""

    capacity = 1
    made: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        if self.made % 2 == 0:
            raise OSError("no port")


def test_room_for_an_instance_is_passed_on_by_who_is_cancelled() -> None:
    async def work() -> None:
        pool = Pool(lambda: Corridor_with(capacity=1), None)
        lent = await pool.begin(TASKS[0])
        first, second = (asyncio.create_task(pool.begin(TASKS[0])) for _ in range(2))
        await asyncio.sleep(0)
        pool.lose(lent)
        first.cancel()
        async with asyncio.timeout(2):
            assert (await second).env is not lent.env

    asyncio.run(work())


def Corridor_with(**attributes: object) -> Corridor:  # noqa: N802
    world = Corridor()
    for name, value in attributes.items():
        setattr(world, name, value)
    return world


def test_who_cannot_make_an_instance_lets_others_try() -> None:
    Single.made = 0

    async def work() -> None:
        pool = Pool(Single, None)
        lent = await pool.begin(TASKS[0])
        waiting = [asyncio.create_task(pool.begin(TASKS[0])) for _ in range(2)]
        await asyncio.sleep(0)
        pool.lose(lent)
        async with asyncio.timeout(2):
            ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(e).__name__ for e in ended] == ["EnvError", "Live"]

    asyncio.run(work())


def test_a_capacity_of_nothing_is_an_error() -> None:
    async def work() -> None:
        with pytest.raises(EnvError, match="capacity is 0; it must be 1 at least, or None"):
            await Pool(lambda: Corridor_with(capacity=0), None).begin(TASKS[0])

    asyncio.run(work())


def test_no_cancellation_is_lost_when_it_meets_a_result() -> None:
    async def work() -> int:
        lost = 0
        worker = Worker()
        for _ in range(100):
            task = asyncio.create_task(worker.run(lambda: None, seconds=5.0))
            await asyncio.sleep(0)
            time.sleep(0.0005)  # the result is there before the loop looks again
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
                lost += not task.cancelled() and task.cancelling() > 0
            except asyncio.CancelledError:
                pass
        worker.stop()
        return lost

    assert asyncio.run(work()) == 0


def test_whole_episodes_keep_their_instance_and_others_wait() -> None:
    runner = Runner(
        lambda: Corridor_with(capacity=2, length=99), Thinker(Random(0), 0.0), Limits(max_steps=12)
    )

    async def work() -> None:
        await asyncio.gather(*(runner.run(task, seed=n) for n in range(5) for task in TASKS))
        await runner.close()

    asyncio.run(work())
    assert runner.counts.steps == 15 * 12
    assert (runner.counts.replayed, runner.counts.resets) == (0, 15)
