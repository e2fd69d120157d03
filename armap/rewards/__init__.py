"""Reward models, and the table that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from armap.plugins import ImportConfig, load
from armap.rewards.brevity import Brevity, BrevityConfig
from armap.rewards.model import TrainedReward, TrainedRewardConfig

if TYPE_CHECKING:
    from armap.protocols import RewardModel

__all__ = ["RewardConfig", "make_reward"]

RewardConfig = Annotated[
    TrainedRewardConfig | BrevityConfig | ImportConfig, Field(discriminator="kind")
]


def make_reward(config: TrainedRewardConfig | BrevityConfig | ImportConfig) -> RewardModel:
    """Build the reward model that ``config`` describes."""
    match config:
        case TrainedRewardConfig():
            return TrainedReward(config)
        case BrevityConfig():
            return Brevity()
        case ImportConfig():
            return cast("RewardModel", load(config.target)(**config.options))
