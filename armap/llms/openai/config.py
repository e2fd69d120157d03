"""Settings of an endpoint."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, field_validator

from armap.calls import Prices
from armap.types import Record

__all__ = ["AdaptiveConfig", "OpenAIConfig", "RetryConfig"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
Fault = Literal["RateLimited", "ServerFailed", "ConnectionFailed", "TimedOut", "MalformedReply"]


class RetryConfig(Record):
    """When a failed try is followed by another one."""

    tries: int = Field(default=6, gt=0)
    """Tries of one call at most, the first included."""
    on: tuple[Fault, ...] = (
        "RateLimited",
        "ServerFailed",
        "ConnectionFailed",
        "TimedOut",
        "MalformedReply",
    )
    """What may pass: status 429; 5xx, 408, 409, 425; no or a broken connection; no reply within
    ``timeout``; a reply that is cut off or no JSON."""
    wait: float = Field(default=0.5, ge=0.0)
    """Seconds before the second try; doubles each time, less up to half of it by chance, so that
    calls that failed together do not come back together. The server's ``Retry-After`` goes
    first, unless it says at once."""
    longest: float = Field(default=30.0, gt=0.0)
    """Seconds between two tries at most, unless the server asks for more."""
    deadline: float = Field(default=600.0, gt=0.0)
    """Seconds after its first failure at which a call is not tried again; a queue before the
    first try does not count."""


class AdaptiveConfig(Record):
    """Find the cap that the endpoint bears: additive increase, multiplicative decrease."""

    start: int = Field(default=8, gt=0)
    """Requests in flight at first; doubles every round trip until something says stop."""
    least: int = Field(default=1, gt=0)
    decrease: float = Field(default=0.7, gt=0.0, lt=1.0)
    """Factor on the cap after status 429, a timeout, or slow replies; what was sent before a cut
    causes no further one."""
    slow: float = Field(default=4.0, gt=1.0)
    """Replies are slow when their smoothed latency is so many times the best seen."""


class OpenAIConfig(Record):
    """An OpenAI-compatible endpoint: OpenAI, vLLM, SGLang, llama.cpp, Ollama, a LiteLLM proxy."""

    kind: Literal["openai"] = "openai"
    base_url: str = "http://localhost:8000/v1"
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; it may be unset for local servers."""
    concurrency: int = Field(default=32, gt=0)
    """Requests in flight at most: over all tasks and trees, and over all models of this process
    at the same ``base_url``."""
    adaptive: AdaptiveConfig | None = None
    """Stay below ``concurrency`` as the endpoint's answers suggest; None: use all of it."""
    timeout: float = Field(default=120.0, gt=0.0)
    """Seconds one try may take."""
    retry: RetryConfig = RetryConfig()
    prices: Prices | None = None
    """Dollars per million tokens; for the ledger and for budgets in dollars."""
    max_n: int | None = Field(default=None, gt=0)
    """Samples one request may ask for; 1 for servers without ``n``. None: all at once."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the cap on a reply; OpenAI's reasoning models take the latter."""
    omit: tuple[Literal["temperature", "top_p", "seed", "stop"], ...] = ()
    """Fields that the endpoint does not accept."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields added to every request, for a server's own parameters."""
    extra_headers: dict[str, str] = Field(default_factory=dict)
    """Headers added to every request; no secrets, they are stored with the run."""
    exchange: Literal["auto", "aiohttp"] = "auto"
    """Who speaks HTTP. ``auto``: our own exchange for http:// without a proxy, which costs a third
    of aiohttp's time; aiohttp for everything else. ``aiohttp``: always aiohttp."""

    @field_validator("extra_headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _NAME.fullmatch(name) or not text.isprintable():
                raise ValueError(f"{name!r}: {text!r} is no header; write NAME: one line of text")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://, e.g. http://localhost:8000/v1")
        parts = urlsplit(value)
        if not parts.hostname or parts.port == 0:  # reading the port checks it
            raise ValueError("must name a host, e.g. http://localhost:8000/v1")
        return value
