"""The model that starts from nothing: it learns to compare, also words it has never met."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from armap.rewards.matcher import Matcher
from armap.rewards.model import collate, load_scorer, raw_scores
from armap.rewards.scratch import ScratchConfig, start

NAMES, COLOURS = ("lamp", "chair", "mug", "sofa"), ("red", "blue", "tan")
TEXTS = [f"{name} {colour}" for name in NAMES for colour in COLOURS]
TINY = ScratchConfig(vocabulary=400, width=16, layers=1, heads=2)


def dialogue(tokenizer: object, wish: str, deed: str) -> tuple[int, ...]:
    turns = [{"role": "user", "content": wish}, {"role": "assistant", "content": deed}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return tuple(tokenizer.encode(text, add_special_tokens=False))


@pytest.fixture(scope="module")
def untrained() -> tuple[Matcher, object]:
    return start(TINY, TEXTS, longest=64, seed=0)


def test_who_shares_the_batch_changes_nothing(untrained: tuple[Matcher, object]) -> None:
    model, tokenizer = untrained
    model.eval()
    short = dialogue(tokenizer, "red lamp", "lamp")
    long = dialogue(tokenizer, "blue sofa", "red sofa and a blue chair, a mug")
    together = raw_scores(model, [short, long], batch=2)
    assert together == pytest.approx(raw_scores(model, [short, long], batch=1), abs=1e-5)


def test_the_same_seed_gives_the_same_model() -> None:
    one, tokenizer = start(TINY, TEXTS, longest=64, seed=3)
    other, _ = start(TINY, TEXTS, longest=64, seed=3)
    ids = [dialogue(tokenizer, "red lamp", "blue lamp")]
    assert raw_scores(one.eval(), ids) == raw_scores(other.eval(), ids)


def test_it_learns_to_compare_words_that_it_was_not_trained_on() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    model, tokenizer = start(TINY, [" ".join(letters)], longest=64, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)

    def pair(pool: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        a, b, c, d = (pool[i] for i in torch.randperm(len(pool), generator=generator)[:4])
        return dialogue(tokenizer, f"{a} {b}", f"{c} {a} {b}"), dialogue(
            tokenizer, f"{a} {b}", f"{c} {a} {d}"
        )

    for _ in range(60):
        both = [pair(letters[:13]) for _ in range(16)]
        rows = [better for better, _ in both] + [worse for _, worse in both]
        scores = model(**collate(rows, 0, "cpu")).logits[:, 0]
        chosen, rejected = scores.chunk(2)
        (-torch.nn.functional.logsigmoid(chosen - rejected).mean()).backward()
        optimiser.step()
        optimiser.zero_grad()
    model.eval()
    unseen = [pair(letters[13:]) for _ in range(50)]
    right = sum(
        raw_scores(model, [better])[0] > raw_scores(model, [worse])[0] for better, worse in unseen
    )
    assert right >= 45


def test_it_is_saved_and_loaded_like_any_model(
    untrained: tuple[Matcher, object], tmp_path: Path
) -> None:
    model, tokenizer = untrained
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded, words = load_scorer(tmp_path)
    ids = [dialogue(words, "red lamp", "a lamp in red")]
    assert raw_scores(loaded, ids) == pytest.approx(raw_scores(model.eval(), ids), abs=1e-5)
    assert sum(p.numel() for p in loaded.parameters()) < 50_000


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValidationError, match="width 10 is not a multiple of heads 4"):
        ScratchConfig(width=10, heads=4)
