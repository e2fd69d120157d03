"""Which addresses our own exchange understands, and their parts."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from armap.llms.openai.exchange.dial import Dialer

__all__ = ["Address"]

_PLAIN = re.compile(
    r"http://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?"
    r"(?P<target>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)


class Address(NamedTuple):
    """Where requests go."""

    host: str
    port: int
    target: str
    """Path and query."""

    @classmethod
    def of(cls, url: str) -> Self | None:
        """The parts of a plain address; None for one that needs more care.

        That is one with another scheme, a password, or letters beyond ASCII.

        >>> Address.of("http://localhost:8000/v1/chat/completions?api-version=7")
        Address(host='localhost', port=8000, target='/v1/chat/completions?api-version=7')
        >>> Address.of("http://me:secret@localhost/v1") is None
        True
        """
        found = _PLAIN.fullmatch(url)
        if found is None:
            return None
        return cls(found["host"].strip("[]"), int(found["port"] or 80), found["target"])

    @property
    def host_header(self) -> str:
        """The value of the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"

    def dialer(self) -> Dialer:
        """What connects to it."""
        return Dialer(self.host, self.port)
