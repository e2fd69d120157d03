"""HTTP by hand reads what clients send, in whatever pieces it comes."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.stub import Settings, StubServer
from tests.stub.wire import read_request
from tests.unit.stub.client import body, post, stats, talk

ASKED = json.dumps(body()).encode()
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
LENGTH = HEAD + b"CONTENT-length: %d\r\n\r\n" % len(ASKED) + ASKED
CHUNKS = HEAD + (
    b"Transfer-Encoding: Chunked\r\n\r\n"
    b"5;name=value\r\n" + ASKED[:5] + b"\r\n"
    b"%X\r\n" % len(ASKED[5:]) + ASKED[5:] + b"\r\n0\r\n"
)


@pytest.mark.parametrize(
    "data",
    [LENGTH, CHUNKS + b"\r\n", CHUNKS + b"Trailer: x\r\n\r\n"],
    ids=["length", "chunks", "trailer"],
)
def test_no_request_before_its_last_byte(data: bytes) -> None:
    for cut in range(len(data)):
        assert read_request(data[:cut]) is None
    read = read_request(data + b"POST")
    assert read is not None
    request, rest = read
    assert request.body == ASKED
    assert request.method == "POST"
    assert request.path == "/v1/chat/completions"
    assert request.headers()["Host"] == "x"
    assert rest == b"POST"


def test_a_body_in_chunks_and_requests_in_a_row() -> None:
    async def row(session: aiohttp.ClientSession, stub: StubServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", stub.port)
        writer.write(LENGTH + CHUNKS + b"\r\n" + HEAD + b"Connection: close\r\n\r\n")
        answers = await asyncio.wait_for(reader.read(), 2)
        writer.close()
        await writer.wait_closed()
        assert (await stats(session))["open"] == 1
        return answers

    answers = talk(Settings(latency=0.01), row)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answers.count(b"HTTP/1.1 400 Bad Request\r\n") == 1, "the last has no body"


def test_what_is_not_http_is_refused_and_the_connection_closed() -> None:
    async def shout(_: aiohttp.ClientSession, stub: StubServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", stub.port)
        writer.write(HEAD + b"Content-Length: many\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 2)
        writer.close()
        await writer.wait_closed()
        return answer

    assert talk(Settings(), shout).startswith(b"HTTP/1.1 400 ")


def test_a_connection_is_kept() -> None:
    async def thrice(session: aiohttp.ClientSession, stub: StubServer) -> int:
        for _ in range(3):
            await post(session)
        return stub.stats.connections

    assert talk(Settings(), thrice) == 1


def test_who_goes_away_is_no_longer_in_flight() -> None:
    async def leave(session: aiohttp.ClientSession, stub: StubServer) -> StubServer:
        impatient = aiohttp.ClientTimeout(total=0.05)
        with pytest.raises(TimeoutError):
            await session.post("/v1/chat/completions", json=body(), timeout=impatient)
        await asyncio.sleep(0.02)
        return stub

    stub = talk(Settings(latency=30), leave)
    assert (stub.in_flight, stub.peak, stub.stats.abandoned) == (0, 1, 1)
    assert not stub.stats.successes
