"""What every chat model promises, bare and with a journal around it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

from armap.calls import Journal, Recorded
from armap.errors import ModelError
from armap.llms import AnyLLMConfig, make_llm
from armap.llms.local import LocalConfig, LocalModel
from armap.llms.openai import OpenAIConfig, OpenAIModel
from armap.llms.scripted import Scripted, ScriptedConfig
from armap.llms.shopper import Shopper, ShopperConfig
from armap.plugins import ImportConfig
from armap.protocols import ChatModel
from armap.types import Completions, Message, Sampling
from tests.player import Player
from tests.stub import StubServer
from tests.tiny_vision import save_tiny

T = TypeVar("T")
PROMPT = [Message(role="user", content="Make 24 from 4 4 6 6.\nLeft: 4 4 6 6")]
ASKED = Sampling(temperature=1.0, seed=3, n=2, max_tokens=24)
VLLM = pytest.param(
    "vllm", marks=[pytest.mark.vllm, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
)
SHOPPING = [
    Message(
        role="user",
        content="WebShop [SEP] Instruction: [SEP] i need a warm red lamp in size small for desks "
        "[SEP] Search\nAvailable actions:\n- search[...]",
    )
]
OFFLINE: dict[str, AnyLLMConfig] = {
    "import": ImportConfig(target="tests.player:Player"),
    "shopper": ShopperConfig(),
}
KINDS = ["scripted", "shopper", "openai", "openai over aiohttp", "local", "vision", "import", VLLM]


@lru_cache(maxsize=1)
def tiny_vision() -> tempfile.TemporaryDirectory[str]:
    """A folder with a random vision-language model; gone with the process."""
    folder = tempfile.TemporaryDirectory()
    save_tiny("llava", Path(folder.name))
    return folder


def configured(kind: str, stub: StubServer) -> AnyLLMConfig:
    match kind:
        case "scripted":
            return ScriptedConfig(default=tuple("abcdefghijklmnopqrstuvwxyz"))
        case "openai" | "openai over aiohttp":
            exchange = "aiohttp" if "aiohttp" in kind else "auto"
            return OpenAIConfig(base_url=stub.url, model="stub", exchange=exchange)
        case "vision":
            return LocalConfig(model=tiny_vision().name)
        case _:
            return OFFLINE.get(kind, LocalConfig())


@dataclass
class Subject:
    """A model under test, in an event loop of its own."""

    kind: str
    model: ChatModel
    loop: Any
    """Something with ``run(coroutine)``."""
    recorded: bool

    @property
    def prompt(self) -> Sequence[Message]:
        return SHOPPING if self.kind == "shopper" else PROMPT

    def ask(self, sampling: Sampling) -> Completions:
        return self.run(self.model.complete(self.prompt, sampling))

    def together(self, *samplings: Sampling) -> list[Completions]:
        async def gather() -> list[Completions]:
            return await asyncio.gather(*(self.model.complete(self.prompt, s) for s in samplings))

        return self.run(gather())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)


@pytest.fixture(scope="module", params=KINDS)
def bare(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "vllm":
        session = request.getfixturevalue("vllm_session")
        yield Subject("vllm", session.model, session, recorded=False)
        return
    stub = StubServer()
    with asyncio.Runner() as loop:
        loop.run(stub.__aenter__())
        model = make_llm(configured(request.param, stub))
        yield Subject(request.param, model, loop, recorded=False)
        loop.run(model.close())
        loop.run(model.close())
        loop.run(stub.__aexit__())


@pytest.fixture(params=["bare", "recorded"])
def subject(request: pytest.FixtureRequest, bare: Subject, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "bare":
        yield bare
        return
    journal = Journal(tmp_path / "calls.jsonl")
    yield Subject(bare.kind, Recorded(bare.model, journal), bare.loop, recorded=True)
    journal.close()


def seeds(n: int) -> list[Sampling]:
    return [ASKED.model_copy(update={"seed": 100 + seed}) for seed in range(n)]


class TestContract:
    def test_it_has_a_name_that_stays(self, subject: Subject) -> None:
        assert isinstance(subject.model, ChatModel)
        before = subject.model.name
        assert before
        subject.ask(ASKED)
        assert subject.model.name == before

    def test_it_gives_as_many_replies_as_it_was_asked_for_and_counts_one_call(
        self, subject: Subject
    ) -> None:
        for n in (1, 2, 5):
            reply = subject.ask(ASKED.model_copy(update={"n": n, "seed": n}))
            assert len(reply.texts) == n
            assert len(reply.finish) in (0, n)
            assert reply.logprobs == ()
            assert reply.usage.calls == 1
            assert reply.usage.prompt_tokens > 0
            assert reply.usage.completion_tokens > 0

    def test_same_request_and_seed_same_reply_whoever_shares_the_batch(
        self, subject: Subject
    ) -> None:
        alone = subject.ask(ASKED)
        assert subject.together(ASKED, *seeds(8))[0] == alone
        assert subject.together(*seeds(8), ASKED)[-1] == alone

    def test_other_seeds_other_replies(self, subject: Subject) -> None:
        assert len({reply.texts for reply in subject.together(*seeds(8))}) > 1

    def test_every_request_gets_its_own_reply(self, subject: Subject) -> None:
        together = subject.together(*seeds(5))
        assert [reply.texts for reply in together] == [subject.ask(s).texts for s in seeds(5)]

    def test_a_sample_depends_on_its_place_in_the_row_not_on_how_many_are_drawn_together(
        self, subject: Subject
    ) -> None:
        if subject.kind.startswith("openai") and not subject.recorded:
            pytest.skip("a server knows no places: what was drawn once is kept in the journal")
        row = ASKED.model_copy(update={"seed": 7})
        middle = subject.ask(row.model_copy(update={"start": 2, "n": 2}))
        first = subject.ask(row.model_copy(update={"n": 1}))
        all_five = subject.ask(row.model_copy(update={"n": 5}))
        assert all_five.texts[2:4] == middle.texts
        assert all_five.texts[:1] == first.texts
        assert len(set(all_five.texts)) > 1

    def test_a_request_that_is_cancelled_does_not_hurt_the_others(self, subject: Subject) -> None:
        async def use() -> list[Completions]:
            asked = subject.prompt
            calls = [asyncio.ensure_future(subject.model.complete(asked, s)) for s in seeds(4)]
            await asyncio.sleep(0)
            calls[1].cancel()
            with pytest.raises(asyncio.CancelledError):
                await calls[1]
            return [await call for call in (calls[0], *calls[2:])]

        kept = [seeds(4)[i] for i in (0, 2, 3)]
        assert [r.texts for r in subject.run(use())] == [r.texts for r in subject.together(*kept)]


def test_every_kind_can_be_made() -> None:
    configs = (
        (ScriptedConfig(), Scripted),
        (ShopperConfig(), Shopper),
        (OpenAIConfig(model="m"), OpenAIModel),
        (LocalConfig(), LocalModel),
        (ImportConfig(target="tests.player:Player"), Player),
    )
    for config, kind in configs:
        model = make_llm(config)
        assert isinstance(model, kind)
        asyncio.run(model.close())


def test_a_prompt_that_is_too_long_is_refused_by_its_own_name() -> None:
    async def use() -> None:
        model = make_llm(LocalConfig())
        try:
            await model.complete([Message(role="user", content="7 " * 2000)], Sampling())
        finally:
            await model.close()

    with pytest.raises(ModelError, match="exceed the model's 1024 positions"):
        asyncio.run(use())


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
