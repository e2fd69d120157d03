"""Replies in whatever pieces they come, and what is refused as no reply."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.llms.openai.exchange import CutOff, Disconnected, ExchangeError, NotHTTP, Reply
from armap.llms.openai.exchange import reply as module
from armap.llms.openai.exchange.reply import MOST_BODY, MOST_HEAD, ReplyReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def read(*pieces: bytes) -> tuple[Reply, ReplyReader]:
    """The reply in these pieces, which must be whole with the last one and not before."""
    reader = ReplyReader()
    for piece in pieces[:-1]:
        assert reader.feed(piece) is None
    reply = reader.feed(pieces[-1])
    assert reply is not None
    return reply, reader


def refused(data: bytes) -> str:
    with pytest.raises(NotHTTP) as caught:
        ReplyReader().feed(data)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


class Wire(NamedTuple):
    """A reply as it goes over the wire."""

    data: bytes
    status: int
    body: bytes
    to_the_end: bool
    """Only the end of the connection ends it."""


WORDS = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=12)
EXTENSIONS = st.sampled_from([b"", b";a", b' ; a="b c"', b"  "])


@st.composite
def wires(draw: st.DrawFn) -> Wire:
    status = draw(st.sampled_from([200, 200, 200, 204, 304, 400, 429, 500]))
    body = draw(st.binary(max_size=60))
    lines = [f"HTTP/1.1 {status} {draw(WORDS)}", f"X-Any:{draw(WORDS)}", "Server: \t stub \t"]
    framing = draw(st.sampled_from(["length", "chunks", "end"]))
    if status in (204, 304):
        framing, body = "none", b""
        sent = b""
    elif framing == "length":
        lines.append(f"content-LENGTH: {len(body)}")
        sent = body
    elif framing == "chunks":
        lines.append("Transfer-encoding: Chunked")
        sent = draw(chunks(body))
    else:
        sent = body
    lines = draw(st.permutations(lines[1:]).map(lambda rest: [lines[0], *rest]))
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    interim = draw(st.sampled_from([b"", CONTINUE, CONTINUE * 3]))
    return Wire(interim + head + sent, status, body, framing == "end")


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    parts, at = [], 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        form = draw(st.sampled_from(["{:x}", "{:X}", "{:04x}"])).format(size).encode()
        parts.append(form + draw(EXTENSIONS) + b"\r\n" + body[at : at + size] + b"\r\n")
        at += size
    trailers = draw(st.sampled_from([b"", b"Digest: 1\r\n", b"A: 1\r\nB: 2\r\n"]))
    return b"".join(parts) + b"0" + draw(EXTENSIONS) + b"\r\n" + trailers + b"\r\n"


@given(wires(), st.data())
def test_a_reply_cut_anywhere_is_the_same_reply(wire: Wire, data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(wire.data)), max_size=8)
    cuts = [0, *sorted(data.draw(places)), len(wire.data)]
    reader, reply = ReplyReader(), None
    for start, stop in pairwise(cuts):
        if start == stop:
            continue
        assert reply is None, "it is whole with its last byte only"
        reply = reader.feed(wire.data[start:stop])
    if wire.to_the_end:
        assert reply is None
        reply = reader.end()
    assert reply is not None
    assert (reply.status, reply.body) == (wire.status, wire.body)
    assert reply.headers["server"] == "stub"
    assert reader.reusable is not wire.to_the_end


@given(wires())
def test_byte_by_byte_and_never_whole_before_the_end(wire: Wire) -> None:
    for stop in range(len(wire.data)):
        reader = ReplyReader()
        if stop:
            assert reader.feed(wire.data[:stop]) is None
        if not wire.to_the_end:  # else what has come may be all
            with pytest.raises(ExchangeError):
                reader.end()


@given(st.binary(max_size=80), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", OK, CHUNKED]))
def test_whatever_comes_is_a_reply_or_a_typed_error(data: bytes, start: bytes) -> None:
    reader = ReplyReader()
    said = ""
    try:
        if reader.feed(start + data) is None:
            reader.end()
    except ExchangeError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1


class TestBodies:
    def test_what_follows_the_reply_makes_the_connection_useless(self) -> None:
        reply, reader = read(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 408 Late")
        assert reply.body == b"ok"
        assert not reader.reusable

    def test_a_reply_without_a_body(self) -> None:
        for status in (204, 304):
            reply, reader = read(b"HTTP/1.1 %d\r\nContent-Length: 7\r\n\r\n" % status)
            assert reply.body == b""
            assert reader.reusable

    def test_an_empty_body(self) -> None:
        assert read(OK + b"Content-Length: 0\r\n\r\n")[0].body == b""
        assert read(CHUNKED + b"0\r\n\r\n")[0].body == b""

    def test_a_large_body_in_many_pieces(self) -> None:
        body = bytes(range(256)) * 4000
        pieces = [body[at : at + 777] for at in range(0, len(body), 777)]
        assert read(OK + b"Content-Length: %d\r\n\r\n" % len(body), *pieces)[0].body == body

    @pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "deflate", "identity"])
    def test_a_server_that_packs_although_it_was_asked_not_to(self, coding: str) -> None:
        pack = {"deflate": zlib.compress, "identity": bytes}.get(coding, gzip.compress)
        body = pack(b"hello" * 99)
        head = f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        assert read(OK + head + body)[0].body == b"hello" * 99

    def test_a_packed_body_that_is_damaged(self) -> None:
        head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        whole = gzip.compress(b"hello" * 99)
        for body in (whole[:-9], b"no gzip at all"):
            with pytest.raises(CutOff, match="gzip"):
                ReplyReader().feed(OK + head % len(body) + body)

    def test_a_body_packed_in_an_unknown_way_is_refused(self) -> None:
        head = b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n"
        assert "'br' was not asked for" in refused(OK + head + b"ok")


class TestReuse:
    @pytest.mark.parametrize(
        ("version", "connection", "reusable"),
        [
            ("1.1", "", True),
            ("1.1", "keep-alive", True),
            ("1.1", "Close", False),
            ("1.1", "x-other, CLOSE", False),
            ("1.0", "", False),
            ("1.0", "Keep-Alive", True),
            ("1.0", "close", False),
        ],
    )
    def test_as_version_and_header_say(
        self, version: str, connection: str, *, reusable: bool
    ) -> None:
        lines = [f"HTTP/{version} 200 OK", "Content-Length: 0", f"Connection: {connection}", "", ""]
        _, reader = read("\r\n".join(lines).encode())
        assert reader.reusable is reusable


REFUSED = {
    "not HTTP": (b"220 mail.example ESMTP\r\n", "no reply of HTTP/1.1"),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", "no reply of HTTP/1.1"),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", "no reply of HTTP/1.1"),
    "a status below 100": (b"HTTP/1.1 099 No\r\n\r\n", "no reply of HTTP/1.1"),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "a bare line feed"),
    "a line feed in a header": (OK + b"A: b\nc\r\n\r\n", "cannot be read"),
    "a folded header": (OK + b"A: b\r\n c\r\n\r\n", "a folded header"),
    "a header without a colon": (OK + b"A b\r\n\r\n", "a header that cannot be read"),
    "a blank before the colon": (OK + b"A : b\r\n\r\n", "a header that cannot be read"),
    "a zero byte": (OK + b"A: b\0\r\n\r\n", "a header that cannot be read"),
    "a length that is none": (OK + b"Content-Length: 1e3\r\n\r\n", "is no length"),
    "a length with a sign": (OK + b"Content-Length: +1\r\n\r\n", "is no length"),
    "a length below zero": (OK + b"Content-Length: -1\r\n\r\n", "is no length"),
    "no digits": (OK + b"Content-Length:\r\n\r\n", "is no length"),
    "two lengths": (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "is no length"),
    "length and chunks": (CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n", "transfer-encoding"),
    "an unknown coding": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "transfer-encoding"),
    "chunks in HTTP/1.0": (CHUNKED.replace(b"/1.1", b"/1.0"), "transfer-encoding"),
    "no size": (CHUNKED + b"\r\n", "a chunk without a size"),
    "a size that is none": (CHUNKED + b"0x5\r\nhello\r\n", "a chunk without a size"),
    "a chunk too long": (CHUNKED + b"2\r\nokay", "longer than it says"),
    "a trailer that is none": (CHUNKED + b"0\r\nwhat\r\n\r\n", "cannot be read"),
    "switching protocols": (b"HTTP/1.1 101 Switching\r\n\r\n", "nobody asked for"),
    "many interim replies": (CONTINUE * 20, "nobody asked for"),
    "endless headers": (OK + b"A: " + b"b" * MOST_HEAD, "headers would be longer than"),
    "endless trailers": (CHUNKED + b"0\r\nA: " + b"b" * MOST_HEAD, "trailers would be longer"),
    "an endless line": (CHUNKED + b"5;" + b"b" * 5000, "line before a chunk would be longer"),
    "too long a body": (OK + b"Content-Length: %d\r\n\r\n" % (MOST_BODY + 1), "body would be"),
    "too long a chunk": (CHUNKED + b"%x\r\n" % (MOST_BODY + 1), "body would be longer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(case: str) -> None:
    data, said = REFUSED[case]
    assert said in refused(data)


def test_a_length_may_be_said_twice() -> None:
    assert read(OK + b"Content-Length: 2, 2\r\n\r\nok")[0].body == b"ok"
    assert read(OK + b"Content-Length: 2\r\ncontent-length: 2\r\n\r\nok")[0].body == b"ok"


def test_headers_of_one_name_are_joined() -> None:
    reply, _ = read(OK + b"A: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n")
    assert reply.headers["a"] == "1, 2"


def test_a_body_without_a_length_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BODY", 1000)
    reader = ReplyReader()
    reader.feed(OK + b"\r\n" + b"x" * 900)
    with pytest.raises(NotHTTP, match="longer than 1,000 bytes"):
        reader.feed(b"x" * 200)
    packed = gzip.compress(b"x" * 5000)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert "longer than 1,000 bytes" in refused(OK + head + packed)


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b"", Disconnected, "gone before it answered"),
        (OK, Disconnected, "gone in the middle of the reply's headers"),
        (CONTINUE, Disconnected, "in the middle of the reply's headers"),
        (OK + b"Content-Length: 9\r\n\r\nhalf", CutOff, "gone in the middle of the reply"),
        (CHUNKED + b"5\r\nhel", CutOff, "gone in the middle of the reply"),
        (OK + b"\r\nhalf", CutOff, "gone in the middle of the reply"),
    ],
)
def test_a_connection_that_breaks(data: bytes, kind: type[Exception], said: str) -> None:
    reader = ReplyReader()
    if data:
        assert reader.feed(data) is None
    error = reader.broken("gone")
    assert type(error) is kind
    assert said in str(error)
