"""``armap train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from armap.config import PolicyTrainRun, RewardTrainRun
from armap.errors import ConfigError
from armap.run.progress import Progress, Quiet
from armap.storage import JsonLines, RunFolder
from armap.types import Preference

if TYPE_CHECKING:
    from armap.rewards.card import RewardCard
    from armap.rewards.train import LearningPoint

__all__ = ["run_train"]


def run_train(
    run: RewardTrainRun | PolicyTrainRun,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RewardCard | None:
    """Train; leaves ``model/``. Returns the reward model's card, None for a policy."""
    watch = progress or Quiet()
    path = Path(run.out)
    if isinstance(run, PolicyTrainRun):
        from armap.embedded.train import train_policy

        with RunFolder.open(path, stage="train", config=run, overwrite=overwrite) as folder:
            if not folder.manifest.finished:
                watch.start("training the policy", run.train.stop_after or run.train.steps)
                train_policy(
                    run.train,
                    path,
                    seed=run.seed,
                    resume=folder.resumed,
                    progress=lambda step: watch.advance(f"step {step}"),
                )
                folder.finish()
        return None
    return _train_reward(run, path, overwrite=overwrite, watch=watch)


def _train_reward(
    run: RewardTrainRun, path: Path, *, overwrite: bool, watch: Progress
) -> RewardCard:
    from armap.rewards.card import read_card
    from armap.rewards.train import train_reward

    source = Path(run.preferences) / "preferences.jsonl"
    if not source.is_file():
        raise ConfigError(f"preferences: {source} does not exist; run `armap synthesize` first")

    def told(point: LearningPoint) -> None:
        if point.held_out_accuracy is not None:
            watch.advance(f"held-out pair accuracy {point.held_out_accuracy:.1%}")

    with RunFolder.open(path, stage="train", config=run, overwrite=overwrite) as folder:
        if folder.manifest.finished:
            return read_card(path / "model")
        pairs = list(JsonLines(source, Preference))
        watch.start("training the reward model", round(run.train.epochs * run.train.evaluations))
        card = train_reward(
            run.train, pairs, path, seed=run.seed, resume=folder.resumed, progress=told
        )
        folder.finish()
    return card
