"""The ``tot`` profile gives the verdicts that Tree of Thoughts' grader gave."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path

from armap.envs.game24.env import Game24Config
from armap.envs.game24.graded import GradedGame24, tot_verdict
from armap.importers.tot_log import Outputs, act_out
from armap.rollout import replay


def entries(goldens: Path) -> list[dict[str, object]]:
    files = sorted((goldens / "game24").glob("*.jsonl.gz"))
    assert files, f"{goldens}/game24 holds no recordings"
    return [json.loads(line) for file in files for line in gzip.open(file, "rt", encoding="utf-8")]


def test_every_recorded_verdict(goldens: Path) -> None:
    seen = 0
    for entry in entries(goldens):
        numbers = tuple(map(Fraction, entry["puzzle"].split()))
        for output, label in zip(entry["outputs"], entry["labels"], strict=True):
            assert tot_verdict(output, numbers) == bool(label), (entry["puzzle"], output)
            seen += 1
    assert seen >= 2000


def test_every_recorded_verdict_after_import_and_replay(goldens: Path) -> None:
    env = GradedGame24(Game24Config(grading="tot"))
    for entry in entries(goldens):
        outputs = Outputs(tuple(map(int, entry["puzzle"].split())), tuple(entry["outputs"]))
        episodes = act_out(outputs, author="log")
        for episode, label in zip(episodes, entry["labels"], strict=True):
            replay(env, episode.task, episode.steps)
            assert env.outcome().success == bool(label), episode.actions
