"""What a reward model's folder says about itself, and whether the folder is whole."""

from __future__ import annotations

from math import exp
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Self

from pydantic import Field, ValidationError

from armap.errors import ConfigError
from armap.rewards.render import RENDERERS
from armap.storage import write_text
from armap.types import Record, Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["CARD", "Calibration", "RewardCard", "read_card"]

CARD = "armap_reward.json"
_WEIGHTS = "model.safetensors"
_HEAD = "score.weight"
_LARGEST_EXPONENT = 60.0
_PERCENTILES = 101


class Calibration(Record):
    """The scale of a model's raw scores, measured on held-out pairs (both sides together)."""

    mean: float
    spread: float = Field(gt=0.0)
    """Standard deviation."""
    chosen: tuple[float, ...] = Field(default=(), max_length=_PERCENTILES)
    """Raw scores of the held-out pairs' better sides, ascending: their 0th, 1st, ... 100th
    percentile. Empty in folders that were made before this was measured."""

    @classmethod
    def measured(cls, chosen: Sequence[float], rejected: Sequence[float]) -> Self:
        """The scale of held-out raw scores, ``[N]`` of either side.

        >>> Calibration.measured([1.0, 3.0], [-1.0, -3.0]).chosen[::50]
        (1.0, 2.0, 3.0)
        """
        both = [*chosen, *rejected]
        return cls(
            mean=fmean(both),
            spread=max(pstdev(both), 1e-6),
            chosen=tuple(_percentiles(sorted(chosen))),
        )

    def score(self, raw: float) -> Score:
        """Attach the calibrated value, ``sigmoid((raw - mean) / spread)``.

        >>> Calibration(mean=2.0, spread=4.0).score(2.0)
        Score(raw=2.0, calibrated=0.5)
        """
        z = (raw - self.mean) / self.spread
        z = max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, z))
        return Score(raw=raw, calibrated=1.0 / (1.0 + exp(-z)))


def _percentiles(ascending: Sequence[float]) -> Iterator[float]:
    """The 0th to the 100th percentile, linear between neighbours."""
    for percent in range(_PERCENTILES):
        place = percent / (_PERCENTILES - 1) * (len(ascending) - 1)
        low = int(place)
        high = min(low + 1, len(ascending) - 1)
        between = ascending[low] + (place - low) * (ascending[high] - ascending[low])
        yield min(between, ascending[high])  # which rounding may pass


class RewardCard(Record):
    """``armap_reward.json``: everything that scoring needs beside the weights."""

    version: int = 1
    base: str
    """Model the weights started from."""
    renderer: str
    """Name and version of the renderer that the model was trained under."""
    max_length: int
    """Longest input in tokens."""
    calibration: Calibration
    train_pairs: int
    held_out_pairs: int
    held_out_accuracy: float = Field(ge=0.0, le=1.0)

    def save(self, folder: Path) -> None:
        """Write the card into ``folder``."""
        write_text(folder / CARD, self.model_dump_json(indent=2) + "\n")


def read_card(folder: Path) -> RewardCard:
    """Check that ``folder`` holds a whole reward model, and read its card.

    Raises:
        ConfigError: the folder, its weights, its head, its tokenizer or its card is missing, or
            the model was trained under another renderer. A head is never made up.
    """
    from safetensors import SafetensorError, safe_open

    train = "train one with `armap train`"
    if not folder.is_dir():
        raise ConfigError(f"reward model {folder}: no such folder; {train}")
    for name in ("config.json", _WEIGHTS, "tokenizer.json", CARD):
        if not (folder / name).is_file():
            raise ConfigError(f"reward model {folder}: {name} is missing; {train}")
    try:
        with safe_open(folder / _WEIGHTS, framework="np") as weights:
            if _HEAD not in weights.keys():  # noqa: SIM118  (not a dict)
                raise ConfigError(
                    f"reward model {folder}: {_WEIGHTS} has no head ({_HEAD}); {train}"
                )
        card = RewardCard.model_validate_json((folder / CARD).read_bytes())
    except SafetensorError as error:
        raise ConfigError(f"reward model {folder}: {_WEIGHTS} is damaged: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"reward model {folder}: {CARD}: {where}: {first['msg']}") from error
    if card.renderer not in RENDERERS.values():
        known = " and ".join(map(repr, RENDERERS.values()))
        raise ConfigError(
            f"reward model {folder}: trained under renderer {card.renderer!r}, "
            f"here are {known}; train it again"
        )
    return card
