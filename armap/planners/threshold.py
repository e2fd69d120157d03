"""When a score is good enough: on the calibrated scale, as a raw score, or by rank.

The paper's thresholds differ "per task and model" and are not given; the released code has raw
logits (7.25, 1, 0). A raw number means something with one reward model only. The calibrated
scale carries over in the rough, and a quantile of the reward model's own held-out positives says
what is meant: as good as so large a share of the trajectories that fulfil their instruction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from armap.errors import ConfigError
from armap.planners.context import NO_REWARD
from armap.protocols import MeasuredReward
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.planners.context import Context
    from armap.types import Score

__all__ = ["Threshold", "passes", "positives"]


class Threshold(Record):
    """Exactly one of three scales; a bare number is ``calibrated``.

    >>> Threshold.model_validate(0.7) == Threshold(calibrated=0.7)
    True
    """

    calibrated: float | None = Field(default=None, gt=0.0, lt=1.0)
    """A calibrated score, in (0, 1)."""
    quantile: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the reward model's held-out positives that lie below it."""
    raw: float | None = Field(default=None, allow_inf_nan=False)
    """The reward model's own logit."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"calibrated": value} if number else value

    @model_validator(mode="after")
    def _one_scale(self) -> Threshold:
        if [self.calibrated, self.quantile, self.raw].count(None) != 2:
            raise ValueError("give one: a number, {quantile: 0.5} or {raw: 7.25}")
        return self


def passes(threshold: Threshold, context: Context) -> Callable[[Score], bool]:
    """What tells whether a score is above the threshold.

    Raises:
        ConfigError: it is a quantile, and the reward model has no held-out scores.
    """
    if threshold.calibrated is not None:
        least = threshold.calibrated
        return lambda score: score.calibrated > least
    bound = threshold.raw
    if threshold.quantile is not None:
        bound = _quantile([score.raw for score in _measured(context)], threshold.quantile)
    assert bound is not None
    return lambda score: score.raw > bound


def positives(context: Context) -> list[Score]:
    """The reward model's held-out positives, ascending; empty where it has none."""
    reward = context.reward
    return reward.positives() if isinstance(reward, MeasuredReward) else []


def _measured(context: Context) -> list[Score]:
    if context.reward is None:
        raise ConfigError(NO_REWARD)
    found = positives(context)
    if not found:
        raise ConfigError(
            f"planner.threshold: reward model {context.reward.name!r} holds no scores of "
            "held-out positives to take a quantile of: train it (again) with `armap train`, or "
            "give a number or {raw: ...}"
        )
    return found


def _quantile(ascending: Sequence[float], share: float) -> float:
    """Linear between neighbours.

    >>> _quantile([0.0, 1.0, 4.0], 0.75)
    2.5
    """
    place = share * (len(ascending) - 1)
    low = min(int(place), len(ascending) - 1)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (place - low) * (ascending[high] - ascending[low])
