"""What real servers refuse, in their words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.stub.ask import Ask
    from tests.stub.settings import Settings

__all__ = ["Refusal", "error_body", "forbidden", "refusal"]


class Refusal(NamedTuple):
    """An answer that is an error."""

    status: int
    body: bytes


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """An error as OpenAI writes it."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json.dumps({"error": error}).encode()


def forbidden(settings: Settings, head: bytes) -> Refusal | None:
    """The refusal of a request that does not carry the key; None when it may pass."""
    if not settings.api_key or f"Bearer {settings.api_key}\r\n".encode() in head:
        return None
    message = "Incorrect API key provided. You can find your API key in the stub's command line."
    return Refusal(401, error_body(message, "invalid_request_error", code="invalid_api_key"))


def refusal(settings: Settings, ask: Ask) -> Refusal | None:
    """The refusal of what this server does not have or know; None when it can answer."""
    return _unknown_model(settings, ask) or _unknown_part(settings, ask) or _too_long(settings, ask)


def _unknown_model(settings: Settings, ask: Ask) -> Refusal | None:
    model = ask.body.get("model")
    if not settings.model or model == settings.model:
        return None
    message = f"The model `{model}` does not exist or you do not have access to it."
    return Refusal(404, error_body(message, "invalid_request_error", "model", "model_not_found"))


def _unknown_part(settings: Settings, ask: Ask) -> Refusal | None:
    for part in sorted(settings.refused):
        if not _asks_for(part, ask):
            continue
        param = {"json_schema": "response_format", "images": "messages"}.get(part, part)
        value = part in ("n", "temperature", "images", "json_schema")
        code = "unsupported_value" if value else "unsupported_parameter"
        message = f"Unsupported {'value' if value else 'parameter'}: {param!r} " + (
            "is not supported with this model. Use 'max_completion_tokens' instead."
            if part == "max_tokens"
            else f"does not support {'more than its default' if value else 'being set'} here."
        )
        return Refusal(400, error_body(message, "invalid_request_error", param, code))
    return None


def _asks_for(part: str, ask: Ask) -> bool:
    """Whether a request uses a part of the protocol in more than its default."""
    body = ask.body
    more: dict[str, bool] = {
        "n": ask.n > 1,
        "temperature": body.get("temperature", 1) != 1,
        "logprobs": bool(body.get("logprobs")) or "top_logprobs" in body,
        "json_schema": (body.get("response_format") or {}).get("type") == "json_schema",
        "images": "'type': 'image_url'" in ask.prompt,
    }
    return more.get(part, part in body)


def _too_long(settings: Settings, ask: Ask) -> Refusal | None:
    if not settings.context or ask.prompt_tokens + ask.max_tokens <= settings.context:
        return None
    message = (
        f"This model's maximum context length is {settings.context} tokens. However, you requested "
        f"{ask.prompt_tokens + ask.max_tokens} tokens ({ask.prompt_tokens} in the messages, "
        f"{ask.max_tokens} in the completion). Please reduce the length of the messages or "
        "completion."
    )
    code = "context_length_exceeded"
    return Refusal(400, error_body(message, "invalid_request_error", "messages", code))
