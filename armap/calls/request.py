"""What makes two requests the same."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from armap.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.types import Message, Sampling

__all__ = ["DIGEST", "Request"]

DIGEST = 16
"""Bytes of a digest."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:")
"""Two letters at least: ``c:`` is a drive."""


class Request(NamedTuple):
    """A request under its digest."""

    key: bytes
    """Of the model's name, the messages and the sampling, ``n`` and ``start`` left out."""
    turns: tuple[bytes, ...]
    """Digests of the messages."""

    @classmethod
    def of(cls, model: str, messages: Sequence[Message], sampling: Sampling) -> Request:
        """Digest a request; image files count by their content, not by their name.

        What begins like a URL (``data:``, an environment's own reference) is its content.

        Raises:
            ConfigError: an image cannot be read.
            ModelError: a message is no text that UTF-8 could hold.
        """
        try:
            turns = tuple([_digest(message) for message in messages])
        except UnicodeEncodeError as error:
            raise ModelError(f"a message cannot be sent: {error}") from error
        whole = f"{model}\0{_settings(sampling)}".encode() + b"".join(turns)
        return cls(blake2b(whole, digest_size=DIGEST).digest(), turns)


def _settings(s: Sampling) -> str:
    """All of a sampling but ``n`` and ``start``; pinned by a test, since journals rely on it."""
    schema = json.dumps(s.json_schema, sort_keys=True) if s.json_schema is not None else ""
    return f"{s.temperature}|{s.top_p}|{s.max_tokens}|{s.stop}|{s.seed}|{s.logprobs}|{schema}"


def _digest(message: Message) -> bytes:
    if not message.images:
        return _of_text(message.role, message.content)
    text = f"{message.role}\0{message.content}".encode()
    parts = b"".join(blake2b(part).digest() for part in (text, *map(_picture, message.images)))
    return blake2b(parts, digest_size=DIGEST, person=b"images").digest()


@lru_cache(maxsize=4096)  # a dialogue grows: all but its end has been digested before
def _of_text(role: str, content: str) -> bytes:
    return blake2b(f"{role}\0{content}".encode(), digest_size=DIGEST).digest()


def _picture(image: str) -> bytes:
    if _SCHEME.match(image):
        return image.encode()
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise ConfigError(f"image {image!r} cannot be read: {error.strerror}") from error
