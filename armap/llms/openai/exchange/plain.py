"""HTTP/1.1 over plain connections: what most local servers speak, at a fraction of the cost.

Two things keep the endpoint busy while this process computes. A request waits for its slot
ready to be sent: it goes out in the very moment in which another's reply is whole, before
anybody looks at that reply. And replies are handed on one by one, with a look at the network
between them, so that a hundred which come together do not keep the next hundred waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from armap.llms.openai.exchange.connection import Connection
from armap.llms.openai.exchange.errors import Disconnected, ExchangeError

if TYPE_CHECKING:
    from armap.llms.openai.exchange.address import Address
    from armap.llms.openai.exchange.reply import Reply
    from armap.llms.openai.limiter import Limiter

__all__ = ["PlainExchange"]

_KEPT = 15.0
"""Seconds for which an idle connection is used again; servers close theirs after some time."""


class PlainExchange:
    """An :class:`~armap.llms.openai.exchange.Exchange` of our own; belongs to one event loop.

    A request on a connection that had rested, and that at once turns out to be closed without a
    byte of a reply, is sent once more, on a fresh one: the server had closed it for its rest.
    Every other failure is the caller's to judge.

    Args:
        address: where requests go.
        headers: of every request.
        limiter: its slots are held from sending a request until its reply is whole.
        timeout: seconds from getting a slot to the whole reply.
        stale: seconds of rest after which the server may have closed a connection just now, and
            seconds within which that shows; a request that was under way for longer may have
            been worked on, and is not sent again.
    """

    def __init__(
        self,
        address: Address,
        headers: dict[str, str],
        limiter: Limiter,
        timeout: float,
        *,
        stale: float = 1.0,
    ) -> None:
        self.timeout = timeout
        self.stale = stale
        self.limiter = limiter
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self._head = _head(address, headers)
        self._dialer = address.dialer()
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._flying: dict[_Flight, None] = {}  # in the order of their deadlines
        self._timer: asyncio.TimerHandle | None = None
        self._landed: deque[tuple[asyncio.Future[Reply], Reply]] = deque()

    async def post(self, body: bytes, session: str = "") -> Reply:
        """Send a request when there is a slot for it.

        Raises:
            ExchangeError: no connection, or no reply of HTTP.
            TimeoutError: no whole reply in time.
        """
        about = f"{len(body)}\r\nX-Session-ID: {session}" if session else str(len(body))
        request = b"%b%b\r\n\r\n%b" % (self._head, about.encode(), body)
        flight = _Flight(self, request)
        self.limiter.enter(flight.begin)
        try:
            return await flight.reply
        except asyncio.CancelledError:
            flight.abandon()
            raise

    async def close(self) -> None:
        """Close all connections; whoever waits for a reply is told. Idempotent."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.loop.is_closed():  # it took everything with it
            return
        for flight in tuple(self._flying):
            flight.give_up(Disconnected("closed by armap"))
        for connection in tuple(self._open):
            connection.drop()
        while self._open and self.loop is asyncio.get_running_loop():
            await asyncio.sleep(0)

    def opened(self, connection: Connection) -> None:
        """A connection is there."""
        self._open.add(connection)

    def lost(self, connection: Connection) -> None:
        """A connection is gone, or as good as gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def take(self) -> Connection | None:
        """A connection that is ready, if there is any: the one that rested least."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closing and self.loop.time() - connection.since < _KEPT:
                return connection
            connection.drop()
        return None

    def give_back(self, connection: Connection) -> None:
        """A reply is whole: the connection may serve another request."""
        if connection.closing or self.closed:
            connection.drop()
        else:
            connection.since = self.loop.time()
            self._idle.append(connection)

    async def connect(self) -> Connection:
        """Open a connection.

        Raises:
            CannotConnect: nobody is there.
        """
        found = await self._dialer.dial()
        try:
            _, connection = await self.loop.create_connection(lambda: Connection(self), sock=found)
        except BaseException:
            found.close()
            raise
        return connection

    def watch(self, flight: _Flight) -> None:
        """See to it that a flight ends in time."""
        self._flying[flight] = None
        if self._timer is None:
            self._timer = self.loop.call_at(flight.due, self._look)

    def forget(self, flight: _Flight) -> None:
        """A flight has ended."""
        self._flying.pop(flight, None)

    def hand_on(self, future: asyncio.Future[Reply], reply: Reply) -> None:
        """Give a reply to who waits for it, after those that came before it."""
        self._landed.append((future, reply))
        if len(self._landed) == 1:
            self.loop.call_soon(self._hand_on)

    def _hand_on(self) -> None:
        future, reply = self._landed[0]
        if not future.done():
            future.set_result(reply)
        self._landed.popleft()
        if self._landed:
            self.loop.call_soon(self._hand_on)

    def _look(self) -> None:
        """Give up on those whose time is over; look again when the next one's is."""
        now = self.loop.time()
        for flight in tuple(self._flying):
            if flight.due > now:
                break
            self.limiter.failed("TimedOut", flight.sent)
            flight.give_up(TimeoutError())
        first = next(iter(self._flying), None)  # perhaps one that got a slot just now
        self._timer = None if first is None else self.loop.call_at(first.due, self._look)


class _Flight:
    """One request on its way. Holds a slot from :meth:`begin` to its end."""

    __slots__ = ("_connecting", "_connection", "_exchange", "_request", "due", "reply", "sent")

    def __init__(self, exchange: PlainExchange, request: bytes) -> None:
        self.reply: asyncio.Future[Reply] = exchange.loop.create_future()
        self.sent = 0.0
        """For the limiter; 0 until it has begun and once it has ended."""
        self.due = 0.0
        """When it must have ended, by the loop's clock."""
        self._exchange = exchange
        self._request = request
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None

    def begin(self) -> bool:
        """Take a slot and go; False when it is not wanted any more."""
        exchange = self._exchange
        if self.reply.done() or exchange.loop.is_closed():
            return False
        if exchange.closed:
            self.give_up(Disconnected("closed by armap"))
            return False
        self.sent = time.perf_counter()
        self.due = exchange.loop.time() + exchange.timeout
        exchange.watch(self)
        connection = exchange.take()
        if connection is None:
            self._connecting = exchange.loop.create_task(self._connect())
        else:
            self._connection = connection
            connection.ask(self._request, self)
        return True

    def answered(self, connection: Connection, reply: Reply) -> None:
        """The reply is whole: the connection and the slot go to the next who waits."""
        exchange = self._exchange
        exchange.give_back(connection)
        exchange.limiter.replied(reply.status, self.sent)
        self._end()
        exchange.hand_on(self.reply, reply)

    def failed(self, connection: Connection, error: Exception, *, silent: bool) -> None:
        """The connection has ended without a whole reply."""
        now = self._exchange.loop.time()
        asked = self.due - self._exchange.timeout
        patience = self._exchange.stale
        stale = 0.0 < connection.since <= asked - patience and now < asked + patience
        if silent and stale and not self._exchange.closed:
            self._connection = None
            self._connecting = self._exchange.loop.create_task(self._connect())
        else:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """End without a reply."""
        self.abandon()
        if not self.reply.done():
            self.reply.set_exception(error)

    def abandon(self) -> None:
        """End at once, if it has begun: the connection is of no use to others."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.drop()
        self._end()

    async def _connect(self) -> None:
        try:
            connection = await self._exchange.connect()
        except (ExchangeError, OSError) as error:
            self._connecting = None
            self.give_up(error)
            return
        self._connecting = None
        self._connection = connection
        connection.ask(self._request, self)

    def _end(self) -> None:
        if self.sent:
            self.sent = 0.0
            self._connection = self._connecting = None
            self._exchange.forget(self)
            self._exchange.limiter.release()


def _head(address: Address, headers: dict[str, str]) -> bytes:
    """All of a request up to the value of its last header, the length."""
    usual = {"Host": address.host_header, "Accept": "*/*", "Accept-Encoding": "identity"}
    chosen = {name.lower(): (name, value) for name, value in (usual | headers).items()}
    lines = [
        f"POST {address.target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in chosen.values()),
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode()
