"""One file from the web: it comes under another name, goes on where it stopped, and is renamed.

``NAME.part`` is what has come so far, ``NAME.part.source`` says of what: the address, and the
mark (an ETag or a date) by which its server knows this version of it. Only the rest of that very
version is added to a part; without a mark, or with another one, the file begins anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from armap.errors import BoundaryError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

__all__ = ["Part", "Tell", "download", "size_of"]

Tell = Callable[[str, int, int | None], None]
"""Is told a file's name, how many bytes have come, and how many there are, if that is known."""

_CHUNK = 1 << 20
_TIMEOUT = 60
_SPAN = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
"""``Content-Range``: where the body begins, and the length of the whole file."""


class Part:
    """What has come of a file, beside the place where it goes."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._target = target
        self._source = target.with_name(f"{target.name}.part.source")

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def mark(self, address: str) -> str | None:
        """The version at ``address`` that this is a part of; None when that is not known."""
        try:
            source = json.loads(self._source.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(source, dict) and source.get("address") == address
        mark = source.get("mark") if known and self.size else None
        return mark if isinstance(mark, str) else None

    def begin(self, address: str = "", mark: str | None = None) -> None:
        """Drop what is there; what comes now is of version ``mark`` at ``address``."""
        # Emptied first: at no moment may old bytes have a new source.
        self.path.write_bytes(b"")
        if mark is None:
            self._source.unlink(missing_ok=True)
        else:
            text = json.dumps({"address": address, "mark": mark})
            self._source.write_text(text, encoding="utf-8")

    def finish(self) -> None:
        """It is whole: put it in its place."""
        self.path.rename(self._target)
        self._source.unlink(missing_ok=True)


class _Reply(NamedTuple):
    """A file, or the rest of it, before its body is read."""

    body: Any
    first: int
    """Where in the file the body begins."""
    whole: int | None
    """Bytes of the whole file, if the server says so."""
    headers: Message


def download(address: str, target: Path, tell: Tell) -> None:
    """Bring a file, or the rest of it; what is at ``target`` is replaced when it is whole.

    Raises:
        HTTPError: the server answers that it does not give it.
        ConfigError: this is no address.
        BoundaryError: the connection failed or broke off; calling again goes on with it, if the
            server marks versions.
    """
    part = Part(target)
    with _connected(address, part):
        reply = _ask_on(address, part)
        if reply.first == 0:
            part.begin(address, _mark(reply.headers))
        have = reply.first
        with reply.body, part.path.open("ab") as stream:
            while chunk := reply.body.read(_CHUNK):
                have += stream.write(chunk)
                tell(target.name, have, reply.whole)
    if reply.whole is not None and have != reply.whole:
        raise BoundaryError(
            f"{address}: broke off after {have:,} of {reply.whole:,} bytes; "
            f"{_advice(address, part)}"
        )
    part.finish()


def size_of(address: str) -> int | None:
    """Bytes of a file, if the server says so; its content is not read.

    Raises:
        HTTPError, ConfigError, BoundaryError: as :func:`download`.
    """
    with _connected(address):
        # Not a HEAD request: signed addresses are for GET alone.
        reply = _ask(address, {})
        reply.body.close()
        return reply.whole


def _ask_on(address: str, part: Part) -> _Reply:
    """Ask for what is missing of a part; where that cannot be, for the whole file."""
    mark, have = part.mark(address), part.size
    if mark is None:
        return _ask(address, {})
    try:
        reply = _ask(address, {"Range": f"bytes={have}-", "If-Range": mark})
    except HTTPError as error:
        with error:
            if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            # There is no more: the part may be the whole file already.
            reply = _Reply(BytesIO(), have, _span(error.headers)[1], error.headers)
            goes_on = reply.whole == have
    else:
        goes_on = reply.first == have
    if reply.first == 0 or (goes_on and _same_version(reply.headers, mark)):
        return reply
    reply.body.close()
    return _ask(address, {})


def _ask(address: str, headers: dict[str, str]) -> _Reply:
    request = Request(address, headers={"User-Agent": "armap", **headers})
    body = urlopen(request, timeout=_TIMEOUT)
    first, whole = 0, None
    if body.status == HTTPStatus.PARTIAL_CONTENT:
        first, whole = _span(body.headers)
    if whole is None and body.length is not None:
        whole = first + body.length
    return _Reply(body, first, whole, body.headers)


def _span(headers: Message) -> tuple[int, int | None]:
    """Where the body begins, -1 if that is not said, and the length of the whole file."""
    found = _SPAN.fullmatch(headers.get("Content-Range", ""))
    first, whole = found.groups() if found else (None, "*")
    return -1 if first is None else int(first), None if whole == "*" else int(whole)


def _mark(headers: Message) -> str | None:
    """By what a server knows this version of a file."""
    tag = headers.get("ETag", "")
    # A weak one (W/"...") does not promise the same bytes.
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _same_version(headers: Message, mark: str) -> bool:
    """Whether a reply to ``If-Range`` is of the version that was asked for."""
    said = headers.get("ETag" if mark.startswith('"') else "Last-Modified")
    return said is None or said == mark


@contextmanager
def _connected(address: str, part: Part | None = None) -> Iterator[None]:
    """Say in one line why a connection failed."""
    try:
        yield
    except HTTPError:
        raise
    except UnicodeError as error:
        raise ConfigError(f"{address}: is no web address: {error}") from error
    except HTTPException as error:
        kind = type(error).__name__
        raise BoundaryError(
            f"{address}: the reply broke off or is no HTTP ({kind}); {_advice(address, part)}"
        ) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise BoundaryError(f"{address}: {reason}; {_advice(address, part)}") from error


def _advice(address: str, part: Part | None) -> str:
    on = part is not None and part.mark(address) is not None
    return "run it again to go on" if on else "run it again"
