"""The whole search tree of one small search, pinned; change it only on purpose.

Rewrite with ``python -m tests.golden.test_mcts_tree``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from armap.planners.mcts import MCTSConfig
from tests.contracts.test_planners import TASKS, build
from tests.player import Player

GOLDEN = Path(__file__).with_name("mcts_tree.json")


def search() -> dict[str, object]:
    planner = build(MCTSConfig(trajectories=8, width=4), Player())
    plan = asyncio.run(planner.plan(TASKS[0], seed=7))
    return {
        "tree": [node.model_dump() for node in plan.tree],
        "candidates": [list(candidate.trajectory.actions) for candidate in plan.candidates],
        "chosen": plan.chosen,
        "usage": plan.usage.model_dump(),
    }


def test_the_tree_is_as_it_was() -> None:
    assert search() == json.loads(GOLDEN.read_text())


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(search(), indent=1) + "\n")
