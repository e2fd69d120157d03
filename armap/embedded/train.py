"""Train the embedded policy from scratch: a small Llama on Game-of-24 dialogues."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from armap.embedded.corpus import CorpusConfig, Dialogue, dialogues
from armap.storage import last_checkpoint
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from transformers import PreTrainedTokenizerFast

__all__ = ["Architecture", "PolicyTrainConfig", "encode", "train_policy"]

_IGNORED = -100


class Architecture(Record):
    """Sizes of the Llama; the default has 3.6 million parameters (7.2 MB in bfloat16)."""

    layers: int = Field(default=4, gt=0)
    width: int = Field(default=256, gt=0)
    heads: int = Field(default=8, gt=0)
    inner: int = Field(default=768, gt=0)
    vocabulary: int = Field(default=768, gt=300)
    positions: int = Field(default=1024, gt=0)


class PolicyTrainConfig(Record):
    """``armap train`` with ``kind: policy``: the recipe of the embedded model."""

    kind: Literal["policy"] = "policy"
    corpus: CorpusConfig = CorpusConfig()
    architecture: Architecture = Architecture()
    steps: int = Field(default=4800, gt=0)
    """Length of the learning-rate schedule (linear to zero)."""
    stop_after: int | None = Field(default=None, gt=0)
    """Stop there, before the schedule ends; None for its end."""
    batch_size: int = Field(default=64, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    warmup_steps: int = Field(default=200, ge=0)
    weight_decay: float = Field(default=0.05, ge=0.0)
    save_every: int = Field(default=400, gt=0)


def encode(tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue) -> tuple[list[int], list[int]]:
    """Token ids ``[L]`` and labels ``[L]`` of a dialogue, as the chat template writes it."""
    ids: list[int] = []
    labels: list[int] = []
    end = tokenizer.eos_token_id
    for segment in dialogue:
        marker = tokenizer.convert_tokens_to_ids(f"<|{segment.role}|>")
        body = tokenizer.encode(f" {segment.text}", add_special_tokens=False)
        body += [end] if segment.role == "assistant" else []
        ids += [marker, *body]
        labels += [_IGNORED, *(body if segment.learned else [_IGNORED] * len(body))]
    return ids, labels


def batches(
    tokenizer: PreTrainedTokenizerFast, config: PolicyTrainConfig, seed: int
) -> Iterator[list[tuple[list[int], list[int]]]]:
    """Batches of dialogues of similar length, for ever, the same for the same seed."""
    rng = Random(seed)
    source = dialogues(config.corpus, rng)
    size = config.batch_size
    while True:
        pool = sorted(
            (encode(tokenizer, dialogue) for dialogue in islice(source, 16 * size)),
            key=lambda pair: len(pair[0]),
        )
        order = list(range(16))
        rng.shuffle(order)
        for index in order:
            yield pool[index * size : (index + 1) * size]


def train_policy(
    config: PolicyTrainConfig,
    folder: Path,
    *,
    seed: int,
    resume: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> Path:
    """Train and save model and tokenizer; returns their folder, ``folder / "model"``.

    Args:
        config: the recipe.
        folder: of the run; also receives checkpoints.
        seed: of data, initialisation and tokenizer sample.
        resume: continue from the last checkpoint in ``folder`` when there is one.
        progress: told of every step.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed
    from transformers.trainer_callback import PrinterCallback, TrainerCallback
    from transformers.utils.logging import disable_progress_bar

    from armap.embedded.tokenizer import build

    disable_progress_bar()
    set_seed(seed)
    tokenizer = build(config.corpus, vocabulary=config.architecture.vocabulary, seed=seed)
    shape = config.architecture
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.width,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=shape.positions,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )

    class Stop(TrainerCallback):  # type: ignore[misc]  # untyped library
        """Ends training where the recipe says so, and tells of the way there."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args
            progress(state.global_step)
            if config.stop_after is not None and state.global_step >= config.stop_after:
                control.should_training_stop = True

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "checkpoints"),
            max_steps=config.steps,
            per_device_train_batch_size=1,
            learning_rate=config.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=config.warmup_steps,
            weight_decay=config.weight_decay,
            max_grad_norm=1.0,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            logging_steps=50,
            save_steps=config.save_every,
            seed=seed,
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            ignore_data_skip=False,
            optim="adamw_torch_fused",
        ),
        train_dataset=_stream(tokenizer, config, seed),
        data_collator=lambda rows: _collate(rows[0], tokenizer.pad_token_id),
        callbacks=[Stop()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(
        resume_from_checkpoint=last_checkpoint(folder / "checkpoints") if resume else None
    )
    target = folder / "model"
    model.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def _stream(tokenizer: PreTrainedTokenizerFast, config: PolicyTrainConfig, seed: int) -> Any:
    from torch.utils.data import IterableDataset

    class Stream(IterableDataset[Any]):  # type: ignore[misc]  # untyped library
        """One ready batch per item: batches are grouped by length, so they come whole."""

        def __iter__(self) -> Iterator[Any]:
            return batches(tokenizer, config, seed)

    return Stream()


def _collate(rows: list[tuple[list[int], list[int]]], pad: int) -> dict[str, Any]:
    import torch

    longest = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), longest), pad)
    labels = torch.full((len(rows), longest), _IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for row, (tokens, targets) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, : len(targets)] = torch.tensor(targets)
        mask[row, : len(tokens)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}
