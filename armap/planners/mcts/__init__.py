"""ARMAP-M: Monte Carlo tree search whose leaves are judged by the reward model."""

from armap.planners.mcts.config import PRESETS, MCTSConfig
from armap.planners.mcts.planner import MCTS

__all__ = ["MCTS", "PRESETS", "MCTSConfig"]
