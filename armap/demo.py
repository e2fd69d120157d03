"""The demo's runs: the configurations of ``configs/game24/``, smaller, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.config import CollectRun, PlanRun, RewardTrainRun, SynthesizeRun
from armap.envs import TaskSelection
from armap.planners.best_of_n import BestOfNConfig
from armap.planners.mcts import MCTSConfig
from armap.planners.reflexion import ReflexionConfig
from armap.planners.sampling import GreedyConfig, SamplingConfig
from armap.policy import PolicyConfig
from armap.rewards.model import TrainedRewardConfig
from armap.rewards.train import RewardTrainConfig
from armap.synthesize import HindsightConfig

if TYPE_CHECKING:
    from armap.config import Run
    from armap.planners import AnyPlannerConfig

__all__ = ["Step", "demo_steps"]

_BUDGET = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One run and what it is for."""

    title: str
    meaning: str
    run: Run


def demo_steps(out: str, *, limit: int = 100) -> list[Step]:
    """The eight runs of the demo, in order.

    Args:
        out: folder under which each run has its own.
        limit: test puzzles to plan.
    """
    return [
        Step(
            "Collect",
            "The model plays training puzzles; nobody tells it how well.",
            CollectRun(
                out=f"{out}/collect",
                tasks=TaskSelection(split="train", limit=320),
                samples=2,
            ),
        ),
        Step(
            "Synthesize",
            "In hindsight each game achieved something: that becomes the intent, and games that "
            "miss it become rivals. Every pair is acted out again.",
            SynthesizeRun(
                out=f"{out}/synthesize",
                trajectories=f"{out}/collect",
                synthesis=HindsightConfig(pairs=1200, made=4),
            ),
        ),
        Step(
            "Train",
            "A reward model learns to tell the two sides of a pair apart.",
            RewardTrainRun(
                out=f"{out}/train",
                preferences=f"{out}/synthesize",
                train=RewardTrainConfig(evaluations=6),
            ),
        ),
        _plan(out, limit, "Plan: Greedy", "The model on its own.", GreedyConfig()),
        _plan(
            out,
            limit,
            "Plan: Sampling",
            f"{_BUDGET} games per puzzle, none preferred.",
            SamplingConfig(n=_BUDGET),
        ),
        _plan(
            out,
            limit,
            "Plan: ARMAP-B",
            "Of the same games, the one that the reward model likes most.",
            BestOfNConfig(n=_BUDGET, candidates=f"{out}/sampling"),
        ),
        _plan(
            out,
            limit,
            "Plan: ARMAP-R",
            "Play, judge, note what failed, play again.",
            ReflexionConfig(trials=_BUDGET),
        ),
        _plan(
            out,
            limit,
            "Plan: ARMAP-M",
            "A tree search that returns to promising positions.",
            MCTSConfig(trajectories=_BUDGET),
        ),
    ]


def _plan(out: str, limit: int, title: str, meaning: str, planner: AnyPlannerConfig) -> Step:
    scored = not isinstance(planner, GreedyConfig | SamplingConfig)
    # At temperature 0 the tiny model repeats itself whatever its notes say.
    warm = PolicyConfig(temperature=1.0) if isinstance(planner, ReflexionConfig) else PolicyConfig()
    run = PlanRun(
        out=f"{out}/{planner.kind}",
        policy=warm,
        tasks=TaskSelection(split="test", limit=limit),
        reward=TrainedRewardConfig(path=f"{out}/train") if scored else None,
        planner=planner,
    )
    return Step(title, meaning, run)
