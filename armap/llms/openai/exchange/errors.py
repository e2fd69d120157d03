"""How an exchange fails, whichever library carries it. A timeout is a ``TimeoutError``."""

from __future__ import annotations

__all__ = ["CannotConnect", "CutOff", "Disconnected", "ExchangeError", "NotHTTP"]


class ExchangeError(Exception):
    """An exchange did not come to its end; its text says why in one line."""


class CannotConnect(ExchangeError):
    """There is no connection.

    Args:
        why: in the system's words.
        errno: the system's number for it, where it has one.
        proxy: it is the proxy that cannot be reached.
    """

    def __init__(self, why: str, errno: int | None = None, *, proxy: bool = False) -> None:
        super().__init__(why)
        self.errno = errno
        self.proxy = proxy


class Disconnected(ExchangeError):
    """The connection ended before the reply began."""


class CutOff(ExchangeError):
    """The connection ended in the middle of the reply."""


class NotHTTP(ExchangeError):
    """What came is no reply of HTTP/1.1, or one that must not be trusted."""
