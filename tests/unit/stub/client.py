"""A raw client for the stub's own tests: no retries, nothing hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiohttp

from tests.stub import Settings, StubServer

T = TypeVar("T")

Use = Callable[[aiohttp.ClientSession, StubServer], Coroutine[Any, Any, T]]


def body(text: str = "Say something.", **fields: Any) -> dict[str, Any]:
    """A request's body; ``fields`` add to it or replace."""
    messages = [{"role": "user", "content": text}]
    return {"model": "stub", "messages": messages, "seed": 0, **fields}


def talk(settings: Settings, use: Use[T], **server: Any) -> T:
    """Run ``use`` against a server with these settings."""

    async def run() -> T:
        async with (
            StubServer(settings, **server) as stub,
            aiohttp.ClientSession(stub.url.removesuffix("/v1")) as session,
        ):
            return await use(session, stub)

    return asyncio.run(run())


async def post(
    session: aiohttp.ClientSession, asked: dict[str, Any] | None = None, **headers: str
) -> tuple[int, Any]:
    """Ask once; status and JSON body."""
    url = "/v1/chat/completions"
    async with session.post(url, json=asked or body(), headers=headers) as response:
        return response.status, await response.json()


async def stats(session: aiohttp.ClientSession) -> dict[str, Any]:
    async with session.get("/stats") as response:
        counted: dict[str, Any] = await response.json()
        return counted


def ask(asked: dict[str, Any], settings: Settings | None = None) -> tuple[int, Any]:
    """Ask one server one thing."""

    async def once(session: aiohttp.ClientSession, _: StubServer) -> tuple[int, Any]:
        return await post(session, asked)

    return talk(settings or Settings(), once)
