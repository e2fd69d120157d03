"""What failed, told on three levels; and that every kind has a meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from armap import errors
from armap.calls import failed_calls, read_ledger
from armap.report.failures import MEANINGS, Failures, read_failures
from armap.types import StopReason
from tests.unit.report.folders import START, call, episode, folder, plan, unplanned


def test_every_kind_of_error_has_a_meaning() -> None:
    public = {name: getattr(errors, name) for name in errors.__all__}
    kinds = {
        name
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, errors.BoundaryError)
    }
    assert kinds | {"slow"} == set(MEANINGS)


class TestLine:
    def test_nothing_failed(self) -> None:
        assert Failures().line == ""
        assert not Failures().any

    def test_kinds_are_named_once(self) -> None:
        failures = Failures(
            calls={"TimedOut": 2, "ServerFailed": 1},
            branches={"TimedOut": 1},
            tasks={"EnvError": 2},
        )
        said = "failed: 3 calls (TimedOut 2, ServerFailed 1), 1 branch, 2 tasks (EnvError 2)"
        assert failures.line == said

    def test_the_budget_is_no_failure(self) -> None:
        spent = {"RunBudgetSpent": 7, "TaskBudgetSpent": 2}
        assert Failures(calls=spent, branches=spent, tasks=spent, cut=4).line == (
            "cut short by the budget: 4 tasks"
        )
        both = Failures(calls={"RunBudgetSpent": 7, "ServerFailed": 1}, cut=1)
        assert both.line == "failed: 1 call (ServerFailed 1); cut short by the budget: 1 task"

    def test_a_collect_run_has_episodes(self) -> None:
        failures = Failures(calls={"TimedOut": 2}, branches={"TimedOut": 2}, exploring=True)
        assert failures.line == "failed: 2 calls (TimedOut 2), 2 episodes"


class TestReading:
    def test_an_empty_folder_has_no_failures(self, tmp_path: Path) -> None:
        assert read_failures(tmp_path) == Failures()

    def test_three_levels(self, tmp_path: Path) -> None:
        files = {
            "calls": [call("00", 1), call("01", 2, failed="ServerFailed")],
            "plans": [plan("a", "ServerFailed", "EnvError"), plan("b")],
            "failures": [unplanned("c", "TimedOut")],
        }
        assert read_failures(folder(tmp_path / "run", files)) == Failures(
            calls={"ServerFailed": 1},
            branches={"ServerFailed": 1, "EnvError": 1},
            tasks={"TimedOut": 1},
        )

    def test_a_plan_without_answer_is_a_lost_task(self, tmp_path: Path) -> None:
        files = {
            "plans": [
                plan("a", "TaskBudgetSpent", whole=0, stop=StopReason.BUDGET),
                plan("b", "TaskBudgetSpent", stop=StopReason.BUDGET),
            ],
            "failures": [unplanned("c", "RunBudgetSpent")],
        }
        found = read_failures(folder(tmp_path / "run", files))
        assert found.tasks == {"RunBudgetSpent": 1, "TaskBudgetSpent": 1}
        assert found.branches == {"TaskBudgetSpent": 2}
        assert found.cut == 3

    def test_episodes_of_a_collect_run(self, tmp_path: Path) -> None:
        lost = [
            episode("a", failed="TimedOut"),
            episode("b", failed="RunBudgetSpent", stop=StopReason.BUDGET),
        ]
        run = folder(tmp_path / "run", {"failures": lost}, stage="collect")
        found = read_failures(run, exploring=True)
        assert found.branches == {"TimedOut": 1, "RunBudgetSpent": 1}
        assert (found.tasks, found.cut) == ({}, 1)

    def test_a_call_that_was_answered_later_has_not_failed(self, tmp_path: Path) -> None:
        calls = [
            call("00", 1, failed="TimedOut"),
            call("01", 1, failed="TimedOut"),
            call("00", 2, retried=["TimedOut"]),
            call("02", 3, failed="ServerFailed"),
        ]
        run = folder(tmp_path / "run", {"calls": calls})
        assert failed_calls(run) == {"TimedOut": 1, "ServerFailed": 1} == read_ledger(run).failed

    def test_a_torn_last_line_is_left_out(self, tmp_path: Path) -> None:
        run = folder(tmp_path / "run", {"calls": [call("00", 1, failed="TimedOut")]})
        with (run / "calls.jsonl").open("a") as file:
            file.write('{"kind":"call","key":"01","fai')
        assert failed_calls(run) == {"TimedOut": 1}


class TestTime:
    def test_a_pause_parts_two_stretches(self, tmp_path: Path) -> None:
        calls = [call("00", 1.0), call("01", 31.0), call("02", 1000.5), call("03", 1001.5)]
        ledger = read_ledger(folder(tmp_path / "run", {"calls": calls}))
        assert ledger.stretches == ((START + 0.5, START + 31.0), (START + 1000.0, START + 1001.5))
        assert ledger.seconds == pytest.approx(32.0)
        assert ledger.rate == pytest.approx(4 / 32)
        assert ledger.elapsed(START) == 0.0
        assert ledger.elapsed(START + 500) == pytest.approx(30.5)
        assert ledger.elapsed(START + 1001) == pytest.approx(31.5)

    def test_a_long_call_bridges_a_pause(self, tmp_path: Path) -> None:
        long = call("01", 900.0).model_copy(update={"seconds": 899.0})
        calls = [call("00", 1.0), call("02", 200.0), long]
        ledger = read_ledger(folder(tmp_path / "run", {"calls": calls}))
        assert ledger.stretches == ((START + 0.5, START + 900.0),)

    def test_no_calls_take_no_time(self, tmp_path: Path) -> None:
        ledger = read_ledger(folder(tmp_path / "run", {"calls": []}))
        assert (ledger.stretches, ledger.rate) == ((), None)
