"""A reward model trained in seconds on random games, shared by the session."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

from armap.rewards.card import RewardCard
from armap.rewards.train import LearningPoint, RewardTrainConfig, train_reward
from armap.synthesize import HindsightConfig, hindsight
from armap.types import Preference
from tests.games import make_game, random_games


@lru_cache(maxsize=1)
def pairs() -> tuple[Preference, ...]:
    config = HindsightConfig(pairs=400, collected=2, made=4)
    return tuple(hindsight(config, random_games(160), make_game, seed=0))


@lru_cache(maxsize=1)
def trained() -> tuple[Path, RewardCard, list[LearningPoint]]:
    folder = Path(mkdtemp(prefix="armap-reward-"))
    points: list[LearningPoint] = []
    config = RewardTrainConfig(batch_size=16, evaluations=3, held_out=0.1)
    card = train_reward(config, pairs(), folder, seed=0, resume=False, progress=points.append)
    return folder, card, points
