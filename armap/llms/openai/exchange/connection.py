"""One connection: a request out, a reply in, and again."""

from __future__ import annotations

import asyncio
from typing import Protocol

from armap.llms.openai.exchange.errors import NotHTTP
from armap.llms.openai.exchange.reply import Reply, ReplyReader

__all__ = ["Asker", "Connection", "Keeper"]


class Asker(Protocol):
    """Who waits for a reply; told exactly one of the two."""

    def answered(self, connection: Connection, reply: Reply) -> None:
        """The reply is whole. ``connection`` may be used again unless it is closing."""
        ...

    def failed(self, connection: Connection, error: Exception, *, silent: bool) -> None:
        """There will be none; ``silent`` when not a byte has come."""
        ...


class Keeper(Protocol):
    """Who keeps connections."""

    def opened(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """A connection to a server: one request at a time.

    Args:
        keeper: told when it opens and when it ends.
    """

    __slots__ = ("_asker", "_keeper", "_reader", "_transport", "since")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._transport: asyncio.Transport
        self._asker: Asker | None = None
        self._reader = ReplyReader()
        self.since = 0.0
        """When its last reply was whole, by the loop's clock; 0 when it is fresh."""

    @property
    def closing(self) -> bool:
        """Whether it cannot be used any more."""
        return self._transport.is_closing()

    def ask(self, request: bytes, asker: Asker) -> None:
        """Send a request; ``asker`` will be told what comes of it."""
        self._asker = asker
        self._reader = ReplyReader()
        self._transport.write(request)

    def drop(self) -> None:
        """Close at once; who waits for a reply is not told."""
        self._asker = None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._keeper.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._asker is None:  # nobody asked: a late word before the server closes
            self.drop()
            return
        try:
            reply = self._reader.feed(data)
        except NotHTTP as error:
            self._fail(error)
            return
        if reply is not None:
            self._answer(reply)

    def eof_received(self) -> None:
        if self._asker is None:
            return
        try:
            reply = self._reader.end()
        except Exception as error:  # noqa: BLE001  (handed to who asked)
            self._fail(error)
        else:
            self._answer(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._keeper.lost(self)
        if self._asker is not None:
            why = f"{type(exc).__name__}: {exc}" if exc else "the connection was closed"
            error = self._reader.broken(why)
            error.__cause__ = exc
            self._fail(error)

    def _answer(self, reply: Reply) -> None:
        asker, self._asker = self._asker, None
        assert asker is not None
        # A reply before the end of its request says that the server reads no further.
        if not self._reader.reusable or self._transport.get_write_buffer_size():
            self._transport.abort()
        asker.answered(self, reply)

    def _fail(self, error: Exception) -> None:
        asker, self._asker = self._asker, None
        assert asker is not None
        self._transport.abort()
        asker.failed(self, error, silent=not self._reader.started)
