"""What every chat model promises."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from armap.errors import ModelError
from armap.llms import make_llm
from armap.llms.local import LocalConfig, LocalModel
from armap.llms.openai import OpenAIConfig, OpenAIModel
from armap.llms.scripted import Scripted, ScriptedConfig
from armap.protocols import ChatModel
from armap.types import Completions, Message, Sampling
from tests.stub import StubServer
from tests.tiny_vision import save_tiny

PROMPT = [Message(role="user", content="Make 24 from 4 4 6 6.\nLeft: 4 4 6 6")]


@lru_cache(maxsize=1)
def tiny_vision() -> tempfile.TemporaryDirectory[str]:
    """A folder with a random vision-language model; gone with the process."""
    folder = tempfile.TemporaryDirectory()
    save_tiny("llava", Path(folder.name))
    return folder


async def with_model(
    kind: str, use: Callable[[ChatModel], Coroutine[Any, Any, list[Completions]]]
) -> list[Completions]:
    async with StubServer() as stub:
        model: ChatModel
        if kind == "openai":
            model = OpenAIModel(OpenAIConfig(base_url=stub.url, model="stub"))
        elif kind == "scripted":
            model = Scripted(ScriptedConfig(default=("one", "two", "three")))
        elif kind == "vision":
            model = LocalModel(LocalConfig(model=tiny_vision().name))
        else:
            model = LocalModel(LocalConfig())
        try:
            return await use(model)
        finally:
            await model.close()
            await model.close()


VLLM = pytest.param(
    "vllm", marks=[pytest.mark.vllm, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
)


@pytest.mark.parametrize("kind", ["scripted", "openai", "local", "vision", VLLM])
def test_contract(kind: str, request: pytest.FixtureRequest) -> None:
    async def use(model: ChatModel) -> list[Completions]:
        assert isinstance(model, ChatModel)
        assert model.name
        sampling = Sampling(temperature=1.0, seed=3, n=2, max_tokens=24)
        one = await model.complete(PROMPT, sampling)
        again, *many = await asyncio.gather(
            model.complete(PROMPT, sampling),
            *(
                model.complete(PROMPT, sampling.model_copy(update={"seed": seed}))
                for seed in range(8)
            ),
        )
        return [one, again, *many]

    if kind == "vllm":
        session = request.getfixturevalue("vllm_session")
        one, again, *many = session.run(use(session.model))
    else:
        one, again, *many = asyncio.run(with_model(kind, use))
    assert len(one.texts) == 2
    assert one.texts == again.texts, "same request and seed, same reply, whoever shares the batch"
    assert one.usage.tokens == again.usage.tokens
    assert one.usage.calls == 1
    assert one.usage.prompt_tokens > 0
    assert one.usage.completion_tokens > 0
    assert len({reply.texts for reply in many}) > 1, "other seeds, other replies"


def test_every_kind_can_be_made() -> None:
    configs = (
        ScriptedConfig(),
        OpenAIConfig(model="m"),
        LocalConfig(),
    )
    kinds = (Scripted, OpenAIModel, LocalModel)
    for config, kind in zip(configs, kinds, strict=True):
        model = make_llm(config)
        assert isinstance(model, kind)
        asyncio.run(model.close())


def test_a_prompt_that_is_too_long_is_refused_by_its_own_name() -> None:
    async def use(model: ChatModel) -> list[Completions]:
        long = [Message(role="user", content="7 " * 2000)]
        return [await model.complete(long, Sampling())]

    with pytest.raises(ModelError, match="exceed the model's 1024 positions"):
        asyncio.run(with_model("local", use))


class TestEndpoint:
    """The OpenAI wire format and what can go wrong on it."""

    def ask(self, faults: list[tuple[int, str]], **config: Any) -> tuple[Completions, StubServer]:
        async def run() -> tuple[Completions, StubServer]:
            async with StubServer(faults=faults) as stub:
                settings = {"model": "stub", "backoff": 0.0, **config}
                model = OpenAIModel(OpenAIConfig(base_url=stub.url, **settings))
                try:
                    return await model.complete(PROMPT, Sampling(n=2, stop=("\n",))), stub
                finally:
                    await model.close()

        return asyncio.run(run())

    def test_the_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", "hush")
        _, stub = self.ask([], api_key_env="MY_KEY", extra_body={"min_p": 0.1})
        (request,) = stub.requests
        assert request.headers["Authorization"] == "Bearer hush"
        assert request.body["n"] == 2
        assert request.body["stop"] == ["\n"]
        assert request.body["min_p"] == 0.1
        assert request.body["messages"] == [{"role": "user", "content": PROMPT[0].content}]

    def test_retries_what_may_pass(self) -> None:
        faults = [(429, "busy"), (503, "down"), (200, "not json")]
        reply, stub = self.ask(faults)
        assert len(reply.texts) == 2
        assert len(stub.requests) == 4

    def test_gives_up_with_the_reason_and_a_remedy(self) -> None:
        with pytest.raises(ModelError, match=r"status 500 \(3 tries\); is llm.base_url right"):
            self.ask([(500, "")] * 9, retries=2)

    def test_does_not_retry_what_is_wrong_for_good(self) -> None:
        with pytest.raises(ModelError, match=r"status 401: no such key"):
            self.ask([(401, "no such key")])

    def test_refuses_a_malformed_reply(self) -> None:
        with pytest.raises(ModelError, match="malformed reply"):
            self.ask([(200, '{"choices": [{}]}')])

    def test_refuses_fewer_choices_than_asked_for(self) -> None:
        body = '{"choices": [{"message": {"content": "x"}}], "usage": {}}'
        with pytest.raises(ModelError, match="asked for 2 choices, got 1"):
            self.ask([(200, body)])

    def test_a_server_that_is_down(self) -> None:
        async def run() -> None:
            config = OpenAIConfig(base_url="http://127.0.0.1:9/v1", model="m", retries=1, backoff=0)
            model = OpenAIModel(config)
            try:
                await model.complete(PROMPT, Sampling())
            finally:
                await model.close()

        with pytest.raises(ModelError, match=r"127.0.0.1"):
            asyncio.run(run())

    def test_the_cap_is_strict(self) -> None:
        async def run() -> int:
            async with StubServer(latency=0.02) as stub:
                model = OpenAIModel(OpenAIConfig(base_url=stub.url, model="stub", concurrency=4))
                await asyncio.gather(*(model.complete(PROMPT, Sampling()) for _ in range(20)))
                await model.close()
                return stub.peak

        assert asyncio.run(run()) == 4


def test_scripted_fails_as_told() -> None:
    async def run() -> list[str]:
        model = Scripted(ScriptedConfig(replies={"4 4": ("left",)}, fail_every=2))
        results = []
        for _ in range(4):
            try:
                results.append((await model.complete(PROMPT, Sampling())).texts[0])
            except ModelError:
                results.append("failed")
        return results

    assert asyncio.run(run()) == ["left", "failed", "left", "failed"]
