"""WebShop from nothing through the commands, small: shop, make pairs, train, plan, rescore."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from armap.storage import read_manifest, read_records
from armap.types import Plan, Preference
from tests.e2e.test_runs import ROOT, armap

pytestmark = pytest.mark.slow
CONFIGS = ROOT / "configs" / "webshop"


def stage(name: str, config: str, out: Path, *settings: str) -> str:
    changed = [part for setting in settings for part in ("--set", setting)]
    done = armap(name, "-c", CONFIGS / f"{config}.yaml", "--out", out, *changed)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("webshop")
    stage("collect", "collect", folder / "collect", "tasks.limit=60", "samples=2")
    few = (f"trajectories={folder / 'collect'}", "synthesis.pairs=300")
    stage("synthesize", "synthesize", folder / "pairs", *few)
    tiny = ("train.scratch={width: 32, layers: 1, heads: 2}", "train.evaluations=1")
    stage("train", "train", folder / "reward", f"preferences={folder / 'pairs'}", *tiny)
    drawn = ("tasks.limit=4",)
    stage("plan", "sampling", folder / "sampling", *drawn, "planner.n=3")
    best = (f"reward.path={folder / 'reward'}", "planner.n=3")
    stored = f"planner.candidates={folder / 'sampling'}"
    stage("plan", "plan", folder / "best_of_n", *drawn, *best, stored)
    return folder


def test_the_whole_way_leaves_scored_shopping_trips(runs: Path) -> None:
    plans = list(read_records(runs / "best_of_n" / "plans.jsonl", Plan))
    assert len(plans) == 4
    assert all(candidate.score for plan in plans for candidate in plan.candidates)
    kinds = {
        p.provenance.rival for p in read_records(runs / "pairs" / "preferences.jsonl", Preference)
    }
    assert {"another option", "another result"} <= kinds
    row = json.loads((runs / "best_of_n" / "summary.json").read_text())["rows"][0]
    assert 0.0 <= row["score"] <= 1.0


def test_manifests_name_catalogue_goals_prices_split_and_prompt(runs: Path) -> None:
    for name in ("collect", "sampling", "best_of_n"):
        world = read_manifest(runs / name).world
        assert {"catalogue", "goals", "prices", "profile", "splits", "prompt"} <= set(world)
    assert read_manifest(runs / "sampling").world == read_manifest(runs / "collect").world


def test_a_finished_run_is_rescored_by_price(runs: Path) -> None:
    out = runs / "thrifty"
    done = armap(
        "rescore", runs / "best_of_n", "--objective", "reward - 0.01 * price", "--out", out
    )
    assert done.returncode == 0, done.stderr
    assert "price" in done.stderr
    assert read_manifest(out).world == read_manifest(runs / "best_of_n").world


def test_tests_are_not_learned_from(runs: Path, tmp_path: Path) -> None:
    settings = ("--set", f"trajectories={tmp_path / 'test'}")
    stage("collect", "collect", tmp_path / "test", "tasks={split: test, limit: 2}", "samples=1")
    done = armap(
        "synthesize", "-c", CONFIGS / "synthesize.yaml", "--out", tmp_path / "pairs", *settings
    )
    assert done.returncode != 0
    assert "is of the test split and may not become a training pair" in done.stderr
    assert (runs / "pairs" / "preferences.jsonl").is_file()


def test_a_strategy_for_another_environment_is_named(tmp_path: Path) -> None:
    config = CONFIGS / "synthesize.yaml"
    wrong = ("--set", "synthesis={strategy: hindsight}")
    done = armap("synthesize", "-c", config, "--out", tmp_path / "pairs", *wrong)
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "strategy 'hindsight' does not know env.kind 'webshop'; use 'webshop_hindsight'" in told
