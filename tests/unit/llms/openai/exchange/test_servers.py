"""Our own exchange against servers that others wrote."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiohttp import web

from armap.llms.openai.exchange import Reply
from armap.llms.openai.exchange.address import Address
from armap.llms.openai.exchange.plain import PlainExchange
from armap.llms.openai.limiter import Limiter

BODY = b'{"said": "' + b"a word and " * 5000 + b'"}'
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ask(port: int, times: int, *, pause: float = 0.0) -> list[Reply]:
    address = Address.of(f"http://127.0.0.1:{port}/v1/chat/completions")
    assert address is not None
    exchange = PlainExchange(address, {}, Limiter(4), 5.0, stale=0.02)
    try:
        replies = list(await asyncio.gather(*(exchange.post(BODY) for _ in range(times))))
        if pause:
            await asyncio.sleep(pause)
            replies += await asyncio.gather(*(exchange.post(BODY) for _ in range(times)))
    finally:
        await exchange.close()
    return replies


async def whole(request: web.Request) -> web.StreamResponse:
    return web.Response(body=await request.read())


async def packed(request: web.Request) -> web.StreamResponse:
    response = web.Response(body=await request.read())
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def chunked(request: web.Request) -> web.StreamResponse:
    data = await request.read()
    response = web.StreamResponse()
    await response.prepare(request)
    for at in range(0, len(data), 7001):
        await response.write(data[at : at + 7001])
    await response.write_eof()
    return response


async def last(request: web.Request) -> web.StreamResponse:
    response = web.Response(body=await request.read())
    response.force_close()
    return response


@pytest.mark.parametrize("answer", [whole, packed, chunked, last])
def test_a_server_of_aiohttp(answer: Answer) -> None:
    async def use() -> list[Reply]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, keepalive_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            return await ask(port, 20, pause=0.1)  # the server closes what rests so long
        finally:
            await runner.cleanup()

    replies = asyncio.run(use())
    assert len(replies) == 40
    assert {(reply.status, reply.body) for reply in replies} == {(200, BODY)}


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_the_server_of_the_standard_library(version: str) -> None:
    class Echo(BaseHTTPRequestHandler):
        protocol_version = version

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            if version == "HTTP/1.1":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            replies = asyncio.run(ask(server.server_port, 10))
        finally:
            server.shutdown()
            thread.join()
    assert {(reply.status, reply.body) for reply in replies} == {(200, BODY)}
