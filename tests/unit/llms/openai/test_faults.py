"""Every way to be refused, with the class it gets and the remedy it names."""

from __future__ import annotations

import errno
import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

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
from armap.llms.openai.exchange import CannotConnect, CutOff, Disconnected, NotHTTP
from armap.llms.openai.exchange.aio import translated
from armap.llms.openai.faults import broken, refused, seconds_to_wait

URL = "http://localhost:8000/v1/chat/completions"


def error(status: int, data: Any) -> ModelError | ConfigError:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return refused(status, body, url=URL, model="gpt-x", key="$MY_KEY is not set")


def openai(message: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """As OpenAI and many others write it."""
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def vllm(message: str, code: int = 400) -> dict[str, Any]:
    """As vLLM wrote it for long."""
    return {
        "object": "error",
        "message": message,
        "type": "BadRequestError",
        "param": None,
        "code": code,
    }


def fastapi(*locations: str) -> dict[str, Any]:
    """As FastAPI writes what pydantic found."""
    return {
        "detail": [
            {"type": "extra_forbidden", "loc": ["body", place], "msg": "Extra inputs", "input": 1}
            for place in locations
        ]
    }


QUOTA = "You exceeded your current quota, please check your plan and billing details."
LONG = (
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
    "(4000 in the messages, 1000 in the completion). Please reduce the length."
)
USE_OTHER = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead."
)

TABLE: list[tuple[int, Any, type[Exception], str]] = [
    # what may pass
    (429, openai("Rate limit reached for gpt-4 on tokens per min.", code="rate_limit_exceeded"),
     RateLimited, "Rate limit reached"),
    (429, b"", RateLimited, "status 429: no word of explanation"),
    (408, b"timeout", TimedOut, "timeout"),
    (409, {"error": "conflict"}, ServerFailed, "conflict"),
    (425, b"", ServerFailed, "status 425"),
    (500, openai("The server had an error."), ServerFailed, "The server had an error."),
    (500, vllm("EngineDeadError", 500), ServerFailed, "EngineDeadError"),
    (500, {"error": {"message": "out of memory", "type": "InternalServerError", "code": 500}},
     ServerFailed, "out of memory"),
    (502, b"<html>\n<head><title>502 Bad Gateway</title></head>\n</html>", ServerFailed,
     "502 Bad Gateway"),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
     ServerFailed, "Loading model"),
    (529, openai("Overloaded", code="overloaded_error"), ServerFailed, "Overloaded"),
    (500, openai(LONG), ServerFailed, "maximum context"),
    # the key and the account
    (401, openai("Incorrect API key provided: sk-***.", code="invalid_api_key"), ConfigError,
     "the key is refused: $MY_KEY is not set"),
    (401, {"error": "Unauthorized"}, ConfigError, "Unauthorized; the key is refused"),
    (403, b"<html>Forbidden</html>", ConfigError, "the key is refused"),
    (429, openai(QUOTA, code="insufficient_quota"), ConfigError, "the account has no credit left"),
    (429, {"error": {"message": QUOTA, "type": "insufficient_quota", "code": None}}, ConfigError,
     "the account has no credit left"),
    (402, {"error": {"message": "Insufficient Balance"}}, ConfigError,
     "Insufficient Balance; the account has no credit left"),
    # the address and the model
    (404, {"detail": "Not Found"}, ConfigError, "nothing answers there: llm.base_url usually ends"),
    (404, b"404 page not found", ConfigError, "nothing answers there"),
    (404, openai("Invalid URL (POST /chat/completions)"), ConfigError, "nothing answers there"),
    (405, {"detail": "Method Not Allowed"}, ConfigError, "nothing answers there"),
    (301, b"Moved", ConfigError, "nothing answers there"),
    (308, b"", ConfigError, "nothing answers there"),
    (404, openai("The model `gpt-x` does not exist.", code="model_not_found"), ConfigError,
     "there is no model 'gpt-x': is llm.model right?"),
    (404, vllm("The model `gpt-x` does not exist.", 404), ConfigError, "is llm.model right?"),
    (404, {"error": "model 'gpt-x' not found, try pulling it first"}, ConfigError,
     "is llm.model right?"),
    (400, openai("gpt-x is not a valid model ID"), ConfigError, "is llm.model right?"),
    (400, {"object": "error", "message": "Invalid model: gpt-x", "type": "invalid_model"},
     ConfigError, "is llm.model right?"),
    (400, {"error": {"message": "Invalid model name passed in model=gpt-x. Call `/v1/models`"}},
     ConfigError, "is llm.model right?"),
    # too long
    (400, openai(LONG, code="context_length_exceeded", param="messages"), ContextTooLong,
     "lower policy.max_tokens or limits.max_steps, or use a model with more context"),
    (400, vllm(LONG), ContextTooLong, "5000 tokens"),
    (400, {"error": {"message": "the request exceeds the available context size, try increasing "
                                "it", "type": "exceed_context_size_error", "n_ctx": 4096}},
     ContextTooLong, "available context size"),
    (400, openai("prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong, "210000"),
    (400, vllm("'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum "
               "context length is 2048 tokens and your request has 10 input tokens"),
     ContextTooLong, "too large"),
    (400, {"message": "The input (9001 tokens) is longer than the model's context length (8192 "
                      "tokens)."}, ContextTooLong, "9001"),
    (413, b"<html>Request Entity Too Large</html>", ContextTooLong, "Request Entity Too Large"),
    # fields
    (400, openai(USE_OTHER, code="unsupported_parameter", param="max_tokens"), ConfigError,
     "refuses 'max_tokens': set llm.max_tokens_field: max_completion_tokens"),
    (400, openai("Unrecognized request argument supplied: max_completion_tokens"), ConfigError,
     "refuses 'max_completion_tokens': set llm.max_tokens_field: max_tokens"),
    (422, fastapi("max_completion_tokens"), ConfigError, "set llm.max_tokens_field: max_tokens"),
    (400, openai("Unsupported value: 'temperature' does not support 0.0 with this model.",
                 param="temperature"), ConfigError, "set llm.omit: [temperature]"),
    (400, openai("Unsupported parameter: 'top_p'", param="top_p"), ConfigError,
     "set llm.omit: [top_p]"),
    (400, openai("Unrecognized request argument supplied: seed"), ConfigError,
     "set llm.omit: [seed]"),
    (400, openai("'stop' is not supported with this model.", param="stop"), ConfigError,
     "set llm.omit: [stop]"),
    (400, openai("Invalid 'n': only 1 is supported."), ConfigError, "set llm.max_n: 1"),
    (400, vllm("n must be 1 when using greedy sampling, got 4."), ConfigError, "set llm.max_n: 1"),
    (400, openai("This model does not support logprobs.", param="logprobs"), ConfigError,
     "gives no log-probabilities"),
    (422, fastapi("logprobs", "top_logprobs"), ConfigError, "gives no log-probabilities"),
    (400, openai("Unknown name: top_logprobs"), ConfigError, "gives no log-probabilities"),
    (400, openai("Invalid parameter: 'response_format' of type 'json_schema' is not supported",
                 param="response_format"), ConfigError, "cannot hold replies to a JSON schema"),
    (400, openai("json_schema is not supported by this model"), ConfigError,
     "cannot hold replies to a JSON schema"),
    (400, vllm("At most 0 image(s) may be provided in one request."), ConfigError,
     "takes no images"),
    (400, openai("Invalid content type. image_url is only supported by certain models."),
     ConfigError, "takes no images"),
    (400, openai("'seed' is not supported; 'temperature' is.", param="seed"), ConfigError,
     "refuses 'seed'"),
    # this request only
    (400, openai("The response was filtered due to the prompt triggering the content policy."),
     RequestRefused, "content policy"),
    (400, openai("Invalid 'messages[0].content': string too long."), RequestRefused, "too long"),
    (400, b"", RequestRefused, "status 400: no word of explanation"),
    (422, {"detail": "roles must alternate"}, RequestRefused, "roles must alternate"),
    (418, b"short and stout", RequestRefused, "short and stout"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "data", "kind", "said"), TABLE, ids=[f"{row[0]} {row[3][:40]}" for row in TABLE]
)
def test_every_refusal_has_its_class_and_names_the_remedy(
    status: int, data: Any, kind: type[Exception], said: str
) -> None:
    refusal = error(status, data)
    assert type(refusal) is kind
    text = str(refusal)
    assert text.startswith(f"{URL}: status {status}: ")
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "data",
    [
        {"error": {"message": "what happened"}},
        {"error": "what happened"},
        {"message": "what happened", "object": "error"},
        {"detail": "what happened"},
        {"error": {"detail": "what happened"}},
        {"error": None, "message": "what happened"},
        {"error": None, "detail": "what happened"},
        {"error": {"message": "what\n  happened\n"}},
        [{"error": {"message": "what happened", "status": "INVALID"}}],
        "what happened",
        b"what happened",
        b"\n  what\thappened\r\n",
    ],
)
def test_every_shape_of_an_error_is_read(data: Any) -> None:
    assert "what happened" in str(error(500, data))
    if not isinstance(data, list):
        assert str(error(500, data)) == f"{URL}: status 500: what happened"


@pytest.mark.parametrize("data", [b"", b" \n", b"null", b"{}", b'""', b'{"error": {}}', b"[]"])
def test_a_server_that_says_nothing(data: bytes) -> None:
    assert str(error(500, data)) == f"{URL}: status 500: no word of explanation"


def test_a_long_story_is_cut_short() -> None:
    assert len(str(error(500, b"x" * 10_000))) < 400


@given(
    st.sampled_from([301, 400, 401, 402, 404, 408, 413, 422, 429, 500, 503, 999]),
    st.binary(max_size=30) | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "type", "param"]), inner
        ),
        max_leaves=6,
    ).map(lambda data: json.dumps(data).encode()),
)  # fmt: skip
def test_whatever_a_server_says_is_an_error_in_one_line(status: int, data: bytes) -> None:
    refusal = error(status, data)
    assert isinstance(refusal, ModelError | ConfigError)
    assert len(str(refusal).splitlines()) == 1


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [("7", 7.0), ("0.25", 0.25), ("0", 0.0), (" 3 ", 3.0), ("-5", 0.0)],
    )
    def test_a_number(self, value: str, seconds: float) -> None:
        assert seconds_to_wait({"retry-after": value}) == seconds

    @pytest.mark.parametrize(("minutes", "seconds"), [(2, 120.0), (-2, 0.0)])
    def test_a_date(self, minutes: int, seconds: float) -> None:
        date = datetime.now(UTC) + timedelta(minutes=minutes)
        for value in (format_datetime(date, usegmt=True), format_datetime(date)):
            assert seconds_to_wait({"retry-after": value}) == pytest.approx(seconds, abs=2)

    def test_a_date_without_zone_is_meant_in_utc(self) -> None:
        date = datetime.now(UTC) + timedelta(minutes=2)
        value = date.strftime("%a, %d %b %Y %H:%M:%S")
        for zone in ("", " -0000"):
            assert seconds_to_wait({"retry-after": value + zone}) == pytest.approx(120, abs=2)

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "soon",
            "12s",
            "nan",
            "inf",
            "1e999",
            "Wed, 99 Oct 2015 07:28:00 GMT",
            "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
            "Wed, 21 Oct 2015 07:28:00 +99999999999",
        ],
    )
    def test_garbage_is_as_good_as_nothing(self, value: str) -> None:
        assert seconds_to_wait({"retry-after": value}) is None

    def test_without_the_header(self) -> None:
        assert seconds_to_wait({}) is None

    @given(st.text(max_size=30))
    def test_no_header_breaks_it(self, value: str) -> None:
        seconds = seconds_to_wait({"retry-after": value})
        assert seconds is None or 0 <= seconds < float("inf")


KEY = ConnectionKey("host", 8000, True, True, None, None, None)  # type: ignore[call-arg,unused-ignore]  # grew a field
ASKED = aiohttp.RequestInfo(yarl.URL(URL), "POST", CIMultiDictProxy(CIMultiDict()), yarl.URL(URL))
CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed")
BROKEN: list[tuple[Exception, type[ModelError], str]] = [
    (TimeoutError(), TimedOut, "no whole reply within 30 s (llm.timeout)"),
    (aiohttp.ServerTimeoutError("x"), TimedOut, "no whole reply within 30 s (llm.timeout)"),
    (aiohttp.ClientPayloadError("not all data"), MalformedReply, "the reply was cut off"),
    (aiohttp.ServerDisconnectedError(), ConnectionFailed, "broke: ServerDisconnectedError: Server"),
    (aiohttp.ClientOSError(errno.ECONNRESET, "reset by peer"), ConnectionFailed, "reset by peer"),
    (ConnectionResetError(), ConnectionFailed, "the connection broke: ConnectionResetError"),
    (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed")),
     ConnectionFailed, "cannot connect: Connect call failed; is llm.base_url right and the server"),
    (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
     ConnectionFailed, "cannot connect: Name or service not known; is llm.base_url right"),
    (aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "Too many open files")),
     ConnectionFailed, "raise the limit on open files (ulimit -n) or lower llm.concurrency"),
    (aiohttp.ClientConnectorCertificateError(KEY, CERTIFICATE), ConnectionFailed,
     "certificate verify failed"),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL] wrong version number")),
     ConnectionFailed, "wrong version number"),
    (aiohttp.ClientProxyConnectionError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed")),
     ConnectionFailed, "cannot connect: Connect call failed"),
    (aiohttp.ClientResponseError(ASKED, (), status=400, message="Bad status line:\n\n  b'220'"),
     ConnectionFailed, "connection broke: ClientResponseError: 400, message="),
    (CutOff("not all data"), MalformedReply, "the reply was cut off"),
    (Disconnected("the server closed the connection before it answered"), ConnectionFailed,
     "the connection broke: the server closed the connection before it answered"),
    (NotHTTP("a header that cannot be read"), ConnectionFailed, "connection broke: a header that"),
    (CannotConnect("Connect call failed", errno.ECONNREFUSED), ConnectionFailed,
     "cannot connect: Connect call failed; is llm.base_url right and the server"),
    (CannotConnect("Too many open files", errno.EMFILE), ConnectionFailed, "raise the limit on"),
    (CannotConnect("refused", errno.ECONNREFUSED, proxy=True), ConnectionFailed,
     "is the proxy right that $http_proxy names?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "kind", "said"), BROKEN, ids=[type(row[0]).__name__ for row in BROKEN]
)
def test_what_no_status_tells(problem: Exception, kind: type[ModelError], said: str) -> None:
    if isinstance(problem, aiohttp.ClientError) and not isinstance(problem, TimeoutError):
        problem = translated(problem)
    failure = broken(problem, url=URL, timeout=30.0)
    assert type(failure) is kind
    assert str(failure).startswith(f"{URL}: ")
    assert said in str(failure)
    assert "\n" not in str(failure)
