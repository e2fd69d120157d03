"""Planners, and the table that names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from armap.planners.beam import Beam, BeamConfig
from armap.planners.best_of_n import BestOfN, BestOfNConfig
from armap.planners.context import Context
from armap.planners.mcts import MCTS, MCTSConfig
from armap.planners.reflexion import Reflexion, ReflexionConfig
from armap.planners.sampling import Greedy, GreedyConfig, Sampling, SamplingConfig
from armap.planners.self_consistency import SelfConsistency, SelfConsistencyConfig
from armap.plugins import ImportConfig, load

if TYPE_CHECKING:
    from armap.protocols import Planner

__all__ = [
    "AnyPlannerConfig",
    "Context",
    "PlannerConfig",
    "make_planner",
    "selects",
    "stored_in",
    "temperature",
]

AnyPlannerConfig = (
    GreedyConfig
    | SamplingConfig
    | BestOfNConfig
    | SelfConsistencyConfig
    | ReflexionConfig
    | BeamConfig
    | MCTSConfig
    | ImportConfig
)
PlannerConfig = Annotated[AnyPlannerConfig, Field(discriminator="kind")]


def make_planner(  # noqa: C901, PLR0911  (one branch a kind)
    config: AnyPlannerConfig, context: Context
) -> Planner:
    """Build the planner that ``config`` describes.

    A planner of your own (``kind: import``) is called with ``context=`` and its options.
    """
    match config:
        case GreedyConfig():
            return Greedy(config, context)
        case SamplingConfig():
            return Sampling(config, context)
        case BestOfNConfig():
            return BestOfN(config, context)
        case SelfConsistencyConfig():
            return SelfConsistency(config, context)
        case ReflexionConfig():
            return Reflexion(config, context)
        case BeamConfig():
            return Beam(config, context)
        case MCTSConfig():
            return MCTS(config, context)
        case ImportConfig():
            return cast("Planner", load(config.target)(context=context, **config.options))


def temperature(config: AnyPlannerConfig) -> float:
    """The temperature at which a planner's policy acts unless the policy's config says more."""
    return 0.0 if isinstance(config, GreedyConfig | ReflexionConfig) else 1.0


def selects(config: AnyPlannerConfig) -> bool:
    """Whether a planner picks one of independent episodes, so that an oracle can be told of it."""
    return isinstance(config, BestOfNConfig | SelfConsistencyConfig)


def stored_in(config: AnyPlannerConfig) -> Path | None:
    """The run folder that a planner takes its candidates from; None when it draws them."""
    if isinstance(config, BestOfNConfig | SelfConsistencyConfig) and config.candidates is not None:
        return Path(config.candidates)
    return None
