"""What goes to a chat model and what comes back."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue

from armap.types.record import Record

__all__ = ["Completions", "Message", "Sampling", "TokenLogprob", "Usage"]


class Message(Record):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()
    """Paths of image files, ``data:`` URLs, an environment's references; they precede the text."""


class Usage(Record):
    """What LLM calls cost: requests, tokens as the backend counts them, and dollars.

    >>> Usage(calls=1, prompt_tokens=10) + Usage(calls=1, completion_tokens=2)
    Usage(calls=2, prompt_tokens=10, cached_tokens=0, completion_tokens=2, dollars=0.0)
    """

    calls: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    """Those of the prompt tokens that the server had read before (its prefix cache)."""
    completion_tokens: int = Field(default=0, ge=0)
    dollars: float = Field(default=0.0, ge=0.0)
    """By the prices of the configuration; 0 where it names none."""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cached_share(self) -> float:
        """Share of the prompt tokens that were in the server's prefix cache, in [0, 1]."""
        read = max(self.prompt_tokens, self.cached_tokens)
        return self.cached_tokens / read if read else 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            dollars=self.dollars + other.dollars,
        )


class Sampling(Record):
    """How a chat model should sample.

    Messages and these fields define an endless row of samples, of which one request takes
    ``start`` to ``start + n - 1``. With a deterministic model a sample depends on its place in
    that row only: never on what else is in flight, nor on how many are drawn together.
    """

    temperature: float = Field(default=0.0, ge=0.0)
    """0 means greedy decoding."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=64, gt=0)
    stop: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)
    n: int = Field(default=1, ge=1)
    """How many replies to draw in this one request."""
    start: int = Field(default=0, ge=0)
    """Ordinal of the first of them."""
    logprobs: int | None = Field(default=None, ge=0, le=20)
    """Return log-probabilities of the tokens drawn, with so many alternatives each."""
    json_schema: dict[str, JsonValue] | None = None
    """Constrain the reply to JSON of this schema, where the backend can."""

    @property
    def ordinals(self) -> range:
        """The places of the samples in their row.

        >>> Sampling(start=2, n=3).ordinals
        range(2, 5)
        """
        return range(self.start, self.start + self.n)

    def parts(self, most: int) -> list[Self]:
        """The same samples in requests for at most ``most`` each.

        >>> [part.ordinals for part in Sampling(start=2, n=3).parts(2)]
        [range(2, 4), range(4, 5)]
        """
        if self.n <= most:
            return [self]
        return [
            self.model_copy(update={"start": at, "n": min(most, self.ordinals.stop - at)})
            for at in self.ordinals[::most]
        ]


class TokenLogprob(Record):
    """One token of a reply."""

    token: str
    logprob: float
    """Natural logarithm of its probability, before temperature."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place with their log-probabilities, best first."""


class Completions(Record):
    """The replies to one request: ``[sampling.n]`` texts and what they cost together."""

    texts: tuple[str, ...]
    usage: Usage
    finish: tuple[str, ...] = ()
    """Why each reply ended, in the backend's words: ``stop``, ``length``; empty if unknown."""
    logprobs: tuple[tuple[TokenLogprob, ...], ...] = ()
    """``[n][L]`` when ``sampling.logprobs`` asked for them, else empty."""
    retried: tuple[str, ...] = Field(default=(), exclude=True)
    """Kinds of the failed tries before this reply; for the journal, which keeps them apart."""
