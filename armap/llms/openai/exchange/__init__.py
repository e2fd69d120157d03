"""The exchange of a request for a reply: our own for plain HTTP, aiohttp for all the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from armap.llms.openai.exchange.address import Address
from armap.llms.openai.exchange.errors import (
    CannotConnect,
    CutOff,
    Disconnected,
    ExchangeError,
    NotHTTP,
)
from armap.llms.openai.exchange.plain import PlainExchange
from armap.llms.openai.exchange.reply import Reply

if TYPE_CHECKING:
    from armap.llms.openai.limiter import Limiter

__all__ = [
    "CannotConnect",
    "CutOff",
    "Disconnected",
    "Exchange",
    "ExchangeError",
    "NotHTTP",
    "Reply",
    "open_exchange",
]

_DELICATE = frozenset({"host", "connection", "content-length", "transfer-encoding", "expect"})
"""Headers that decide how a message is read."""


class Exchange(Protocol):
    """Carries requests to one endpoint. Belongs to the event loop in which it was opened."""

    async def post(self, body: bytes, session: str = "") -> Reply:
        """Wait for a slot, send ``body``, read the whole reply; then the slot is free again.

        Args:
            body: JSON.
            session: value of the ``X-Session-ID`` header; empty for none.

        Raises:
            ExchangeError: no connection, or no reply of HTTP.
            TimeoutError: no whole reply in time.
        """
        ...

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        ...


def open_exchange(
    url: str,
    headers: dict[str, str],
    limiter: Limiter,
    *,
    timeout: float,
    proxy: str | None,
    aiohttp: bool = False,
) -> Exchange:
    """The exchange that ``url`` needs: our own for plain HTTP without a proxy, else aiohttp's.

    Args:
        url: where requests go.
        headers: of every request.
        limiter: gives the slots.
        timeout: seconds from getting a slot to the whole reply.
        proxy: address of a proxy, if there is one between.
        aiohttp: take aiohttp's in any case.
    """
    address = None if proxy or aiohttp else Address.of(url)
    if address is None or not _DELICATE.isdisjoint(name.lower() for name in headers):
        from armap.llms.openai.exchange.aio import AiohttpExchange

        return AiohttpExchange(url, headers, limiter, timeout, proxy)
    return PlainExchange(address, headers, limiter, timeout)
