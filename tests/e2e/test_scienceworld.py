"""The pipeline on two ScienceWorld tasks, through the commands; no Java is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from armap.envs.scienceworld.catalogue import find
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.envs.scienceworld.tasks import describe
from armap.evaluate import Summary
from armap.storage import read_manifest, read_records
from armap.types import Plan, Preference, Trajectory
from tests.e2e.test_runs import armap, write
from tests.science import needs_java
from tests.tiny_models import save_tiny_llama

pytestmark = [needs_java, pytest.mark.sim, pytest.mark.slow]

ENV = {"kind": "scienceworld", "protocol": "eto", "jvms": 2}
EXPLORER = {
    "env": ENV,
    "llm": {"kind": "import", "target": "tests.explorer:Explorer"},
    "policy": {"parser": "react"},
    "limits": {"max_steps": 4},
    "concurrency": 2,
}


MARK = f"ARMAP_TEST_MARK={uuid4()}"
"""In the environment of what this module starts, and so of what that starts and leaves."""


def marked() -> list[str]:
    """Command lines of the processes that run with our mark, whoever their parent is now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if MARK.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def run(stage: str, config: Path) -> None:
    done = armap(stage, "-c", config)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("science")
    two = [find("lifespan-longest-lived", number) for number in (0, 7)]
    lines = [t.model_dump_json() for t in describe(ScienceWorldConfig(), two, split="train")]
    (folder / "tasks.jsonl").write_text("\n".join(lines) + "\n")
    model = save_tiny_llama(folder / "tiny", positions=8192)
    tasks = {"file": str(folder / "tasks.jsonl")}
    for name, error, samples in (("expert", 0.0, 1), ("noisy", 0.5, 2)):
        config = write(
            folder,
            name,
            stage="collect",
            out=str(folder / name),
            env=ENV,
            tasks=tasks,
            expert={"error": error},
            samples=samples,
            limits={"max_steps": 20},
            concurrency=2,
        )
        run("collect", config)
    pairs = write(
        folder,
        "synthesize",
        stage="synthesize",
        out=str(folder / "pairs"),
        env=ENV,
        trajectories=str(folder / "expert"),
        synthesis={"strategy": "contrast", "worse": str(folder / "noisy"), "pairs": 8},
    )
    run("synthesize", pairs)
    train = write(
        folder,
        "train",
        stage="train",
        out=str(folder / "reward"),
        preferences=str(folder / "pairs"),
        train={"base": str(model), "batch_size": 4, "evaluations": 1, "max_length": 8192},
    )
    run("train", train)
    for kind, more in (("best_of_n", {"n": 2}), ("mcts", {"trajectories": 3, "width": 2})):
        config = write(
            folder,
            kind,
            stage="plan",
            out=str(folder / kind),
            tasks={"split": "test", "first": 150, "limit": 2},
            reward={"kind": "trained", "path": str(folder / "reward")},
            planner={"kind": kind, **more},
            **EXPLORER,
        )
        run("plan", config)
    return folder


def test_the_expert_solves_and_says_who_it_is(runs: Path) -> None:
    for name, error in (("expert", "0"), ("noisy", "0.5")):
        episodes = list(read_records(runs / name / "trajectories.jsonl", Trajectory))
        assert {episode.policy for episode in episodes} == {f"expert/scienceworld error {error}"}
        assert not (runs / name / "calls.jsonl").exists()
        if name == "expert":
            assert all(episode.final.terminal for episode in episodes)


def test_every_pair_says_how_it_was_made(runs: Path) -> None:
    pairs = list(read_records(runs / "pairs" / "preferences.jsonl", Preference))
    assert len(pairs) >= 4
    assert {pair.provenance.strategy for pair in pairs} == {"contrast"}
    assert {pair.provenance.positive for pair in pairs} == {"expert/scienceworld error 0"}
    assert {pair.provenance.ground_truth for pair in pairs} == {False}


@pytest.mark.parametrize("kind", ["best_of_n", "mcts"])
def test_every_task_is_planned_and_graded(runs: Path, kind: str) -> None:
    assert read_manifest(runs / kind).finished
    plans = list(read_records(runs / kind / "plans.jsonl", Plan))
    assert len(plans) == 2
    assert not [failure for plan in plans for failure in plan.failures]
    summary = Summary.model_validate_json((runs / kind / "summary.json").read_bytes())
    assert summary.rows[0].tasks == 2


def test_a_choice_among_an_experts_episodes_is_not_graded(runs: Path, tmp_path: Path) -> None:
    stored = {
        "stage": "plan",
        "out": str(tmp_path / "out"),
        "env": ENV,
        "reward": {"kind": "brevity"},
        "planner": {"kind": "best_of_n", "n": 2, "candidates": str(runs / "noisy")},
    }
    refused = armap("plan", "-c", write(tmp_path, "stored", **stored))
    assert refused.returncode == 2
    assert "knows the solutions" in refused.stderr
    assert not (tmp_path / "out" / "summary.json").exists()
    allowed = armap("plan", "-c", write(tmp_path, "ungraded", **stored, evaluate=False))
    assert allowed.returncode == 0, allowed.stderr
    assert not (tmp_path / "out" / "summary.json").exists()


def test_tasks_are_printed_as_they_are_found() -> None:
    command = [sys.executable, "-m", "armap.cli.main", "tasks", "scienceworld"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        more = running.stdout.read().splitlines()
    assert first.startswith("boil/21\tTask Description: Your task is to boil")
    assert running.returncode == 130
    assert len(more) < 150


def test_a_finished_run_needs_no_java(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        "collect",
        stage="collect",
        out=str(tmp_path / "out"),
        env=ENV,
        tasks={"split": "train", "limit": 1},
        expert={},
        limits={"max_steps": 2},
    )
    first = armap("collect", "-c", config)
    assert first.returncode == 0, first.stderr
    assert "listing tasks" in first.stderr
    bare = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    bare["PATH"] = ""
    again = armap("collect", "-c", config, env=bare)
    assert again.returncode == 0, again.stderr
    assert "1 records" in again.stderr
    anew = armap("collect", "-c", config, "--overwrite", env=bare)
    assert anew.returncode == 2
    assert "there is no Java here" in anew.stderr
    kept = list(read_records(tmp_path / "out" / "trajectories.jsonl", Trajectory))
    assert len(kept) == 1, "what is to be overwritten is there until something can replace it"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")
def test_no_java_is_left_by_any_command() -> None:
    name, value = MARK.split("=")
    command = [sys.executable, "-m", "armap.cli.main", "tasks", "scienceworld", "--limit", "3"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, name: value}
    ) as running:
        assert running.stdout is not None
        javas = 0
        while running.poll() is None:
            javas = max(javas, sum("py4j.GatewayServer" in line for line in marked()))
            time.sleep(0.05)
        listed = running.stdout.read().splitlines()
    assert [line.split("\t")[0] for line in listed] == ["boil/21", "boil/22", "boil/23"]
    assert javas, "there was one to be left"
    assert not marked()
