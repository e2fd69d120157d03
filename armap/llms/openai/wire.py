"""The chat-completions wire format: requests out, replies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import from_json

from armap.errors import ConfigError, MalformedReply
from armap.llms.turns import turn
from armap.seeding import derive
from armap.types import Completions, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.llms.openai.config import OpenAIConfig
    from armap.types import Message, Sampling

__all__ = ["body", "read"]


def body(config: OpenAIConfig, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
    """The request; the samples of a row that begin later than the first have another seed."""
    start = sampling.start
    fields: dict[str, Any] = {
        "model": config.model,
        "messages": [turn(message) for message in messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        config.max_tokens_field: sampling.max_tokens,
        "seed": (derive(sampling.seed, start) if start else sampling.seed) % 2**31,
    }
    if sampling.n > 1:
        fields["n"] = sampling.n
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    if sampling.logprobs is not None:
        fields["logprobs"] = True
        fields["top_logprobs"] = sampling.logprobs
    if sampling.json_schema is not None:
        schema = {"name": "reply", "schema": sampling.json_schema, "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    for field in config.omit:
        fields.pop(field, None)
    return fields | config.extra_body


def read(data: bytes, sampling: Sampling) -> Completions:
    """The reply, with as many choices as the server sent, up to ``sampling.n``.

    Raises:
        MalformedReply: not JSON, or not a chat completion, or no JSON where that was asked for.
        ConfigError: log-probabilities were asked for and there are none.
    """
    try:
        reply = from_json(data)
    except ValueError as error:
        raise MalformedReply(f"the reply is not JSON: {error}: {_start(data)}") from error
    try:
        choices = reply["choices"][: sampling.n]
        if len(choices) > 1:
            choices.sort(key=lambda choice: choice.get("index", 0))
        completions = Completions(
            texts=tuple([choice["message"]["content"] or "" for choice in choices]),
            usage=_usage(reply.get("usage") or {}),
            finish=tuple([choice.get("finish_reason") or "" for choice in choices]),
            logprobs=() if sampling.logprobs is None else tuple(map(_logprobs, choices)),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise MalformedReply(f"not a chat completion ({_why(error)}): {_start(data)}") from error
    if not completions.texts:
        raise MalformedReply(f"a reply without choices: {_start(data)}")
    if sampling.json_schema is not None:
        _check_json(completions)
    return completions


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return repr(error)
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _start(data: bytes) -> str:
    return " ".join(data[:160].decode(errors="replace").split())


def _usage(spent: dict[str, Any]) -> Usage:
    details = spent.get("prompt_tokens_details") or {}
    return Usage(
        calls=1,
        prompt_tokens=spent.get("prompt_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
        completion_tokens=spent.get("completion_tokens") or 0,
    )


def _logprobs(choice: dict[str, Any]) -> tuple[TokenLogprob, ...]:
    given = choice.get("logprobs")
    if given is None:
        raise ConfigError(
            "log-probabilities were asked for and the server sends none; use a server that "
            "has them (OpenAI, vLLM, SGLang, llama.cpp)"
        )
    return tuple(
        TokenLogprob(
            token=token["token"],
            logprob=token["logprob"],
            top=tuple((top["token"], top["logprob"]) for top in token.get("top_logprobs") or ()),
        )
        for token in given["content"] or ()
    )


def _check_json(completions: Completions) -> None:
    for text, finish in zip(completions.texts, completions.finish, strict=True):
        if finish == "length":
            continue
        try:
            from_json(text)
        except ValueError as error:
            raise MalformedReply(
                "JSON of a schema was asked for and the reply is none; does the server support "
                f"response_format json_schema? It wrote {text[:80]!r}"
            ) from error
