"""Through aiohttp: TLS, proxies, and whatever our own exchange does not understand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp

from armap.llms.openai.exchange.errors import CannotConnect, CutOff, ExchangeError
from armap.llms.openai.exchange.reply import Reply

if TYPE_CHECKING:
    from armap.llms.openai.limiter import Limiter

__all__ = ["AiohttpExchange", "translated"]


class AiohttpExchange:
    """An :class:`~armap.llms.openai.exchange.Exchange`; belongs to one event loop.

    Args:
        url: where requests go.
        headers: of every request.
        limiter: its slots are held from sending a request until its reply is whole.
        timeout: seconds from getting a slot to the whole reply.
        proxy: address of a proxy, if there is one between.
    """

    def __init__(
        self, url: str, headers: dict[str, str], limiter: Limiter, timeout: float, proxy: str | None
    ) -> None:
        self._url = url
        self._limiter = limiter
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers=headers,
            proxy=proxy,
        )

    async def post(self, body: bytes, session: str = "") -> Reply:
        """Send a request when there is a slot for it.

        Raises:
            ExchangeError: no connection, or no reply of HTTP.
            TimeoutError: no whole reply in time.
        """
        await self._limiter.acquire()
        sent = time.perf_counter()
        headers = {"X-Session-ID": session} if session else None
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
            self._limiter.replied(response.status, sent)
            given = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, given, content)
        except TimeoutError:
            self._limiter.failed("TimedOut", sent)
            raise
        except aiohttp.ClientError as problem:
            raise translated(problem) from problem
        finally:
            self._limiter.release()

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._session.close()


def translated(problem: aiohttp.ClientError) -> ExchangeError:
    """What aiohttp says, in the words that all exchanges share."""
    said = f"{type(problem).__name__}: {problem}".rstrip(": ")
    if isinstance(problem, aiohttp.ClientPayloadError):
        return CutOff(said)
    if isinstance(problem, aiohttp.ClientConnectorError):
        proxy = isinstance(problem, aiohttp.ClientProxyConnectionError)
        return CannotConnect(problem.strerror or said, problem.errno, proxy=proxy)
    return ExchangeError(said)
