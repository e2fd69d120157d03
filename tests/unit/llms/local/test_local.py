"""The local model: batches, prefixes and rounding must not show in what it says."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

import pytest
import torch

from armap.errors import ConfigError
from armap.llms.local import LocalConfig, LocalModel, load_pretrained
from armap.llms.local.decode import Row, draw
from armap.llms.local.prefix import PrefixStore
from armap.types import Message, Sampling

OPENINGS = ["Make 24 from 4 4 6 6.\nLeft: 4 4 6 6", "Make 30 from 1 5 6 9.\nLeft: 1 5 6 9"]


@lru_cache(maxsize=1)
def weights() -> tuple[Any, Any]:
    return load_pretrained(LocalConfig())


def dialogue(opening: str, *turns: str) -> list[Message]:
    roles = ("user", "assistant")
    texts = (opening, *turns)
    return [Message(role=roles[i % 2], content=text) for i, text in enumerate(texts)]


PROMPTS = [
    *(dialogue(opening) for opening in OPENINGS),
    dialogue(OPENINGS[0], "4 * 6 = 24 (left: 4 6 24)", "Left: 4 6 24"),
    dialogue(OPENINGS[1], "9 - 5 = 4 (left: 1 4 6)", "Left: 1 4 6"),
]


def sampling(seed: int, **changes: object) -> Sampling:
    return Sampling(temperature=1.0, max_tokens=20, seed=seed).model_copy(update=changes)


def ask(config: LocalConfig, *, together: bool) -> list[tuple[str, ...]]:
    async def run() -> list[tuple[str, ...]]:
        model = LocalModel(config)
        requests = [
            (prompt, sampling(seed, n=1 + seed % 3, temperature=float(seed % 4 > 0)))
            for seed in range(8)
            for prompt in PROMPTS
        ]
        try:
            if together:
                answers = await asyncio.gather(*(model.complete(p, s) for p, s in requests))
            else:
                answers = [await model.complete(p, s) for p, s in requests]
            return [answer.texts for answer in answers]
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.mark.slow
def test_company_order_and_prefix_store_change_nothing() -> None:
    alone = ask(LocalConfig(max_batch=1, prefix_mb=0), together=False)
    assert ask(LocalConfig(), together=True) == alone
    assert ask(LocalConfig(max_batch=5), together=True) == alone
    assert len(set(alone)) > 10


def test_a_stop_text_ends_and_is_cut_off() -> None:
    async def run() -> str:
        model = LocalModel(LocalConfig())
        reply = await model.complete(PROMPTS[0], sampling(1, temperature=0.0, stop=(" =",)))
        await model.close()
        return reply.texts[0]

    text = asyncio.run(run())
    assert text
    assert "=" not in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embedded:chess", "there is 'embedded:game24'"),
        ("./no/such/folder", "does not exist"),
        ("surely-not-a-model", "cannot be loaded"),
    ],
)
def test_a_model_that_is_not_there(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LocalModel(LocalConfig(model=name))


class TestDraw:
    """One step of sampling, on logits made by hand."""

    def choose(self, logits: list[float], seed: int = 0, **changes: object) -> tuple[int, bool]:
        row = Row((1,), sampling(seed, **changes), seed)
        return draw(torch.tensor([logits]), [row])[0]

    def test_greedy_takes_the_highest_and_doubts_a_tie(self) -> None:
        assert self.choose([0.0, 2.0, 1.0], temperature=0.0) == (1, True)
        assert self.choose([2.0, 2.0, 1.0], temperature=0.0)[1] is False

    def test_frequencies_follow_the_softmax(self) -> None:
        logits = [0.0, 1.0, 2.0]
        drawn = [self.choose(logits, seed)[0] for seed in range(3000)]
        expected = torch.softmax(torch.tensor(logits), 0).tolist()
        for token, share in enumerate(expected):
            assert abs(drawn.count(token) / 3000 - share) < 0.03

    def test_a_draw_at_an_edge_is_doubted(self) -> None:
        row = Row((1,), sampling(5), 5)
        u = row.uniform()
        edge = torch.tensor([[u, 1 - u]]).double().log()
        token, sure = draw(edge, [row])[0]
        assert not sure
        assert token in {0, 1}

    def test_top_p_never_draws_the_tail(self) -> None:
        logits = [3.0, 2.0, -1.0, -2.0]
        assert {self.choose(logits, seed, top_p=0.8)[0] for seed in range(300)} == {0, 1}

    def test_temperature_sharpens(self) -> None:
        cold = [self.choose([0.0, 1.0], seed, temperature=0.2)[0] for seed in range(500)]
        hot = [self.choose([0.0, 1.0], seed, temperature=5.0)[0] for seed in range(500)]
        assert sum(cold) > 480 > 330 > sum(hot)


def test_the_judge_decides_as_float64_alone_would() -> None:
    model, tokenizer = weights()
    exact = load_pretrained(LocalConfig())[0].double()
    from armap.llms.local.decode import Engine

    text = tokenizer.apply_chat_template(
        [m.model_dump() for m in PROMPTS[1]], tokenize=False, add_generation_prompt=True
    )
    prompt = tuple(tokenizer.encode(text, add_special_tokens=False))
    fast = [Row(prompt, sampling(seed), seed) for seed in range(12)]
    slow = [Row(prompt, sampling(seed), seed) for seed in range(12)]
    Engine(model, tokenizer, judge=exact).decode(fast)
    Engine(exact, tokenizer).decode(slow)
    assert [row.tokens for row in fast] == [row.tokens for row in slow]


class TestPrefixStore:
    def test_longest_prefix_that_leaves_something_to_read(self) -> None:
        store = PrefixStore(1000)
        for length in (2, 4, 6):
            store.put(tuple(range(length)), torch.zeros(2, 1, length, 1))
        found = store.longest(tuple(range(6)))
        assert found is not None
        assert found.length == 4
        assert store.longest((9, 9, 9)) is None

    def test_the_oldest_goes_first_and_use_keeps_young(self) -> None:
        store = PrefixStore(6 * 2 * 4)
        a, b, c = (1, 1), (2, 2), (3, 3)
        for tokens in (a, b, c):
            store.put(tokens, torch.zeros(2, 1, 2, 1))
        assert store.longest((*a, 0)) is not None
        store.put((4, 4), torch.zeros(2, 1, 2, 1))
        assert store.longest((*b, 0)) is None
        assert store.longest((*a, 0)) is not None

    def test_switched_off(self) -> None:
        store = PrefixStore(0)
        store.put((1, 2), torch.zeros(2, 1, 2, 1))
        assert store.longest((1, 2, 3)) is None
