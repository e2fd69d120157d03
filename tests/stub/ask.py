"""What a request asks for: read once, then passed around."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

__all__ = ["Ask", "digest", "read_ask", "text_of"]


def digest(*parts: object) -> bytes:
    """Eight bytes that depend on nothing but the parts: equal in every process."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()


def text_of(content: object) -> str:
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return "" if content is None else str(content)


@dataclass(slots=True)
class Ask:
    """A chat completion that is asked for."""

    body: dict[str, Any]
    prompt: str
    """Roles and contents of all messages, one after the other."""
    identity: str
    """Hash of messages, seed and ``n``: requests that share it are the same request."""
    key: str
    """Hash that the replies are made of: of messages and seed. A request without a seed draws
    anew whenever it is sent."""
    n: int
    attempt: int = 0
    """How many requests of this identity came before."""
    answer: bytes = b""
    """The body of the true answer, once it is written."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.body["messages"]  # type: ignore[no-any-return]  # read_ask looked at it

    @property
    def max_tokens(self) -> int:
        """Longest reply it allows; 0 when it does not say."""
        return int(self.body.get("max_completion_tokens") or self.body.get("max_tokens") or 0)

    @property
    def prompt_tokens(self) -> int:
        """A token is four characters, here."""
        return len(self.prompt) // 4


def read_ask(body: Any, seen: dict[str, int]) -> Ask:
    """Read a request's body and count it in ``seen``, the attempts by identity.

    Raises:
        ValueError: it is no request for a chat completion.
    """
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        raise ValueError("messages is missing")
    try:
        prompt = "\x1e".join(f"{m['role']}\x1f{m.get('content')}" for m in body["messages"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"malformed message: {error}") from error
    seed, n = body.get("seed"), int(body.get("n") or 1)
    key = digest(prompt, seed).hex()
    identity = f"{key}/{n}"
    attempt = seen.get(identity, 0)
    seen[identity] = attempt + 1
    if seed is None:
        key = digest(key, attempt).hex()
    return Ask(body, prompt, identity, key, n, attempt)
