"""Finding a host by its name, and which addresses are plain."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from armap.llms.openai.exchange import CannotConnect
from armap.llms.openai.exchange.address import Address
from armap.llms.openai.exchange.dial import Dialer

T = TypeVar("T")
V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "")


class Phonebook(asyncio.SelectorEventLoop):
    """An event loop with a name service of its own."""

    def __init__(self, *entries: Any, delay: float = 0.0) -> None:
        super().__init__()
        self.entries = list(entries)
        self.delay = delay
        self.asked = 0

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:  # type: ignore[override]
        self.asked += 1
        await asyncio.sleep(self.delay)
        if not self.entries:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(*kind, (address, port)) for kind, address in self.entries]


def within(loop: Phonebook, work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work)


async def listening(host: str, port: int = 0) -> asyncio.Server:
    async def welcome(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    return await asyncio.start_server(welcome, host, port)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def peers(dialer: Dialer, times: int) -> list[str]:
    found = await asyncio.gather(*(dialer.dial() for _ in range(times)))
    names = [str(one.getpeername()[0]) for one in found]
    for one in found:
        one.close()
    return names


def test_a_name_is_looked_up_once_for_all_who_wait() -> None:
    loop = Phonebook((V4, "127.0.0.1"), delay=0.01)

    async def use() -> None:
        async with await listening("127.0.0.1") as server:
            dialer = Dialer("model.test", port_of(server))
            assert await peers(dialer, 20) == ["127.0.0.1"] * 20
            assert await peers(dialer, 3) == ["127.0.0.1"] * 3

    within(loop, use())
    assert loop.asked == 1


def test_an_address_that_refuses_is_passed_over() -> None:
    loop = Phonebook((V6, "::1"), (V4, "127.0.0.1"))

    async def use() -> None:
        async with await listening("127.0.0.1") as server:
            assert await peers(Dialer("model.test", port_of(server)), 4) == ["127.0.0.1"] * 4

    within(loop, use())


def test_connections_are_spread_over_the_addresses() -> None:
    loop = Phonebook((V4, "127.0.0.1"), (V4, "127.0.0.2"))

    async def use() -> None:
        async with await listening("127.0.0.1") as server:
            port = port_of(server)
            async with await listening("127.0.0.2", port):
                names = await peers(Dialer("model.test", port), 8)
        assert sorted(set(names)) == ["127.0.0.1", "127.0.0.2"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.conftest._LOOPBACK", {"127.0.0.1", "127.0.0.2", "::1"})
        within(loop, use())


def test_ipv6() -> None:
    async def use() -> list[str]:
        async with await listening("::1") as server:
            address = Address.of(f"http://[::1]:{port_of(server)}/v1")
            assert address is not None
            return await peers(address.dialer(), 2)

    assert asyncio.run(use()) == ["::1", "::1"]


def test_nobody_there_is_told_with_the_systems_number_and_looked_up_anew() -> None:
    loop = Phonebook((V4, "127.0.0.1"))

    async def use() -> None:
        dialer = Dialer("model.test", 9)
        for asked in (1, 2):
            with pytest.raises(CannotConnect, match="Connect call failed") as failed:
                await dialer.dial()
            assert failed.value.errno == errno.ECONNREFUSED
            assert loop.asked == asked

    within(loop, use())


def test_a_name_that_nobody_knows() -> None:
    async def use() -> None:
        results = await asyncio.gather(
            *(Dialer("model.test", 80).dial() for _ in range(3)), return_exceptions=True
        )
        assert [str(result) for result in results] == ["Name or service not known"] * 3
        assert all(isinstance(result, CannotConnect) for result in results)

    within(Phonebook(), use())


@pytest.mark.parametrize("host", ["." * 3, "x" * 70 + ".test"])
def test_what_can_be_no_name(host: str) -> None:
    async def use() -> None:
        with pytest.raises(CannotConnect, match="can be no host's name"):
            await Dialer(host, 80).dial()

    asyncio.run(use())


def test_who_gives_up_waiting_for_a_name_does_not_spoil_it_for_the_others() -> None:
    loop = Phonebook((V4, "127.0.0.1"), delay=0.02)

    async def use() -> None:
        async with await listening("127.0.0.1") as server:
            dialer = Dialer("model.test", port_of(server))
            first = asyncio.create_task(dialer.dial())
            second = asyncio.create_task(peers(dialer, 1))
            await asyncio.sleep(0.005)
            first.cancel()
            assert await second == ["127.0.0.1"]

    within(loop, use())
    assert loop.asked == 1


@pytest.mark.parametrize(
    ("url", "host_header"),
    [
        ("http://localhost:8000/v1/chat/completions", "localhost:8000"),
        ("http://model_1.svc.local/v1/chat", "model_1.svc.local"),
        ("http://model:80/v1?api-version=7&a=%20", "model"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("http://10.0.0.1/", "10.0.0.1"),
    ],
)
def test_plain_addresses(url: str, host_header: str) -> None:
    address = Address.of(url)
    assert address is not None
    assert address.host_header == host_header
    assert url.endswith(address.target)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://me:secret@localhost/v1",
        "http://m\u00fcller.example/v1",
        "http://localhost/v\u00b9",
        "http://localhost/a b",
        "http://localhost/v1\r\nX: y",
        "http://localhost/v1#top",
        "http://[fe80::1%25eth0]/v1",
        "HTTP://localhost/v1",
    ],
)
def test_addresses_that_need_more_care(url: str) -> None:
    assert Address.of(url) is None
