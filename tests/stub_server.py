"""A small OpenAI-compatible server in this process: counts, waits, fails as told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True)
class Request:
    headers: dict[str, str]
    body: dict[str, Any]


class StubServer:
    """``faults`` are (status, body) pairs for the first requests; then it answers."""

    def __init__(
        self, *, faults: list[tuple[int, str]] | None = None, latency: float = 0.0
    ) -> None:
        self.faults = list(faults or [])
        self.latency = latency
        self.requests: list[Request] = []
        self.in_flight = self.peak = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(Request(dict(request.headers), body))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(self.latency)
        self.in_flight -= 1
        if self.faults:
            status, text = self.faults.pop(0)
            return web.Response(status=status, text=text, content_type="application/json")
        choices = [
            {"index": i, "message": {"role": "assistant", "content": f"reply {body['seed']} {i}"}}
            for i in range(body["n"])
        ]
        usage = {"prompt_tokens": 9, "completion_tokens": 3 * body["n"]}
        return web.Response(
            text=json.dumps({"choices": choices, "usage": usage}), content_type="application/json"
        )
