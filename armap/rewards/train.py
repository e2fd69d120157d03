"""Train a reward model on preference pairs (ARMAP section 3.3).

Loss [ARMAP eq. 2]: ``-log sigmoid(R(x, h+) - R(x, h-))``, mean over pairs, plus
``centering * mean(R(x, h+) + R(x, h-))**2``, which keeps the scores near zero (the released code
adds the absolute value with weight 1e-3; the paper has no such term).

Deviations from the paper: full fine-tuning (the models here are small), a learning rate for that,
early stopping on held-out pairs, and those pairs differ from the training pairs in their puzzles.
"""

from __future__ import annotations

import json
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from armap.errors import ConfigError, DataError
from armap.llms.local import locate
from armap.rewards.card import Calibration, RewardCard
from armap.rewards.model import collate, encode, raw_scores
from armap.rewards.render import RENDERERS, Renderer, render_with
from armap.rewards.scratch import SCRATCH, ScratchConfig
from armap.seeding import derive
from armap.storage import last_checkpoint, write_text
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from armap.types import Preference

__all__ = ["LearningPoint", "RewardTrainConfig", "split_by_task", "train_reward"]


class RewardTrainConfig(Record):
    """``armap train`` with ``kind: reward``."""

    kind: Literal["reward"] = "reward"
    base: str = "embedded:game24"
    """Model to start from: any causal language model or sequence classifier with a chat
    template; ``scratch`` for a small one of our own that starts from nothing."""
    scratch: ScratchConfig = ScratchConfig()
    """Sizes of ``base: scratch``."""
    renderer: Renderer = "dialogue"
    """What the model reads: the whole ``dialogue``, or for WebShop the ``purchase`` alone."""
    epochs: float = Field(default=1.0, gt=0.0)
    batch_size: int = Field(default=32, gt=0)
    """Pairs per step."""
    learning_rate: float = Field(default=3e-4, gt=0.0)
    warmup_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    weight_decay: float = Field(default=0.01, ge=0.0)
    centering: float = Field(default=1e-3, ge=0.0)
    held_out: float = Field(default=0.08, gt=0.0, lt=1.0)
    """Share of the *tasks* (same numbers) whose pairs are kept for measuring."""
    evaluations: int = Field(default=8, gt=0)
    """Measurements per epoch."""
    patience: int = Field(default=4, gt=0)
    """Stop after so many measurements without a lower held-out loss."""
    max_length: int = Field(default=1024, gt=0)
    """Longest side in tokens; pairs above it are an error, never cut."""
    bf16: bool = True


class LearningPoint(Record):
    """One line of ``learning.jsonl``."""

    step: int
    pairs: int
    """Pairs seen so far."""
    train_loss: float | None = None
    held_out_loss: float | None = None
    held_out_accuracy: float | None = None


class EncodedPair(NamedTuple):
    """Token ids of both sides."""

    chosen: tuple[int, ...]
    rejected: tuple[int, ...]


def split_by_task(
    pairs: Sequence[Preference], share: float, *, seed: int
) -> tuple[list[Preference], list[Preference]]:
    """Divide pairs into training and held-out, no puzzle on both sides.

    Tasks count as the same when everything but the target agrees.

    Raises:
        DataError: fewer than two different tasks.
    """
    groups = sorted({_group(pair) for pair in pairs})
    if len(groups) < 2:
        raise DataError(
            f"{len(pairs)} pairs of {len(groups)} task: two tasks are needed to hold one out"
        )
    Random(derive(seed, "held out")).shuffle(groups)
    held = set(groups[: max(1, min(len(groups) - 1, round(share * len(groups))))])
    train = [pair for pair in pairs if _group(pair) not in held]
    return train, [pair for pair in pairs if _group(pair) in held]


def _group(pair: Preference) -> str:
    setup = {key: value for key, value in pair.task.setup.items() if key not in {"target", "turns"}}
    return json.dumps([pair.task.env, setup or pair.task.name], sort_keys=True)


def train_reward(
    config: RewardTrainConfig,
    pairs: Sequence[Preference],
    folder: Path,
    *,
    seed: int,
    resume: bool,
    progress: Callable[[LearningPoint], None] = lambda _: None,
) -> RewardCard:
    """Train on ``pairs``; leave model, tokenizer and card in ``folder / "model"``.

    Args:
        config: settings.
        pairs: preferences, of two tasks at least.
        folder: of the run; also receives checkpoints and ``learning.jsonl``.
        seed: of initialisation, split and order.
        resume: continue from the last checkpoint in ``folder`` when there is one.
        progress: told of every measurement.

    Raises:
        ConfigError: the base model is not there or has no chat template.
        DataError: a pair is longer than ``max_length``, or there are too few tasks.
    """
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    set_seed(seed)
    logging.set_verbosity_error()  # a new head is what we are here to train
    logging.disable_progress_bar()
    model, tokenizer = _started(config, pairs, seed)
    model.config.pad_token_id = tokenizer.pad_token_id
    train, held = split_by_task(pairs, config.held_out, seed=seed)
    data = _encoded(tokenizer, train, config), _encoded(tokenizer, held, config)
    trainer = _trainer(model, data, config, folder / "checkpoints", seed, progress)
    trainer.remove_callback(PrinterCallback)
    trainer.train(
        resume_from_checkpoint=last_checkpoint(folder / "checkpoints") if resume else None
    )
    _save_curve(folder, trainer.state.log_history, config)
    model = trainer.model.float().eval()
    card = _measured(model, data, config)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    card.save(folder / "model")
    return card


def _started(
    config: RewardTrainConfig, pairs: Sequence[Preference], seed: int
) -> tuple[Any, PreTrainedTokenizerBase]:
    """The model with a new head, and its tokenizer.

    Raises:
        ConfigError: the base model is not there or has no chat template.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if config.base == SCRATCH:
        from armap.rewards.scratch import start

        return start(config.scratch, _texts(config, pairs), longest=config.max_length, seed=seed)
    place = locate(config.base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        model = AutoModelForSequenceClassification.from_pretrained(place, num_labels=1)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(f"base model {config.base!r} cannot be loaded: {first}") from error
    if not tokenizer.chat_template:
        raise ConfigError(f"the tokenizer of {config.base!r} has no chat template")
    return model, tokenizer


def _texts(config: RewardTrainConfig, pairs: Sequence[Preference]) -> Iterator[str]:
    """All that the model will read of the pairs."""
    version = RENDERERS[config.renderer]
    for pair in pairs:
        for side in (pair.chosen, pair.rejected):
            yield from (message.content for message in render_with(version, side))


def _encoded(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Preference], config: RewardTrainConfig
) -> list[EncodedPair]:
    encoded = []
    version = RENDERERS[config.renderer]
    for pair in pairs:
        sides = EncodedPair(
            encode(tokenizer, pair.chosen, version), encode(tokenizer, pair.rejected, version)
        )
        longest = max(map(len, sides))
        if longest > config.max_length:
            raise DataError(
                f"a pair of task {pair.task.name!r} has {longest} tokens, max_length is "
                f"{config.max_length}; raise it"
            )
        encoded.append(sides)
    return encoded


def _trainer(
    model: Any,
    data: tuple[list[EncodedPair], list[EncodedPair]],
    config: RewardTrainConfig,
    checkpoints: Path,
    seed: int,
    progress: Callable[[LearningPoint], None],
) -> Any:
    import torch
    from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments

    def pairwise(model: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
        logits = model(**inputs).logits[:, 0].float()
        chosen, rejected = logits.chunk(2)
        return pairwise_loss(chosen, rejected, config.centering), chosen - rejected

    class PairTrainer(Trainer):  # type: ignore[misc]  # untyped library
        """A Trainer whose batches hold the chosen rows first, then the rejected ones."""

        def compute_loss(
            self,
            model: Any,
            inputs: Any,
            return_outputs: bool = False,  # noqa: FBT001  (the library's signature)
            **_: Any,
        ) -> Any:
            loss, margins = pairwise(model, inputs)
            return (loss, {"margins": margins}) if return_outputs else loss

        def prediction_step(
            self, model: Any, inputs: Any, prediction_loss_only: object, ignore_keys: Any = None
        ) -> Any:
            del prediction_loss_only, ignore_keys
            with torch.no_grad(), self.compute_loss_context_manager():
                loss, margins = pairwise(model, self._prepare_inputs(inputs))
            return loss.detach(), margins.detach(), torch.zeros_like(margins)

    class Watch(TrainerCallback):  # type: ignore[misc]  # untyped library
        """Passes measurements on."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            del args, control
            point = _point({**(logs or {}), "step": state.global_step}, config)
            if point is not None:
                progress(point)

    steps = max(1, round(len(data[0]) * config.epochs / config.batch_size))
    every = max(1, round(steps / config.epochs / config.evaluations))
    pad = model.config.pad_token_id
    return PairTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(checkpoints),
            max_steps=steps,
            per_device_train_batch_size=config.batch_size,
            per_device_eval_batch_size=4 * config.batch_size,
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(steps * config.warmup_share),
            weight_decay=config.weight_decay,
            bf16=config.bf16,
            use_cpu=not torch.cuda.is_available(),
            eval_strategy="steps",
            eval_steps=every,
            save_strategy="steps",
            save_steps=every,
            save_total_limit=2,
            logging_steps=every,
            load_best_model_at_end=True,
            metric_for_best_model="eval_loss",
            greater_is_better=False,
            train_sampling_strategy="group_by_length",
            remove_unused_columns=False,
            label_names=[],
            report_to=[],
            disable_tqdm=True,
            seed=seed,
            optim="adamw_torch_fused",
        ),
        train_dataset=[_row(pair) for pair in data[0]],
        eval_dataset=[_row(pair) for pair in data[1]],
        data_collator=lambda rows: collate(
            [row["input_ids"] for row in rows] + [row["rejected"] for row in rows], pad, "cpu"
        ),
        compute_metrics=lambda result: {"accuracy": float((result.predictions > 0).mean())},
        callbacks=[EarlyStoppingCallback(config.patience), Watch()],
    )


def _row(pair: EncodedPair) -> dict[str, tuple[int, ...]]:
    """A pair under the names that the Trainer's length grouping looks for."""
    return {"input_ids": pair.chosen, "rejected": pair.rejected}


def pairwise_loss(chosen: Any, rejected: Any, centering: float) -> Any:
    """Bradley-Terry loss of score tensors ``[N]``, with the centring term; a scalar tensor."""
    from torch.nn.functional import logsigmoid

    return -logsigmoid(chosen - rejected).mean() + centering * (chosen + rejected).mean() ** 2


def _point(entry: dict[str, Any], config: RewardTrainConfig) -> LearningPoint | None:
    if "loss" not in entry and "eval_loss" not in entry:
        return None
    step = int(entry["step"])
    return LearningPoint(
        step=step,
        pairs=step * config.batch_size,
        train_loss=entry.get("loss"),
        held_out_loss=entry.get("eval_loss"),
        held_out_accuracy=entry.get("eval_accuracy"),
    )


def _save_curve(folder: Path, history: list[dict[str, Any]], config: RewardTrainConfig) -> None:
    points = (_point(entry, config) for entry in history)
    lines = [point.model_dump_json() + "\n" for point in points if point is not None]
    write_text(folder / "learning.jsonl", "".join(lines))


def _measured(
    model: Any, data: tuple[list[EncodedPair], list[EncodedPair]], config: RewardTrainConfig
) -> RewardCard:
    """Score the held-out pairs as scoring will, and read accuracy and scale off them."""
    train, held = data
    chosen = raw_scores(model, [pair.chosen for pair in held])
    rejected = raw_scores(model, [pair.rejected for pair in held])
    better = [left > right for left, right in zip(chosen, rejected, strict=True)]
    return RewardCard(
        base=config.base,
        renderer=RENDERERS[config.renderer],
        max_length=config.max_length,
        calibration=Calibration.measured(chosen, rejected),
        train_pairs=len(train),
        held_out_pairs=len(held),
        held_out_accuracy=fmean(better),
    )
