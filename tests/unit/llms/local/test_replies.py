"""What comes with a reply: why it ended, how likely it was; and what cannot be had."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
import torch

from armap.errors import ConfigError, ModelError
from armap.llms.local import LocalConfig, LocalModel, load_pretrained
from armap.llms.local.load import enough_memory
from armap.types import Completions, Message, Sampling
from tests.tiny_text import save_tiny_text

PROMPT = [Message(role="user", content="Make 24 from 4 4 6 6.\nLeft: 4 4 6 6")]


def ask(sampling: Sampling, config: LocalConfig | None = None) -> Completions:
    async def run() -> Completions:
        model = LocalModel(config or LocalConfig())
        try:
            return await model.complete(PROMPT, sampling)
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def mamba(tmp_path_factory: pytest.TempPathFactory) -> LocalConfig:
    """A model that the library decodes."""
    return LocalConfig(model=str(save_tiny_text("mamba", tmp_path_factory.mktemp("mamba"))))


class TestFinish:
    """Why a reply ended."""

    def test_the_end_token_stops(self) -> None:
        assert ask(Sampling(max_tokens=60)).finish == ("stop",)

    def test_the_last_token_is_a_length(self) -> None:
        assert ask(Sampling(max_tokens=2, n=2)).finish == ("length", "length")

    def test_a_stop_text_stops(self) -> None:
        assert ask(Sampling(max_tokens=60, stop=(" =",))).finish == ("stop",)

    def test_where_the_library_decodes(self, mamba: LocalConfig) -> None:
        sampling = Sampling(max_tokens=20, temperature=1.0)
        long = ask(sampling, mamba)
        assert long.finish == ("length",)
        assert long.usage.completion_tokens == 20
        cut = next(letter for letter in long.texts[0][1:] if letter != long.texts[0][0])
        short = ask(sampling.model_copy(update={"stop": (cut,)}), mamba)
        assert short.finish == ("stop",)
        assert short.texts[0] == long.texts[0].split(cut)[0]

    def test_every_published_end_token_ends(self, tmp_path: Path) -> None:
        config = LocalConfig(model=str(save_tiny_text("llama", tmp_path)))
        model, tokenizer = load_pretrained(config)
        free = ask(Sampling(max_tokens=8, logprobs=0), config)
        (third,) = tokenizer.encode(free.logprobs[0][2].token, add_special_tokens=False)
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, third]
        model.generation_config.save_pretrained(tmp_path)
        reply = ask(Sampling(max_tokens=8), config)
        assert reply.finish == ("stop",)
        assert reply.usage.completion_tokens <= 3


class TestLogprobs:
    """Of the model's own distribution."""

    def test_not_there_unless_asked_for(self) -> None:
        assert ask(Sampling(max_tokens=4)).logprobs == ()

    @pytest.mark.parametrize("top", [0, 3])
    def test_one_per_token_of_every_reply(self, top: int) -> None:
        reply = ask(Sampling(max_tokens=6, temperature=1.0, n=3, logprobs=top))
        assert sum(map(len, reply.logprobs)) == reply.usage.completion_tokens
        assert all(len(token.top) == top for row in reply.logprobs for token in row)

    @pytest.mark.parametrize("heat", [0.0, 0.5, 2.0])
    def test_neither_temperature_nor_nucleus_counts(self, heat: float) -> None:
        sampling = Sampling(max_tokens=12, temperature=heat, top_p=0.5, logprobs=2)
        model, tokenizer = load_pretrained(LocalConfig())
        (row,) = ask(sampling).logprobs
        text = tokenizer.apply_chat_template(
            [m.model_dump() for m in PROMPT], tokenize=False, add_generation_prompt=True
        )
        prompt = tokenizer.encode(text, add_special_tokens=False)
        drawn = tokenizer.encode("".join(t.token for t in row), add_special_tokens=False)
        assert len(drawn) == len(row)
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt + drawn])).logits[0]
        expected = logits.double().log_softmax(-1)[len(prompt) - 1 : -1]
        for place, (token, given) in enumerate(zip(drawn, row, strict=True)):
            assert math.isclose(given.logprob, expected[place, token].item(), abs_tol=1e-4)
            best = expected[place].topk(2).values.tolist()
            assert [value for _, value in given.top] == pytest.approx(best, abs=1e-4)

    def test_where_the_library_decodes(self, mamba: LocalConfig) -> None:
        reply = ask(Sampling(max_tokens=5, logprobs=1), mamba)
        assert [(token.token, token.logprob) for token in reply.logprobs[0]] == [
            token.top[0] for token in reply.logprobs[0]
        ]


def test_no_schema() -> None:
    with pytest.raises(ConfigError, match=r"use llm\.kind vllm or openai"):
        ask(Sampling(json_schema={"type": "object"}))


def test_a_template_that_refuses(tmp_path: Path) -> None:
    save_tiny_text("llama", tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('no user turns') }}")
    with pytest.raises(ModelError, match="no user turns"):
        ask(Sampling(), LocalConfig(model=str(tmp_path)))


class TestDevice:
    """One line, with the fix."""

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_no_cuda(self, device: str) -> None:
        with pytest.raises(ConfigError, match=r"torch sees 0 CUDA devices: set llm.device=cpu"):
            LocalModel(LocalConfig(device=device))

    def test_no_such_device(self) -> None:
        with pytest.raises(ConfigError, match=r"llm.device 'gpu' is unknown; there are 'cpu'"):
            LocalModel(LocalConfig(device="gpu"))

    def test_out_of_memory(self) -> None:
        with (
            pytest.raises(ConfigError, match=r"lower llm.max_batch \(now 256\)"),
            enough_memory(LocalConfig()),
        ):
            torch.empty(2**50)

    def test_other_errors_pass(self) -> None:
        with pytest.raises(RuntimeError, match="shape"), enough_memory(LocalConfig()):
            torch.empty(2).reshape(3)
