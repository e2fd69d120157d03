"""Reports on runs of every condition: whole, old, stopped, failed, cut short by the budget."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from armap.cli.main import plan as plan_command
from armap.cli.main import report
from armap.errors import ConfigError, DataError, ModelError
from armap.report.build import gather, write_report
from armap.report.data import ReportData
from armap.types import StopReason
from tests.unit.report.folders import (
    call,
    cap,
    episode,
    evaluated,
    folder,
    graded,
    plan,
    unplanned,
    write,
)


def refused(*runs: Path) -> str:
    why = "none of the folders is an evaluated planning run"
    with pytest.raises(ConfigError, match=f"nothing to report: {why}; ") as caught:
        gather(runs)
    message = str(caught.value)
    assert "\n" not in message
    return message


class TestCalls:
    def test_a_run_and_its_journal(self, tmp_path: Path) -> None:
        files = {"calls": [call("00", 1), call("01", 2)], "concurrency": [cap(1, 9)]}
        run = evaluated(tmp_path / "run", [plan()], files)
        (calls,) = gather([run]).calls
        assert (calls.name, calls.about, calls.finished) == ("run", "ARMAP-B", True)
        assert calls.ledger is not None
        assert (calls.ledger.paid.calls, calls.ledger.samples) == (2, 4)
        assert [change.cap for change in calls.caps] == [9]

    @pytest.mark.parametrize("files", [{}, {"calls": []}])
    def test_a_run_without_calls(self, files: dict[str, list[object]], tmp_path: Path) -> None:
        run = evaluated(tmp_path / "old", [plan("a"), plan("b")], files)  # type: ignore[arg-type]
        data = write_report([run], tmp_path / "out")
        assert [calls.ledger for calls in data.calls] == [None]
        assert 'id="calls"' not in (tmp_path / "out" / "report.html").read_text()

    def test_collect_runs_join_in_and_training_runs_do_not(self, tmp_path: Path) -> None:
        runs = [
            evaluated(tmp_path / "plan", [plan()]),
            folder(tmp_path / "collect", {"calls": [call("00", 1)]}, stage="collect"),
            folder(tmp_path / "train", {}, stage="train"),
        ]
        assert [calls.about for calls in gather(runs).calls] == ["ARMAP-B", "collect"]

    def test_runs_of_one_name_go_by_their_path(self, tmp_path: Path) -> None:
        runs = [evaluated(tmp_path / name, [plan()]) for name in ("a/run", "b/run", "other")]
        names = [calls.name for calls in gather(runs).calls]
        assert names == [str(runs[0]), str(runs[1]), "other"]


class TestPlans:
    def test_failed_and_cut_candidates_say_so(self, tmp_path: Path) -> None:
        made = [plan("a", "ServerFailed"), plan("b", "TaskBudgetSpent", stop=StopReason.BUDGET)]
        first, second = gather([evaluated(tmp_path / "run", made)]).examples
        assert [shown.success for shown in first.candidates] == [True, None]
        assert [shown.ended for shown in first.candidates] == [
            "",
            "the server itself failed (status 5xx)",
        ]
        assert second.candidates[1].success is False
        assert "budget.task" in second.candidates[1].ended
        assert first.remark == "a remark"

    def test_a_plan_without_answer(self, tmp_path: Path) -> None:
        none = plan("a", "TaskBudgetSpent", whole=0, stop=StopReason.BUDGET)
        run = evaluated(tmp_path / "run", [none, plan("b")])
        data = write_report([run], tmp_path / "out")
        assert data.examples[0].answer is None
        page = (tmp_path / "out" / "report.html").read_text()
        assert "✗ no answer" in page
        assert "Tasks<br>lost" in page

    def test_a_plan_without_candidates(self, tmp_path: Path) -> None:
        bare = plan("a", whole=0).model_copy(update={"planner": "mcts"})
        run = evaluated(tmp_path / "run", [bare])
        (run / "summary.json").write_text(
            (run / "summary.json").read_text().replace("best_of_n", "mcts")
        )
        assert gather([run]).examples[0].candidates == ()

    def test_grades_of_an_earlier_session(self, tmp_path: Path) -> None:
        """A run that is being continued: plans dropped, made anew, and not graded yet."""
        run = evaluated(tmp_path / "run", [plan("a"), plan("b", "TimedOut")], finished=False)
        write(run / "plans.jsonl", [plan("c"), plan("b"), plan("a")])
        data = write_report([run], tmp_path / "out")
        assert [example.task for example in data.examples] == ["a"]
        assert "Not finished: run." in (tmp_path / "out" / "report.html").read_text()


class TestRefusals:
    def test_other_stages(self, tmp_path: Path) -> None:
        said = refused(
            folder(tmp_path / "c", {"trajectories": [episode()]}, stage="collect"),
            folder(tmp_path / "t", {}, stage="train"),
        )
        assert "c is a collect run" in said
        assert "t is a train run" in said

    def test_only_failures(self, tmp_path: Path) -> None:
        files = {
            "calls": [call(f"0{i}", i, failed="ServerFailed") for i in range(3)],
            "plans": [],
            "failures": [unplanned("a", "ServerFailed")],
        }
        said = refused(folder(tmp_path / "run", files, finished=False))
        assert "run has no plan, failed: 3 calls (ServerFailed 3), 1 task (armap calls" in said

    def test_only_failures_without_calls(self, tmp_path: Path) -> None:
        files = {"failures": [unplanned("a", "EnvError")]}
        said = refused(folder(tmp_path / "run", files, finished=False))
        assert "failed: 1 task (EnvError 1) (see " in said

    def test_nothing_yet_or_not_graded(self, tmp_path: Path) -> None:
        assert "has no plan yet" in refused(folder(tmp_path / "a", {"plans": []}, finished=False))
        stopped = folder(tmp_path / "b", {"plans": [plan()]}, finished=False)
        assert "is not graded, run armap plan on it again" in refused(stopped)
        write(stopped / "results.jsonl", [graded(plan())])
        assert "is not graded" in refused(stopped)
        unwanted = folder(tmp_path / "c", {"plans": [plan()]}, evaluate=False)
        assert "was made with evaluate: false" in refused(unwanted)

    def test_many_folders_make_a_short_line(self, tmp_path: Path) -> None:
        said = refused(*(folder(tmp_path / name, {}, stage="train") for name in "abcde"))
        assert said.count("is a train run") == 3
        assert said.endswith("and 2 more")

    def test_a_damaged_table_is_named(self, tmp_path: Path) -> None:
        run = evaluated(tmp_path / "run", [plan()])
        (run / "summary.json").write_text("{}")
        with pytest.raises(DataError, match=r"summary\.json: not a result table"):
            gather([run])

    def test_a_run_that_only_failed_joins_an_evaluated_one(self, tmp_path: Path) -> None:
        lost = folder(tmp_path / "lost", {"failures": [unplanned("a", "EnvError")]}, finished=False)
        data = gather([evaluated(tmp_path / "run", [plan()]), lost])
        assert [calls.failures.tasks for calls in data.calls] == [{}, {"EnvError": 1}]


class TestTerminal:
    def said(self, capsys: pytest.CaptureFixture[str], *runs: Path) -> str:
        report(list(runs), runs[0].parent / "out")
        return capsys.readouterr().err

    def test_nothing_paid_and_nothing_failed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        said = self.said(capsys, evaluated(tmp_path / "run", [plan()]))
        assert "$" not in said
        assert "failed" not in said

    def test_dollars_and_failures(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        files = {"calls": [call("00", 1, failed="ServerFailed")]}
        run = evaluated(tmp_path / "run", [plan()], files, dollars=0.0227)
        said = self.said(capsys, run)
        assert "$" in said
        assert "0.0227" in said
        assert "\n  failed: 1 call (ServerFailed 1)\n" in said

    def test_several_runs_are_told_apart(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        good = evaluated(tmp_path / "good", [plan()])
        bad = evaluated(tmp_path / "[bad]", [plan("a", "EnvError")])
        assert "\n  [bad] failed: 1 branch (EnvError 1)\n" in self.said(capsys, good, bad)

    def test_planning_says_what_failed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = {
            "stage": "plan",
            "out": str(tmp_path / "out"),
            "tasks": {"split": "test", "limit": 3},
            "llm": {
                "kind": "import",
                "target": "tests.player:Player",
                "options": {"fail_task": "from 1 2 4 7."},
            },
            "planner": {"kind": "sampling", "n": 2},
        }
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(content))
        with pytest.raises(ModelError, match="incomplete"):
            plan_command(tmp_path / "plan.yaml")
        said = capsys.readouterr().err
        assert "\n  failed: 1 call (ModelError 1), 1 task\n" in said
        assert "$" not in said


def test_the_data_round_trips(tmp_path: Path) -> None:
    files = {"calls": [call("00", 1, retried=["TimedOut"])], "concurrency": [cap(1, 9)]}
    data = gather([evaluated(tmp_path / "run", [plan("a", "EnvError")], files)])
    assert ReportData.model_validate_json(data.model_dump_json()) == data
