"""Small planning runs in the toy shop: steps and prices differ, and so do the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from armap.config import PlanRun
from armap.run import run_plan

SHOP: dict[str, Any] = {
    "env": {"kind": "import", "target": "benchmarks.toy_shop:Shop"},
    "llm": {"kind": "import", "target": "benchmarks.toy_shop:Shopper"},
    "reward": {"kind": "import", "target": "benchmarks.toy_shop:Reader"},
    "planner": {"kind": "best_of_n", "n": 6},
}


def plan_shop(out: Path, *, tasks: int = 12, **changes: Any) -> Path:
    """Plan some tasks; the run's folder."""
    content = {**SHOP, "tasks": {"split": "test", "limit": tasks}, "out": str(out), **changes}
    run_plan(PlanRun.model_validate(content))
    return out
