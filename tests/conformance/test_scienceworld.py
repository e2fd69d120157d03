"""Recorded episodes of the simulator, action by action.

``gold_paths.jsonl.gz``: what a task asks for, actions and the score they end with; for some also
``det_actions`` with ``det_trace_sha1_8``, the first eight hex digits of SHA-1 over
``observation|score`` after each action, from a deterministic simulator (``easy``, no listing).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from hashlib import sha1
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from armap.envs.scienceworld.catalogue import find
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.envs.scienceworld.graded import GradedScienceWorld
from armap.envs.scienceworld.tasks import describe
from armap.types import Action
from tests.science import needs_java

pytestmark = [needs_java, pytest.mark.sim]

Entry = dict[str, Any]
CONFIG = ScienceWorldConfig(protocol="native", simplification="easy", ticks=100_000)


def entries(goldens: Path) -> list[Entry]:
    path = goldens / "scienceworld" / "gold_paths.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    assert found, f"{path} holds no recordings"
    return found


@pytest.fixture(scope="module")
def world() -> Iterator[GradedScienceWorld]:
    env = GradedScienceWorld(CONFIG)
    yield env
    env.close()


def check(world: GradedScienceWorld, chosen: list[Entry]) -> int:
    """Replay entries; the number of traces that were compared."""
    tasks = list(describe(CONFIG, [find(e["task"], e["variation"]) for e in chosen], split="test"))
    traces = 0
    for task, entry in zip(tasks, chosen, strict=True):
        name = (task.name, entry["split"])
        assert task.instruction == entry["task_description"], name
        traced = "det_actions" in entry
        world.reset(task)
        trace = []
        for text in entry["det_actions" if traced else "gold_actions"]:
            seen = world.step(Action(text=text)).text
            told = f"{seen}|{round(world.raw_score, 6)!s}"
            trace.append(sha1(told.encode()).hexdigest()[:8])
        if traced:
            traces += 1
            assert trace == entry["det_trace_sha1_8"], name
        final = entry["det_final"] if traced else entry["final_score"]
        assert world.raw_score == pytest.approx(final, abs=1e-6), name
        assert world.outcome().score == pytest.approx(max(final, 0.0), abs=1e-6), name
    return traces


def test_a_sample_of_every_kind_of_task(goldens: Path, world: GradedScienceWorld) -> None:
    """Twenty episodes, of as many kinds of tasks as there are; with traces where there are."""
    found = entries(goldens)
    Random(0).shuffle(found)
    found.sort(key=lambda entry: "det_actions" not in entry)
    first = {entry["task"]: entry for entry in reversed(found)}
    rest = (entry for entry in found if entry is not first[entry["task"]])
    chosen = list(islice([*first.values(), *rest], 20))
    assert check(world, chosen) >= any("det_actions" in entry for entry in found)


@pytest.mark.slow
def test_every_recorded_episode(goldens: Path, world: GradedScienceWorld) -> None:
    found = entries(goldens)
    assert check(world, found) == sum("det_actions" in entry for entry in found)
    assert world.steps_taken >= len(found)
