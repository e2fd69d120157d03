"""Any causal language model: on the loop of ours where it fits, else on the library's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from armap.llms.local import LocalConfig, LocalModel, load_pretrained
from armap.llms.local.decode import Engine, takes
from armap.llms.local.generate import Generator
from armap.llms.local.load import in_float64
from armap.llms.local.rows import Row
from armap.types import Message, Sampling
from tests.tiny_text import FAMILIES, save_tiny_text

FOREIGN = {"bloom", "mamba", "qwen3_next"}
"""Families that the library has to decode."""

PROMPTS = ["Go.", "A prompt that is longer than any window.", "One more."]


def rows() -> list[Row]:
    prompts = [tuple(ord(letter) - 28 for letter in prompt) for prompt in PROMPTS * 2]
    return [
        Row(prompt, Sampling(temperature=float(seed > 2), max_tokens=4 + 3 * seed), seed)
        for seed, prompt in enumerate(prompts)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_both_ways_of_decoding_say_the_same_in_any_company(family: str, tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(LocalConfig(model=str(save_tiny_text(family, tmp_path))))
    judge = in_float64(model)
    assert takes(model) is (family not in FOREIGN)

    generator = Generator(model, tokenizer, judge=judge)
    together, alone = rows(), rows()
    generator.decode(together)
    for row in alone:
        generator.decode([row])
    assert [row.tokens for row in together] == [row.tokens for row in alone]
    if family not in FOREIGN:
        ours = rows()
        Engine(model, tokenizer, judge=judge, prefix_bytes=2**20).decode(ours)
        assert [row.tokens for row in ours] == [row.tokens for row in alone]


@pytest.mark.parametrize("family", ["qwen3", "mamba"])
def test_from_a_folder_to_a_reply(family: str, tmp_path: Path) -> None:
    async def run() -> tuple[str, ...]:
        model = LocalModel(LocalConfig(model=str(save_tiny_text(family, tmp_path))))
        prompt = [Message(role="user", content="Go.")]
        reply = await model.complete(prompt, Sampling(temperature=1.0, n=3, max_tokens=8))
        await model.close()
        return reply.texts

    assert len(set(asyncio.run(run()))) == 3


def test_a_model_that_mixes_its_rows_gets_them_one_by_one(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, RwkvConfig

    from tests.tiny_text import letter_tokenizer, scramble

    config = RwkvConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2)
    model = AutoModelForCausalLM.from_config(config).eval()
    scramble(model)
    assert not takes(model)
    generator = Generator(model, letter_tokenizer())
    together, alone = rows(), rows()
    generator.decode(together)
    for row in alone:
        generator.decode([row])
    assert [row.tokens for row in together] == [row.tokens for row in alone]
