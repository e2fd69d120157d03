"""What went wrong at an endpoint, as a typed error with a way to mend it.

Three sorts. What may pass (a busy server, a broken connection) is tried again. What is wrong
with one request (too long) fails that request. What is wrong with all of them (the key, the
model's name, a field that the server does not know) is the configuration's fault and ends the
run at once.
"""

from __future__ import annotations

import errno
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from armap.errors import (
    ConfigError,
    ConnectionFailed,
    ContextTooLong,
    MalformedReply,
    ModelError,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TimedOut,
)
from armap.llms.openai.exchange import CannotConnect, CutOff, ExchangeError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["broken", "refused", "seconds_to_wait"]

_PASSING = {408: TimedOut, 409: ServerFailed, 425: ServerFailed, 429: RateLimited}
_CONTEXT = re.compile(
    r"context.{0,3}(length|window|size)|maximum.{0,20}(context|tokens)|too many tokens"
    r"|prompt is too long|exceeds? .{0,40}context|n_ctx|max_model_len",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"\b(invalid|unknown) model\b|not a valid model|model.{0,80}(does not exist|not found)",
    re.IGNORECASE,
)
_FIELDS = {
    "max_tokens": "set llm.max_tokens_field: max_completion_tokens",
    "max_completion_tokens": "set llm.max_tokens_field: max_tokens",
    "logprobs": "this model or server gives no log-probabilities; use another one for this",
    "top_logprobs": "this model or server gives no log-probabilities; use another one for this",
    "response_format": "it cannot hold replies to a JSON schema; use a server that can",
    "json_schema": "it cannot hold replies to a JSON schema; use a server that can",
    "image": "this model takes no images; use one that does",
    "image_url": "this model takes no images; use one that does",
    "temperature": "set llm.omit: [temperature]",
    "top_p": "set llm.omit: [top_p]",
    "seed": "set llm.omit: [seed]",
    "stop": "set llm.omit: [stop]",
    "n": "set llm.max_n: 1",
}
"""What to do when the server refuses a field; the order decides where several are named."""


def refused(
    status: int, data: bytes, *, url: str, model: str, key: str
) -> ModelError | ConfigError:
    """The error for a reply other than 200.

    Args:
        status: HTTP status.
        data: the body.
        url: where the request went.
        model: the model asked for.
        key: the name of the variable with the key, and whether it is set, in words.
    """
    said = _said(data)
    what = f"{url}: status {status}: {said['message']}"
    if (status in _PASSING or status >= 500) and said["code"] != "insufficient_quota":
        return _PASSING.get(status, ServerFailed)(what)
    if _too_long(status, said):
        return ContextTooLong(
            f"{what}; lower policy.max_tokens or limits.max_steps, or use a model with more context"
        )
    mistake = _mistake(status, said, model, key)
    return RequestRefused(what) if mistake is None else ConfigError(f"{what}; {mistake}")


def _too_long(status: int, said: dict[str, str]) -> bool:
    if status == 413 or said["code"] == "context_length_exceeded":
        return True
    return status in (400, 422) and _CONTEXT.search(said["message"]) is not None


def _mistake(status: int, said: dict[str, str], model: str, key: str) -> str | None:
    """What is wrong with every request, in the configuration; None if it is this one only."""
    if status == 402 or said["code"] == "insufficient_quota":
        return "the account has no credit left"
    if status in (401, 403):
        return f"the key is refused: {key}"
    words = re.sub(r"\S*/\S*", "", said["message"])  # an address may hold the word, too
    if (status == 404 and "model" in words.lower()) or _MODEL.search(said["message"]):
        return f"there is no model {model!r}: is llm.model right?"
    if status in (404, 405) or status < 400:
        return "nothing answers there: llm.base_url usually ends in /v1"
    return _refused_field(said)


def _refused_field(said: dict[str, str]) -> str | None:
    words = (
        {said["param"]} if said["param"] in _FIELDS else set(re.findall(r"\w+", said["message"]))
    )
    named = next((field for field in _FIELDS if field in words), None)
    return None if named is None else f"the server refuses {named!r}: {_FIELDS[named]}"


def _said(data: bytes) -> dict[str, str]:
    """Message, code and param of an error body, in whichever of the usual shapes it comes."""
    try:
        reply: Any = from_json(data)
    except ValueError:
        reply = data.decode(errors="replace").strip()
    error = (reply.get("error") or reply) if isinstance(reply, dict) else reply
    if not isinstance(error, dict):
        error = {"message": error}
    message = error.get("message") or error.get("detail") or error
    if not any(error.values()):
        message = "no word of explanation"
    return {
        "message": " ".join(str(message).split())[:300],
        "code": str(error.get("code") or error.get("type") or ""),
        "param": str(error.get("param") or ""),
    }


def broken(error: Exception, *, url: str, timeout: float) -> ModelError:
    """The error for an exchange that did not come to its end."""
    if isinstance(error, TimeoutError):
        return TimedOut(f"{url}: no whole reply within {timeout:g} s (llm.timeout)")
    if isinstance(error, CutOff):
        return MalformedReply(f"{url}: the reply was cut off")
    if isinstance(error, CannotConnect):
        hint = "is llm.base_url right and the server up?"
        if error.errno == errno.EMFILE:
            hint = "raise the limit on open files (ulimit -n) or lower llm.concurrency"
        elif error.proxy:
            hint = f"is the proxy right that ${url.partition(':')[0]}_proxy names?"
        return ConnectionFailed(f"{url}: cannot connect: {error}; {hint}")
    reason = str(error)
    if not isinstance(error, ExchangeError):
        reason = f"{type(error).__name__}: {reason}".rstrip(": ")
    return ConnectionFailed(f"{url}: the connection broke: {reason}")


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` as seconds, whether it is a number or a date; None when it is neither.

    >>> seconds_to_wait({"retry-after": "2.5"})
    2.5
    """
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return max(0.0, seconds) if isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    """NaN when it is no date; one without a zone is meant in UTC, as all dates of HTTP are."""
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return nan
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - datetime.now(UTC)).total_seconds()
