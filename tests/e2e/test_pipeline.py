"""Collect, synthesize, train, plan, report, score, import: through the commands, small."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from armap.evaluate import Summary
from armap.rewards.train import LearningPoint
from armap.storage import last_checkpoint, read_manifest, read_records
from armap.types import Preference
from tests.e2e.test_runs import PLAYER, ROOT, armap, collect_config, write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    collect = collect_config(folder, out=str(folder / "collect"), samples=4)
    pairs = write(
        folder,
        "synthesize",
        stage="synthesize",
        out=str(folder / "pairs"),
        trajectories=str(folder / "collect"),
        synthesis={"pairs": 200},
    )
    train = write(
        folder,
        "train",
        stage="train",
        out=str(folder / "reward"),
        preferences=str(folder / "pairs"),
        train={"batch_size": 16, "evaluations": 2},
    )
    for stage, config in (("collect", collect), ("synthesize", pairs), ("train", train)):
        done = armap(stage, "-c", config)
        assert done.returncode == 0, done.stderr
    for kind, more in (
        ("greedy", {}),
        ("sampling", {"n": 4}),
        ("best_of_n", {"n": 4, "candidates": str(folder / "sampling")}),
        ("mcts", {"trajectories": 4, "width": 3}),
    ):
        config = write(
            folder,
            kind,
            stage="plan",
            out=str(folder / kind),
            tasks={"split": "dev", "limit": 6},
            llm=PLAYER,
            reward={"kind": "trained", "path": str(folder / "reward")},
            planner={"kind": kind, **more},
        )
        done = armap("plan", "-c", config)
        assert done.returncode == 0, done.stderr
    return folder


def test_every_pair_says_how_it_was_made(runs: Path) -> None:
    pairs = list(read_records(runs / "pairs" / "preferences.jsonl", Preference))
    assert len(pairs) == 200
    assert {pair.provenance.ground_truth for pair in pairs} == {False}
    assert len({pair.provenance.rival for pair in pairs}) > 10


def test_the_manifest_names_everything(runs: Path) -> None:
    manifest = read_manifest(runs / "best_of_n")
    assert manifest.finished
    assert manifest.stage == "plan"
    assert manifest.config["planner"]["n"] == 4
    assert {"python", "armap", "torch", "transformers"} <= set(manifest.versions)
    assert manifest.seconds > 0


def test_the_tables_agree_with_each_other(runs: Path) -> None:
    names = ("reward", "greedy", "sampling", "best_of_n", "mcts")
    done = armap("report", *(runs / name for name in names), "--out", runs / "report")
    assert done.returncode == 0, done.stderr
    summary = Summary.model_validate_json((runs / "report" / "summary.json").read_bytes())
    rows = {row.planner: row for row in summary.rows}
    assert set(rows) == {"greedy", "sampling", "best_of_n", "mcts", "oracle"}
    assert rows["sampling"].success <= rows["oracle"].success
    assert rows["best_of_n"].success <= rows["oracle"].success
    assert rows["best_of_n"].llm_calls == rows["sampling"].llm_calls
    assert rows["best_of_n"].seconds >= rows["sampling"].seconds
    for row in summary.rows:
        assert row.ci[0] <= row.success <= row.ci[1]
    page = (runs / "report" / "report.html").read_text()
    assert "ARMAP-B" in page
    assert "Best-of-N" in page


def test_a_report_needs_something_to_report(runs: Path) -> None:
    done = armap("report", runs / "collect", "--out", runs / "none")
    assert done.returncode == 2
    assert "none of the folders is an evaluated planning run" in done.stderr


def test_score_gives_one_line_a_trajectory(runs: Path) -> None:
    done = armap("score", "--reward", runs / "reward", runs / "sampling")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 24
    assert {"task", "trajectory", "raw", "calibrated"} == set(lines[0])


def test_another_models_outputs_are_imported_and_selected_among(runs: Path, tmp_path: Path) -> None:
    right = "Steps:\n10 - 4 = 6 (left: 5 6 6)\n6 * 5 = 30 (left: 6 30)\n30 - 6 = 24 (left: 24)\n"
    right += "Answer: (10 - 4) * 5 - 6 = 24"
    wrong = right.replace("* 5 - 6 = 24", "* 6 - 5 = 24")
    rambling = right.replace("Answer", "24 + 0 = 24 (left: 24)\nAnswer").replace("- 6 =", "+ 6 =")
    log = tmp_path / "log.json"
    log.write_text(json.dumps([{"idx": 900, "ys": [wrong, rambling, right], "infos": [1, 1, 0]}]))
    imported = armap("import", "tot-log", log, "--out", tmp_path / "log")
    assert imported.returncode == 0, imported.stderr
    stored = write(
        tmp_path,
        "stored",
        stage="plan",
        out=str(tmp_path / "best"),
        env={"kind": "game24", "grading": "tot"},
        reward={"kind": "trained", "path": str(runs / "reward")},
        planner={"kind": "best_of_n", "n": 100, "candidates": str(tmp_path / "log")},
    )
    done = armap("plan", "-c", stored)
    assert done.returncode == 0, done.stderr
    (result,) = (tmp_path / "best" / "results.jsonl").read_text().splitlines()
    outcomes = [outcome["success"] for outcome in json.loads(result)["outcomes"]]
    assert outcomes == [False, False, True]
    rows = json.loads((tmp_path / "best" / "summary.json").read_text())["rows"]
    assert [row["planner"] for row in rows] == ["best_of_n", "oracle"]
    assert rows[0]["llm_calls"] == 0


def test_what_is_wrong_with_a_log_is_said(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for text, message in (
        ("{nope", "not JSON"),
        ('{"index": 3, "outputs": ["x"]}', "add the numbers as 'puzzle'"),
        ('{"index": 900, "outputs": "x"}', "must be a list of texts"),
    ):
        log.write_text(text + "\n")
        done = armap("import", "tot-log", log, "--out", tmp_path / "out")
        assert done.returncode == 2
        assert message in done.stderr
        assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_killed_training_continues_from_its_last_whole_checkpoint(
    runs: Path, tmp_path: Path
) -> None:
    config = write(
        tmp_path,
        "train",
        stage="train",
        out=str(tmp_path / "reward"),
        preferences=str(runs / "pairs"),
        train={"batch_size": 8, "evaluations": 8},
    )
    command = [sys.executable, "-m", "armap.cli.main", "train", "-c", str(config)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while last_checkpoint(tmp_path / "reward" / "checkpoints") is None:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    (tmp_path / "reward" / "checkpoints" / "checkpoint-999").mkdir()
    done = armap("train", "-c", config)
    assert done.returncode == 0, done.stderr
    points = list(read_records(tmp_path / "reward" / "learning.jsonl", LearningPoint))
    steps = [point.step for point in points if point.held_out_loss is not None]
    assert steps == sorted(set(steps))
    assert len(steps) >= 7
    assert armap("score", "-r", tmp_path / "reward", runs / "greedy").returncode == 0
