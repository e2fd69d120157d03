"""Finding a host and connecting to it."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING

import aiohappyeyeballs

from armap.llms.openai.exchange.errors import CannotConnect

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

__all__ = ["Dialer"]

_REMEMBERED = 300.0
"""Seconds for which a host keeps its addresses."""
_HEAD_START = 0.25
"""Seconds after which the next address is tried beside one that does not answer (RFC 8305)."""


class Dialer:
    """Connects to one host, which may have many addresses.

    They are looked up once, by one for all who wait, and again when they are old or none of them
    answers. Connections are spread over them.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._known: deque[AddrInfoType] = deque()
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def dial(self) -> socket.socket:
        """A connected socket that does not block.

        Raises:
            CannotConnect: no address, or none that answers.
        """
        loop = asyncio.get_running_loop()
        try:
            if loop.time() >= self._until:
                await self._look_up(loop)
            addresses = list(self._known)
            self._known.rotate(-1)
            if len(addresses) == 1:
                found = await _connected(loop, addresses[0])
            else:
                found = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_HEAD_START, interleave=1, loop=loop
                )
        except OSError as error:
            self._until = 0.0
            raise CannotConnect(error.strerror or str(error), error.errno) from error
        except UnicodeError as error:
            raise CannotConnect(f"{self._host!r} can be no host's name: {error}") from error
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return found

    async def _look_up(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._ask(loop))
            self._asking.add_done_callback(_looked_at)
        await asyncio.shield(self._asking)

    async def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        self._known = deque(found)
        self._until = loop.time() + _REMEMBERED


def _looked_at(asking: asyncio.Task[None]) -> None:
    """Its error is not lost when all who waited for it have gone."""
    if not asking.cancelled():
        asking.exception()


async def _connected(loop: asyncio.AbstractEventLoop, address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, place = address
    one = socket.socket(family, kind, protocol)
    try:
        one.setblocking(False)
        await loop.sock_connect(one, place)
    except BaseException:
        one.close()
        raise
    return one
