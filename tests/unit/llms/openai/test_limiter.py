"""Never more requests than the cap, in order of arrival, nobody forgotten."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.llms.openai import AdaptiveConfig, CapChange
from armap.llms.openai.limiter import Limiter

STEPS = st.lists(
    st.tuples(st.just("come"), st.integers(0, 3))
    | st.tuples(st.sampled_from(["leave", "cancel"]), st.integers(0, 9))
    | st.tuples(st.just("lower"), st.integers(1, 4)),
    max_size=25,
)


async def quiet() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Visitors:
    """Requests at a limiter, by number in order of arrival."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.inside: set[int] = set()
        self.served: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._done: list[asyncio.Event] = []

    def come(self) -> None:
        self._done.append(asyncio.Event())
        self.tasks.append(asyncio.create_task(self._visit(len(self.tasks))))

    def leave(self, number: int) -> None:
        self._done[number].set()

    async def end(self) -> None:
        """All leave as they come in; nobody is left behind."""
        for done in self._done:
            done.set()
        async with asyncio.timeout(2):
            results = await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not [r for r in results if not isinstance(r, asyncio.CancelledError | None)]
        assert self.limiter.taken == 0

    async def _visit(self, number: int) -> None:
        await self.limiter.acquire()
        try:
            self.inside.add(number)
            self.served.append(number)
            await self._done[number].wait()
        finally:
            self.inside.remove(number)
            self.limiter.release()


class Model:
    """What a limiter should do, written to be read."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.inside: set[int] = set()
        self.waiting: list[int] = []

    def come(self, number: int) -> None:
        self.waiting.append(number)
        self.admit()

    def gone(self, number: int) -> None:
        self.inside.discard(number)
        self.waiting = [other for other in self.waiting if other != number]
        self.admit()

    def admit(self) -> None:
        while self.waiting and len(self.inside) < self.cap:
            self.inside.add(self.waiting.pop(0))


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 4))
def test_it_admits_exactly_whom_it_should(steps: list[tuple[str, int]], cap: int) -> None:
    async def run() -> None:
        limiter, model = Limiter(cap), Model(cap)
        visitors = Visitors(limiter)
        for what, value in steps:
            if what == "come":
                visitors.come()
                model.come(len(visitors.tasks) - 1)
            elif what == "lower":
                limiter.lower(value)
                model.cap = min(model.cap, value)
            elif visitors.tasks:
                number = value % len(visitors.tasks)
                if what == "cancel":
                    visitors.tasks[number].cancel()
                    model.gone(number)
                elif number in model.inside:
                    visitors.leave(number)
                    model.gone(number)
            await quiet()
            assert visitors.inside == model.inside
            assert limiter.taken == len(model.inside)
        await visitors.end()

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 3), st.lists(st.integers(0, 2), min_size=25, max_size=25))
def test_in_any_race_of_arrivals_departures_and_cancellations_the_cap_holds_and_all_are_served(
    steps: list[tuple[str, int]], cap: int, pauses: list[int]
) -> None:
    async def run() -> None:
        limiter = Limiter(cap)
        visitors, cancelled = Visitors(limiter), set()
        for (what, value), pause in zip(steps, pauses, strict=False):
            if what == "come":
                visitors.come()
            elif what != "lower" and visitors.tasks:
                number = value % len(visitors.tasks)
                if what == "cancel":
                    visitors.tasks[number].cancel()
                    cancelled.add(number)
                else:
                    visitors.leave(number)
            for _ in range(pause):
                await asyncio.sleep(0)
                assert len(visitors.inside) <= limiter.taken <= cap
        await visitors.end()
        assert {*range(len(visitors.tasks))} - cancelled <= {*visitors.served}

    asyncio.run(run())


def test_first_come_first_served() -> None:
    async def run() -> list[int]:
        visitors = Visitors(Limiter(1))
        for _ in range(6):
            visitors.come()
        await quiet()
        await visitors.end()
        return visitors.served

    assert asyncio.run(run()) == [0, 1, 2, 3, 4, 5]


def test_a_slot_that_was_given_to_one_who_is_cancelled_goes_to_the_next() -> None:
    async def run() -> None:
        limiter = Limiter(1)
        visitors = Visitors(limiter)
        await limiter.acquire()
        visitors.come()
        visitors.come()
        await quiet()
        limiter.release()  # wakes the first, which is cancelled before it can run
        visitors.tasks[0].cancel()
        await quiet()
        assert visitors.inside == {1}
        await visitors.end()

    asyncio.run(run())


def adaptive(most: int = 32, **settings: float) -> tuple[Limiter, list[CapChange]]:
    told: list[CapChange] = []
    limiter = Limiter(most, AdaptiveConfig.model_validate(settings), told.append)
    assert [(change.cap, change.why) for change in told] == [(limiter.cap, "start")]
    told.clear()
    return limiter, told


def answered(limiter: Limiter, seconds: float) -> None:
    """A request comes back that was sent so long ago."""
    limiter.succeeded(time.perf_counter() - seconds)


def refused(limiter: Limiter, why: str, ago: float = 0.0) -> None:
    """A request fails that was sent so long ago."""
    limiter.failed(why, time.perf_counter() - ago)


async def crowd(limiter: Limiter, n: int = 100) -> Visitors:
    """A limiter where somebody always waits."""
    visitors = Visitors(limiter)
    for _ in range(n):
        visitors.come()
    await quiet()
    return visitors


class TestAdaptive:
    def test_a_fixed_cap_stays_whatever_happens(self) -> None:
        async def run() -> int:
            limiter = Limiter(4, None, lambda change: pytest.fail(f"{change}"))
            visitors = await crowd(limiter)
            refused(limiter, "RateLimited")
            for seconds in (0.01, 10.0):
                answered(limiter, seconds)
            await visitors.end()
            return limiter.cap

        assert asyncio.run(run()) == 4

    def test_it_begins_at_its_start_and_never_above_most(self) -> None:
        assert adaptive(start=8)[0].cap == 8
        assert adaptive(most=4, start=8)[0].cap == 4

    def test_it_doubles_every_round_trip_until_most_and_says_so(self) -> None:
        async def run() -> list[CapChange]:
            limiter, told = adaptive(most=8, start=2)
            visitors = await crowd(limiter)
            for cap in (4, 8, 8):
                for _ in range(limiter.cap):
                    answered(limiter, 0.1)
                assert limiter.cap == cap
                await quiet()
                assert len(visitors.inside) == cap, "those who waited are let in"
            await visitors.end()
            return told

        before = time.time()
        changes = asyncio.run(run())
        assert [(change.cap, change.why) for change in changes] == [
            (cap, "grow") for cap in range(3, 9)
        ]
        assert all(before - 1 <= change.at <= time.time() + 1 for change in changes)

    def test_it_does_not_grow_while_nobody_waits(self) -> None:
        limiter, told = adaptive(start=2)
        for _ in range(50):
            answered(limiter, 0.1)
        assert limiter.cap == 2
        assert not told

    def test_after_a_cut_it_grows_by_one_a_round_trip(self) -> None:
        async def run() -> None:
            limiter, told = adaptive(start=10)
            visitors = await crowd(limiter)
            refused(limiter, "RateLimited")
            assert [(change.cap, change.why) for change in told] == [(7, "RateLimited")]
            for cap in (7, 8):
                for _ in range(cap - 1):
                    answered(limiter, 0.1)
                assert limiter.cap == cap
                answered(limiter, 0.1)
                assert limiter.cap == cap + 1
            await visitors.end()

        asyncio.run(run())

    def test_what_was_sent_before_a_cut_causes_no_further_one(self) -> None:
        limiter, told = adaptive(most=100, start=100)
        for _ in range(20):
            refused(limiter, "TimedOut", ago=3.0)
        assert limiter.cap == 70
        refused(limiter, "RateLimited")
        assert [(change.cap, change.why) for change in told] == [
            (70, "TimedOut"),
            (49, "RateLimited"),
        ]

    def test_a_cut_takes_no_slot_away_but_gives_none_out(self) -> None:
        async def run() -> None:
            limiter, _ = adaptive(start=4, decrease=0.5)
            visitors = await crowd(limiter, 6)
            assert len(visitors.inside) == 4
            refused(limiter, "RateLimited")
            visitors.leave(0)
            visitors.leave(1)
            await quiet()
            assert visitors.inside == {2, 3}
            visitors.leave(2)
            await quiet()
            assert visitors.inside == {3, 4}
            await visitors.end()

        asyncio.run(run())

    def test_slow_replies_cut_it_too(self) -> None:
        limiter, told = adaptive(start=10, slow=4.0)
        for _ in range(20):
            answered(limiter, 0.01)
        for _ in range(2):
            answered(limiter, 0.2)
        assert [(change.cap, change.why) for change in told] == [(7, "slow")]

    def test_it_never_falls_below_least(self) -> None:
        limiter, told = adaptive(start=3, least=2)
        for _ in range(3):
            refused(limiter, "RateLimited")
        assert limiter.cap == 2
        assert len(told) == 1, "what does not change is not told"

    @pytest.mark.parametrize(("start", "most"), [(1, 32), (8, 2)])
    def test_a_failure_never_raises_it(self, start: int, most: int) -> None:
        limiter, told = adaptive(most=most, start=start, least=5)
        refused(limiter, "RateLimited")
        assert limiter.cap == min(start, most)
        assert not told

    def test_another_user_of_the_endpoint_may_lower_it(self) -> None:
        limiter, _ = adaptive(most=32, start=8)
        limiter.lower(16)
        assert limiter.cap == 8
        limiter.lower(4)
        assert limiter.cap == 4
        limiter.lower(9)
        assert limiter.cap == 4

    @given(
        st.lists(st.floats(0.001, 10.0) | st.sampled_from(["fail", "lower", "late"]), max_size=40),
        st.integers(1, 9),
        st.integers(0, 9),
        st.integers(0, 9),
    )
    def test_it_stays_between_least_and_most(
        self, events: list[float | str], least: int, more: int, most: int
    ) -> None:
        async def run() -> None:
            top = least + more + most
            limiter, told = adaptive(most=top, start=least + more, least=least)
            visitors = await crowd(limiter, 40)
            for event in events:
                if event == "fail":
                    refused(limiter, "TimedOut")
                elif event == "lower":
                    top = max(least, top - 1)
                    limiter.lower(top)
                elif event == "late":
                    refused(limiter, "TimedOut", ago=60.0)
                elif isinstance(event, float):
                    answered(limiter, event)
                assert least <= limiter.cap <= top
            assert all(least <= change.cap for change in told)
            await visitors.end()

        asyncio.run(run())
