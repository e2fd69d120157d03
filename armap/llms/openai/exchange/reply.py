"""Replies of HTTP/1.1, read as they come in, in whatever pieces (RFC 9112).

Strict on purpose: what could be read in two ways (folded headers, two lengths, a length beside
chunks, bare line feeds) is refused, never guessed at.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from armap.llms.openai.exchange.errors import CutOff, Disconnected, ExchangeError, NotHTTP

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_BODY", "MOST_HEAD", "Reply", "ReplyReader"]

MOST_HEAD = 1 << 16
"""Bytes of a status line with its headers, or of the trailers, at most."""
MOST_BODY = 1 << 28
"""Bytes of a body at most, unpacked."""
_MOST_INTERIM = 16
_MOST_LINE = 4096
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_BODILESS = frozenset({204, 304})


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    """By their names in lower case; what came in several lines is joined by commas."""
    body: bytes


class ReplyReader:
    """Reads one reply; interim ones (status 1xx) before it are passed over."""

    __slots__ = (
        "_at",
        "_data",
        "_headers",
        "_interim",
        "_left",
        "_minor",
        "_parts",
        "_reply",
        "_size",
        "_status",
        "_step",
        "started",
    )

    def __init__(self) -> None:
        self.started = False
        """Whether anything has come in."""
        self._data = b""
        self._at = 0
        # A function, not a method bound to this reader: that would be a cycle for each reply.
        self._step: Callable[[ReplyReader], bool] = ReplyReader._head
        self._reply: Reply | None = None
        self._interim = self._status = self._minor = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._left = self._size = 0

    def feed(self, data: bytes) -> Reply | None:
        """Take in what has come; the reply, once it is whole.

        Raises:
            NotHTTP: it is none.
        """
        self.started = True
        self._data, self._at = (self._data[self._at :] + data if self._data else data), 0
        while self._step(self):
            pass
        return self._reply

    def end(self) -> Reply:
        """Nothing more will come, in good order: that may be the end of a reply without a length.

        Raises:
            ExchangeError: the reply is not whole.
        """
        if self._step is ReplyReader._until_end:
            self._whole(b"".join(self._parts))
        if self._reply is None:
            raise self.broken("the server closed the connection")
        return self._reply

    def broken(self, why: str) -> ExchangeError:
        """The error for a connection that has ended, in whatever way, before the reply had."""
        if not self.started:
            return Disconnected(f"{why} before it answered")
        if self._step is ReplyReader._head:
            return Disconnected(f"{why} in the middle of the reply's headers")
        return CutOff(f"{why} in the middle of the reply")

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the connection, now that the reply is whole."""
        if self._at < len(self._data) or self._step is ReplyReader._until_end:
            return False
        said = self._headers.get("connection")
        words = {word.strip() for word in said.lower().split(",")} if said else ()
        return "close" not in words and (self._minor == 1 or "keep-alive" in words)

    def _head(self) -> bool:
        data, at = self._data, self._at
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            _bounded(len(data) - at, MOST_HEAD, "headers")
            _check_start(data[at:])
            return False
        _bounded(end - at, MOST_HEAD, "headers")
        first, *lines = data[at:end].decode("latin-1").split("\r\n")
        found = _STATUS.fullmatch(first)
        if found is None:
            raise NotHTTP(f"what came is no reply of HTTP/1.1: {first[:60]!r}")
        self._minor, self._status = int(found[1]), int(found[2])
        self._headers = _fields(lines)
        self._at = end + 4
        if self._status >= 200:
            self._begin()
            return True
        self._interim += 1
        if self._status == 101 or self._interim > _MOST_INTERIM:
            raise NotHTTP(f"status {self._status}, which nobody asked for")
        return True

    def _begin(self) -> None:
        """Decide how the body ends (RFC 9112, 6.3)."""
        coding = self._headers.get("transfer-encoding")
        length = self._headers.get("content-length")
        if coding is not None and (
            length is not None or self._minor == 0 or coding.lower() != "chunked"
        ):
            raise NotHTTP(f"transfer-encoding {coding[:40]!r}, content-length {length!r:.40}")
        if self._status in _BODILESS:
            self._whole(b"")
        elif coding is not None:
            self._step = ReplyReader._chunk_size
        elif length is not None:
            self._left = _length(length)
            self._step = ReplyReader._sized
        else:
            self._step = ReplyReader._until_end

    def _sized(self) -> bool:
        if not self._take():
            return False
        self._whole(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        return False

    def _until_end(self) -> bool:
        self._left = len(self._data) - self._at
        self._take()
        return False

    def _chunk_size(self) -> bool:
        data, at = self._data, self._at
        end = data.find(b"\r\n", at)
        _bounded((end if end >= 0 else len(data)) - at, _MOST_LINE, "line before a chunk")
        if end < 0:
            return False
        found = _SIZE.fullmatch(data, at, end)
        if found is None:
            raise NotHTTP(f"a chunk without a size: {data[at : min(end, at + 40)]!r}")
        self._at, self._left = end + 2, int(found[1], 16)
        _bounded(self._size + self._left, MOST_BODY, "body")
        self._step = ReplyReader._chunk if self._left else ReplyReader._trailers
        return True

    def _chunk(self) -> bool:
        if not self._take():
            return False
        self._step = ReplyReader._chunk_end
        return True

    def _chunk_end(self) -> bool:
        end = self._data[self._at : self._at + 2]
        if not b"\r\n".startswith(end):
            raise NotHTTP("a chunk that is longer than it says")
        if len(end) < 2:
            return False
        self._at += 2
        self._step = ReplyReader._chunk_size
        return True

    def _trailers(self) -> bool:
        """Headers after the last chunk: checked and forgotten."""
        data, at = self._data, self._at
        if data.startswith(b"\r\n", at):
            self._at += 2
            self._whole(b"".join(self._parts))
            return False
        end = data.find(b"\r\n\r\n", at)
        _bounded((end if end >= 0 else len(data)) - at, MOST_HEAD, "trailers")
        if end >= 0:
            _fields(data[at:end].decode("latin-1").split("\r\n"))
            self._at = end + 4
            self._whole(b"".join(self._parts))
        return False

    def _take(self) -> bool:
        """Move what is there of the next ``_left`` bytes to the body; whether that is all."""
        part = self._data[self._at : self._at + self._left]
        self._at += len(part)
        self._left -= len(part)
        self._size += len(part)
        _bounded(self._size, MOST_BODY, "body")
        self._parts.append(part)
        return self._left == 0

    def _whole(self, body: bytes) -> None:
        coding = self._headers.get("content-encoding")
        if coding is not None and body:
            body = _unpacked(body, coding.lower())
        self._reply = Reply(self._status, self._headers, body)
        if self._step is not ReplyReader._until_end:
            self._step = _nothing


def _nothing(_: ReplyReader) -> bool:
    return False


def _bounded(size: int, most: int, what: str) -> None:
    if size > most:
        raise NotHTTP(f"the reply's {what} would be longer than {most:,} bytes")


def _check_start(data: bytes) -> None:
    """Do not wait for the end of what is no HTTP at all, or ends its lines otherwise."""
    if not b"HTTP/1.".startswith(data[:7]):
        raise NotHTTP(f"what came is no reply of HTTP/1.1: {data[:60].decode('latin-1')!r}")
    if data.count(b"\n") != data.count(b"\r\n"):
        raise NotHTTP("a line of the reply's headers ends in a bare line feed")


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, value = _field(line)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@lru_cache(maxsize=256)  # most lines are those of the reply before
def _field(line: str) -> tuple[str, str]:
    found = _FIELD.fullmatch(line)
    if found is None:
        what = "a folded header" if line[:1] in (" ", "\t") else "a header"
        raise NotHTTP(f"{what} that cannot be read: {line[:60]!r}")
    return found[1].lower(), found[2].rstrip(" \t")


def _length(text: str) -> int:
    """The length announced; it may be said twice, but not two ways."""
    said = {part.strip() for part in text.split(",")} if "," in text else {text}
    digits = said.pop()
    if said or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise NotHTTP(f"content-length {text[:60]!r} is no length")
    length = int(digits)
    _bounded(length, MOST_BODY, "body")
    return length


def _unpacked(body: bytes, coding: str) -> bytes:
    """The body of a server that packs it although it was asked not to."""
    if coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise NotHTTP(f"content-encoding {coding[:40]!r} was not asked for and is not read")
    unpacking = zlib.decompressobj(wbits=47)  # by its first bytes: gzip or zlib
    try:
        data = unpacking.decompress(body, MOST_BODY + 1)
    except zlib.error as error:
        raise CutOff(f"a body that is not {coding} as it says: {error}") from error
    _bounded(len(data), MOST_BODY, "body")
    if not unpacking.eof:
        raise CutOff(f"a {coding} body without its end")
    return data
