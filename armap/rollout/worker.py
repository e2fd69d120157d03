"""One thread for one environment instance that blocks.

A thread of its own, because some simulators answer only the thread that made them; a daemon,
because one that hangs must not keep the program from ending.
"""

from __future__ import annotations

import asyncio
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Worker"]

T = TypeVar("T")


class Worker:
    """Runs what it is given, one after the other."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.busy = False
        """Whether something it was given is not done yet."""
        threading.Thread(target=self._work, name="armap-env", daemon=True).start()

    async def run(self, work: Callable[[], T], *, seconds: float | None) -> T:
        """Await ``work()``.

        Raises:
            TimeoutError: it takes longer than ``seconds``; the thread is lost to it.
        """
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that meets a result.
        async with asyncio.timeout(seconds):
            return await self.submit(work)

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have ``work`` done after what was given before."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            try:
                result = work()
                self.busy = False
            except BaseException as error:  # noqa: BLE001  (handed to who awaits)
                self.busy = False
                _tell(loop, future, error=error)
            else:
                _tell(loop, future, result=result)

        self.busy = True
        self._queue.put(call)
        return future

    def stop(self) -> None:
        """Let the thread end after what it is busy with."""
        self._queue.put(None)

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            call()


def _tell(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    *,
    result: T | None = None,
    error: BaseException | None = None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError(f"the environment raised {error!r}"))
        else:
            future.set_exception(error)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more
