"""HTTP/1.1 by hand, as much of it as chat clients speak: a web framework would cost more time
than everything else the stub does.

Keep-alive, pipelining (answered in order), bodies by content-length or in chunks. Headers are
searched, not parsed, unless someone asks for them.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import NamedTuple, Protocol

__all__ = ["Connection", "Handler", "RawRequest", "read_request"]

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_LENGTH = b"\r\ncontent-length:"
_CHUNKED = b"\r\ntransfer-encoding: chunked"
_CLOSE = b"\r\nconnection: close"


class RawRequest(NamedTuple):
    """One request as it came."""

    head: bytes
    """Request line and headers, up to and with the last line's end."""
    body: bytes
    last: bool = False
    """The client wants the connection closed after the answer."""

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].split(b"?", 1)[0].decode("latin-1")

    def headers(self) -> dict[str, str]:
        """Headers by their names as they were sent."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-1]
        pairs = (line.partition(":") for line in lines)
        return {name: value.strip() for name, _, value in pairs}


class Handler(Protocol):
    """What a connection hands its requests to."""

    def connected(self, connection: Connection) -> None: ...

    def handle(self, connection: Connection, request: RawRequest) -> None:
        """Answer now or later; the connection's next request waits for it."""
        ...

    def lost(self, connection: Connection) -> None: ...


def read_request(data: bytes) -> tuple[RawRequest, bytes] | None:
    r"""Take the first request off ``data``; None when it is not whole yet.

    >>> read_request(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET")
    (RawRequest(head=b'POST / HTTP/1.1\r\nContent-Length: 2\r\n', body=b'{}', last=False), b'GET')

    Raises:
        ValueError: that is not HTTP.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2]
    start = end + 4
    lowered = head.lower()
    last = _CLOSE in lowered
    at = lowered.find(_LENGTH)
    if at >= 0:
        at += len(_LENGTH)
        stop = start + int(lowered[at : lowered.find(b"\r\n", at)])
        if len(data) < stop:
            return None
        return RawRequest(head, data[start:stop], last), data[stop:]
    if _CHUNKED in lowered:
        read = _read_chunks(data, start)
        return None if read is None else (RawRequest(head, read[0], last), data[read[1] :])
    return RawRequest(head, b"", last), data[start:]


def _read_chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    """The body in chunks that begins at ``at``, and where it ends; None when it is not whole."""
    parts = []
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(data[at:line].split(b";", 1)[0], 16)
        at = line + 2
        if size == 0:
            break
        if len(data) < at + size + 2:
            return None
        parts.append(data[at : at + size])
        at += size + 2
    if data[at : at + 2] == b"\r\n":
        return b"".join(parts), at + 2
    end = data.find(b"\r\n\r\n", at)  # trailers
    return None if end < 0 else (b"".join(parts), end + 4)


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time, in order."""

    __slots__ = ("_buffer", "_closing", "_handler", "_transport", "busy", "pending")

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._buffer = b""
        self._closing = False
        self._transport: asyncio.Transport
        self.busy = False
        """A request has been handed over and is not answered yet."""
        self.pending: asyncio.Handle | None = None
        """What will answer it; cancelled when the client goes away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._handler.connected(self)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self.busy:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.pending is not None:
            self.pending.cancel()
        self._handler.lost(self)

    def reply(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Send a whole answer. ``headers`` are further lines, each with its line end."""
        self._transport.write(answer_head(status, len(body), headers) + body)
        self.done()

    def write(self, data: bytes) -> None:
        """Send part of an answer; :meth:`done` ends it."""
        self._transport.write(data)

    def done(self) -> None:
        """The answer is complete: on to the next request."""
        self.busy = False
        self.pending = None
        if self._closing:
            self._transport.close()
        elif self._buffer:
            self._next()

    def close(self) -> None:
        """Send what was written, then close, in the middle of an answer as it may be."""
        self._transport.close()

    def reset(self) -> None:
        """Reset the connection: the client sees an error, not an orderly end."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _next(self) -> None:
        try:
            read = read_request(self._buffer)
        except ValueError:
            self._closing = True
            self.reply(400, b'{"error": {"message": "that is not HTTP"}}')
            return
        if read is not None:
            request, self._buffer = read
            self._closing = request.last
            self.busy = True
            self._handler.handle(self, request)


def answer_head(status: int, length: int, headers: bytes = b"") -> bytes:
    """Status line and headers of a JSON answer."""
    return b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n" % (
        status,
        _REASONS.get(status, b"Status"),
        headers,
        length,
    )
