"""How many requests one endpoint gets at a time: a strict cap, fixed or adaptive."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from armap.llms.openai.config import AdaptiveConfig

__all__ = ["CapChange", "Limiter"]

_OVERLOADED = {408: "TimedOut", 429: "RateLimited", 503: "ServerFailed", 529: "ServerFailed"}
"""Status codes that say that the endpoint has too much to do, and what such failures are called."""
_SMOOTH = 0.1
"""Weight of one reply in the smoothed latency."""


class CapChange(Record):
    """One change of an adaptive cap."""

    at: float
    """Seconds since 1970."""
    cap: int
    why: str
    """``start``, ``grow``, ``slow``, or the kind of failure that cut it."""


class Limiter:
    """Slots for requests, in order of arrival.

    Never more than ``cap`` slots are taken, and waiting costs no thread.

    Args:
        most: the cap; with ``adaptive`` the cap stays at or below it.
        adaptive: how the cap follows the endpoint's answers.
        told: called with every change of an adaptive cap.
    """

    def __init__(
        self,
        most: int,
        adaptive: AdaptiveConfig | None = None,
        told: Callable[[CapChange], None] = lambda _: None,
    ) -> None:
        self.cap = min(adaptive.start, most) if adaptive else most
        self.taken = 0
        self._most = most
        self._adaptive = adaptive
        self._told = told
        self._waiting: deque[Callable[[], bool]] = deque()
        self._doubling = True
        self._answered = 0
        self._latency = self._best = 0.0
        self._cut_at = float("-inf")
        if adaptive is not None:
            told(CapChange(at=round(time.time(), 3), cap=self.cap, why="start"))

    def lower(self, most: int) -> None:
        """Another user of the endpoint allows no more than ``most``."""
        self._most = min(self._most, most)
        self.cap = min(self.cap, self._most)

    def enter(self, begin: Callable[[], bool]) -> None:
        """Call ``begin`` once there is a slot, at once if there is one, else in its turn.

        It is called in the very moment in which the slot is given back by somebody else, and
        gives it back itself in the end with :meth:`release`. When it returns False it was not
        interested any more, and the slot is the next one's.
        """
        self._waiting.append(begin)
        self._admit()

    async def acquire(self) -> None:
        """Wait for a slot; give it back with :meth:`release`."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def begin() -> bool:
            if turn.done():
                return False
            turn.set_result(None)
            return True

        self.enter(begin)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back."""
        self.taken -= 1
        self._admit()

    def replied(self, status: int, sent: float) -> None:
        """A request that was sent at ``sent`` (``time.perf_counter``) got a reply."""
        if status == 200:
            self.succeeded(sent)
        elif status in _OVERLOADED:
            self.failed(_OVERLOADED[status], sent)

    def succeeded(self, sent: float) -> None:
        """A request that was sent at ``sent`` was answered."""
        if self._adaptive is None:
            return
        seconds = time.perf_counter() - sent
        first = self._latency == 0.0
        self._latency += (seconds - self._latency) * (1.0 if first else _SMOOTH)
        self._best = self._latency if first else min(self._best, self._latency)
        if self._latency > self._adaptive.slow * self._best:
            self.failed("slow", sent)
            return
        self._answered += 1
        if self._waiting and self._answered >= (1 if self._doubling else self.cap):
            self._set(self.cap + 1, "grow")

    def failed(self, why: str, sent: float) -> None:
        """The endpoint asks for less.

        Requests that were sent before the last cut say nothing about the cap since then.
        """
        if self._adaptive is None or sent < self._cut_at:
            return
        self._cut_at, self._doubling = time.perf_counter(), False
        least = min(self._adaptive.least, self.cap)
        self._set(max(least, int(self.cap * self._adaptive.decrease)), why)

    def _set(self, cap: int, why: str) -> None:
        self._answered = 0
        cap = min(cap, self._most)
        if cap != self.cap:
            self.cap = cap
            self._told(CapChange(at=round(time.time(), 3), cap=cap, why=why))
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self.taken < self.cap:
            begin = self._waiting.popleft()
            self.taken += 1
            if not begin():
                self.taken -= 1
