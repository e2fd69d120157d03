"""``armap score``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from armap.batching import finish
from armap.planners.best_of_n import stored_candidates
from armap.rewards.model import TrainedReward, TrainedRewardConfig
from armap.storage import read_records
from armap.types import StopReason, Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from armap.types import Score

__all__ = ["score_lines"]


def score_lines(reward: Path, source: Path) -> Iterator[str]:
    """Yield one JSON object per trajectory: task, key, raw and calibrated score.

    Args:
        reward: folder of a reward model.
        source: a run folder, or a JSON Lines file of trajectories.

    Raises:
        ConfigError: the reward model or the folder is not what it should be.
        DataError: the file is missing or damaged.
    """
    model = TrainedReward(TrainedRewardConfig(path=str(reward)))
    if source.is_dir():
        groups = stored_candidates(source).values()
        found = [trajectory for group in groups for trajectory in group]
    else:
        found = list(read_records(source, Trajectory))
    whole = [trajectory for trajectory in found if trajectory.stop is not StopReason.FAILED]
    scores = finish(_scored(model, whole))
    for trajectory, score in zip(whole, scores, strict=True):
        yield json.dumps(
            {
                "task": trajectory.task.name,
                "trajectory": trajectory.key,
                "raw": score.raw,
                "calibrated": score.calibrated,
            }
        )


async def _scored(model: TrainedReward, trajectories: list[Trajectory]) -> list[Score]:
    try:
        return await model.score(trajectories)
    finally:
        await model.close()
