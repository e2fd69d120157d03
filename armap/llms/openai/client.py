"""Any endpoint that speaks the OpenAI chat-completions wire format, through aiohttp."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, JsonValue

from armap.environment import secret
from armap.errors import ModelError
from armap.types import Completions, Record, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

    from armap.types import Message, Sampling

__all__ = ["OpenAIConfig", "OpenAIModel"]

_RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})


class OpenAIConfig(Record):
    """An OpenAI-compatible endpoint: OpenAI, vLLM, SGLang, llama.cpp, Ollama, a proxy."""

    kind: Literal["openai"] = "openai"
    base_url: str = "http://localhost:8000/v1"
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; it may be unset for local servers."""
    concurrency: int = Field(default=32, gt=0)
    """Requests in flight at most, over all tasks."""
    timeout: float = Field(default=120.0, gt=0.0)
    """Seconds one request may take."""
    retries: int = Field(default=4, ge=0)
    """Further tries after a connection error or status 408, 409, 429 or 5xx."""
    backoff: float = Field(default=0.5, ge=0.0)
    """Seconds before the first further try; doubles each time, ``Retry-After`` goes first."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields added to every request, for a server's own parameters."""


class _Again(Exception):  # noqa: N818  (a signal, not an error)
    """The request may succeed when it is sent again."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class OpenAIModel:
    """A :class:`~armap.protocols.ChatModel` over HTTP."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self.name = f"openai/{config.model}"
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(config.concurrency)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Send one request; ``sampling.n`` choices come back together."""
        body = {
            "model": self._config.model,
            "messages": [message.model_dump(exclude={"images"}) for message in messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed % 2**31,
            "n": sampling.n,
            **({"stop": list(sampling.stop)} if sampling.stop else {}),
            **self._config.extra_body,
        }
        async with self._slots:
            reply = await self._with_retries(body)
        return self._read(reply, sampling.n)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _with_retries(self, body: dict[str, Any]) -> Any:
        wait = self._config.backoff
        for attempt in range(self._config.retries + 1):
            try:
                return await self._post(body)
            except _Again as reason:
                if attempt == self._config.retries:
                    raise ModelError(
                        f"{self._config.base_url}: {reason} ({attempt + 1} tries); "
                        "is llm.base_url right and the server up?"
                    ) from reason
                await asyncio.sleep(wait if reason.after is None else reason.after)
                wait *= 2
        raise AssertionError("unreachable: the last try returns or raises")

    async def _post(self, body: dict[str, Any]) -> Any:
        import aiohttp

        url = f"{self._config.base_url.rstrip('/')}/chat/completions"
        try:
            async with self._connected().post(url, json=body) as response:
                if response.status in _RETRIED:
                    raise _Again(f"status {response.status}", _seconds(response))
                if response.status != 200:
                    text = (await response.text())[:200].replace("\n", " ")
                    raise ModelError(f"{url}: status {response.status}: {text}")
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Again(str(error) or type(error).__name__) from error
        except ValueError as error:
            raise _Again(f"the reply is not JSON: {error}") from error

    def _connected(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            key = secret(self._config.api_key_env)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self._config.timeout),
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
        return self._session

    def _read(self, reply: Any, n: int) -> Completions:
        try:
            texts = tuple(choice["message"]["content"] or "" for choice in reply["choices"])
            spent = reply.get("usage") or {}
            usage = Usage(
                calls=1,
                prompt_tokens=spent.get("prompt_tokens", 0),
                completion_tokens=spent.get("completion_tokens", 0),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{self.name}: malformed reply: {str(reply)[:200]}") from error
        if len(texts) != n:
            raise ModelError(f"{self.name}: asked for {n} choices, got {len(texts)}")
        return Completions(texts=texts, usage=usage)


def _seconds(response: aiohttp.ClientResponse) -> float | None:
    """``Retry-After`` in seconds, when the server gave it as a number."""
    try:
        return min(float(response.headers.get("Retry-After", "")), 60.0)
    except ValueError:
        return None
