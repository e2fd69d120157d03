"""What the stub says: a deterministic function of messages, seed and ordinal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.stub.ask import digest, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stub.ask import Ask

__all__ = ["WRITERS", "completion", "instance", "logprobs", "writer"]

_TOKEN = re.compile(r"\s*\S+|\s+")
_LETTERS = "ABCDEFGHIJKLMNOPQRST"
_DIGITS = "0123456789"


def echo(ask: Ask, ordinal: int) -> str:
    """A short text that is different for every request and ordinal."""
    return f"reply {ask.key} {ordinal}"


def letter(ask: Ask, ordinal: int) -> str:
    """A grade from A to T, for judges that read log-probabilities."""
    return _LETTERS[digest(ask.key, ordinal)[0] % len(_LETTERS)]


def game24(ask: Ask, ordinal: int) -> str:
    """A legal move of the Game of 24, or the answer; where there is no game, an echo."""
    from tests.player import opening, play  # pulls in armap, which other replies do without

    texts = [(message["role"], text_of(message.get("content"))) for message in ask.messages]
    start = next((i for i, (_, text) in enumerate(texts) if opening(text)), None)
    if start is None:
        return echo(ask, ordinal)
    said = tuple(text for role, text in texts[start:] if role == "assistant")
    return play(texts[start][1], said, int.from_bytes(digest(ask.key, ordinal), "big"))


WRITERS: dict[str, Callable[[Ask, int], str]] = {"echo": echo, "game24": game24, "letter": letter}
"""What it can say, by name."""


def writer(name: str) -> Callable[[Ask, int], str]:
    """The writer called ``name``.

    Raises:
        ValueError: there is none.
    """
    if name not in WRITERS:
        raise ValueError(f"no replies {name!r}; there are {', '.join(WRITERS)}")
    if name == "game24":
        import tests.player  # noqa: F401  (now: the first to ask should not wait for it)
    return WRITERS[name]


def completion(ask: Ask, write: Callable[[Ask, int], str], *, single: bool = False) -> bytes:
    """The body of a successful answer in the OpenAI chat format."""
    choices = [_choice(ask, write, ordinal) for ordinal in range(1 if single else ask.n)]
    drawn = sum(len(choice["message"]["content"]) // 4 + 1 for choice in choices)
    read = ask.prompt_tokens
    usage = {
        "prompt_tokens": read,
        "completion_tokens": drawn,
        "total_tokens": read + drawn,
        "prompt_tokens_details": {"cached_tokens": _cached(ask)},
    }
    answer = {
        "id": f"chatcmpl-{ask.key}",
        "object": "chat.completion",
        "created": 0,
        "model": ask.body.get("model", "stub"),
        "choices": choices,
        "usage": usage,
    }
    return json.dumps(answer).encode()


def _choice(ask: Ask, write: Callable[[Ask, int], str], ordinal: int) -> dict[str, Any]:
    body = ask.body
    form = body.get("response_format")
    text = write(ask, ordinal) if form is None else _structured(ask, form, ordinal)
    finish = "stop"
    if ask.max_tokens and len(text) > 4 * ask.max_tokens:
        text, finish = text[: 4 * ask.max_tokens], "length"
    choice: dict[str, Any] = {
        "index": ordinal,
        "message": {"role": "assistant", "content": text},
        "logprobs": None,
        "finish_reason": finish,
    }
    if body.get("logprobs"):
        choice["logprobs"] = logprobs(text, body.get("top_logprobs") or 0, f"{ask.key}{ordinal}")
    return choice


def _cached(ask: Ask) -> int:
    """Tokens of all messages but the last: what a server with a prefix cache has read before
    when a dialogue grows turn by turn. A function of the request, unlike a real cache's."""
    return ask.prompt.rfind("\x1e") // 4 if len(ask.messages) > 1 else 0


def _structured(ask: Ask, form: dict[str, Any], ordinal: int) -> str:
    if form.get("type") == "text":
        return echo(ask, ordinal)
    described = form.get("json_schema") or {}
    schema = described.get("schema") or {"type": "object", "properties": {"reply": {}}}
    return json.dumps(instance(schema, f"{ask.key}{ordinal}"))


def instance(schema: dict[str, Any], key: str) -> Any:
    """A value that a JSON schema allows: of type, enum, const, anyOf, properties, items, bounds.

    >>> instance({"type": "object", "properties": {"ok": {"enum": ["yes"]}}}, "")
    {'ok': 'yes'}
    """
    if "const" in schema:
        return schema["const"]
    options = schema.get("enum")
    if options:
        return options[digest(key)[0] % len(options)]
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return instance(schema[union][0], key)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, key)


def _of_type(kind: str, schema: dict[str, Any], key: str) -> Any:
    drawn = digest(key)
    low = schema.get("minimum", 0)
    span = schema.get("maximum", low + 10) - low
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: instance(inner, f"{key}/{name}") for name, inner in properties.items()}
    if kind == "array":
        inner = schema.get("items", {})
        return [instance(inner, f"{key}/{i}") for i in range(schema.get("minItems", 1))]
    plain = {
        "integer": low + drawn[0] % (span + 1),
        "number": low + span * drawn[0] / 255,
        "boolean": drawn[0] % 2 == 0,
        "null": None,
    }
    return plain.get(kind, drawn.hex())


def logprobs(text: str, top: int, key: str) -> dict[str, Any]:
    """Log-probabilities of ``text`` in the OpenAI chat format, ``top`` alternatives a token.

    The token drawn is the likeliest; the alternatives share what it leaves, halving each time.
    """
    from math import log

    content = []
    for place, token in enumerate(_TOKEN.findall(text)):
        share = 0.4 + 0.5 * digest(key, place)[0] / 255
        likely = [(token, log(share))]
        likely += [(_other(token, r), log((1 - share) / 2**r)) for r in range(1, top)]
        entries = [_entry(*pair) for pair in likely]
        content.append({**entries[0], "top_logprobs": entries[:top]})
    return {"content": content, "refusal": None}


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _other(token: str, rank: int) -> str:
    """The alternative to ``token`` at ``rank``: for one letter or digit, a neighbour of it."""
    for row in (_LETTERS, _DIGITS):
        if len(token) == 1 and token in row and rank < len(row):
            return row[(row.index(token) + rank) % len(row)]
    return f"{token}~{rank}"
