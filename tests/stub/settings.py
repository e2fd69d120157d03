"""What a stub server is told: how slow, what it says, where it fails, what it does not know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["REFUSABLE", "Fault", "Settings"]

REFUSABLE = ("n", "logprobs", "json_schema", "max_tokens", "temperature", "seed", "images")
"""Parts of a request that a server can be told not to know."""


class Fault(StrEnum):
    """A way in which an answer goes wrong."""

    RATE_LIMIT = "429"
    """Status 429 with ``Retry-After``."""
    ERROR = "500"
    """Status 500."""
    RESET = "reset"
    """The connection is reset instead of an answer."""
    TIMEOUT = "timeout"
    """No answer within ``Settings.hang`` seconds; after those, the true one."""
    MALFORMED = "malformed"
    """Status 200 and half of a JSON text, whole as HTTP goes."""
    TRUNCATED = "truncated"
    """Status 200 and a body that ends, with the connection, before its announced length."""
    DRIP = "drip"
    """The true answer, in small pieces with pauses."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a stub server does beyond answering. Times are in seconds."""

    latency: float = 0.0
    """From the last byte of a request to the first of its answer."""
    jitter: float = 0.0
    """At most so much more, uniformly, by the request and its attempt."""
    replies: str = "echo"
    """A name in :data:`tests.stub.replies.WRITERS`."""
    seed: int = 0
    """Decides which attempts meet a fault, and how much jitter."""

    faults: float = 0.0
    """Share of attempts that meet a fault."""
    kinds: tuple[Fault, ...] = tuple(Fault)
    """The faults to mix, equally often."""
    poison: str = ""
    """A prompt that contains this text always gets status 500; empty for none."""
    retry_after: float = 0.1
    """What a status 429 says in ``Retry-After``."""
    hang: float = 3600.0
    """How long :attr:`Fault.TIMEOUT` keeps silent."""
    drip: float = 0.02
    """Pause between the pieces of :attr:`Fault.DRIP`."""
    pieces: int = 8
    """How many pieces that are."""

    single: bool = False
    """Ignore ``n`` and return one choice, as some servers do."""
    refused: frozenset[str] = frozenset()
    """Members of :data:`REFUSABLE` that get status 400."""
    api_key: str = ""
    """Every other key gets status 401; empty to let everyone in."""
    model: str = ""
    """Every other model gets status 404; empty to play any."""
    context: int = 0
    """Tokens that prompt and reply may have together; 0 for no limit."""
    concurrent: int = 0
    """Requests in flight above which the next gets status 429; 0 for no limit."""

    def __post_init__(self) -> None:
        if unknown := self.refused - set(REFUSABLE):
            raise ValueError(f"cannot refuse {sorted(unknown)}; there are {', '.join(REFUSABLE)}")
