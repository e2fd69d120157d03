"""armap rescore through the command line: exit codes, one line for every mistake, reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_runs import armap, write
from tests.shop import SHOP

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    content = {**SHOP, "tasks": {"limit": 10}, "out": str(folder / "run")}
    done = armap("plan", "-c", write(folder, "plan", stage="plan", **content))
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_rescore_then_report(shop: Path, tmp_path: Path) -> None:
    short, page = tmp_path / "short", tmp_path / "report"
    done = armap("rescore", shop, "--objective", "reward - 0.05*steps", "--out", short)
    assert done.returncode == 0, done.stderr
    assert "reward - 0.05 * steps" in done.stderr
    done = armap("report", shop, short, "--out", page)
    assert done.returncode == 0, done.stderr
    html = (page / "report.html").read_text()
    assert 'id="tradeoffs"' in html
    assert html.count("<h3>Reward against ") == 2
    assert "reward - 0.05 * steps" in html


def test_rows_go_to_standard_output(shop: Path) -> None:
    done = armap("rescore", shop, "--sweep", "price=0:0.01:0.01", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["means"]["weight"] for line in done.stdout.splitlines()] == [
        None,
        0.0,
        0.01,
    ]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--objective", "reward - stepz"),
        ("--objective", "__import__('os').getcwd()"),
        ("--objective", "reward / (steps - steps)"),
        ("--sweep", "steps=1"),
        ("--objective", "reward", "--objective", "steps", "--out", "x"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(shop: Path, options: tuple[str, ...]) -> None:
    done = armap("rescore", shop, *options)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in done.stderr


def test_a_plan_with_an_unknown_measure_does_not_begin(tmp_path: Path) -> None:
    content = {**SHOP, "out": str(tmp_path / "run"), "objective": "reward - weight"}
    done = armap("plan", "-c", write(tmp_path, "plan", stage="plan", **content))
    assert done.returncode == 2
    assert "no measure 'weight'" in done.stderr
    assert "price (dollars)" in done.stderr
    assert not (tmp_path / "run").exists()


def test_help_shows_how(tmp_path: Path) -> None:
    done = armap("rescore", "--help", env=None)
    assert done.returncode == 0
    assert "--sweep steps=0:0.2:0.01" in " ".join(done.stdout.split())
