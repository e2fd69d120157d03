"""Live episodes: environment instances, kept where they stand and lent to who goes on there.

A search comes back to the same prefixes again and again. Where the environment has snapshots,
one is restored. Where it has none, the prefix is replayed and every observation compared with
the recorded one; the instance whose episode is already the longest prefix of what is wanted is
preferred, so that most replays are short or none. What was seen beyond a point is kept with it:
an action that was taken there before costs nothing, and whoever repeats an episode needs no
instance until it leaves the beaten track.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from armap.errors import EnvError, boundary
from armap.protocols import SnapshotEnvironment
from armap.rollout.live import Live, Point
from armap.rollout.worker import Worker
from armap.types import Observation, Step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from armap.protocols import Environment
    from armap.types import Action, Task

__all__ = ["Counts", "Pool"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """What the environments were asked to do."""

    steps: int = 0
    """Actions taken, the replayed ones included."""
    replayed: int = 0
    """Those of them that only led back to where an episode had been."""
    resets: int = 0
    restores: int = 0
    known: int = 0
    """Actions that nobody was asked about: they had been taken there before."""


class Pool:
    """The instances of one environment, shared by all episodes in flight.

    Args:
        make_env: makes an instance. Its ``capacity`` bounds how many there are; one that is
            ``blocking`` is stepped in a thread of its own.
        seconds: deadline of one step of a blocking environment; None for none.
    """

    def __init__(self, make_env: Callable[[], Environment], seconds: float | None) -> None:
        self._make = make_env
        self._seconds = seconds
        self._idle: list[Live] = []
        """Not lent, and in an episode that somebody may go on with."""
        self._blank: list[Live] = []
        """Not lent, good for any beginning."""
        self._waiting: deque[asyncio.Future[Live | None]] = deque()
        self._closing: set[asyncio.Future[None]] = set()
        self._count = 0
        self.counts = Counts()
        self.capacity: int | None = None
        """Of the environment; known after the first instance was made."""
        self._gate: asyncio.Semaphore | None = None
        """For whole episodes; None where any number may be played."""

    @asynccontextmanager
    async def room(self) -> AsyncGenerator[None]:
        """For an episode that is played to its end: wait until an instance can be its own.

        Between two of its turns an instance may be lent to others; who then has to replay half an
        episode at every turn is slower than who waits. Not for parts of a search, which
        wait for each other.
        """
        if self._count == 0 and not self._waiting:
            with suppress(EnvError):  # the episode will meet it too, and record it
                self._blank.append(self._new())
        async with self._gate or nullcontext():
            yield

    async def begin(self, task: Task) -> Live:
        """Lend an instance at the beginning of ``task``.

        Raises:
            EnvError: it failed.
        """
        live = await self._borrow(task, None)
        self.counts.resets += 1
        await self._do(live, f"resetting {task.env}/{task.name}", lambda: live.reset(task))
        return live

    async def reach(self, task: Task, point: Point, *, player: object = None) -> Live:
        """Lend an instance that stands at ``point``; the one that ``player`` left, if it is there.

        Raises:
            EnvError: it failed, or shows something else than is recorded.
        """
        what = f"replaying {task.env}/{task.name}"
        if point.snapshot is not None:
            live = await self._borrow(task, None)
            self.counts.restores += 1
            await self._do(live, what, lambda: live.restore(task, point))
            return live
        live = await self._borrow(task, point.steps, player)
        ready = live.leads_to(task, point.steps)
        again = len(point.steps) - (len(live.steps) if ready else 0)
        self.counts.resets += not ready
        self.counts.steps += again
        self.counts.replayed += again
        if again or not ready or live.seen != point.observation:
            await self._do(live, what, lambda: live.lead(task, point))
        return live

    async def step(self, live: Live, action: Action) -> Observation:
        """Act. The instance is lost when it fails.

        Raises:
            EnvError: it failed or did not answer in time.
        """
        self.counts.steps += 1
        before = live.seen
        live.seen = await self._do(live, f"stepping {_name(live)}", lambda: live.env.step(action))
        live.steps.append(Step(observation=before, action=action))
        return live.seen

    async def go(
        self,
        task: Task,
        point: Point,
        action: Action,
        *,
        last: bool = False,
        player: object = None,
    ) -> Point:
        """Where ``action`` leads from ``point``.

        Args:
            task: that the episode is of.
            point: where it stands.
            action: what is done there.
            last: nobody will go on from where that leads.
            player: who certainly will, unless :meth:`quit` is said; None when that is open.

        Raises:
            EnvError: the environment failed or diverged.
        """
        found = point.known(action)
        if found is not None:
            self.counts.known += 1
            return found
        live = await self.reach(task, point, player=player)
        await self.step(live, action)
        found = await self.leave(live, over=last, player=player)
        if not live.snapshots:
            point.ahead[action.text] = found
        return point.beyond(action, found)

    async def leave(self, live: Live, *, over: bool = False, player: object = None) -> Point:
        """Give an instance back; return where it stands.

        Args:
            live: what was lent.
            over: nobody will want to go on from there.
            player: who will, for certain.

        Raises:
            EnvError: it has snapshots and could not take one.
        """
        snapshot = None
        if live.snapshots and not over:
            env = cast("SnapshotEnvironment", live.env)
            snapshot = await self._do(live, f"copying {_name(live)}", env.snapshot)
        point = Point(tuple(live.steps), live.seen, snapshot)
        live.player = player
        self.give_back(live, over=over)
        return point

    def quit(self, player: object) -> None:
        """What ``player`` left may be anybody's now."""
        for live in self._idle:
            if live.player is player:
                live.player = None

    def give_back(self, live: Live, *, over: bool = False) -> None:
        """It may be lent to somebody else now.

        Args:
            live: what was lent.
            over: nobody will want to go on from where it stands.
        """
        if over or live.snapshots or live.seen.terminal:
            live.task, live.steps = None, []
        if self._wake(live):
            return
        if live.task is None:
            self._blank.append(live)
            return
        self._idle.append(live)
        if self.capacity is None and len(self._idle) > _KEPT:
            self._blank.append(self._idle.pop(0))

    def lose(self, live: Live, *, hung: bool = False) -> None:
        """Close a lent instance that failed or was left in the middle of a step."""
        self._close(live, hung=hung)

    async def close(self) -> None:
        """Close the instances that are not lent, and wait for it. Idempotent."""
        idle, self._idle, self._blank = self._idle + self._blank, [], []
        for live in idle:
            self._close(live)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _borrow(
        self, task: Task, steps: Sequence[Step] | None, player: object = None
    ) -> Live:
        """The longest useful prefix, a blank instance, a new one, or one that others may miss."""
        while True:
            live = self._useful(task, steps, player)
            if live is None and self._blank:
                return self._blank.pop()
            if live is None and (self.capacity is None or self._count < self.capacity):
                return self._new()
            if live is None and self._idle:
                live = self._dispensable()
            if live is not None:
                self._idle.remove(live)
                return live
            live = await self._returned()
            if live is not None:
                return live

    async def _returned(self) -> Live | None:
        """Wait for the next instance that is given back, or None when one was lost."""
        waiter: asyncio.Future[Live | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # woken and cancelled at once
                live = waiter.result()
                if live is None:
                    self._wake(None)
                else:
                    self.give_back(live)
            raise

    def _wake(self, live: Live | None) -> bool:
        """Hand an instance, or the room for a new one, to who waits longest, if anybody does."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(live)
                return True
        return False

    def _useful(self, task: Task, steps: Sequence[Step] | None, player: object) -> Live | None:
        """The player's own instance, or of those that nobody plays on the furthest along."""
        best: Live | None = None
        for live in self._idle if steps is not None else ():
            if live.player not in (None, player) or not live.leads_to(task, steps or ()):
                continue
            if live.player is not None:
                return live
            if best is None or len(live.steps) > len(best.steps):
                best = live
        return best

    def _dispensable(self) -> Live:
        """Of those that nobody plays the one that is led back soonest, or else the latest left.

        Where more play than there are instances, the latest left is the last to be missed.
        """
        free = [live for live in self._idle if live.player is None]
        return min(free, key=lambda live: len(live.steps)) if free else self._idle[-1]

    def _new(self) -> Live:
        try:
            with boundary(EnvError, "making an environment"):
                env = self._make()
                self.capacity = _capacity(env)
                worker = Worker() if getattr(env, "blocking", False) else None
        except BaseException:
            self._wake(None)  # who waits for room may find out for himself
            raise
        self._count += 1
        copied = isinstance(env, SnapshotEnvironment)
        if self.capacity is not None and self._gate is None and not copied:
            self._gate = asyncio.Semaphore(self.capacity)
        return Live(env, worker, snapshots=copied)

    async def _do(self, live: Live, what: str, work: Callable[[], T]) -> T:
        """Have ``work`` done by an instance; give that up when it fails."""
        hung = False
        try:
            with boundary(EnvError, what):
                if live.worker is None:
                    return work()
                try:
                    return await live.worker.run(work, seconds=self._seconds)
                except (TimeoutError, asyncio.CancelledError) as error:
                    hung = live.worker.busy
                    if isinstance(error, TimeoutError) and hung:
                        raise EnvError(f"{what}: no answer in {self._seconds:g} s") from error
                    raise
        except BaseException:
            self.lose(live, hung=hung)
            raise

    def _close(self, live: Live, *, hung: bool = False) -> None:
        """Begin to close an instance, from another thread when its own does not answer."""
        if live.worker is None:
            _closed(live.env)
            self._gone()
            return
        worker = Worker() if hung else live.worker
        closing = worker.submit(lambda: _closed(live.env))
        late = asyncio.get_running_loop().call_later(_CLOSING, closing.cancel)
        self._closing.add(closing)
        closing.add_done_callback(lambda closing: self._end(closing, late))
        live.worker.stop()
        worker.stop()

    def _end(self, closing: asyncio.Future[None], late: asyncio.TimerHandle) -> None:
        late.cancel()
        if closing.cancelled():
            _log.warning("closing an environment: not done in %g s, left to itself", _CLOSING)
        self._closing.discard(closing)
        self._gone()

    def _gone(self) -> None:
        """An instance is no more: there is room for another."""
        self._count -= 1
        self._wake(None)


_CLOSING = 30.0
"""Seconds that an instance may take to close before another may have its place."""
_KEPT = 16
"""So many instances of an environment without capacity are kept in the middle of an episode."""


def _capacity(env: Environment) -> int | None:
    """How many instances there may be.

    Raises:
        EnvError: not even one.
    """
    capacity: int | None = getattr(env, "capacity", None)
    if capacity is not None and capacity < 1:
        raise EnvError(f"the environment's capacity is {capacity}; it must be 1 at least, or None")
    return capacity


def _name(live: Live) -> str:
    return f"{live.task.env}/{live.task.name}" if live.task else "an environment"


def _closed(env: Environment) -> None:
    try:
        env.close()
    except Exception as error:  # noqa: BLE001  (the episode it served has ended, or failed already)
        _log.warning("closing an environment: %s: %s", type(error).__name__, error)
