"""The client: one HTTP exchange per request, tried again where that may help."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING

from pydantic_core import to_json

from armap.batching import together
from armap.calls import current_scope
from armap.environment import proxy_for, secret
from armap.errors import ConfigError, MalformedReply, ModelError
from armap.llms.openai.exchange import ExchangeError, open_exchange
from armap.llms.openai.faults import broken, refused, seconds_to_wait
from armap.llms.openai.limiter import Limiter
from armap.llms.openai.wire import body, read
from armap.types import Completions, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.llms.openai.config import OpenAIConfig, RetryConfig
    from armap.llms.openai.exchange import Exchange, Reply
    from armap.llms.openai.limiter import CapChange
    from armap.types import Message, Sampling

__all__ = ["OpenAIModel"]

_log = logging.getLogger(__name__)
_limiters: dict[str, tuple[Limiter, int]] = {}
"""Limiters in use, and by how many models: one endpoint has one cap."""


class OpenAIModel:
    """A :class:`~armap.protocols.ChatModel` over HTTP.

    Requests go in order of arrival, so that dialogues grow side by side and a run does not end
    with a few long ones. A request holds its slot while it is on its way, not while it waits for
    another try.

    Args:
        config: the endpoint.
        told: called with every change of an adaptive cap.
    """

    def __init__(
        self, config: OpenAIConfig, *, told: Callable[[CapChange], None] = lambda _: None
    ) -> None:
        self.name = f"openai/{config.model}"
        self._config = config
        self._told = told
        self.max_n = config.max_n
        """Samples one request may ask for, as far as is known; None: any number."""
        self._open: Exchange | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limiter: Limiter | None = None
        head, sign, query = config.base_url.partition("?")
        self._url = f"{head.rstrip('/')}/chat/completions{sign}{query}"

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Ask for ``sampling.n`` choices, together if the server gives that many at once.

        Raises:
            ConfigError: key, model, address or a field is wrong for this server.
            ModelError: this request could not be answered, after all tries.
        """
        if self.max_n is not None and sampling.n > self.max_n:
            parts = sampling.parts(self.max_n)
            return _joined(await together(self.complete(messages, part) for part in parts))
        reply = await self._ask(messages, sampling)
        got = len(reply.texts)
        if got == sampling.n:
            return reply
        self._learn(got, sampling.n)
        rest = {"start": sampling.start + got, "n": sampling.n - got}
        others = await self.complete(messages, sampling.model_copy(update=rest))
        return _joined([reply, others])

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        if self._open is not None:
            await self._open.close()
            self._open = None
        if self._limiter is not None:
            self._limiter = None
            _give_back(self._url)

    async def _ask(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        data = to_json(body(self._config, messages, sampling))
        rule = self._config.retry
        until = 0.0
        retried: list[str] = []
        while True:
            try:
                reply = await self._exchange(data, sampling)
            except ModelError as error:
                until = until or time.monotonic() + rule.deadline
                wait = _wait(rule, error, len(retried), until)
                if wait is None:
                    raise self._final(error, retried) from error.__cause__
                retried.append(type(error).__name__)
                await asyncio.sleep(wait)
                continue
            return reply.model_copy(update={"retried": tuple(retried)}) if retried else reply

    def _learn(self, got: int, n: int) -> None:
        """The server gives fewer choices than it was asked for."""
        if self.max_n is None or got < self.max_n:
            self.max_n = got
            _log.warning(
                "%s gives %d choices where n=%d were asked for; asking for the others one by one "
                "(llm.max_n: %d spares the attempt)",
                self._url,
                got,
                n,
                got,
            )

    def _final(self, error: ModelError, retried: Sequence[str]) -> ModelError:
        if not retried:
            return error
        final = type(error)(f"{error} ({len(retried) + 1} tries)")
        final.retried = tuple(retried)
        return final

    async def _exchange(self, data: bytes, sampling: Sampling) -> Completions:
        """One try: wait for a slot, send, read."""
        exchange = await self._connected()
        try:
            reply = await exchange.post(data, current_scope().session)
        except (ExchangeError, OSError) as problem:
            raise broken(problem, url=self._url, timeout=self._config.timeout) from problem
        if reply.status != 200:
            raise self._refused(reply)
        try:
            return read(reply.body, sampling)
        except MalformedReply as error:
            raise MalformedReply(f"{self._url}: {error}") from error

    def _refused(self, reply: Reply) -> Exception:
        name = self._config.api_key_env
        error = refused(
            reply.status,
            reply.body,
            url=self._url,
            model=self._config.model,
            key=f"${name} is {'set, but not to a valid key' if secret(name) else 'not set'}",
        )
        if isinstance(error, ModelError):
            error.retry_after = seconds_to_wait(reply.headers)
        return error

    async def _connected(self) -> Exchange:
        """Connections belong to an event loop; a new loop gets new ones."""
        loop = asyncio.get_running_loop()
        if self._open is None or self._loop is not loop:
            old, old_loop = self._open, self._loop
            self._open, self._loop = self._opened(), loop
            if old is not None and old_loop is not None and old_loop.is_closed():
                await old.close()
        return self._open

    def _opened(self) -> Exchange:
        if self._limiter is None:
            self._limiter = _shared_limiter(self._url, self._config, self._told)
        key = secret(self._config.api_key_env)
        if not key.isprintable():
            raise ConfigError(f"${self._config.api_key_env}: the key must be one line of text")
        return open_exchange(
            self._url,
            {
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {key}"} if key else {}),
                **self._config.extra_headers,
            },
            self._limiter,
            timeout=self._config.timeout,
            proxy=proxy_for(self._url),
            aiohttp=self._config.exchange == "aiohttp",
        )


def _wait(rule: RetryConfig, error: ModelError, failed: int, until: float) -> float | None:
    """Seconds until the next try; None when there is to be none."""
    if type(error).__name__ not in rule.on or failed + 1 >= rule.tries:
        return None
    wait = min(rule.wait * 2.0 ** min(failed, 99), rule.longest) * random.uniform(0.5, 1.0)
    if error.retry_after:
        wait = error.retry_after * random.uniform(1.0, 1.1)
    return wait if time.monotonic() + wait < until else None


def _joined(replies: Sequence[Completions]) -> Completions:
    return Completions(
        texts=tuple(text for reply in replies for text in reply.texts),
        usage=sum((reply.usage for reply in replies), Usage()),
        finish=tuple(finish for reply in replies for finish in reply.finish),
        logprobs=tuple(tokens for reply in replies for tokens in reply.logprobs),
        retried=tuple(kind for reply in replies for kind in reply.retried),
    )


def _shared_limiter(url: str, config: OpenAIConfig, told: Callable[[CapChange], None]) -> Limiter:
    """The endpoint's limiter; the smallest cap asked for holds."""
    limiter, users = _limiters.get(url) or (Limiter(config.concurrency, config.adaptive, told), 0)
    limiter.lower(config.concurrency)
    _limiters[url] = (limiter, users + 1)
    return limiter


def _give_back(url: str) -> None:
    limiter, users = _limiters.pop(url)
    if users > 1:
        _limiters[url] = (limiter, users - 1)
