"""armap rescore, in one process: what it prints, keeps and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from armap.cli.main import rescore
from armap.config import load_manifest_run
from armap.errors import ConfigError
from armap.evaluate import Graded, Summary
from armap.report.build import gather
from armap.run import Rescoring, Sweep, run_plan
from armap.storage import read_manifest, read_records
from armap.types import Plan
from tests.shop import plan_shop

SHORT = "reward - 0.1 * steps"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plan_shop(tmp_path_factory.mktemp("rescore") / "shop")


def plans(run: Path) -> list[Plan]:
    return list(read_records(run / "plans.jsonl", Plan))


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def refused(
    run: Path, *objectives: str, sweep: tuple[str, ...] = (), out: Path | None = None
) -> str:
    with pytest.raises(ConfigError) as caught:
        rescore(run, list(objectives), list(sweep), out)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_run_is_planned_the_same_with_the_objective_and_rescored(
    shop: Path, tmp_path: Path
) -> None:
    """Best-of-N draws the same candidates whatever it maximises."""
    direct = plan_shop(tmp_path / "direct", objective=SHORT)
    Rescoring(shop).write(Rescoring(shop).objective(SHORT), tmp_path / "rescored")
    assert plans(direct) == plans(tmp_path / "rescored")
    for name in ("results.jsonl", "plans.jsonl"):
        assert (direct / name).read_bytes() == (tmp_path / "rescored" / name).read_bytes()


def test_what_is_kept_is_an_ordinary_planning_run(shop: Path, tmp_path: Path) -> None:
    before, out = contents(shop), tmp_path / "short"
    rescore(shop, [SHORT], None, out)
    assert contents(shop) == before, "the source is only read"
    manifest = read_manifest(out)
    assert (manifest.stage, manifest.finished, manifest.source) == ("plan", True, str(shop))
    assert manifest.config["objective"] == SHORT
    for old, new in zip(plans(shop), plans(out), strict=True):
        assert new.objective == SHORT
        utilities = [
            c.score.calibrated - 0.1 * len(c.trajectory.steps) for c in new.candidates if c.score
        ]
        assert [c.utility for c in new.candidates] == utilities
        assert new.chosen == utilities.index(max(utilities))
        assert [c.trajectory for c in new.candidates] == [c.trajectory for c in old.candidates]
    results = {item.task: item for item in read_records(out / "results.jsonl", Graded)}
    assert [results[plan.task.name].chosen for plan in plans(out)] == [p.chosen for p in plans(out)]
    (row, oracle) = Summary.model_validate_json((out / "summary.json").read_bytes()).rows
    assert (row.objective, oracle.objective, oracle.planner) == (SHORT, "", "oracle")


def test_writing_again_changes_nothing(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "short"
    rescore(shop, [SHORT], None, out)
    first = contents(out)
    rescore(shop, [SHORT], None, out)
    assert contents(out) == first


def test_nothing_is_overwritten_silently(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "short"
    rescore(shop, [SHORT], None, out)
    first = contents(out)
    said = refused(shop, "reward - 0.2 * steps", out=out)
    assert "made with another configuration: objective is" in said
    assert "is the run to rescore" in refused(shop, SHORT, out=shop)
    other = plan_shop(tmp_path / "other", tasks=2)
    assert f"holds a run made out of {shop}" in refused(other, SHORT, out=out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert "not empty" in refused(shop, SHORT, out=tmp_path / "mine")
    assert contents(out) == first
    rescore(shop, ["reward - 0.2 * steps"], None, out, overwrite=True)
    assert read_manifest(out).config["objective"] == "reward - 0.2 * steps"


def test_planning_does_not_continue_what_was_rescored(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "short"
    rescore(shop, [SHORT], None, out)
    with pytest.raises(ConfigError, match="holds a run made out of"):
        run_plan(load_manifest_run(out, "plan"))  # type: ignore[arg-type]


def test_a_source_that_has_changed_since(tmp_path: Path) -> None:
    source, out = plan_shop(tmp_path / "source", tasks=3), tmp_path / "out"
    rescore(source, [SHORT], None, out)
    lines = (source / "plans.jsonl").read_text().splitlines(keepends=True)
    (source / "plans.jsonl").write_text("".join(lines[:2]))
    assert "has other plans now" in refused(source, SHORT, out=out)


def test_an_unfinished_source_is_rescored_as_far_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = plan_shop(tmp_path / "source", tasks=3), tmp_path / "out"
    manifest = json.loads((source / "manifest.json").read_text())
    (source / "manifest.json").write_text(json.dumps({**manifest, "finished": False}))
    whole = (source / "plans.jsonl").read_text()
    (source / "plans.jsonl").write_text("".join(whole.splitlines(keepends=True)[:2]))
    rescore(source, [SHORT], None, out)
    assert "is not finished" in " ".join(capsys.readouterr().err.split())
    assert (read_manifest(out).finished, len(plans(out))) == (False, 2)
    (source / "plans.jsonl").write_text(whole)
    (source / "manifest.json").write_text(json.dumps(manifest))
    rescore(source, [SHORT], None, out)
    assert (read_manifest(out).finished, len(plans(out))) == (True, 3)


def test_the_rows_as_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rescore(shop, [SHORT], ["price=0:0.01:0.005"], as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["means"]["objective"] for row in rows] == [
        "",
        SHORT,
        SHORT,
        f"{SHORT} - 0.005 * price",
        f"{SHORT} - 0.01 * price",
    ]
    assert [row["means"]["weight"] for row in rows] == [None, None, 0.0, 0.005, 0.01]
    steps = [row["means"]["measures"]["steps"] for row in rows]
    assert steps[1] < steps[0]
    prices = [row["means"]["measures"]["price"] for row in rows[2:]]
    assert prices == sorted(prices, reverse=True)
    assert rows[0]["change"] is None
    delta, low, high = rows[1]["change"]["success"]
    assert low < delta < high


def test_the_table(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    rescore(shop, ["reward"], ["steps"])
    said = capsys.readouterr().err
    assert "as planned" in said
    assert "price" in said
    assert said.count("* steps") >= 2


def test_the_reward_alone_chooses_as_planned(shop: Path) -> None:
    rescoring = Rescoring(shop)
    judged = rescoring.judge(rescoring.objective("reward"))
    assert judged.means.measures == rescoring.planned().means.measures
    assert judged.change is not None
    assert judged.change.measures["steps"] == (0.0, 0.0, 0.0)


def test_grades_that_are_missing_are_made(shop: Path, tmp_path: Path) -> None:
    ungraded = plan_shop(tmp_path / "ungraded", evaluate=False)
    assert Rescoring(ungraded).planned().means.success is None
    rescore(ungraded, [SHORT], None, tmp_path / "out")
    assert not (tmp_path / "out" / "results.jsonl").exists()
    lost = plan_shop(tmp_path / "lost")
    (lost / "results.jsonl").unlink()
    assert Rescoring(lost).planned() == Rescoring(shop).planned()
    assert not (lost / "results.jsonl").exists(), "the source is only read"


@pytest.mark.parametrize(
    ("objectives", "sweeps", "complaint"),
    [
        ([], [], "wants --objective"),
        (["reward - stepz"], [], "--objective 'reward - stepz': no measure 'stepz'; did you mean"),
        (["reward ^ 2"], [], "has no meaning here"),
        ([], ["stepz"], "--sweep: no measure 'stepz'; there is steps, calls"),
        ([], ["steps=0:1"], "write steps=FIRST:LAST:STEP"),
        ([], ["steps=0:x:1"], "write steps=FIRST:LAST:STEP"),
        ([], ["steps=0:1:0"], "write steps=FIRST:LAST:STEP"),
        ([], ["steps=0:1:-0.1"], "not between 1 and 1000 weights"),
        ([], ["steps=0:1:0.0001"], "not between 1 and 1000 weights"),
        ([], ["=0:1:0.1"], "no measure ''"),
        (["reward", "reward - steps"], ["steps"], "starts from one --objective at most"),
        (["reward / (steps - steps)"], [], "division by zero"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(
    objectives: list[str], sweeps: list[str], complaint: str, shop: Path
) -> None:
    assert complaint in refused(shop, *objectives, sweep=tuple(sweeps))


def test_one_folder_holds_one_objective(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "exactly one" in refused(shop, "reward", SHORT, out=out)
    assert "exactly one" in refused(shop, sweep=("steps",), out=out)
    assert not out.exists()


def test_folders_that_hold_nothing_to_choose_among(tmp_path: Path) -> None:
    assert "not a run folder" in refused(tmp_path / "none", SHORT)
    baseline = plan_shop(tmp_path / "sampling", tasks=2, planner={"kind": "sampling", "n": 2})
    assert "no candidate has a score; select among them first" in refused(baseline, SHORT)
    empty = plan_shop(tmp_path / "empty", tasks=2)
    (empty / "plans.jsonl").unlink()
    assert "has no plan yet" in refused(empty, SHORT)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("steps=0:0.3:0.1", (0.0, 0.1, 0.2, 0.3)),
        ("steps = 0:0.25:0.1", (0.0, 0.1, 0.2)),
        ("steps=-0.1:0.1:0.1", (-0.1, 0.0, 0.1)),
        ("steps=0.2:0:-0.1", (0.2, 0.1, 0.0)),
        ("steps=0.5:0.5:1", (0.5,)),
        ("steps", ()),
    ],
)
def test_sweeps(text: str, weights: tuple[float, ...]) -> None:
    assert Sweep.parse(text) == Sweep("steps", weights)


class TestReport:
    def test_a_front_for_steps_and_one_for_price(self, shop: Path) -> None:
        traded = gather([shop]).tradeoffs
        assert traded.measures == ("steps", "price")
        for front in traded.fronts:
            sizes = [point.measures[front.measure] for point in front.points]
            assert sizes == sorted(sizes, reverse=True)
            assert front.points[0].objective == "reward"
        names = [judged.means.objective for _, judged in traded.rows]
        assert names[0] == ""
        assert len(names) == len(set(names)) == 7
        assert dict(traded.meanings)["price"].startswith("price of what was bought")

    def test_the_rescored_run_stands_beside_its_source(self, shop: Path, tmp_path: Path) -> None:
        rescore(shop, [SHORT], None, tmp_path / "short")
        data = gather([shop, tmp_path / "short"])
        assert [(row.planner, row.objective) for row in data.rows] == [
            ("best_of_n", ""),
            ("best_of_n", SHORT),
            ("oracle", ""),
        ]
        assert {front.run for front in data.tradeoffs.fronts} == {"ARMAP-B"}, "drawn once"
        alone = gather([tmp_path / "short"]).tradeoffs
        assert alone.rows[0][1].means.objective == SHORT, "as it was planned"

    def test_an_environment_that_is_gone_costs_its_front_only(
        self, shop: Path, tmp_path: Path
    ) -> None:
        moved = plan_shop(tmp_path / "moved", tasks=2)
        file = moved / "manifest.json"
        file.write_text(file.read_text().replace('benchmarks.toy_shop:Shop"', 'gone:Shop"'))
        data = gather([shop, moved])
        ((name, why),) = data.tradeoffs.missing
        assert name == "ARMAP-B, moved"
        assert "gone" in why
        assert {front.run for front in data.tradeoffs.fronts} == {"ARMAP-B, shop"}
