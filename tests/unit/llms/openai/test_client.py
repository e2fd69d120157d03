"""The client against a real server of ours, in everything that can happen between the two."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from math import inf
from typing import Any, TypeVar

import aiohttp
import pytest

from armap.calls import session_scope
from armap.errors import (
    ConfigError,
    ConnectionFailed,
    ContextTooLong,
    MalformedReply,
    ModelError,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from armap.llms.openai import CapChange, OpenAIConfig, OpenAIModel, RetryConfig
from armap.llms.openai.client import _wait
from armap.llms.openai.exchange import Disconnected
from armap.types import Completions, Message, Sampling, Task, Usage
from tests.stub import Fault, Settings, StubServer

T = TypeVar("T")
Use = Callable[[OpenAIModel, StubServer], Coroutine[Any, Any, T]]
PROMPT = [Message(role="user", content="Left: 4 4 6 6")]
TASK = Task(env="toy", name="one", split="dev", instruction="")
OK = (200, '{"choices": [{"message": {"content": "24"}}]}')


OVER = {"exchange": "auto"}
"""What the test at hand goes over."""


@pytest.fixture(autouse=True, params=["auto", "aiohttp"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test goes over both exchanges: our own, and aiohttp's."""
    monkeypatch.setitem(OVER, "exchange", request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "no_proxy", "NO_PROXY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def prompt(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def config(url: str, **fields: Any) -> OpenAIConfig:
    retry = {"wait": 0.001, "longest": 0.01, **fields.pop("retry", {})}
    given = {"base_url": url, "model": "stub", "retry": retry, **OVER, **fields}
    return OpenAIConfig.model_validate(given)


def talk(
    use: Use[T],
    settings: Settings | None = None,
    *,
    faults: list[tuple[int, str]] | None = None,
    told: Callable[[CapChange], None] = lambda _: None,
    **fields: Any,
) -> T:
    """Use a model against a server; everything is closed at the end."""

    async def run() -> T:
        async with StubServer(settings, faults=faults) as stub:
            model = OpenAIModel(config(stub.url, **fields), told=told)
            try:
                async with asyncio.timeout(20):
                    return await use(model, stub)
            finally:
                await model.close()

    return asyncio.run(run())


def ask(
    sampling: Sampling | None = None,
    settings: Settings | None = None,
    *,
    faults: list[tuple[int, str]] | None = None,
    told: Callable[[CapChange], None] = lambda _: None,
    **fields: Any,
) -> tuple[Completions, StubServer]:
    """Ask one thing."""

    async def use(model: OpenAIModel, stub: StubServer) -> tuple[Completions, StubServer]:
        return await model.complete(PROMPT, sampling or Sampling()), stub

    return talk(use, settings, faults=faults, told=told, **fields)


def only(fault: Fault, share: float = 1.0, **more: Any) -> Settings:
    return Settings(faults=share, kinds=(fault,), **more)


@asynccontextmanager
async def strange(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, a connection each, whatever it is asked."""
    heads: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", heads


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def ask_strange(*answers: bytes, query: str = "", **fields: Any) -> tuple[Any, list[bytes]]:
    """Ask a strange server one thing: reply or error, and the requests' heads."""

    async def run() -> tuple[Any, list[bytes]]:
        async with strange(*answers) as (url, heads):
            model = OpenAIModel(config(url + query, **fields))
            try:
                return await model.complete(PROMPT, Sampling()), heads
            except (ModelError, ConfigError) as error:
                return error, heads
            finally:
                await model.close()

    return asyncio.run(run())


class TestRequests:
    def test_what_is_sent_and_what_comes_back(self) -> None:
        reply, stub = ask(Sampling(n=2, stop=("\n",)), extra_body={"min_p": 0.1})
        (request,) = stub.requests
        assert request.body["messages"] == [{"role": "user", "content": PROMPT[0].content}]
        assert (request.body["n"], request.body["stop"]) == (2, ["\n"])
        assert request.body["min_p"] == 0.1
        assert request.headers["Content-Type"] == "application/json"
        assert len(set(reply.texts)) == 2
        assert reply.finish == ("stop", "stop")
        assert reply.retried == ()
        assert reply.usage.calls == 1

    def test_the_same_request_gets_the_same_reply(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> list[Completions]:
            return [await model.complete(PROMPT, Sampling(n=3)) for _ in range(2)]

        first, again = talk(use)
        assert first == again

    def test_the_key_goes_into_its_header(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", "hush")
        _, stub = ask(api_key_env="MY_KEY", extra_headers={"X-Team": "armap"})
        assert stub.requests[0].headers["Authorization"] == "Bearer hush"
        assert stub.requests[0].headers["X-Team"] == "armap"

    def test_a_key_may_come_with_the_end_of_its_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", "hush\r\n")
        _, stub = ask(api_key_env="MY_KEY")
        assert stub.requests[0].headers["Authorization"] == "Bearer hush"

    def test_a_key_of_two_lines_is_a_mistake_and_not_shown(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MY_KEY", "hush\r\nX-Other: 1")
        with pytest.raises(ConfigError, match=r"\$MY_KEY: the key must be one line") as refused:
            ask(api_key_env="MY_KEY")
        assert "hush" not in str(refused.value)

    @pytest.mark.parametrize("headers", [{"X Y": "1"}, {"X:": "1"}, {"X": "1\r\nY: 2"}, {"": "1"}])
    def test_extra_headers_are_headers(self, headers: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="is no header"):
            config("http://localhost/v1", extra_headers=headers)

    def test_without_a_key_there_is_no_header(self) -> None:
        _, stub = ask(api_key_env="NO_SUCH_KEY")
        assert "Authorization" not in stub.requests[0].headers

    def test_a_session_is_named_so_that_a_router_finds_its_cache_again(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> list[str | None]:
            for seed in (1, 1, 2):
                with session_scope(TASK, seed):
                    await model.complete(PROMPT, Sampling())
            await model.complete(PROMPT, Sampling())
            return [request.headers.get("X-Session-ID") for request in stub.requests]

        first, second, third, nobody = talk(use)
        assert first == second != third
        assert nobody is None

    def test_a_query_stays_behind_the_path(self) -> None:
        reply, heads = ask_strange(http("200 OK", OK[1].encode()), query="/?api-version=7")
        assert heads[0].startswith(b"POST /v1/chat/completions?api-version=7 HTTP/1.1\r\n")
        assert reply.texts == ("24",)

    def test_localhost_is_found_by_its_name(self) -> None:
        async def run() -> tuple[str, ...]:
            async with StubServer() as stub:
                model = OpenAIModel(config(f"http://localhost:{stub.port}/v1/"))
                try:
                    return (await model.complete(PROMPT, Sampling())).texts
                finally:
                    await model.close()

        assert len(asyncio.run(run())) == 1

    def test_a_proxy_is_used_unless_it_is_not_to_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def through(stub: StubServer, url: str) -> None:
            model = OpenAIModel(config(url, retry={"tries": 1}))
            try:
                await model.complete(PROMPT, Sampling())
            finally:
                await model.close()

        async def run() -> None:
            async with StubServer() as proxy, StubServer() as server:
                monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
                await through(proxy, "http://model.invalid/v1")
                assert len(proxy.requests) == 1
                monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")  # as curl takes it
                await through(proxy, "http://model.invalid/v1")
                assert len(proxy.requests) == 2
                monkeypatch.setenv("no_proxy", "127.0.0.1")
                await through(proxy, server.url)
                assert (len(proxy.requests), len(server.requests)) == (2, 1)

        asyncio.run(run())


KINDS = {
    Fault.RATE_LIMIT: "RateLimited",
    Fault.ERROR: "ServerFailed",
    Fault.RESET: "ConnectionFailed",
    Fault.TIMEOUT: "TimedOut",
    Fault.MALFORMED: "MalformedReply",
    Fault.TRUNCATED: "MalformedReply",
}
SAID = {
    Fault.RATE_LIMIT: "status 429: Rate limit reached. Please slow down.",
    Fault.ERROR: "status 500: The server had an error",
    Fault.RESET: "the connection broke: ",
    Fault.TIMEOUT: "no whole reply within 0.05 s (llm.timeout)",
    Fault.MALFORMED: "the reply is not JSON: ",
    Fault.TRUNCATED: "the reply was cut off",
}


class TestRetries:
    @pytest.mark.parametrize("fault", KINDS)
    def test_what_may_pass_is_tried_again_and_counted(self, fault: Fault) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            replies = await asyncio.gather(
                *(model.complete(prompt(f"{i}"), Sampling()) for i in range(12))
            )
            retried = [kind for reply in replies for kind in reply.retried]
            assert retried == [KINDS[fault]] * stub.stats.faults[fault.value]
            assert 2 < len(retried) == stub.stats.requests - 12
            assert all(len(reply.texts) == 1 for reply in replies)
            assert sum(reply.usage.calls for reply in replies) == 12

        settings = only(fault, 0.4, retry_after=0.001)
        timeout = 0.12 if fault is Fault.TIMEOUT else 9.0
        talk(use, settings, timeout=timeout, retry={"tries": 20})

    @pytest.mark.parametrize("fault", KINDS)
    def test_it_gives_up_after_its_tries_and_says_what_and_how_often(self, fault: Fault) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> ModelError:
            with pytest.raises(ModelError) as failed:
                await model.complete(PROMPT, Sampling())
            assert stub.stats.requests == 3
            assert str(failed.value).startswith(f"{stub.url}/chat/completions: ")
            return failed.value

        settings = only(fault, retry_after=0.001)
        timeout = 0.05 if fault is Fault.TIMEOUT else 9.0
        error = talk(use, settings, timeout=timeout, retry={"tries": 3})
        assert type(error).__name__ == KINDS[fault]
        assert error.retried == (KINDS[fault],) * 2
        assert SAID[fault] in str(error)
        assert str(error).endswith(" (3 tries)")
        assert "\n" not in str(error)

    def test_one_try_is_not_called_tries(self) -> None:
        with pytest.raises(ServerFailed) as failed:
            ask(settings=only(Fault.ERROR), retry={"tries": 1})
        assert str(failed.value).endswith("processing your request.")
        assert failed.value.retried == ()

    def test_kinds_are_kept_in_their_order(self) -> None:
        faults = [(429, "busy"), (503, "down"), (200, "not json"), (408, "late")]
        reply, stub = ask(faults=faults)
        assert reply.retried == ("RateLimited", "ServerFailed", "MalformedReply", "TimedOut")
        assert len(stub.requests) == 5

    def test_what_is_not_listed_is_not_tried_again(self) -> None:
        with pytest.raises(ServerFailed):
            ask(faults=[(500, "")], retry={"on": ["RateLimited"]})
        reply, _ = ask(faults=[(429, "")], retry={"on": ["RateLimited"]})
        assert reply.retried == ("RateLimited",)

    @pytest.mark.parametrize("status", [400, 401, 404, 422])
    def test_what_is_wrong_for_good_is_not_tried_again(self, status: int) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> int:
            with pytest.raises((ModelError, ConfigError)):
                await model.complete(PROMPT, Sampling())
            return stub.stats.requests

        assert talk(use, faults=[(status, "no")]) == 1

    def test_it_comes_back_when_the_server_says(self) -> None:
        busy, fine = http("429 Slow", b"", "retry-after: 0.1"), http("200 OK", OK[1].encode())
        begun = time.monotonic()
        reply, _ = ask_strange(busy, busy, fine)
        assert time.monotonic() - begun >= 0.2
        assert reply.retried == ("RateLimited",) * 2

    def test_a_server_that_says_now_is_not_asked_at_once_all_the_same(self) -> None:
        busy, fine = http("429 Slow", b"", "retry-after: 0"), http("200 OK", OK[1].encode())
        begun = time.monotonic()
        ask_strange(busy, fine, retry={"wait": 0.2, "longest": 0.2})
        assert time.monotonic() - begun >= 0.1

    def test_a_server_that_wants_to_be_left_alone_for_long_is_given_up_on_at_once(self) -> None:
        begun = time.monotonic()
        with pytest.raises(RateLimited):
            ask(settings=only(Fault.RATE_LIMIT, retry_after=30.0), retry={"deadline": 1.0})
        assert time.monotonic() - begun < 5

    def test_tries_end_at_the_deadline(self) -> None:
        begun = time.monotonic()
        with pytest.raises(ServerFailed, match=r" \(\d+ tries\)$") as failed:
            ask(settings=only(Fault.ERROR), retry={"tries": 10_000, "deadline": 0.15})
        assert 0.1 < time.monotonic() - begun < 2
        assert len(failed.value.retried) > 5

    def test_waits_double_up_to_the_longest_less_up_to_half(self) -> None:
        rule = RetryConfig(tries=9, wait=0.5, longest=3.0)
        for failed, most in enumerate((0.5, 1.0, 2.0, 3.0, 3.0)):
            waits = [_wait(rule, ServerFailed("down"), failed, inf) or 0.0 for _ in range(50)]
            assert most / 2 <= min(waits) < 0.7 * most < 0.8 * most < max(waits) <= most

    def test_the_servers_word_counts_more_than_the_longest_wait(self) -> None:
        busy = RateLimited("busy")
        busy.retry_after = 50.0
        wait = _wait(RetryConfig(longest=3.0), busy, 0, inf)
        assert wait is not None
        assert 50.0 <= wait <= 55.0

    def test_the_cause_is_the_failure_itself(self, exchange: str) -> None:
        for tries in (1, 2):
            error, _ = ask_strange(b"", retry={"tries": tries})
            causes = []
            while (error := error.__cause__) is not None:
                assert error not in causes
                causes.append(error)
            last = aiohttp.ServerDisconnectedError if exchange == "aiohttp" else Disconnected
            assert isinstance(causes[-1], last)

    def test_no_number_of_tries_is_too_many(self) -> None:
        wait = _wait(RetryConfig(tries=10_000), ServerFailed("down"), 5000, inf)
        assert wait is not None
        assert 15 <= wait <= 30

    def test_a_drip_is_read_to_its_end_unless_it_takes_too_long(self) -> None:
        slow = only(Fault.DRIP, drip=0.02, pieces=4)
        reply, _ = ask(settings=slow)
        assert reply == ask()[0]
        with pytest.raises(TimedOut, match=r"no whole reply within 0\.03 s"):
            ask(settings=slow, timeout=0.03, retry={"tries": 1})


class TestStrangeServers:
    @pytest.mark.parametrize(
        ("answer", "kind", "said"),
        [
            (b"", ConnectionFailed, "the connection broke: "),
            (b"220 mail.example ESMTP\r\n\r\n", ConnectionFailed, "the connection broke: "),
            (http("200 OK", b"<html>It works!</html>"), MalformedReply, "<html>It works!"),
            (http("204 No Content"), ConfigError, "status 204"),
            (http("502 Bad Gateway", b"<html>\n<h1>502</h1>\n"), ServerFailed, "<html> <h1>502"),
        ],
    )
    def test_each_gets_its_class(self, answer: bytes, kind: type[Exception], said: str) -> None:
        error, _ = ask_strange(answer, retry={"tries": 1})
        assert isinstance(error, kind)
        assert said in str(error)
        assert len(str(error).splitlines()) == 1

    def test_an_answer_in_chunks(self) -> None:
        half = len(OK[1]) // 2
        chunks = "".join(
            f"{len(part):x}\r\n{part}\r\n" for part in (OK[1][:half], OK[1][half:], "")
        )
        head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        reply, _ = ask_strange((head + chunks).encode())
        assert reply.texts == ("24",)


def one_line(
    settings: Settings | None = None, sampling: Sampling | None = None, **fields: Any
) -> str:
    """The message of an error of the configuration."""
    with pytest.raises(ConfigError) as refused:
        ask(sampling, settings, **fields)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def refusing(part: str) -> Settings:
    return Settings(refused=frozenset({part}))


class TestMistakes:
    def test_an_address_that_has_moved_is_not_followed_and_gets_no_key(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MY_KEY", "hush")

        async def run() -> None:
            async with StubServer() as elsewhere:
                moved = http("301 Moved", b"", f"location: {elsewhere.url}/chat/completions")
                async with strange(moved) as (url, heads):
                    model = OpenAIModel(config(url, api_key_env="MY_KEY"))
                    with pytest.raises(ConfigError, match=r"status 301: .* nothing answers there"):
                        await model.complete(PROMPT, Sampling())
                    await model.close()
                assert len(heads) == 1
                assert elsewhere.stats.connections == 0

        asyncio.run(run())

    def test_nobody_is_there(self) -> None:
        async def run(url: str) -> str:
            model = OpenAIModel(config(url, retry={"tries": 2}))
            with pytest.raises(ConnectionFailed) as failed:
                await model.complete(PROMPT, Sampling())
            await model.close()
            return str(failed.value)

        for url in ("http://127.0.0.1:9/v1", "http://localhost:9/v1"):
            said = asyncio.run(run(url))
            assert said.startswith(f"{url}/chat/completions: cannot connect: ")
            assert said.endswith("is llm.base_url right and the server up? (2 tries)")
            assert "\n" not in said

    def test_the_proxy_is_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

        async def run() -> str:
            model = OpenAIModel(config("http://model.invalid/v1", retry={"tries": 1}))
            with pytest.raises(ConnectionFailed) as failed:
                await model.complete(PROMPT, Sampling())
            await model.close()
            return str(failed.value)

        assert asyncio.run(run()).endswith("; is the proxy right that $http_proxy names?")

    def test_another_path(self) -> None:
        body = '{"detail": "Not Found"}'
        said = one_line(faults=[(404, body)])
        assert said.endswith("Not Found; nothing answers there: llm.base_url usually ends in /v1")

    def test_the_wrong_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        locked = Settings(api_key="right")
        said = one_line(locked, api_key_env="MY_KEY")
        assert said.endswith("; the key is refused: $MY_KEY is not set")
        monkeypatch.setenv("MY_KEY", "wrong-and-secret")
        said = one_line(locked, api_key_env="MY_KEY")
        assert said.endswith("; the key is refused: $MY_KEY is set, but not to a valid key")
        assert "wrong-and-secret" not in said
        monkeypatch.setenv("MY_KEY", "right")
        ask(settings=locked, api_key_env="MY_KEY")

    def test_the_wrong_model(self) -> None:
        said = one_line(Settings(model="gpt"))
        assert said.endswith("; there is no model 'stub': is llm.model right?")
        ask(settings=Settings(model="gpt"), model="gpt")

    def test_n(self) -> None:
        many = Sampling(n=3)
        assert one_line(refusing("n"), many).endswith("refuses 'n': set llm.max_n: 1")
        reply, _ = ask(many, refusing("n"), max_n=1)
        assert len(reply.texts) == 3

    def test_max_tokens(self) -> None:
        said = one_line(refusing("max_tokens"))
        assert said.endswith("'max_tokens': set llm.max_tokens_field: max_completion_tokens")
        ask(settings=refusing("max_tokens"), max_tokens_field="max_completion_tokens")

    @pytest.mark.parametrize("field", ["temperature", "seed"])
    def test_a_field_that_can_be_left_out(self, field: str) -> None:
        assert one_line(refusing(field)).endswith(f"refuses {field!r}: set llm.omit: [{field}]")
        ask(settings=refusing(field), omit=(field,))

    def test_logprobs(self) -> None:
        said = one_line(refusing("logprobs"), Sampling(logprobs=5))
        assert "gives no log-probabilities; use another one for this" in said
        said = one_line(None, Sampling(logprobs=5), faults=[OK])
        assert "log-probabilities were asked for and the server sends none" in said

    def test_a_json_schema(self) -> None:
        asked = Sampling(json_schema={"type": "object"})
        said = one_line(refusing("json_schema"), asked)
        assert "it cannot hold replies to a JSON schema; use a server that can" in said

    def test_a_prompt_that_is_too_long_fails_alone(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            with pytest.raises(ContextTooLong, match=r"; lower policy\.max_tokens or limits\.max_"):
                await model.complete(prompt("7 " * 400), Sampling())
            await model.complete(PROMPT, Sampling())
            assert stub.stats.requests == 2

        talk(use, Settings(context=100))


class TestManySamples:
    def test_a_server_without_n_is_asked_for_the_others_side_by_side_with_one_warning(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> list[Completions]:
            replies = [await model.complete(PROMPT, Sampling(n=5, seed=seed)) for seed in (1, 2)]
            assert stub.peak > 2
            assert [request.body.get("n", 1) for request in stub.requests] == [5] + [1] * 9
            assert model.max_n == 1
            return replies

        first, second = talk(use, Settings(single=True))
        for reply in (first, second):
            assert len(set(reply.texts)) == 5
            assert len(reply.finish) == 5
            assert reply.usage.calls == 5
        (said,) = caplog.messages
        assert "gives 1 choices where n=5 were asked for" in said
        assert "llm.max_n: 1 spares the attempt" in said

    def test_many_who_find_out_at_once_warn_once(self, caplog: pytest.LogCaptureFixture) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> list[Completions]:
            return await asyncio.gather(
                *(model.complete(prompt(f"{i}"), Sampling(n=3)) for i in range(6))
            )

        replies = talk(use, Settings(single=True, latency=0.01))
        assert [len(set(reply.texts)) for reply in replies] == [3] * 6
        assert len(caplog.messages) == 1

    @pytest.mark.parametrize("max_n", [1, 2, 4])
    def test_no_request_asks_for_more_than_max_n(
        self, max_n: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply, stub = ask(Sampling(n=5), max_n=max_n)
        asked = [request.body.get("n", 1) for request in stub.requests]
        assert sum(asked) == 5
        assert max(asked) == max_n
        assert len({request.body["seed"] for request in stub.requests}) == len(asked)
        assert len(set(reply.texts)) == 5
        assert reply.usage.calls == len(asked)
        assert not caplog.messages

    @pytest.mark.parametrize("n", [3, 4, 9])
    def test_a_server_that_gives_fewer_than_max_n_is_asked_until_all_are_there(
        self, n: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply, stub = ask(Sampling(n=n), Settings(single=True), max_n=4)
        assert len(set(reply.texts)) == n
        assert reply.usage.calls == stub.stats.requests
        assert len(caplog.messages) == 1

    def test_samples_are_the_same_whatever_was_known_of_the_server(self) -> None:
        """Not together or apart: the seed goes with the request."""
        learned, _ = ask(Sampling(n=3), Settings(single=True))
        told, _ = ask(Sampling(n=3), Settings(single=True), max_n=1)
        assert learned.texts == told.texts

    def test_costs_and_failed_tries_are_summed_up(self) -> None:
        usage = '"usage": {"prompt_tokens": 7, "completion_tokens": 2}'
        body = OK[1].replace('{"choices"', f'{{{usage}, "choices"')
        reply, _ = ask(Sampling(n=2), faults=[(500, ""), (200, body), (200, body)], max_n=1)
        assert reply.usage == Usage(calls=2, prompt_tokens=14, completion_tokens=4)
        assert reply.retried == ("ServerFailed",)

    def test_when_one_part_fails_the_others_do_not_go_on_alone(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            with pytest.raises(ConfigError):
                await model.complete(PROMPT, Sampling(n=20))
            await asyncio.sleep(0.06)
            assert stub.stats.requests <= 4, "what had not been sent is not sent any more"
            assert len(asyncio.all_tasks()) == 1

        talk(use, Settings(latency=0.02), faults=[(401, "")], max_n=1, concurrency=2)


class TestTheCap:
    async def crowd(self, model: OpenAIModel, n: int = 20) -> None:
        await asyncio.gather(*(model.complete(prompt(f"{i}"), Sampling()) for i in range(n)))

    def test_it_is_strict_and_used(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> int:
            await self.crowd(model)
            return stub.peak

        assert talk(use, Settings(latency=0.01), concurrency=4) == 4

    def test_it_is_strict_when_requests_fail_and_are_cancelled(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            calls = [
                asyncio.create_task(model.complete(prompt(f"{i}"), Sampling())) for i in range(40)
            ]
            for call in calls[::5]:
                await asyncio.sleep(0.004)
                call.cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(result, Completions) for result in results) >= 32
            assert 2 <= stub.peak <= 4

        kinds = (Fault.RESET, Fault.ERROR, Fault.MALFORMED)
        settings = Settings(latency=0.004, faults=0.3, kinds=kinds)
        talk(use, settings, concurrency=4, retry={"tries": 30})

    @pytest.mark.parametrize("caps", [(9, 3), (3, 9)])
    def test_models_at_one_endpoint_share_the_smallest(self, caps: tuple[int, int]) -> None:
        async def run() -> None:
            async with StubServer(latency=0.01) as stub:
                one = OpenAIModel(config(stub.url, concurrency=caps[0]))
                two = OpenAIModel(config(stub.url, concurrency=caps[1], model="other"))
                await one.complete(PROMPT, Sampling())
                await two.complete(PROMPT, Sampling())
                await asyncio.gather(self.crowd(one), self.crowd(two))
                assert stub.peak == 3
                await one.close()
                await two.close()
                three = OpenAIModel(config(stub.url, concurrency=6))
                await self.crowd(three)
                assert stub.peak == 6, "what those who are gone asked for is forgotten"
                await three.close()

        asyncio.run(run())

    def test_models_at_different_endpoints_do_not(self) -> None:
        async def run() -> None:
            async with StubServer(latency=0.01) as here, StubServer(latency=0.01) as there:
                one = OpenAIModel(config(here.url, concurrency=2))
                two = OpenAIModel(config(there.url, concurrency=5))
                await asyncio.gather(self.crowd(one), self.crowd(two))
                assert (here.peak, there.peak) == (2, 5)
                await one.close()
                await two.close()

        asyncio.run(run())

    def test_first_come_first_served(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> list[int]:
            await asyncio.gather(*(model.complete(PROMPT * n, Sampling()) for n in (1, 1, 3, 2, 5)))
            return [len(request.body["messages"]) for request in stub.requests]

        assert talk(use, Settings(latency=0.005), concurrency=1) == [1, 1, 3, 2, 5]

    def test_who_waits_for_another_try_holds_no_slot(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            waiting = asyncio.create_task(model.complete(prompt("poison"), Sampling()))
            while not stub.stats.requests:
                await asyncio.sleep(0.001)
            begun = time.monotonic()
            await model.complete(PROMPT, Sampling())
            assert time.monotonic() - begun < 0.9
            waiting.cancel()

        talk(use, Settings(poison="poison"), concurrency=1, retry={"wait": 2.0, "longest": 2.0})

    def test_a_cancelled_request_frees_its_slot_and_leaves_the_server(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            call = asyncio.create_task(model.complete(PROMPT, Sampling()))
            while not stub.stats.requests:
                await asyncio.sleep(0.001)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            stub.settings = Settings()
            async with asyncio.timeout(5):
                await model.complete(PROMPT, Sampling())
            assert stub.stats.abandoned == 1

        talk(use, only(Fault.TIMEOUT), concurrency=1)

    def test_an_adaptive_cap_finds_what_the_server_bears_and_tells(self) -> None:
        told: list[CapChange] = []

        async def use(model: OpenAIModel, stub: StubServer) -> None:
            await self.crowd(model, 100)

        settings = Settings(latency=0.005, concurrent=8, retry_after=0.01)
        talk(use, settings, adaptive={"start": 2}, told=told.append, retry={"tries": 50})
        assert {change.why for change in told} == {"start", "grow", "RateLimited"}
        assert max(change.cap for change in told) > 8

    @pytest.mark.parametrize(
        ("status", "why"),
        [(429, "RateLimited"), (503, "ServerFailed"), (529, "ServerFailed"), (408, "TimedOut")],
    )
    def test_an_adaptive_cap_is_cut_when_the_server_has_too_much_to_do(
        self, status: int, why: str
    ) -> None:
        told: list[CapChange] = []

        async def use(model: OpenAIModel, stub: StubServer) -> None:
            await model.complete(PROMPT, Sampling())

        talk(use, faults=[(status, "")], adaptive={"start": 10}, told=told.append)
        assert [(change.cap, change.why) for change in told] == [(10, "start"), (7, why)]

    def test_an_adaptive_cap_is_cut_when_no_reply_comes_in_time(self) -> None:
        told: list[CapChange] = []
        with pytest.raises(TimedOut):
            ask(
                settings=only(Fault.TIMEOUT),
                timeout=0.05,
                adaptive={"start": 10},
                retry={"tries": 1},
                told=told.append,
            )
        assert [(change.cap, change.why) for change in told[1:]] == [(7, "TimedOut")]

    def test_an_adaptive_cap_is_not_cut_when_the_server_is_merely_broken(self) -> None:
        told: list[CapChange] = []

        async def use(model: OpenAIModel, stub: StubServer) -> None:
            await model.complete(PROMPT, Sampling())

        talk(use, faults=[(500, ""), (200, "{")], adaptive={"start": 10}, told=told.append)
        assert [change.why for change in told] == ["start"]

    def test_waiting_for_a_slot_does_not_use_up_the_deadline(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> Completions:
            first = asyncio.create_task(model.complete(prompt("1"), Sampling()))
            await asyncio.sleep(0.01)
            second = asyncio.create_task(model.complete(prompt("2"), Sampling()))
            await first
            stub.faults = [(500, "")]
            return await second

        reply = talk(use, Settings(latency=0.08), concurrency=1, retry={"deadline": 0.04})
        assert reply.retried == ("ServerFailed",)


class TestLife:
    def test_closing_twice_and_closing_unused_are_fine(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            await OpenAIModel(config(stub.url)).close()
            await model.complete(PROMPT, Sampling())
            await model.close()
            await model.close()

        talk(use)

    def test_it_can_be_used_again_after_it_was_closed(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            for _ in range(3):
                await model.complete(PROMPT, Sampling())
                await model.close()
            assert stub.stats.requests == 3

        talk(use)

    def test_connections_are_kept_and_closed_at_the_end(self) -> None:
        async def use(model: OpenAIModel, stub: StubServer) -> None:
            for i in range(5):
                await model.complete(prompt(f"{i}"), Sampling())
            assert stub.stats.connections == 1
            await model.close()
            await asyncio.sleep(0.01)
            assert stub.stats.open == 0

        talk(use)

    def test_making_one_does_nothing(self) -> None:
        model = OpenAIModel(OpenAIConfig(model="gpt", base_url="http://127.0.0.1:9/v1"))
        assert model.name == "openai/gpt"
        assert model.max_n is None


@contextmanager
def served() -> Iterator[StubServer]:
    """A server that outlives event loops, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stub = StubServer()
    asyncio.run_coroutine_threadsafe(stub.__aenter__(), loop).result()
    try:
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(stub.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # what a loop takes down with it
class TestEventLoops:
    @pytest.mark.parametrize("close", ["closed", "left open"])
    def test_a_model_can_be_used_from_one_after_the_other(
        self, close: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def use(model: OpenAIModel) -> tuple[str, ...]:
            reply = await model.complete(PROMPT, Sampling())
            if close == "closed":
                await model.close()
            return reply.texts

        with served() as stub:
            model = OpenAIModel(config(stub.url, concurrency=1))
            texts = {asyncio.run(use(model)) for _ in range(3)}
            asyncio.run(model.close())
            gc.collect()
        assert len(texts) == 1
        assert not caplog.messages, "nothing is said to be left open"

    def test_who_was_cancelled_with_a_loop_holds_no_slot_in_the_next(self) -> None:
        async def hang(model: OpenAIModel, stub: StubServer) -> None:
            for i in range(3):
                asyncio.ensure_future(model.complete(prompt(f"{i}"), Sampling()))  # noqa: RUF006
            while not stub.stats.requests:
                await asyncio.sleep(0.001)

        with served() as stub:
            model = OpenAIModel(config(stub.url, concurrency=1))
            stub.settings = only(Fault.TIMEOUT)
            asyncio.run(hang(model, stub))
            stub.settings = Settings()
            asyncio.run(asyncio.wait_for(model.complete(PROMPT, Sampling()), 5))
            asyncio.run(model.close())
            gc.collect()
