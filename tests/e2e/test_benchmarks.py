"""The benchmarks run; what they measure is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reward_model import trained
from tests.shops import write_shop

ROOT = Path(__file__).parents[2]


def lines(*options: str) -> list[dict[str, object]]:
    command = [sys.executable, "benchmarks/call_path.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_the_call_path() -> None:
    rows = lines("--quick", "--clients", "bare,armap")
    assert [(row["client"], row["latency_ms"]) for row in rows] == [
        ("bare", 50),
        ("armap", 50),
        ("bare", 0),
        ("armap", 0),
    ]
    for row in rows:
        assert int(str(row["peak"])) <= int(str(row["cap"])) == 128
        assert row["repeated"] == 0


@pytest.mark.slow
def test_one_question_of_forty_comes_to_an_end() -> None:
    by = {line["client"]: line for line in lines("budget40")}
    assert by["armap"]["finished"] is True
    assert by["armap"]["requests"] == 40


@pytest.mark.slow
def test_equal_budget(tmp_path: Path) -> None:
    folder, *_ = trained()
    command = [sys.executable, "benchmarks/equal_budget.py", "--quick", "--split", "dev"]
    command += ["--reward", str(folder), "--runs", str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    names = [row[0].strip() for row in rows if row[0].strip() != "planner"]
    assert len(names) == 18
    assert names[:9] == names[9:]
    tokens = {row[0].strip(): float(row[-1].replace(",", "")) for row in rows[-9:]}
    assert max(tokens.values()) < 800 * 1.5, "the cap holds, but for what was in flight"
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout
    assert again.stderr == "", "nothing is run twice"


@pytest.mark.slow
def test_the_pictures_of_webshop_pages() -> None:
    command = [sys.executable, "benchmarks/webshop_images.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith(("| drawn", "| photo"))]
    assert len(rows) == 12


@pytest.mark.slow
def test_webshop(tmp_path: Path) -> None:
    data = write_shop(tmp_path)
    command = [sys.executable, "benchmarks/webshop.py", "--data", str(data), "--seconds", "0.05"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" a CPU second | ") == 6


@pytest.mark.slow
def test_webshop_at_a_small_full_size(tmp_path: Path) -> None:
    steps = [
        ["benchmarks/webshop_catalogue.py", str(tmp_path), "--products", "20000"],
        ["benchmarks/webshop_full.py", str(tmp_path)],
        ["benchmarks/webshop_full.py", str(tmp_path)],
    ]
    told = ""
    for step in steps:
        done = subprocess.run(
            [sys.executable, *step], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        told += done.stdout
    assert "first load of 20,000 products" in told
    assert "later load of 20,000 products" in told
