"""Every way to fail, as a client sees it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from json import JSONDecodeError
from typing import Any

import aiohttp
import pytest

from tests.stub import Fault, Settings, StubServer
from tests.unit.stub.client import ask, body, post, stats, talk


def only(fault: Fault, **more: Any) -> Settings:
    return Settings(faults=1.0, kinds=(fault,), **more)


def test_too_many_requests_says_when_to_come_back() -> None:
    async def once(session: aiohttp.ClientSession, _: StubServer) -> tuple[int, str, Any]:
        async with session.post("/v1/chat/completions", json=body()) as response:
            return response.status, response.headers["Retry-After"], await response.json()

    status, after, error = talk(only(Fault.RATE_LIMIT, retry_after=0.25), once)
    assert (status, after) == (429, "0.25")
    assert error["error"]["code"] == "rate_limit"


def test_a_server_error() -> None:
    status, error = ask(body(), only(Fault.ERROR))
    assert status == 500
    assert error["error"]["type"] == "server_error"


BROKEN = {
    Fault.RESET: (ConnectionResetError, aiohttp.ClientOSError),
    Fault.TRUNCATED: (aiohttp.ClientPayloadError,),
    Fault.MALFORMED: (JSONDecodeError,),
    Fault.TIMEOUT: (TimeoutError,),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_no_status_tells(fault: Fault) -> None:
    async def once(session: aiohttp.ClientSession, stub: StubServer) -> dict[str, Any]:
        with pytest.raises(BROKEN[fault]):
            await asyncio.wait_for(post(session), 0.1)
        await asyncio.sleep(0.02)
        return await stats(session)

    counted = talk(only(fault), once)
    assert counted["faults"] == {fault.value: 1}
    assert counted["in_flight"] == counted["successes"] == 0
    assert counted["abandoned"] == (fault is Fault.TIMEOUT)


@pytest.mark.parametrize(
    "settings", [only(Fault.TIMEOUT, hang=0.1), only(Fault.DRIP, drip=0.02, pieces=6)]
)
def test_a_patient_client_gets_the_true_answer_late(settings: Settings) -> None:
    async def once(session: aiohttp.ClientSession, stub: StubServer) -> tuple[float, Any]:
        begun = time.monotonic()
        answer = await post(session)
        return time.monotonic() - begun, (answer, (await stats(session))["successes"])

    seconds, answered = talk(settings, once)
    assert answered == (ask(body()), 1)
    assert 0.09 < seconds < 1.0


def test_poison_never_passes_and_spares_the_others() -> None:
    settings = Settings(poison="4 4 10 10")

    async def twice(session: aiohttp.ClientSession, stub: StubServer) -> list[int]:
        texts = ("Make 24 from 4 4 10 10.", "Make 24 from 4 4 10 11.") * 2
        return [(await post(session, body(text)))[0] for text in texts]

    assert talk(settings, twice) == [500, 200, 500, 200]


def test_scripted_faults_come_first() -> None:
    async def thrice(session: aiohttp.ClientSession, stub: StubServer) -> list[int]:
        return [(await post(session))[0] for _ in range(3)]

    assert talk(Settings(), thrice, faults=[(503, "{}"), (429, "{}")]) == [503, 429, 200]


MIXED = Settings(faults=0.3, kinds=(Fault.RATE_LIMIT, Fault.ERROR), seed=1)


def test_faults_depend_on_request_and_attempt_only() -> None:
    def met(settings: Settings, order: list[int]) -> dict[int, list[int]]:
        async def all_of_them(
            session: aiohttp.ClientSession, stub: StubServer
        ) -> dict[int, list[int]]:
            found: dict[int, list[int]] = {}
            for seed in order:
                status, _ = await post(session, body(seed=seed))
                found.setdefault(seed, []).append(status)
            return found

        return talk(settings, all_of_them)

    twice = met(MIXED, [*range(60), *range(60)])
    backwards = met(MIXED, [seed for seed in reversed(range(60)) for _ in range(2)])
    assert twice == backwards
    rates = Counter(status for statuses in twice.values() for status in statuses)
    assert 20 < rates[429] + rates[500] < 52
    assert rates[429] > 5
    assert rates[500] > 5
    assert any(first != second for first, second in twice.values()), "another try may pass"
    assert twice != met(Settings(faults=0.3, kinds=MIXED.kinds, seed=2), [*range(60)] * 2)


def test_what_was_answered_twice_is_counted() -> None:
    async def some(session: aiohttp.ClientSession, _: StubServer) -> tuple[dict[str, Any], ...]:
        for asked in (body(), body(), body(seed=1), body(n=2), body("Else.")):
            await post(session, asked)
        before = await stats(session)
        async with session.post("/reset") as response:
            assert response.status == 200
        return before, await stats(session)

    before, after = talk(Settings(), some)
    assert before["requests"] == before["successes"] == 5
    assert (before["answered"], before["identities"], before["repeated"]) == (4, 4, 1)
    assert before["statuses"] == {"200": 5}
    assert (after["requests"], after["repeated"], after["statuses"]) == (0, 0, {})
