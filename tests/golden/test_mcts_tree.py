"""Whole search trees of small searches, pinned; change them only on purpose.

Rewrite with ``python -m tests.golden.test_mcts_tree``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from armap.planners.mcts import MCTSConfig
from tests.contracts.test_planners import TASKS, build
from tests.player import Player

GOLDEN = Path(__file__).with_name("mcts_tree.json")
SEARCHES = {
    "default": MCTSConfig(trajectories=24, width=4),
    "four at a time": MCTSConfig(trajectories=24, width=4, parallelism=4),
    "virtual loss": MCTSConfig(trajectories=24, width=4, parallelism=4, flight="virtual_loss"),
    "paper": MCTSConfig(preset="paper", trajectories=24, width=4),
    "repo": MCTSConfig(preset="repo", trajectories=24, width=4),
    "mean": MCTSConfig(trajectories=24, width=4, value="mean"),
    "merged": MCTSConfig(trajectories=24, width=6, merge=True),
    "progressive": MCTSConfig(trajectories=24, width=4, widening="progressive"),
}


def search(config: MCTSConfig) -> dict[str, object]:
    plan = asyncio.run(build(config, Player()).plan(TASKS[0], seed=7))
    return {
        "tree": [
            [n.parent, n.action, round(n.prior, 6), n.visits, n.value, n.same] for n in plan.tree
        ],
        "candidates": [list(candidate.trajectory.actions) for candidate in plan.candidates],
        "chosen": plan.chosen,
        "usage": plan.usage.model_dump(),
    }


@pytest.mark.parametrize("name", SEARCHES)
def test_the_tree_is_as_it_was(name: str) -> None:
    assert search(SEARCHES[name]) == json.loads(GOLDEN.read_text())[name]


def test_no_two_searches_are_one() -> None:
    trees = [json.dumps(tree) for tree in json.loads(GOLDEN.read_text()).values()]
    assert len(set(trees)) == len(SEARCHES)


if __name__ == "__main__":
    found = {name: search(config) for name, config in SEARCHES.items()}
    rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(tree)}" for name, tree in found.items())
    GOLDEN.write_text("{\n" + rows + "\n}\n")
