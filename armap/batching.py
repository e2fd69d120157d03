"""Gather what is asked for at the same time, answer it together.

Planners are written for one task; batches form here. One :class:`Batcher` owns one worker
thread, so the event loop never waits and never uses its default executor.
"""

from __future__ import annotations

import asyncio
import heapq
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

__all__ = ["Batcher", "finish", "for_each", "together"]

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")

_GATHER_SECONDS = 0.003


@dataclass(slots=True, order=True)
class _Waiting(Generic[In, Out]):
    rank: tuple[int, int]
    item: In = field(compare=False)
    weight: int = field(compare=False)
    future: asyncio.Future[Out] = field(compare=False)


class Batcher(Generic[In, Out]):
    """Calls ``work(items) -> results`` with everything that waits, up to ``capacity``.

    Args:
        work: runs in the worker thread; returns one result per item, in order.
        capacity: bound on the sum of weights in one batch; an item above it goes alone.
    """

    def __init__(self, work: Callable[[Sequence[In]], Sequence[Out]], *, capacity: int) -> None:
        self._work = work
        self._capacity = capacity
        self._waiting: list[_Waiting[In, Out]] = []
        self._arrival = count()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="armap-batch")
        self._loop_task: asyncio.Task[None] | None = None

    async def submit(self, item: In, *, weight: int = 1, urgency: int = 0) -> Out:
        """Wait for the result of one item; an error of the batch reaches every item in it.

        Args:
            item: what ``work`` is to see.
            weight: its share of the capacity.
            urgency: higher goes first; equals go in order of arrival.
        """
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        rank = (-urgency, next(self._arrival))
        heapq.heappush(self._waiting, _Waiting(rank, item, weight, future))
        if self._loop_task is None or self._loop_task.done():
            self._loop_task = asyncio.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Stop the worker thread after the batch it is busy with."""
        if self._loop_task is not None:
            self._loop_task.cancel()
        _fail(self._waiting, RuntimeError("closed before it was answered"))
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(_GATHER_SECONDS)
            batch = self._take()
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(self._thread, self._answer, batch)
            except asyncio.CancelledError:
                _fail(batch, RuntimeError("closed before it was answered"))
                raise
            except Exception as error:  # noqa: BLE001  (handed to every caller of the batch)
                _fail(batch, error)
                continue
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(result)

    def _answer(self, batch: Sequence[_Waiting[In, Out]]) -> Sequence[Out]:
        results = self._work([waiting.item for waiting in batch])
        if len(results) != len(batch):
            raise RuntimeError(f"{len(results)} results for {len(batch)} items")
        return results

    def _take(self) -> list[_Waiting[In, Out]]:
        batch: list[_Waiting[In, Out]] = []
        total = 0
        while self._waiting and (not batch or total + self._waiting[0].weight <= self._capacity):
            waiting = heapq.heappop(self._waiting)
            if not waiting.future.cancelled():
                batch.append(waiting)
                total += waiting.weight
        return batch


def _fail(batch: Iterable[_Waiting[In, Out]], error: Exception) -> None:
    """Hand an error to everyone in ``batch``; a future cannot carry StopIteration itself."""
    if isinstance(error, StopIteration):
        error = RuntimeError("the work raised StopIteration")
    for waiting in batch:
        if not waiting.future.done():
            waiting.future.set_exception(error)


def finish(work: Coroutine[Any, Any, Item]) -> Item:
    """Run ``work`` to its end from plain code, also where a loop is running (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="armap-loop") as thread:
        return thread.submit(asyncio.run, work).result()


async def for_each(
    items: Iterable[Item], work: Callable[[Item], Awaitable[None]], *, concurrency: int
) -> None:
    """Await ``work(item)`` for every item, strictly at most ``concurrency`` at a time.

    The first error cancels the rest and is raised as itself.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    source = iter(items)

    async def worker() -> None:
        for item in source:
            await work(item)

    await together(worker() for _ in range(concurrency))


async def together(works: Iterable[Coroutine[Any, Any, Item]]) -> list[Item]:
    """Await all, in tasks of their own; results in order.

    The first error, or the caller's being cancelled, cancels the rest, waits for their ends and
    is raised as itself.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
