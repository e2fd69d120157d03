"""The server: from a connection's request to its answer, or to what goes wrong instead."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.stub.ask import Ask, digest, read_ask
from tests.stub.limits import Refusal, error_body, forbidden, refusal
from tests.stub.replies import completion, writer
from tests.stub.settings import Fault, Settings
from tests.stub.stats import Stats
from tests.stub.wire import Connection, RawRequest, answer_head

__all__ = ["Request", "StubServer"]

_SLOW_DOWN = error_body("Rate limit reached. Please slow down.", "requests", code="rate_limit")
_FAILED = error_body("The server had an error while processing your request.", "server_error")


@dataclass(frozen=True)
class Request:
    """A chat completion that was asked for."""

    headers: dict[str, str]
    body: dict[str, Any]


class StubServer:
    """An OpenAI-compatible server on this machine; use it with ``async with``.

    ``faults`` are (status, body) pairs for the first requests; then it does as its settings say.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        faults: list[tuple[int, str]] | None = None,
        latency: float | None = None,
        port: int = 0,
        record: bool = True,
    ) -> None:
        settings = settings or Settings()
        self.settings = settings if latency is None else replace(settings, latency=latency)
        self.faults = list(faults or [])
        self.requests: list[Request] = []
        """Requests in the order of arrival, unless told not to record them."""
        self.stats = Stats()
        self.port = port
        self.url = ""
        self._record = record
        self._write = writer(self.settings.replies)
        self._open: set[Connection] = set()

    @property
    def in_flight(self) -> int:
        return self.stats.in_flight

    @property
    def peak(self) -> int:
        """Most requests in flight at once."""
        return self.stats.peak

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._server = await self._loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, backlog=4096
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in tuple(self._open):
            connection.reset()
        while self._open:
            await asyncio.sleep(0)
        await self._server.wait_closed()

    async def serve_forever(self) -> None:
        """Serve until cancelled."""
        await self._server.serve_forever()

    def connected(self, connection: Connection) -> None:
        """A client came."""
        self._open.add(connection)
        self.stats.connections += 1
        self.stats.open += 1

    def lost(self, connection: Connection) -> None:
        """A client went; what it waited for is no longer in flight."""
        self._open.discard(connection)
        self.stats.open -= 1
        if connection.busy:
            connection.busy = False
            self.stats.in_flight -= 1
            self.stats.abandoned += 1

    def handle(self, connection: Connection, request: RawRequest) -> None:
        """Answer a chat completion after the latency, everything else at once."""
        # A proxy is asked with the whole address.
        if request.path == "/v1/chat/completions" or (
            request.path.startswith("http://") and request.path.endswith("/v1/chat/completions")
        ):
            self._chat(connection, request)
        else:
            connection.reply(*self._page(request))

    def _page(self, request: RawRequest) -> tuple[int, bytes]:
        match request.method, request.path:
            case "GET", "/v1/models":
                model = {"id": self.settings.model or "stub", "object": "model", "owned_by": "stub"}
                refused = forbidden(self.settings, request.head)
                page = json.dumps({"object": "list", "data": [model]}).encode()
                return refused or (200, page)
            case "GET", "/stats":
                return 200, json.dumps(self.stats.summary()).encode()
            case "POST", "/reset":
                self.stats.reset()
                self.requests.clear()
                return 200, b"{}"
            case method, path:
                message = f"Invalid URL ({method} {path})"
                return 404, error_body(message, "invalid_request_error")

    def _chat(self, connection: Connection, request: RawRequest) -> None:
        self.stats.arrived()
        try:
            ask = read_ask(json.loads(request.body), self.stats.attempts)
        except ValueError as error:
            refused: Refusal | None = Refusal(400, error_body(str(error), "invalid_request_error"))
        else:
            if self._record:
                self.requests.append(Request(request.headers(), ask.body))
            refused = forbidden(self.settings, request.head) or refusal(self.settings, ask)
            if refused is None and not self._crowded(connection):
                self._wait_for(connection, ask)
                return
        if refused is not None:
            self._end(connection, *refused)

    def _wait_for(self, connection: Connection, ask: Ask) -> None:
        """Answer when the latency is over. The answer is written meanwhile: a hundred requests
        that come together are not to wait for each other's answers to be thought of."""
        wait = self._wait(ask)
        if not wait:
            connection.pending = self._loop.call_soon(self._answer, connection, ask)
            return
        connection.pending = self._loop.call_later(wait, self._answer, connection, ask)
        self._body(ask)

    def _crowded(self, connection: Connection) -> bool:
        """Turn a request away when too many are in flight."""
        most = self.settings.concurrent
        if not most or self.stats.in_flight <= most:
            return False
        self.stats.faults["concurrent"] += 1
        self._end(connection, 429, _SLOW_DOWN, self._retry_after)
        return True

    def _wait(self, ask: Ask) -> float:
        jitter = self.settings.jitter
        if not jitter:
            return self.settings.latency
        drawn = digest(self.settings.seed, "jitter", ask.identity, ask.attempt)
        return self.settings.latency + jitter * int.from_bytes(drawn, "big") / 2**64

    @property
    def _retry_after(self) -> bytes:
        return f"retry-after: {self.settings.retry_after:g}\r\n".encode()

    def _answer(self, connection: Connection, ask: Ask) -> None:
        """The latency is over: answer, or fail."""
        if self.faults:
            status, text = self.faults.pop(0)
            self.stats.faults["scripted"] += 1
            self._end(connection, status, text.encode())
        elif self.settings.poison and self.settings.poison in ask.prompt:
            self.stats.faults["poison"] += 1
            self._end(connection, 500, _FAILED)
        elif (fault := choose_fault(self.settings, ask)) is not None:
            self.stats.faults[fault.value] += 1
            self._fail(connection, ask, fault)
        else:
            self._succeed(connection, ask)

    def _succeed(self, connection: Connection, ask: Ask) -> None:
        self.stats.successes[ask.identity] += 1
        self._end(connection, 200, self._body(ask))

    def _body(self, ask: Ask) -> bytes:
        if not ask.answer:
            ask.answer = completion(ask, self._write, single=self.settings.single)
        return ask.answer

    def _end(self, connection: Connection, status: int, body: bytes, headers: bytes = b"") -> None:
        self.stats.in_flight -= 1
        self.stats.statuses[status] += 1
        connection.reply(status, body, headers)

    def _fail(self, connection: Connection, ask: Ask, fault: Fault) -> None:
        match fault:
            case Fault.RATE_LIMIT:
                self._end(connection, 429, _SLOW_DOWN, self._retry_after)
            case Fault.ERROR:
                self._end(connection, 500, _FAILED)
            case Fault.RESET:
                self._leave(connection)
                connection.reset()
            case Fault.TIMEOUT:
                late = self._loop.call_later(self.settings.hang, self._succeed, connection, ask)
                connection.pending = late
            case Fault.MALFORMED:
                body = self._body(ask)
                self._end(connection, 200, body[: len(body) // 2])
            case Fault.TRUNCATED:
                self._leave(connection)
                self.stats.statuses[200] += 1
                body = self._body(ask)
                connection.write(answer_head(200, len(body)) + body[: len(body) // 2])
                connection.close()
            case Fault.DRIP:
                body = self._body(ask)
                connection.write(answer_head(200, len(body)))
                self._drip(connection, ask, body, len(body) // self.settings.pieces + 1)

    def _leave(self, connection: Connection) -> None:
        """The server gives up on a request: it is no longer in flight, and nobody left it."""
        self.stats.in_flight -= 1
        connection.busy = False

    def _drip(self, connection: Connection, ask: Ask, body: bytes, size: int) -> None:
        connection.write(body[:size])
        if len(body) > size:
            rest = (connection, ask, body[size:], size)
            connection.pending = self._loop.call_later(self.settings.drip, self._drip, *rest)
            return
        self.stats.in_flight -= 1
        self.stats.statuses[200] += 1
        self.stats.successes[ask.identity] += 1
        connection.done()


def choose_fault(settings: Settings, ask: Ask) -> Fault | None:
    """The fault that an attempt meets: by the server's seed, the request and its attempt only,
    so that it does not depend on what else is in flight."""
    if not settings.faults:
        return None
    drawn = digest(settings.seed, "fault", ask.identity, ask.attempt)
    if int.from_bytes(drawn[:6], "big") / 2**48 >= settings.faults:
        return None
    return settings.kinds[int.from_bytes(drawn[6:], "big") % len(settings.kinds)]
