"""The trained reward model: a sequence model with a scalar head on its last token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from armap.batching import Batcher
from armap.errors import ConfigError, RewardError, boundary
from armap.rewards.card import read_card
from armap.rewards.render import RENDERERS, render_with
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from armap.types import Score, Trajectory

__all__ = ["TrainedReward", "TrainedRewardConfig", "encode", "load_scorer", "raw_scores"]

_CACHED = 100_000


class TrainedRewardConfig(Record):
    """A reward model made by ``armap train``."""

    kind: Literal["trained"] = "trained"
    path: str
    """Its folder, or the run folder of ``armap train``."""
    device: str = "cpu"
    batch: int = Field(default=1, gt=0)
    """Trajectories per forward pass. 1 gives the same bits whoever else is scored, and costs
    little on a CPU; raise it on an accelerator."""


class TrainedReward:
    """A :class:`~armap.protocols.RewardModel`; equal trajectories are scored once."""

    def __init__(self, config: TrainedRewardConfig) -> None:
        self._config = config
        folder = Path(config.path)
        if (folder / "model").is_dir():
            folder /= "model"
        self.card = read_card(folder)
        self.name = f"trained/{config.path}"
        self._model, self._tokenizer = load_scorer(folder, config.device)
        self._known: dict[tuple[int, ...], float] = {}
        self._batcher: Batcher[tuple[int, ...], float] = Batcher(self._work, capacity=256)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        """``[N] -> [N]``.

        Raises:
            RewardError: a trajectory is longer than the model reads, or the model failed.
        """
        import asyncio

        inputs = [
            encode(self._tokenizer, trajectory, self.card.renderer) for trajectory in trajectories
        ]
        for ids in inputs:
            if len(ids) > self.card.max_length:
                raise RewardError(
                    f"{self.name}: a trajectory of {len(ids)} tokens exceeds the model's "
                    f"{self.card.max_length}"
                )
        with boundary(RewardError, self.name):
            raw = await asyncio.gather(*(self._one(ids) for ids in inputs))
            return [self.card.calibration.score(value) for value in raw]

    def positives(self) -> list[Score]:
        """Scores of held-out better sides, ascending: ``[101]`` percentiles, or none measured."""
        return [self.card.calibration.score(raw) for raw in self.card.calibration.chosen]

    async def close(self) -> None:
        """Stop the worker thread."""
        await self._batcher.close()

    async def _one(self, ids: tuple[int, ...]) -> float:
        if ids not in self._known:
            value = await self._batcher.submit(ids)
            if len(self._known) < _CACHED:
                self._known[ids] = value
            return value
        return self._known[ids]

    def _work(self, inputs: Sequence[tuple[int, ...]]) -> list[float]:
        fresh = list(dict.fromkeys(inputs))
        scores = raw_scores(self._model, fresh, batch=self._config.batch)
        found = dict(zip(fresh, scores, strict=True))
        return [found[ids] for ids in inputs]


def encode(
    tokenizer: PreTrainedTokenizerBase,
    trajectory: Trajectory,
    renderer: str = RENDERERS["dialogue"],
) -> tuple[int, ...]:
    """The token ids ``[L]`` that the model reads; its score stands behind the last one."""
    turns = [message.model_dump() for message in render_with(renderer, trajectory)]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return tuple(tokenizer.encode(str(text), add_special_tokens=False))


def load_scorer(
    folder: Path, device: str = "cpu"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load weights (head included) and tokenizer in float32.

    Raises:
        ConfigError: torch is not installed, or the files do not load.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise ConfigError(
            f"reward.kind 'trained' needs torch: pip install 'armap[train]' ({error})"
        ) from error
    from armap.rewards.matcher import register

    register()
    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(f"reward model {folder} cannot be loaded: {first}") from error
    return model.to(device).eval(), tokenizer


def raw_scores(
    model: PreTrainedModel, inputs: Sequence[Sequence[int]], *, batch: int = 1
) -> list[float]:
    """Logits ``[N]`` of token sequences."""
    import torch

    scores: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            chunk = inputs[start : start + batch]
            logits = model(**collate(chunk, model.config.pad_token_id, model.device)).logits
            scores += [float(value) for value in logits[:, 0].float().tolist()]
    return scores


def collate(inputs: Sequence[Sequence[int]], pad: int | None, device: Any) -> dict[str, Any]:
    """Right-padded ids and mask, ``[N, L]``."""
    import torch

    longest = max(map(len, inputs))
    ids = torch.full((len(inputs), longest), 0 if pad is None else pad)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(inputs):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
