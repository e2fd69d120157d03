"""The wire between Python and the simulator's JVM: py4j's server, and the little of it we need.

py4j's own Python client tells the JVM, out of finalizers, of every object that Python forgets,
on sockets that a forked child shares with its parent, and it fetches a list line by line. This
client keeps one socket, says nothing on its own, and fetches a list as one string.
"""

from __future__ import annotations

import base64
import socket
import weakref
from contextlib import suppress
from typing import NamedTuple

from armap.errors import EnvError

__all__ = ["Bridge", "Reference", "Value"]


class Reference(NamedTuple):
    """An object that lives in the JVM."""

    handle: str


Value = str | int | float | bool | bytes | None | Reference


class Bridge:
    """One connection to one JVM. Not thread-safe; threads may take turns.

    ``abandon`` alone may come from another thread at any time, and never waits.

    Args:
        port: of the gateway on this machine.
        token: shared secret that the gateway asks for.
        timeout: seconds that one answer may take.

    Raises:
        EnvError: nobody answers there, or not to us.
    """

    def __init__(self, port: int, token: str, *, timeout: float) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        except OSError as error:
            raise EnvError(f"no connection to the simulator on port {port}: {error}") from error
        # One request, one reply, each in one packet: with Nagle's delay a step took 40 ms more.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.abandon = weakref.finalize(self, _close, self._socket)
        """Let go of the socket without a word to the JVM: after a fork it is another's too."""
        self._timeout = timeout
        try:
            self._ask(_GREET, token)
        except EnvError:
            self.abandon()
            raise

    def create(self, name: str, *arguments: Value) -> Reference:
        """A new object of the class ``name``."""
        return _reference(self._ask("i", name, *map(_argument, arguments), "e"), name)

    def member(self, name: str, field: str) -> Reference:
        """The object in the static field of a class, e.g. a Scala singleton's ``MODULE$``."""
        return _reference(self._ask("r", "m", name, field, "e"), f"{name}.{field}")

    def call(self, target: Reference | str, method: str, *arguments: Value) -> Value:
        """Call a method of an object, or a static one of the class that is named.

        Raises:
            EnvError: the method failed in the JVM, or the JVM is gone or hangs.
        """
        handle = target.handle if isinstance(target, Reference) else f"z:{target}"
        return self._ask("c", handle, method, *map(_argument, arguments), "e")

    def borrow(self, target: Reference, method: str) -> Reference:
        """Call a method that answers with an object."""
        return _reference(self.call(target, method), method)

    def strings(self, target: Reference, method: str) -> tuple[str, ...]:
        """Call a method that answers with a Java list of lines; fetch them all at once."""
        lines = self.borrow(target, method)
        joined = self.call("java.lang.String", "join", "\n", lines)
        self.forget(lines)
        return tuple(joined.split("\n")) if isinstance(joined, str) and joined else ()

    def forget(self, *objects: Reference) -> None:
        """Let the JVM collect objects that were borrowed."""
        for item in objects:
            self._ask("m", "d", item.handle, "e")

    def _ask(self, *lines: str) -> Value:
        request = ("\n".join(lines) + "\n").encode("utf-8", errors="replace")
        try:
            self._socket.sendall(request)
            reply = self._line()
        except TimeoutError as error:
            raise EnvError(f"the simulator gave no answer for {self._timeout:g} s") from error
        except OSError as error:  # also when our end is closed
            raise EnvError(f"the connection to the simulator broke: {error}") from error
        if not reply.endswith(b"\n"):
            raise EnvError("the simulator closed the connection")
        text = reply.decode("utf-8").rstrip("\n")
        if not text.startswith("!y"):
            why = unescape(text[3:]).splitlines() or ["no reason given"]
            what = "the greeting" if lines[0] == _GREET else " ".join(lines[1:3])
            raise EnvError(f"{what} failed in the simulator: {why[0]}")
        return _value(text[2:3], text[3:])

    def _line(self) -> bytes:
        """The next line that arrives; without its end where the connection ended before it.

        Not by ``makefile``: a thread that reads there holds a lock, which closing waits for.
        """
        parts = [self._rest]
        while b"\n" not in parts[-1] and (part := self._socket.recv(_CHUNK)):
            parts.append(part)
        line, end, self._rest = b"".join(parts).partition(b"\n")
        return line + end


_GREET = "A"
_CHUNK = 1 << 16


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.close()


def _argument(value: Value) -> str:
    match value:
        case bool():
            return f"b{value}"
        case int():
            return f"i{value}" if abs(value) < 2**31 else f"L{value}"
        case str():
            return f"s{escape(value)}"
        case Reference():
            return f"r{value.handle}"
        case _:
            raise TypeError(f"{value!r} cannot be sent")


def _value(kind: str, text: str) -> Value:
    """Read a value by the letter of its type."""
    match kind:
        case "s":
            return unescape(text)
        case "i" | "L":
            return int(text)
        case "d":
            return float(text)
        case "b":
            return text == "true"
        case _:
            return _object(kind, text)


def _object(kind: str, text: str) -> bytes | Reference | None:
    match kind:
        case "r" | "l" | "t":
            return Reference(text)
        case "j":
            return base64.b64decode(text)
        case "v" | "n" | "":
            return None
        case _:
            raise EnvError(f"the simulator answered with a value of unknown type {kind!r}")


def _reference(value: Value, what: str) -> Reference:
    if not isinstance(value, Reference):
        raise EnvError(f"the simulator answered {value!r:.80} where {what} should be an object")
    return value


def escape(text: str) -> str:
    r"""As one line: ``\n`` for a line end, ``\\`` for a backslash."""
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def unescape(text: str) -> str:
    r"""The opposite of :func:`escape`.

    >>> unescape(escape("a\\n\nb")) == "a\\n\nb"
    True
    """
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\r", "\r").replace("\\n", "\n") for part in parts)
