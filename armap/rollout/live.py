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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

from armap.errors import EnvError, boundary
from armap.protocols import SnapshotEnvironment
from armap.rollout.replay import compare, repeat
from armap.rollout.worker import Worker
from armap.types import Observation, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from armap.protocols import Environment
    from armap.types import Action, Task

__all__ = ["Counts", "Live", "Point", "Pool"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Point:
    """Where an episode stands: from here it can be gone on with, any number of times."""

    steps: tuple[Step, ...]
    observation: Observation
    """What is seen after the steps."""
    snapshot: Hashable = None
    """The environment's own state, where it has snapshots."""
    ahead: dict[str, Point] = field(default_factory=dict[str, "Point"], repr=False, compare=False)
    """By the text of an action, where it led when somebody took it here; without snapshots."""

    def known(self, action: Action) -> Point | None:
        """Where ``action`` leads, with this history, if it was taken here before."""
        found = self.ahead.get(action.text)
        return None if found is None else self.beyond(action, found)

    def beyond(self, action: Action, found: Point) -> Point:
        """``found`` with the history that leads there from here, thoughts included."""
        steps = (*self.steps, Step(observation=self.observation, action=action))
        return replace(found, steps=steps)


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


@dataclass(slots=True, eq=False)
class Live:
    """An instance and the episode it is in."""

    env: Environment
    worker: Worker | None
    snapshots: bool = False
    task: Task | None = None
    steps: list[Step] = field(default_factory=list[Step])
    seen: Observation = Observation(text="")
    player: object = None
    """Whose episode it is in, if somebody will certainly go on with it."""

    def leads_to(self, task: Task, steps: Sequence[Step]) -> bool:
        """Whether its episode is a prefix of ``steps``."""
        return (
            self.task is not None
            and len(self.steps) <= len(steps)
            and (self.task is task or self.task == task)
            and all(
                mine is theirs or mine.action.text == theirs.action.text
                for mine, theirs in zip(self.steps, steps, strict=False)
            )
        )


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

    async def begin(self, task: Task) -> Live:
        """Lend an instance at the beginning of ``task``.

        Raises:
            EnvError: it failed.
        """
        live = await self._borrow(task, None)
        self.counts.resets += 1
        await self._do(live, f"resetting {task.env}/{task.name}", lambda: _reset(live, task))
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
            await self._do(live, what, lambda: _restore(live, task, point))
            return live
        live = await self._borrow(task, point.steps, player)
        ready = live.leads_to(task, point.steps)
        again = len(point.steps) - (len(live.steps) if ready else 0)
        self.counts.resets += not ready
        self.counts.steps += again
        self.counts.replayed += again
        if again or not ready or live.seen != point.observation:
            await self._do(live, what, lambda: _replay(live, task, point, reset=not ready))
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
        self._count -= 1
        self._close(live, hung=hung)
        self._wake(None)

    async def close(self) -> None:
        """Close the instances that are not lent, and wait for it. Idempotent."""
        idle, self._idle, self._blank = self._idle + self._blank, [], []
        self._count -= len(idle)
        for live in idle:
            self._close(live)
        await asyncio.gather(*self._closing)

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
            if waiter.done() and not waiter.cancelled() and (live := waiter.result()):
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
        with boundary(EnvError, "making an environment"):
            env = self._make()
        self.capacity = getattr(env, "capacity", None)
        self._count += 1
        worker = Worker() if getattr(env, "blocking", False) else None
        return Live(env, worker, snapshots=isinstance(env, SnapshotEnvironment))

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
            return
        worker = Worker() if hung else live.worker
        closing = worker.submit(lambda: _closed(live.env))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        live.worker.stop()
        worker.stop()


_KEPT = 16
"""So many instances of an environment without capacity are kept in the middle of an episode."""


def _name(live: Live) -> str:
    return f"{live.task.env}/{live.task.name}" if live.task else "an environment"


def _reset(live: Live, task: Task) -> None:
    live.task, live.steps = task, []
    live.seen = live.env.reset(task)


def _restore(live: Live, task: Task, point: Point) -> None:
    cast("SnapshotEnvironment", live.env).restore(point.snapshot)
    live.task, live.steps, live.seen = task, list(point.steps), point.observation


def _replay(live: Live, task: Task, point: Point, *, reset: bool) -> None:
    if reset:
        _reset(live, task)
    live.seen = repeat(live.env, task, live.seen, point.steps, done=len(live.steps))
    live.steps = list(point.steps)
    compare(task, live.seen, point.observation, f"after step {len(point.steps)}")


def _closed(env: Environment) -> None:
    try:
        env.close()
    except Exception as error:  # noqa: BLE001  (the episode it served has ended, or failed already)
        _log.warning("closing an environment: %s: %s", type(error).__name__, error)
