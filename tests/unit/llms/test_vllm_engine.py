"""vLLM in this process: what armap asks of it, and what it does with a real engine."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from armap.environment import secret, suggest
from armap.errors import ConfigError, ContextTooLong, ModelError, RequestRefused
from armap.llms import LLMConfig, make_llm
from armap.llms.local import LocalConfig, LocalModel
from armap.llms.vllm_engine import VLLMConfig, VLLMModel
from armap.types import Completions, Message, Sampling
from tests.conftest import VLLMSession, small_vllm

READ = TypeAdapter(LLMConfig)
PROMPT = [Message(role="user", content="Make 24 from 4 4 6 6.\nLeft: 4 4 6 6")]
LONG = Sampling(temperature=1.0, n=8, max_tokens=1900)
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def test_the_config_says_the_kind_and_the_model() -> None:
    config = READ.validate_python({"kind": "vllm", "model": "some/model", "engine": {"x": 1}})
    assert isinstance(config, VLLMConfig)
    assert config.enable_prefix_caching
    assert READ.validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "wrong", [{}, {"model": "m", "tensor_parallel_size": 0}, {"model": "m", "quantisation": "x"}]
)
def test_an_impossible_config_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python({"kind": "vllm", **wrong})


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_it_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'armap\[vllm\]'"):
        make_llm(VLLMConfig(model="some/model"))


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "INFO")
    suggest("VLLM_LOGGING_LEVEL", "WARNING")
    assert secret("VLLM_LOGGING_LEVEL") == "INFO"


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestEngine:
    """With one engine on a random model, shared by the session."""

    def ask(
        self, vllm: VLLMSession, *samplings: Sampling, prompt: list[Message] = PROMPT
    ) -> list[Completions]:
        """All at once."""

        async def gather() -> list[Completions]:
            return await asyncio.gather(*(vllm.model.complete(prompt, s) for s in samplings))

        return vllm.run(gather())

    def test_a_sample_keeps_its_place_in_the_row(self, vllm_session: VLLMSession) -> None:
        row = Sampling(temperature=1.0, seed=7, n=6, max_tokens=24)
        split = [row.model_copy(update={"n": n, "start": i}) for i, n in ((0, 1), (1, 3), (4, 2))]
        (whole,) = self.ask(vllm_session, row)
        together = self.ask(vllm_session, *split)
        alone = [self.ask(vllm_session, part)[0] for part in split]
        assert len(set(whole.texts)) == 6
        for parts in (together, alone):
            assert tuple(text for part in parts for text in part.texts) == whole.texts
        neighbour = row.model_copy(update={"seed": 8})
        assert not set(whole.texts) & set(self.ask(vllm_session, neighbour)[0].texts)

    def test_what_it_cost(self, vllm_session: VLLMSession) -> None:
        sampling = Sampling(temperature=1.0, n=3, max_tokens=16, logprobs=0)
        (reply,) = self.ask(vllm_session, sampling)
        assert reply.usage.calls == 1
        assert reply.usage.completion_tokens == sum(map(len, reply.logprobs))
        assert reply.usage.cached_tokens <= reply.usage.prompt_tokens

    def test_greedy_is_what_transformers_decodes(self, vllm_session: VLLMSession) -> None:
        sampling = Sampling(n=2, max_tokens=24)
        (reply,) = self.ask(vllm_session, sampling)

        async def by_transformers() -> Completions:
            model = LocalModel(LocalConfig(model=str(vllm_session.folder)))
            try:
                return await model.complete(PROMPT, sampling)
            finally:
                await model.close()

        expected = asyncio.run(by_transformers())
        assert reply.texts == expected.texts
        assert reply.usage.prompt_tokens == expected.usage.prompt_tokens
        assert reply.texts[0] == reply.texts[1]

    def test_stop(self, vllm_session: VLLMSession) -> None:
        sampling = Sampling(temperature=1.0, seed=3, max_tokens=24)
        (free,) = self.ask(vllm_session, sampling)
        (text,) = free.texts
        stop = text[len(text) // 2]
        (stopped,) = self.ask(vllm_session, sampling.model_copy(update={"stop": (stop,)}))
        assert stopped.texts == (text.partition(stop)[0],)
        assert (free.finish, stopped.finish) == (("length",), ("stop",))

    def test_the_end_token_is_not_in_the_text(self, vllm_session: VLLMSession) -> None:
        (reply,) = self.ask(vllm_session, Sampling(temperature=1.0, n=64, max_tokens=64))
        assert set(reply.finish) == {"stop", "length"}
        assert not any("<|im_end|>" in text for text in reply.texts)

    def test_logprobs(self, vllm_session: VLLMSession) -> None:
        sampling = Sampling(temperature=0.7, n=2, max_tokens=8, logprobs=3)
        (reply,) = self.ask(vllm_session, sampling)
        assert [len(tokens) for tokens in reply.logprobs] == [8, 8]
        for token in (token for tokens in reply.logprobs for token in tokens):
            chances = [chance for _, chance in token.top]
            assert len(chances) == 3
            assert chances == sorted(chances, reverse=True)
            assert token.logprob <= chances[0] < 0
        first = {tokens[0].top for tokens in reply.logprobs}
        assert len(first) == 1, "before temperature, and before any draw"
        assert self.ask(vllm_session, Sampling())[0].logprobs == ()

    def test_json_schema(self, vllm_session: VLLMSession) -> None:
        schema = {
            "type": "object",
            "properties": {"answer": {"enum": ["yes", "no"]}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        sampling = Sampling(temperature=1.0, n=4, max_tokens=256, json_schema=schema)
        (reply,) = self.ask(vllm_session, sampling)
        whole = [text for text, why in zip(reply.texts, reply.finish, strict=True) if why == "stop"]
        assert whole
        assert all(json.loads(text)["answer"] in {"yes", "no"} for text in whole)

    def test_cancelling_aborts_the_requests(self, vllm_session: VLLMSession) -> None:
        async def cancel() -> tuple[int, int]:
            engine = await vllm_session.model._started()
            waiting = asyncio.ensure_future(vllm_session.model.complete(PROMPT, LONG))
            while engine.output_processor.get_num_unfinished_requests() < LONG.n:
                await asyncio.sleep(0.01)
            before = engine.output_processor.get_num_unfinished_requests()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return before, engine.output_processor.get_num_unfinished_requests()

        assert vllm_session.run(cancel()) == (8, 0)
        assert self.ask(vllm_session, Sampling(max_tokens=4))[0].texts

    @pytest.mark.parametrize("words", [3, 2000, 200_000])
    def test_a_prompt_that_is_too_long(self, vllm_session: VLLMSession, words: int) -> None:
        long = [Message(role="user", content="7 " * words)]
        with pytest.raises(
            ContextTooLong, match=r"exceed the model's 2048 positions; lower .* raise llm.max_model"
        ):
            self.ask(vllm_session, Sampling(max_tokens=2040), prompt=long)

    def test_the_prefix_cache_is_used_and_reported(self, vllm_session: VLLMSession) -> None:
        opening = [Message(role="user", content="A long tale of keys and doors. " * 30)]
        sampling = Sampling(temperature=1.0, n=4, max_tokens=8)
        (first,) = self.ask(vllm_session, sampling, prompt=opening)
        told = Message(role="assistant", content=first.texts[0])
        (second,) = self.ask(vllm_session, sampling, prompt=[*opening, told, *PROMPT])
        assert first.usage.cached_tokens == 0
        assert 0 < second.usage.cached_tokens < second.usage.prompt_tokens

    def test_many_long_prompts_at_once(self, vllm_session: VLLMSession) -> None:
        """More than vLLM reads in one step: it must not cut a prompt on a CPU, see the model."""
        sampling = Sampling(temperature=1.0, max_tokens=4)
        prompts = [[Message(role="user", content=f"House {i}. " * 60)] for i in range(24)]

        async def gather() -> list[Completions]:
            return await asyncio.gather(
                *(vllm_session.model.complete(prompt, sampling) for prompt in prompts)
            )

        replies = vllm_session.run(gather())
        assert sum(reply.usage.prompt_tokens for reply in replies) > 6000

    def test_a_request_that_vllm_refuses(self, vllm_session: VLLMSession) -> None:
        with pytest.raises(RequestRefused, match="temperature must be in"):
            self.ask(vllm_session, Sampling(temperature=9.0, n=2))

    def test_images_need_a_model_that_reads_them(self, vllm_session: VLLMSession) -> None:
        pictured = [Message(role="user", content="What is this?", images=(PIXEL,))]
        with pytest.raises(ConfigError, match="takes no images"):
            self.ask(vllm_session, Sampling(), prompt=pictured)

    def test_another_event_loop_is_told(self, vllm_session: VLLMSession) -> None:
        self.ask(vllm_session, Sampling(max_tokens=1))
        with pytest.raises(ModelError, match="in use by another event loop"):
            asyncio.run(vllm_session.model.complete(PROMPT, Sampling()))


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("vllm_here")
class TestStart:
    def test_an_engine_that_was_never_started_can_be_closed(self, tiny_llama: Path) -> None:
        model = make_llm(small_vllm(tiny_llama))
        assert isinstance(model, VLLMModel)
        asyncio.run(model.close())
        asyncio.run(model.close())

    def test_a_folder_that_is_not_there(self) -> None:
        with pytest.raises(ConfigError, match=r"model folder '\./nowhere' does not exist"):
            VLLMModel(VLLMConfig(model="./nowhere"))

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        model = VLLMModel(VLLMConfig(model=str(tmp_path)))
        with pytest.raises(ConfigError, match="cannot be used with vLLM") as caught:
            asyncio.run(model.complete(PROMPT, Sampling()))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("setting", "complaint"),
        [
            ({"max_num_seq": 4}, "vLLM has no argument 'max_num_seq'; did you mean 'max_num_seqs'"),
            ({"max_model_len": 9000}, "cannot be used with vLLM: .*max_model_len"),
        ],
    )
    def test_what_cannot_start_is_told_in_one_line(
        self, tiny_llama: Path, setting: dict[str, int], complaint: str
    ) -> None:
        async def start() -> None:
            model = VLLMModel(small_vllm(tiny_llama, **setting))
            try:
                await model.complete(PROMPT, Sampling())
            finally:
                await model.close()

        with pytest.raises(ConfigError, match=complaint) as caught:
            asyncio.run(start())
        assert "\n" not in str(caught.value)

    @pytest.mark.slow
    def test_closing_fails_what_is_in_flight(self, tiny_llama: Path) -> None:
        async def live() -> None:
            model = VLLMModel(small_vllm(tiny_llama))
            long = asyncio.ensure_future(model.complete(PROMPT, LONG))
            await model.complete(PROMPT, Sampling(max_tokens=4))
            await model.close()
            with pytest.raises(ModelError, match=r"the engine dropped the request \(abort\)"):
                await asyncio.wait_for(long, 60)
            await model.close()

        before = set(multiprocessing.active_children())
        asyncio.run(live())
        assert set(multiprocessing.active_children()) == before

    @pytest.mark.slow
    def test_an_engine_that_dies_is_a_model_error(self, tiny_llama: Path) -> None:
        async def live() -> None:
            before = set(multiprocessing.active_children())
            model = VLLMModel(small_vllm(tiny_llama))
            try:
                short = Sampling(max_tokens=4)
                replies = await asyncio.gather(*(model.complete(PROMPT, short) for _ in range(8)))
                assert len({reply.texts for reply in replies}) == 1, "started once, for all"
                long = asyncio.ensure_future(model.complete(PROMPT, LONG))
                await asyncio.sleep(0.2)
                (process,) = set(multiprocessing.active_children()) - before
                process.kill()
                for call in (long, model.complete(PROMPT, short)):
                    with pytest.raises(ModelError, match="the engine has died"):
                        await asyncio.wait_for(call, 60)
            finally:
                await model.close()

        asyncio.run(live())
