"""Batches form by themselves, keep their order and bring errors home."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from armap.batching import Batcher, finish, for_each


class Doubler:
    """Work that remembers its batches and the threads it ran in."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.threads.add(threading.current_thread().name)
        if -1 in items:
            raise KeyError("a minus")
        return [2 * item for item in items]


def submitted(
    work: Doubler, items: Sequence[int], *, capacity: int, weights: Sequence[int] = ()
) -> list[int | BaseException]:
    """Submit all items at the same time and wait."""

    async def run() -> list[int | BaseException]:
        batcher = Batcher(work, capacity=capacity)
        try:
            return await asyncio.gather(
                *(
                    batcher.submit(item, weight=weight)
                    for item, weight in zip(items, weights or [1] * len(items), strict=True)
                ),
                return_exceptions=True,
            )
        finally:
            await batcher.close()

    return asyncio.run(run())


def test_what_waits_together_is_answered_together_and_in_order() -> None:
    work = Doubler()
    assert submitted(work, range(10), capacity=100) == [2 * item for item in range(10)]
    assert work.batches == [list(range(10))]


def test_a_batch_holds_no_more_than_the_capacity() -> None:
    work = Doubler()
    assert submitted(work, range(7), capacity=3) == [2 * item for item in range(7)]
    assert work.batches == [[0, 1, 2], [3, 4, 5], [6]]


def test_weights_count_and_a_heavy_item_goes_alone() -> None:
    work = Doubler()
    submitted(work, [1, 2, 3, 4, 5], capacity=10, weights=[4, 6, 1, 99, 2])
    assert work.batches == [[1, 2], [3], [4], [5]]


def test_work_runs_in_one_thread_that_is_not_the_loop() -> None:
    work = Doubler()
    submitted(work, range(5), capacity=1)
    assert len(work.batches) == 5
    (name,) = work.threads
    assert name.startswith("armap-batch")


def test_an_error_reaches_every_item_of_its_batch_and_no_other() -> None:
    work = Doubler()
    results = submitted(work, [1, -1, 3, 4], capacity=3)
    assert [type(result) for result in results] == [KeyError, KeyError, KeyError, int]
    assert results[3] == 8


def test_a_batcher_works_on_after_an_error_and_after_idling() -> None:
    async def run() -> list[int]:
        batcher = Batcher(Doubler(), capacity=8)
        with pytest.raises(KeyError, match="a minus"):
            await batcher.submit(-1)
        results = [await batcher.submit(1)]
        await asyncio.sleep(0.01)
        results.append(await batcher.submit(2))
        await batcher.close()
        return results

    assert asyncio.run(run()) == [2, 4]


def test_an_item_nobody_waits_for_any_more_is_left_out() -> None:
    work = Doubler()

    async def run() -> int:
        batcher = Batcher(work, capacity=8)
        given_up = asyncio.create_task(batcher.submit(1))
        wanted = asyncio.create_task(batcher.submit(2))
        await asyncio.sleep(0)
        given_up.cancel()
        result = await wanted
        assert given_up.cancelled()
        await batcher.close()
        return result

    assert asyncio.run(run()) == 4
    assert work.batches == [[2]]


def test_the_loop_does_not_wait_for_the_work() -> None:
    release = threading.Event()

    def work(items: Sequence[int]) -> Sequence[int]:
        assert release.wait(5)
        return items

    async def run() -> int:
        batcher = Batcher(work, capacity=8)
        waiting = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        release.set()
        result = await waiting
        await batcher.close()
        return result

    assert asyncio.run(run()) == 1


def test_a_closed_batcher_takes_nothing_more() -> None:
    async def run() -> None:
        batcher = Batcher(Doubler(), capacity=8)
        await batcher.submit(1)
        await batcher.close()
        await batcher.close()
        with pytest.raises(RuntimeError):
            await batcher.submit(2)

    asyncio.run(run())


def test_close_fails_what_is_being_worked_on() -> None:
    release = threading.Event()

    def work(items: Sequence[int]) -> Sequence[int]:
        assert release.wait(5)
        return items

    async def run() -> None:
        batcher = Batcher(work, capacity=8)
        waiting = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0.01)
        await batcher.close()
        with pytest.raises(RuntimeError, match="closed before it was answered"):
            await waiting
        release.set()

    asyncio.run(run())


def test_close_ends_the_thread() -> None:
    before = threading.active_count()
    for _ in range(5):
        submitted(Doubler(), [1], capacity=1)
    for thread in threading.enumerate():
        if thread.name.startswith("armap-batch"):
            thread.join(1)
    assert threading.active_count() <= before


class Meter:
    """Work for ``for_each`` that counts what is in flight."""

    def __init__(self, failing: int | None = None) -> None:
        self.failing = failing
        self.flying = self.peak = 0
        self.done: list[int] = []
        self.cancelled: list[int] = []

    async def __call__(self, item: int) -> None:
        self.flying += 1
        self.peak = max(self.peak, self.flying)
        try:
            for _ in range(item % 3 + 1):
                await asyncio.sleep(0)
            if item == self.failing:
                raise LookupError(f"item {item}")
            self.done.append(item)
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.flying -= 1


@pytest.mark.parametrize("concurrency", [1, 3, 10])
def test_for_each_works_through_all_with_a_strict_cap(concurrency: int) -> None:
    meter = Meter()
    asyncio.run(for_each(iter(range(30)), meter, concurrency=concurrency))
    assert sorted(meter.done) == list(range(30))
    assert meter.peak == concurrency
    assert meter.flying == 0


def test_for_each_of_fewer_items_than_workers() -> None:
    meter = Meter()
    asyncio.run(for_each(range(2), meter, concurrency=9))
    asyncio.run(for_each([], meter, concurrency=9))
    assert sorted(meter.done) == [0, 1]
    assert meter.peak == 2


def test_for_each_takes_an_item_only_when_a_worker_is_free() -> None:
    taken = []

    def source() -> object:
        for item in range(100):
            taken.append(item)
            yield item

    with pytest.raises(LookupError):
        asyncio.run(for_each(source(), Meter(failing=3), concurrency=2))
    assert len(taken) < 12


def test_the_first_error_is_raised_as_itself_and_cancels_the_rest() -> None:
    started, cancelled = [], []

    async def work(item: int) -> None:
        started.append(item)
        if item == 2:
            raise LookupError("item 2")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    with pytest.raises(LookupError, match="item 2"):
        asyncio.run(for_each(range(100), work, concurrency=4))
    assert set(started) <= {0, 1, 2, 3}
    assert set(cancelled) == set(started) - {2}


def test_cancelling_for_each_cancels_its_work() -> None:
    meter = Meter()

    async def slow(item: int) -> None:
        meter.flying += 1
        try:
            await asyncio.sleep(60)
        finally:
            meter.flying -= 1

    async def run() -> None:
        whole = asyncio.create_task(for_each(range(9), slow, concurrency=3))
        await asyncio.sleep(0.01)
        assert meter.flying == 3
        whole.cancel()
        with pytest.raises(asyncio.CancelledError):
            await whole
        assert meter.flying == 0

    asyncio.run(run())


async def later(value: int) -> int:
    await asyncio.sleep(0)
    if value < 0:
        raise LookupError(f"value {value}")
    return value


def test_finish_from_plain_code() -> None:
    assert finish(later(3)) == 3
    with pytest.raises(LookupError, match="value -1"):
        finish(later(-1))


def test_finish_where_a_loop_is_running() -> None:
    async def cell() -> int:
        with pytest.raises(LookupError, match="value -1"):
            finish(later(-1))
        return finish(later(3))

    assert asyncio.run(cell()) == 3


def test_the_urgent_go_first_and_equals_in_order() -> None:
    seen: list[int] = []

    async def run() -> None:
        batcher: Batcher[int, int] = Batcher(lambda xs: seen.extend(xs) or list(xs), capacity=2)
        urgency = {0: 0, 1: 2, 2: 1, 3: 2, 4: 0, 5: 1}
        await asyncio.gather(*(batcher.submit(i, urgency=u) for i, u in urgency.items()))
        await batcher.close()

    asyncio.run(run())
    assert seen == [1, 3, 2, 5, 0, 4]
