"""Our own exchange against servers that do what servers do to connections."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from armap.llms.openai.exchange import CutOff, Disconnected, ExchangeError, NotHTTP, Reply
from armap.llms.openai.exchange.address import Address
from armap.llms.openai.exchange.plain import PlainExchange
from armap.llms.openai.limiter import Limiter
from tests.stub import Fault, Settings, StubServer

T = TypeVar("T")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
STALE = 0.05


def reply(body: bytes, *lines: str, version: str = "1.1") -> bytes:
    head = [f"HTTP/{version} 200 OK", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


async def asked(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of a request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
    return head, await reader.readexactly(int(length))


class Server:
    """Plays one talk a connection, in order; the last one from then on."""

    def __init__(self, *talks: Talk) -> None:
        self.talks = list(talks)
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = self.talks.pop(0) if len(self.talks) > 1 else self.talks[0]
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*talks: Talk, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    server = Server(*talks)
    listening = await asyncio.start_server(server.serve, host, 0)
    name = f"[{host}]" if ":" in host else host
    server.url = f"http://{name}:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()


@asynccontextmanager
async def exchanging(
    url: str, *, cap: int = 100, timeout: float = 5.0, **headers: str
) -> AsyncIterator[PlainExchange]:
    address = Address.of(f"{url}/chat/completions")
    assert address is not None
    limiter = Limiter(cap)
    exchange = PlainExchange(address, headers, limiter, timeout, stale=STALE)
    try:
        async with asyncio.timeout(20):
            yield exchange
    finally:
        await exchange.close()
    await asyncio.sleep(0)
    assert limiter.taken == 0, "every slot was given back"


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def against(
    *talks: Talk, use: Callable[[PlainExchange, Server], Awaitable[T]], **options: Any
) -> T:
    async def all_of_it() -> T:
        async with serving(*talks) as server, exchanging(server.url, **options) as exchange:
            return await use(exchange, server)

    return run(all_of_it())


def always(answer: bytes) -> Talk:
    """Give this answer to every request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            writer.write(answer)

    return talk


def once(answer: bytes, *, then_wait: bool = False) -> Talk:
    """Answer one request and close, upon the next request when told to wait for it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(answer)
        await writer.drain()
        if then_wait:
            await asked(reader)

    return talk


OK = reply(b"{}")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n{}\r\n0\r\nA: b\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the request's body."""
    while True:
        _, body = await asked(reader)
        writer.write(reply(body))


class TestRequests:
    def test_what_is_sent(self) -> None:
        heads: list[bytes] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head, body = await asked(reader)
                heads.append(head + body)
                writer.write(OK)

        async def use(exchange: PlainExchange, server: Server) -> str:
            await exchange.post(b"{1}", "abc")
            await exchange.post(b"{22}")
            return server.url

        headers = {"authorization": "Bearer x", "accept": "application/json"}
        url = against(talk, use=use, **headers)
        host = url.removeprefix("http://").removesuffix("/v1")
        common = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
            "accept: application/json\r\nAccept-Encoding: identity\r\n"
            "authorization: Bearer x\r\nContent-Length: "
        )
        assert heads[0].decode() == f"{common}3\r\nX-Session-ID: abc\r\n\r\n{{1}}"
        assert heads[1].decode() == f"{common}4\r\n\r\n{{22}}"

    def test_large_bodies_both_ways(self) -> None:
        body = random.Random(1).randbytes(3_000_000)

        async def use(exchange: PlainExchange, server: Server) -> list[Reply]:
            return await asyncio.gather(*(exchange.post(body) for _ in range(3)))

        assert [answer.body for answer in against(echo, use=use)] == [body] * 3

    def test_everybody_gets_their_own_reply(self) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            bodies = [b"%d" % i for i in range(300)]
            replies = await asyncio.gather(*map(exchange.post, bodies))
            assert [answer.body for answer in replies] == bodies
            assert server.connections <= 7

        against(echo, use=use, cap=7)


class TestConnections:
    @pytest.mark.parametrize(
        ("answer", "connections"),
        [
            (OK, 1),
            (reply(b"{}", "Connection: close"), 3),
            (reply(b"{}", version="1.0"), 3),
            (reply(b"{}", "Connection: keep-alive", version="1.0"), 1),
            (OK + b"HTTP/1.1 408 Too late\r\n\r\n", 3),
            (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
            (CHUNKED, 1),
        ],
    )
    def test_are_used_again_where_that_is_right(self, answer: bytes, connections: int) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            for _ in range(3):
                assert (await exchange.post(b"{}")).body == b"{}"
            assert server.connections == connections

        against(always(answer), use=use)

    def test_a_body_that_ends_with_the_connection(self) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            for number in (1, 2):
                assert (await exchange.post(b"{}")).body == b"all of it"
                assert server.connections == number

        against(once(b"HTTP/1.1 200 OK\r\n\r\nall of it"), use=use)

    def test_a_late_word_on_an_idle_connection_ends_it(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asked(reader)
            writer.write(OK)
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

        async def use(exchange: PlainExchange, server: Server) -> None:
            await exchange.post(b"{}")
            await asyncio.sleep(0.05)
            assert (await exchange.post(b"{}")).status == 200
            assert server.connections == 2

        against(talk, use=use)

    def test_one_that_the_server_closed_while_it_rested_is_not_used(self) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            for number in (1, 2, 3):
                await exchange.post(b"{}")
                await asyncio.sleep(0.02)
                assert server.connections == number

        against(once(OK), use=use)

    def test_a_request_that_crosses_the_end_of_a_rest_is_sent_once_more(self) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            await exchange.post(b"{}")
            await asyncio.sleep(2 * STALE)
            assert (await exchange.post(b"{}")).body == b"{}"
            assert server.connections == 2

        against(once(OK, then_wait=True), always(OK), use=use)

    def test_but_once_only(self) -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asked(reader)

        async def use(exchange: PlainExchange, server: Server) -> None:
            await exchange.post(b"{}")
            await asyncio.sleep(2 * STALE)
            with pytest.raises(Disconnected):
                await exchange.post(b"{}")
            assert server.connections == 2

        against(once(OK, then_wait=True), hang_up, use=use)

    def test_a_busy_connection_that_breaks_is_the_callers_affair(self) -> None:
        """The server may have worked on the request: nothing is paid twice unasked."""

        async def use(exchange: PlainExchange, server: Server) -> None:
            await exchange.post(b"{}")
            with pytest.raises(Disconnected, match="the server closed the connection before it"):
                await exchange.post(b"{}")
            assert server.connections == 1

        against(once(OK, then_wait=True), always(OK), use=use)

    def test_so_is_one_that_breaks_after_a_while(self) -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asked(reader)
            writer.write(OK)
            await asked(reader)
            await asyncio.sleep(2 * STALE)

        async def use(exchange: PlainExchange, server: Server) -> None:
            await exchange.post(b"{}")
            await asyncio.sleep(2 * STALE)
            with pytest.raises(Disconnected):
                await exchange.post(b"{}")
            assert server.connections == 1

        against(slow, always(OK), use=use)

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (b"HTTP/1.1 200 OK\r\nConte", Disconnected),
            (OK[:-1], CutOff),
            (b"SSH-2.0-OpenSSH\r\n", NotHTTP),
            (b"", Disconnected),
        ],
    )
    def test_a_fresh_connection_that_breaks(self, answer: bytes, kind: type[Exception]) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            for number in (1, 2):
                with pytest.raises(kind):
                    await exchange.post(b"{}")
                assert server.connections == number

        against(once(answer), use=use)

    def test_an_answer_before_the_end_of_the_request(self) -> None:
        async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.2)

        async def use(exchange: PlainExchange, server: Server) -> None:
            for number in (1, 2):
                assert (await exchange.post(b"x" * 20_000_000)).status == 413
                assert server.connections == number

        against(hasty, use=use)


class TestSlots:
    def test_the_next_request_is_on_its_way_before_anybody_looks_at_a_reply(self) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            first = asyncio.create_task(exchange.post(b"1"))
            others = [asyncio.create_task(exchange.post(b"%d" % i)) for i in (2, 3)]
            await first
            assert exchange.limiter.taken == 1
            await asyncio.gather(*others)
            assert server.connections == 1

        against(echo, use=use, cap=1)

    def test_replies_that_come_together_are_handed_on_one_a_turn_of_the_loop(self) -> None:
        async def use(exchange: PlainExchange, server: Server) -> None:
            loop = asyncio.get_running_loop()
            turns, seen = 0, []

            def count() -> None:
                nonlocal turns
                turns += 1
                loop.call_soon(count)

            async def ask() -> None:
                await exchange.post(b"{}")
                seen.append(turns)

            loop.call_soon(count)
            await asyncio.gather(*(ask() for _ in range(30)))
            assert len(set(seen)) == 30

        against(echo, use=use)

    def test_deadlines_count_from_the_slot_and_end_the_request(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async def use(exchange: PlainExchange, server: Server) -> None:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            results = await asyncio.gather(
                *(exchange.post(b"{}") for _ in range(6)), return_exceptions=True
            )
            assert all(isinstance(result, TimeoutError) for result in results)
            assert 0.14 < loop.time() - begun < 1.0, "three rounds of two"

        against(silent, use=use, cap=2, timeout=0.05)

    def test_cancelled_ones_leave_the_queue_and_the_server(self) -> None:
        async def run_it() -> None:
            async with StubServer(latency=0.05) as stub, exchanging(stub.url, cap=2) as exchange:
                body = b'{"messages": []}'
                calls = [asyncio.create_task(exchange.post(body)) for _ in range(8)]
                await asyncio.sleep(0.02)
                for call in (calls[0], calls[3], calls[7]):
                    call.cancel()
                results = await asyncio.gather(*calls, return_exceptions=True)
                assert [isinstance(result, Reply) for result in results].count(True) == 5
                assert stub.stats.abandoned == 1
                assert stub.stats.requests == 6
                assert stub.peak == 2

        run(run_it())


class TestTheEnd:
    def test_whoever_waits_is_told(self) -> None:
        async def run_it() -> None:
            async with StubServer(latency=30.0) as stub, exchanging(stub.url, cap=2) as exchange:
                body = b'{"messages": []}'
                calls = [asyncio.create_task(exchange.post(body)) for _ in range(5)]
                while stub.in_flight < 2:
                    await asyncio.sleep(0.001)
                await exchange.close()
                await exchange.close()
                results = await asyncio.gather(*calls, return_exceptions=True)
                assert all(isinstance(result, Disconnected) for result in results)
                assert stub.stats.requests == 2
                with pytest.raises(Disconnected):
                    await exchange.post(body)
                await asyncio.sleep(0.01)
                assert stub.stats.open == 0

        run(run_it())

    def test_nothing_is_left_of_a_wild_time(self) -> None:
        kinds = (Fault.RESET, Fault.TIMEOUT, Fault.TRUNCATED, Fault.DRIP, Fault.ERROR)
        settings = Settings(latency=0.002, jitter=0.004, faults=0.4, kinds=kinds, drip=0.003)
        rng = random.Random(3)

        async def run_it() -> None:
            async with StubServer(settings) as stub:
                async with exchanging(stub.url, cap=9, timeout=0.03) as exchange:

                    async def one(number: int) -> object:
                        body = b'{"messages": [{"role": "user", "content": "%d"}]}' % number
                        call = asyncio.create_task(exchange.post(body))
                        if rng.random() < 0.3:
                            await asyncio.sleep(rng.random() * 0.1)
                            call.cancel()
                        return (await asyncio.gather(call, return_exceptions=True))[0]

                    results = await asyncio.gather(*map(one, range(400)))
                kinds_seen = {type(result) for result in results}
                assert {Reply, TimeoutError, Disconnected, CutOff, asyncio.CancelledError} <= (
                    kinds_seen
                )
                assert all(
                    isinstance(r, Reply | ExchangeError | TimeoutError | asyncio.CancelledError)
                    for r in results
                )
                assert stub.peak <= 9 + sum(isinstance(r, asyncio.CancelledError) for r in results)
                await asyncio.sleep(0.02)
                assert stub.stats.open == 0
                assert len(asyncio.all_tasks()) == 1

        run(run_it())
