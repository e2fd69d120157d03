"""The embedded model: its corpus tells the truth, its files are what they should be."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from itertools import islice
from random import Random

from armap.embedded.corpus import CorpusConfig, Dialogue, dialogues
from armap.embedded.train import PolicyTrainConfig, batches, encode
from armap.llms.local import LocalConfig, load_pretrained

DIGEST = "f776bcfa95438fdf"


def sample(n: int, **shares: float) -> list[Dialogue]:
    return list(islice(dialogues(CorpusConfig(**shares), Random(3)), n))


def test_the_same_seed_gives_the_same_text() -> None:
    assert sample(50) == sample(50)


def test_every_learned_action_is_legal_and_every_answer_true() -> None:
    kinds = {"Left:": 0, "Answer taken:": 0}
    for dialogue in sample(400):
        for act, seen in zip(dialogue[1::2], dialogue[2::2], strict=False):
            if act.learned:
                assert not seen.text.startswith("Illegal"), (act, seen)
                kinds["Left:"] += 1
        assert dialogue[-1].role == "assistant"
        assert dialogue[-1].learned
        kinds["Answer taken:"] += dialogue[-1].text.startswith("Answer: ")
    assert kinds["Left:"] > 800
    assert kinds["Answer taken:"] == 400


def test_a_noted_solution_starts_unlike_the_failures() -> None:
    noted = [d for d in sample(300, noted=1.0, honest=0.0, mended=0.0) if "Failed" in d[0].text]
    assert len(noted) > 200
    for dialogue in noted:
        first = dialogue[1].text.split(" = ")[0]
        failures = [x for x in dialogue[0].text.splitlines() if x.startswith("Failed: ")]
        assert not any(x.removeprefix("Failed: ").split(", ")[0] == first for x in failures)


def test_mended_dialogues_hold_a_false_claim_that_is_not_learned() -> None:
    mended = sample(100, noted=0.0, honest=0.0, mended=1.0)
    false = [
        act
        for dialogue in mended
        for act, seen in zip(dialogue[1::2], dialogue[2::2], strict=False)
        if seen.text.startswith("Illegal")
    ]
    assert len(false) > 70
    assert not any(act.learned for act in false)


def test_what_is_trained_is_what_inference_sends() -> None:
    _, tokenizer = load_pretrained(LocalConfig())
    for dialogue in sample(60):
        ids, labels = encode(tokenizer, dialogue)
        turns = [{"role": s.role, "content": s.text} for s in dialogue]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        assert tokenizer.encode(text, add_special_tokens=False) == ids
        assert len(labels) == len(ids)
        learned = [i for i, label in enumerate(labels) if label != -100]
        assert learned
        assert all(labels[i] == ids[i] for i in learned)


def test_batches_are_reproducible_and_whole() -> None:
    _, tokenizer = load_pretrained(LocalConfig())
    config = PolicyTrainConfig(batch_size=8)
    first = list(islice(batches(tokenizer, config, 1), 4))
    assert first == list(islice(batches(tokenizer, config, 1), 4))
    assert {len(batch) for batch in first} == {8}


def test_the_weights_fit_in_the_package() -> None:
    folder = files("armap.embedded").joinpath("game24")
    size = len(folder.joinpath("model.safetensors").read_bytes())
    assert 1_000_000 < size <= 8_000_000


def test_the_text_is_the_one_that_the_shipped_weights_learned() -> None:
    """Whoever changes this changes what `configs/game24/policy.yaml` makes; train anew then."""
    text = repr([tuple(map(tuple, dialogue)) for dialogue in sample(500)])
    assert sha256(text.encode()).hexdigest()[:16] == DIGEST
