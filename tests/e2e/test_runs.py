"""Whole runs through the command line: killed, repeated, at any concurrency, with bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
Config = Callable[..., Path]
PLAYER = {"kind": "import", "target": "tests.player:Player"}


def armap(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "armap.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False, **options
    )


def write(folder: Path, name: str, **content: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def collect_config(folder: Path, **changes: object) -> Path:
    content: dict[str, object] = {
        "stage": "collect",
        "out": str(folder / "out"),
        "tasks": {"split": "train", "limit": 30},
        "llm": PLAYER,
        "samples": 3,
        "concurrency": 7,
    }
    return write(folder, "collect", **{**content, **changes})


def plan_config(folder: Path, **changes: object) -> Path:
    content: dict[str, object] = {
        "stage": "plan",
        "out": str(folder / "out"),
        "tasks": {"split": "test", "limit": 30},
        "llm": PLAYER,
        "reward": {"kind": "brevity"},
        "planner": {"kind": "mcts", "trajectories": 4, "width": 3},
        "concurrency": 7,
    }
    return write(folder, "plan", **{**content, **changes})


def records(folder: Path) -> dict[str, bytes]:
    """Every record file of a run; the manifest, the table and the journal hold wall times."""
    files = sorted(set(folder.glob("*.jsonl")) - {folder / "calls.jsonl"})
    return {path.name: path.read_bytes() for path in files}


def test_adaptive_best_of_n_tells_what_it_saved(tmp_path: Path) -> None:
    planner = {"kind": "best_of_n", "n": 9, "adaptive": True, "gain": 0.05}
    done = armap("plan", "-c", plan_config(tmp_path, planner=planner, evaluate=False))
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out" / "plans.jsonl").read_text().splitlines()
    plans = [json.loads(line) for line in lines]
    saved = sum(plan["saved"] for plan in plans)
    assert saved == 30 * 9 - sum(len(plan["candidates"]) for plan in plans) > 0
    assert f"{saved} episodes were not needed" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "config", "file"),
    [("collect", collect_config, "trajectories.jsonl"), ("plan", plan_config, "plans.jsonl")],
)
def test_killed_and_repeated_ends_in_the_same_files(
    stage: str, config: Config, file: str, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    slow = {"llm": {**PLAYER, "options": {"latency": 0.05}}}
    assert armap(stage, "-c", config(whole, **slow)).returncode == 0
    path = config(broken, **slow)
    target = broken / "out" / file
    kills = 0
    while kills < 3:
        before = target.stat().st_size if target.exists() else 0
        process = subprocess.Popen(
            [sys.executable, "-m", "armap.cli.main", stage, "-c", str(path)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while (not target.exists() or target.stat().st_size <= before) and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        with target.open("ab") as torn:
            torn.write(b'{"version": 1, "ta')
    done = armap(stage, "-c", path)
    assert done.returncode == 0, done.stderr
    assert "dropped a torn last line" in done.stderr
    assert records(broken / "out") == {
        name: data.replace(str(whole).encode(), str(broken).encode())
        for name, data in records(whole / "out").items()
    }


def test_ctrl_c_ends_soon_and_says_how_to_go_on(tmp_path: Path) -> None:
    path = collect_config(tmp_path, llm={**PLAYER, "options": {"latency": 0.05}})
    target = tmp_path / "out" / "trajectories.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "armap.cli.main", "collect", "-c", str(path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not target.exists():
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"to go on: armap collect -c {path}" in complaint
    assert target.read_bytes().endswith(b"\n")
    assert armap("collect", "-c", path).returncode == 0


@pytest.mark.parametrize(("stage", "config"), [("collect", collect_config), ("plan", plan_config)])
def test_concurrency_changes_nothing(stage: str, config: Config, tmp_path: Path) -> None:
    found = []
    for concurrency in (1, 16):
        folder = tmp_path / str(concurrency)
        folder.mkdir()
        latency = {"llm": {**PLAYER, "options": {"latency": 0.002}}}
        path = config(folder, concurrency=concurrency, **latency)
        assert armap(stage, "-c", path).returncode == 0
        found.append(records(folder / "out"))
    assert found[0] == found[1]
    assert found[0]


@pytest.mark.slow
def test_concurrency_changes_nothing_with_a_real_model(tmp_path: Path) -> None:
    found = []
    for concurrency in (1, 16):
        folder = tmp_path / str(concurrency)
        folder.mkdir()
        tasks = {"split": "dev", "limit": 8}
        embedded = {"llm": {"kind": "local"}, "concurrency": concurrency, "tasks": tasks}
        assert armap("collect", "-c", collect_config(folder, **embedded)).returncode == 0
        plan = plan_config(folder, out=str(folder / "plan"), **embedded)
        assert armap("plan", "-c", plan).returncode == 0
        found.append((records(folder / "out"), records(folder / "plan")))
    assert found[0] == found[1]


def test_a_finished_run_is_not_repeated_and_a_changed_one_refused(tmp_path: Path) -> None:
    path = collect_config(tmp_path)
    assert armap("collect", "-c", path).returncode == 0
    before = records(tmp_path / "out")
    assert armap("collect", "-c", path).returncode == 0
    assert records(tmp_path / "out") == before
    refused = armap("collect", "-c", path, "--set", "samples=4")
    assert refused.returncode == 2
    assert "samples is 3 there and 4 here" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert records(tmp_path / "out") == before
    anew = armap("collect", "-c", path, "--set", "samples=1", "--overwrite")
    assert anew.returncode == 0
    assert len((tmp_path / "out" / "trajectories.jsonl").read_text().splitlines()) == 30


def test_one_dead_task_fails_alone_and_is_retried(tmp_path: Path) -> None:
    flaky = {"llm": {**PLAYER, "options": {"fail_task": "from 1 2 4 7."}}, "concurrency": 1}
    path = plan_config(tmp_path, planner={"kind": "sampling", "n": 2}, **flaky)
    done = armap("plan", "-c", path)
    assert done.returncode == 1
    assert "1 of 30 tasks have no plan" in done.stderr
    assert "incomplete: run again to retry what failed; `armap calls" in done.stderr
    assert "first failure (ModelError): asking player: TimeoutError: no answer" in done.stderr
    (failure,) = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    assert json.loads(failure)["failure"]["kind"] == "ModelError"
    assert "TimeoutError: no answer" in failure
    rows = json.loads((tmp_path / "out" / "summary.json").read_text())["rows"]
    assert rows[0]["tasks"] == 29


def test_a_failed_run_without_a_journal_names_the_cause(tmp_path: Path) -> None:
    """An expert asks no language model: `armap calls` would know nothing."""
    task = {"env": "scienceworld", "name": "x", "split": "train", "instruction": "?", "setup": {}}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    path = write(
        tmp_path,
        "expert",
        stage="collect",
        out=str(tmp_path / "out"),
        env={"kind": "scienceworld"},
        tasks={"file": str(tmp_path / "tasks.jsonl")},
        expert={},
    )
    done = armap("collect", "-c", path)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "the first failure (EnvError): task 'x' of 'scienceworld' has no setup.task" in said
    assert "armap calls" not in said


BAD = {
    "unknown key": (["--set", "plannr.n=3"], 2, "plannr: unknown key; did you mean 'planner'?"),
    "unknown planner": (["--set", "planner.kind=magic"], 2, "'magic' is not one of 'greedy'"),
    "missing reward": (
        ["--set", "reward.kind=trained", "--set", "reward.path=/nowhere"],
        2,
        "/nowhere: no such folder; train one with `armap train`",
    ),
    "endpoint down": (
        [
            *("--set", "llm={kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}"),
            *("--set", "llm.retry={wait: 0}"),
        ],
        1,
        "is llm.base_url right and the server up?",
    ),
    "dollars without prices": (
        ["--set", "llm={kind: scripted}", "--set", "budget.run.dollars=1"],
        2,
        "a cap in dollars needs prices",
    ),
    "bad target": (["--set", "llm.target=nowhere:Thing"], 2, "No module named 'nowhere'"),
    "bad value": (["--set", "concurrency=0"], 2, "concurrency: Input should be greater than 0"),
    "nothing left": (["--set", "tasks.first=5000"], 2, "nothing left of 100 tasks"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(case: str, tmp_path: Path) -> None:
    arguments, code, message = BAD[case]
    done = armap("plan", "-c", plan_config(tmp_path), *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(complaints) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_missing_file_and_a_torn_one(tmp_path: Path) -> None:
    missing = armap("plan", "-c", tmp_path / "none.yaml")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert armap("collect", "-c", collect_config(tmp_path)).returncode == 0
    lines = tmp_path / "out" / "trajectories.jsonl"
    text = lines.read_text().splitlines()
    text[4] = text[4][:100]
    lines.write_text("\n".join(text) + "\n")
    pairs = write(
        tmp_path,
        "pairs",
        stage="synthesize",
        out=str(tmp_path / "pairs"),
        trajectories=str(tmp_path / "out"),
    )
    torn = armap("synthesize", "-c", pairs)
    assert torn.returncode == 2
    assert f"{lines}:5: not a Trajectory" in torn.stderr


def test_every_help_teaches_with_an_example() -> None:
    for command in ("collect", "synthesize", "train", "plan", "report", "score", "tasks", "demo"):
        done = armap(command, "--help")
        assert done.returncode == 0
        assert f"Example: armap {command}" in " ".join(done.stdout.split())


def test_tasks_lists_a_split() -> None:
    done = armap("tasks", "game24", "--split", "test", "--limit", 2)
    assert done.stdout.splitlines()[0] == "4 5 6 10\tMake 24 from 4 5 6 10."
    as_json = armap("tasks", "game24", "--limit", 1, "--json")
    assert json.loads(as_json.stdout)["setup"]["numbers"] == ["4", "5", "6", "10"]
