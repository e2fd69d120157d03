"""The sums of a journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from armap.calls import JOURNAL, Journal, Ledger, read_ledger
from armap.errors import DataError
from armap.types import Failure, Message, Sampling, Usage
from tests.unit.calls.fakes import COST, entry, write

BUSY = Failure(kind="RateLimited", message="slow down")
LATE = Failure(kind="TimedOut", message="after 30 s")


def say(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def test_all_sessions_are_summed_up(tmp_path: Path) -> None:
    for number in range(2):
        journal = Journal(tmp_path / JOURNAL)
        write(journal, say(f"{number}"), Sampling(n=3), retried=("TimedOut", "RateLimited"))
        write(journal, say("dead"), failure=LATE, retried=("TimedOut",))
        write(journal, say("dead, then alive"), failure=BUSY)
        journal.close()
    journal = Journal(tmp_path / JOURNAL)
    write(journal, say("dead, then alive"))
    journal.close()
    ledger = read_ledger(tmp_path)
    assert ledger.paid == COST + COST + COST == journal.paid.usage
    assert ledger.samples == 7
    assert ledger.retried == dict(journal.retried) == {"TimedOut": 4, "RateLimited": 2}
    assert ledger.failed == dict(journal.failed) == {"TimedOut": 1}


def test_what_is_most_frequent_comes_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL)
    for number in range(3):
        failure = BUSY if number else LATE
        write(journal, say(f"{number}"), failure=failure, retried=(failure.kind,))
    journal.close()
    assert list(read_ledger(tmp_path).failed) == ["RateLimited", "TimedOut"]
    assert list(read_ledger(tmp_path).retried) == ["RateLimited", "TimedOut"]


def test_a_failure_of_some_samples_stands_when_others_were_drawn(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL)
    write(journal, sampling=Sampling(start=2, n=2), failure=LATE)
    write(journal, sampling=Sampling(start=0, n=2))
    assert read_ledger(tmp_path).failed == dict(journal.failed) == {"TimedOut": 1}
    write(journal, sampling=Sampling(start=1, n=2))
    assert read_ledger(tmp_path).failed == dict(journal.failed) == {}
    journal.close()


def timed(journal: Journal, number: int, *, seconds: float, at: float) -> None:
    request, call = entry(say(str(number)))
    journal.append(
        request, say(str(number)), call.model_copy(update={"seconds": seconds, "at": at})
    )


def test_latency_and_times(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL)
    for number in range(101):  # ends in any order: the fourth began first
        timed(journal, number, seconds=number / 100, at=1000.0 - (number == 3))
    journal.close()
    ledger = read_ledger(tmp_path)
    assert ledger.latency == pytest.approx((0.5, 0.95))
    ((began, ended),) = ledger.stretches
    assert began == pytest.approx(998.97)
    assert ended == 1000.0


@pytest.mark.parametrize("calls", [0, 1])
def test_a_latency_needs_two_calls(tmp_path: Path, calls: int) -> None:
    journal = Journal(tmp_path / JOURNAL)
    for number in range(calls):
        timed(journal, number, seconds=1.0, at=10.0)
    journal.close()
    ledger = read_ledger(tmp_path)
    assert ledger.latency is None
    assert ledger.stretches == (((9.0, 10.0),) if calls else ())


def test_a_run_without_journal_or_with_a_damaged_one_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this run kept no journal"):
        read_ledger(tmp_path)
    (tmp_path / JOURNAL).write_text("{}\n")
    with pytest.raises(DataError, match=r"calls\.jsonl:1: not a Call"):
        read_ledger(tmp_path)


def ledger(**fields: object) -> Ledger:
    plain = {"samples": 0, "retried": {}, "failed": {}, "latency": None, "stretches": ()}
    return Ledger.model_validate({"paid": Usage(), **plain, **fields})


class TestLines:
    def test_without_calls(self) -> None:
        assert ledger().lines() == [
            ("calls answered", "0 with 0 replies"),
            ("prompt tokens", "0"),
            ("completion tokens", "0"),
            ("tries repeated", "none"),
            ("calls failed", "none"),
        ]

    def test_with_everything(self) -> None:
        paid = Usage(
            calls=1200, prompt_tokens=40_000, cached_tokens=10_000, completion_tokens=7, dollars=1.5
        )
        full = ledger(
            paid=paid,
            samples=2400,
            retried={"TimedOut": 1200},
            failed={"RateLimited": 2, "TimedOut": 1},
            latency=(0.5, 2.0),
        )
        assert full.lines() == [
            ("calls answered", "1,200 with 2,400 replies"),
            ("prompt tokens", "40,000"),
            ("of them cached", "10,000 (25.0%)"),
            ("completion tokens", "7"),
            ("dollars", "1.5000"),
            ("seconds per call", "median 0.500, 95 % below 2.000"),
            ("tries repeated", "TimedOut 1,200"),
            ("calls failed", "RateLimited 2, TimedOut 1"),
        ]

    def test_a_server_that_counts_cached_tokens_only(self) -> None:
        lines = dict(ledger(paid=Usage(calls=1, cached_tokens=5)).lines())
        assert lines["of them cached"] == "5 (100.0%)"
