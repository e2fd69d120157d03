"""What other servers do not know, and how they say so."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.stub import Settings, StubServer
from tests.stub.settings import REFUSABLE
from tests.unit.stub.client import ask, body, post, talk

IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
PARTS: dict[str, dict[str, Any]] = {
    "n": {"n": 2},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "json_schema": {"response_format": SCHEMA},
    "max_tokens": {"max_tokens": 5},
    "temperature": {"temperature": 0.5},
    "seed": {"seed": 1},
    "images": {"messages": IMAGE},
}


def test_every_part_is_tried() -> None:
    assert set(PARTS) == set(REFUSABLE)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_refused(part: str) -> None:
    settings = Settings(refused=frozenset({part}))
    plain = {"model": "stub", "messages": body()["messages"], "n": 1, "temperature": 1}
    asked = {**plain, **PARTS[part]}
    status, refused = ask(asked, settings)
    assert status == 400
    error = refused["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] in {"unsupported_value", "unsupported_parameter"}
    assert repr(error["param"]) in error["message"]
    assert ask(plain, settings)[0] == ask(asked)[0] == 200


def test_an_unknown_part_cannot_be_refused() -> None:
    with pytest.raises(ValueError, match="'speed'"):
        Settings(refused=frozenset({"speed"}))


def test_a_server_that_ignores_n() -> None:
    _, reply = ask(body(n=3), Settings(single=True))
    assert len(reply["choices"]) == 1


def test_the_key() -> None:
    async def two(session: aiohttp.ClientSession, _: StubServer) -> list[tuple[int, Any]]:
        keys = ("Bearer wrong", "Bearer hush")
        return [await post(session, Authorization=key) for key in keys]

    (status, refused), (passed, _) = talk(Settings(api_key="hush"), two)
    assert (status, passed) == (401, 200)
    assert refused["error"]["code"] == "invalid_api_key"


def test_the_model() -> None:
    status, refused = ask(body(model="gpt-9"), Settings(model="gpt-4"))
    assert status == 404
    assert refused["error"]["code"] == "model_not_found"
    assert ask(body(model="gpt-4"), Settings(model="gpt-4"))[0] == 200


def test_the_context() -> None:
    settings = Settings(context=64)
    assert ask(body("7 " * 60), settings)[0] == 200
    for long in (body("7 " * 200), body("7 " * 60, max_tokens=60)):
        status, refused = ask(long, settings)
        assert status == 400
        assert refused["error"]["code"] == "context_length_exceeded"
        assert "maximum context length is 64 tokens" in refused["error"]["message"]


def test_more_requests_at_once_than_it_takes() -> None:
    async def many(session: aiohttp.ClientSession, stub: StubServer) -> list[int]:
        asked = (post(session, body(seed=seed)) for seed in range(10))
        statuses = [status for status, _ in await asyncio.gather(*asked)]
        assert stub.in_flight == 0
        assert stub.peak == 5, "those refused are in flight for a moment"
        assert stub.stats.faults == {"concurrent": 6}
        return sorted(statuses)

    assert talk(Settings(latency=0.05, concurrent=4), many) == [200] * 4 + [429] * 6


@pytest.mark.parametrize(
    "asked", [{}, {"messages": "hi"}, {"messages": [{"content": "x"}]}, body(n="x")], ids=str
)
def test_what_is_no_request(asked: dict[str, Any]) -> None:
    async def once(session: aiohttp.ClientSession, stub: StubServer) -> tuple[int, Any]:
        async with session.post("/v1/chat/completions", json=asked) as response:
            assert stub.in_flight == 0
            return response.status, await response.json()

    status, refused = talk(Settings(), once)
    assert status == 400
    assert refused["error"]["type"] == "invalid_request_error"
