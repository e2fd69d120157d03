"""Whole runs over the call path, each in a process of its own; ``call_path.py`` starts them.

``plan``: Best-of-8 on the 100 test puzzles. ``memory``: a collecting run of 100,000 calls, and
how fast its journal is opened again. Start-up (imports) is not measured; everything else is:
parsing, environment, records, journal, locks and manifests.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import aiohttp  # noqa: F401  (imports are no part of a call)
from call_clients import computed_s, memory_mb

import armap.cli.progress
import armap.cli.tables
import armap.rewards.train  # noqa: F401
from armap.calls import Journal, read_ledger
from armap.cli.main import app
from armap.config import CollectRun, PlanRun
from armap.envs import TaskSelection
from armap.llms.openai import OpenAIConfig
from armap.planners.best_of_n import BestOfNConfig
from armap.rewards.brevity import BrevityConfig

SAMPLES = 29
"""Episodes per training puzzle: 1,162 puzzles of four turns then make 100,000 calls."""


def plan(url: str, cap: int, out: Path) -> PlanRun:
    """Search once, without grading."""
    return PlanRun(
        out=str(out),
        tasks=TaskSelection(split="test"),
        llm=OpenAIConfig(base_url=url, model="stub", concurrency=cap),
        reward=BrevityConfig(),
        planner=BestOfNConfig(n=8),
        evaluate=False,
    )


def memory(url: str, cap: int, out: Path) -> CollectRun:
    """Explore much."""
    return CollectRun(
        out=str(out),
        tasks=TaskSelection(split="train"),
        llm=OpenAIConfig(base_url=url, model="stub", concurrency=cap),
        samples=SAMPLES,
    )


RUNS = {"plan": plan, "memory": memory}


def reopened(path: Path) -> dict[str, float]:
    """How long opening a journal takes, the median of three."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        journal = Journal(path, read_only=True)
        took.append(time.perf_counter() - begun)
        calls = len(journal)
        journal.close()
    return {"reopen_s": sorted(took)[1], "reopened_per_s": calls / sorted(took)[1]}


def measure(name: str, url: str, cap: int) -> dict[str, Any]:
    """Do one run in a temporary folder, and say what it took."""
    with tempfile.TemporaryDirectory() as folder:
        out, config = Path(folder) / "run", Path(folder) / "run.yaml"
        run = RUNS[name](url, cap, out)
        config.write_text(run.model_dump_json(), encoding="utf-8")  # JSON is YAML
        computed, begun = computed_s(), time.perf_counter()
        app([run.stage, "--config", str(config)], standalone_mode=False)
        wall, computed = time.perf_counter() - begun, computed_s() - computed
        rss = memory_mb()
        ledger = read_ledger(out)
        calls = ledger.paid.calls
        return {
            "calls": calls,
            "replies": ledger.samples,
            "wall_s": wall,
            "calls_per_s": calls / wall,
            "cpu_ms_per_call": computed / calls * 1e3,
            "rss_mb": rss,
            **reopened(out / "calls.jsonl"),
        }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("run", choices=list(RUNS))
    options.add_argument("--url", required=True)
    options.add_argument("--cap", type=int, default=128)
    given = options.parse_args()
    print(json.dumps(measure(given.run, given.url, given.cap)))


if __name__ == "__main__":
    main()
