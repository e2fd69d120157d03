"""The section on calls, and the chart of an adaptive cap."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.calls import Ledger
from armap.llms.openai import CapChange
from armap.report import ReportData, render_page
from armap.report.caps import cap_chart
from armap.report.data import RunCalls
from armap.report.failures import Failures
from armap.types import Usage
from tests.unit.report.folders import START, cap
from tests.unit.report.test_charts import by_class, parse, words
from tests.unit.report.test_page import EMPTY, NBSP, ROWS, Balanced, plain, sections

PAID = Usage(
    calls=520, prompt_tokens=128_000, cached_tokens=32_000, completion_tokens=4_336, dollars=0.0227
)


def ledger(paid: Usage = PAID, *, seconds: float = 4.0, **changes: object) -> Ledger:
    made = Ledger(
        paid=paid,
        samples=640,
        retried={},
        failed={},
        latency=(0.039, 0.931),
        stretches=((START, START + seconds),),
    )
    return made.model_copy(update=changes)


def calls(name: str = "bon", **changes: object) -> RunCalls:
    made = RunCalls(name=name, about="ARMAP-B", finished=True, ledger=ledger(), failures=Failures())
    return made.model_copy(update=changes)


def page(*runs: RunCalls) -> str:
    return render_page(EMPTY.model_copy(update={"calls": runs}))


def said(*runs: RunCalls) -> str:
    return plain(page(*runs)).replace(NBSP, " ")


class TestSection:
    def test_one_row_a_run(self) -> None:
        assert "bon ARMAP-B 520 640 128,000 25.0 % 4,336 0.0227 130.0 0.039 0.931" in said(calls())

    def test_tags_are_balanced(self) -> None:
        trouble = Failures(calls={"TimedOut": 1}, branches={"TimedOut": 1}, tasks={"EnvError": 1})
        parser = Balanced()
        parser.feed(page(calls(finished=False, failures=trouble, caps=(cap(1, 9),)), calls("b")))
        parser.close()
        assert parser.open == []

    def test_no_prices_no_dollars(self) -> None:
        free = ledger(PAID.model_copy(update={"dollars": 0.0}))
        assert 'col">$<' not in page(calls(ledger=free))
        assert "4,336 0 130.0" in said(calls(ledger=free), calls("paid"))

    def test_no_cache_no_share(self) -> None:
        cold = ledger(PAID.model_copy(update={"cached_tokens": 0}))
        assert "cached" not in said(calls(ledger=cold)).lower()

    def test_too_few_calls_for_a_latency_or_a_rate(self) -> None:
        bare = ledger(Usage(), latency=None, stretches=((START, START),))
        assert "bon ARMAP-B 0 640 0 0 What failed" in said(calls(ledger=bare))

    def test_an_unfinished_run_is_marked(self) -> None:
        assert "bon ARMAP-B unfinished 520" in said(calls(finished=False))
        rows = EMPTY.model_copy(update={"rows": ROWS, "calls": (calls(finished=False),)})
        assert "Not finished: bon." in plain(render_page(rows))

    def test_runs_without_calls_are_named_below(self) -> None:
        assert "Without calls on record: old." in said(calls(), calls("old", ledger=None))

    def test_nothing_to_tell_is_no_section(self) -> None:
        assert sections(page(calls(ledger=None))) == []

    def test_names_are_escaped(self) -> None:
        evil = "<script>alert(1)</script>"
        made = calls(evil, about=evil, failures=Failures(calls={evil: 1}), caps=(cap(1, 9, evil),))
        assert "<script>alert" not in page(made)


class TestFailures:
    def test_nothing_failed_is_one_line(self) -> None:
        assert "Nothing: every call was answered at the first try" in said(calls())
        assert "<dl" not in page(calls())

    def test_repeated_tries_alone_are_no_failure(self) -> None:
        made = calls(ledger=ledger(retried={"RateLimited": 15}))
        assert "Nothing for good" in said(made)
        assert "bon RateLimited 15 0 0 0" in said(made)

    def test_every_kind_on_every_level(self) -> None:
        failures = Failures(
            calls={"ServerFailed": 3}, branches={"ServerFailed": 2}, tasks={"EnvError": 1}
        )
        made = calls(ledger=ledger(retried={"TimedOut": 6}), failures=failures)
        assert "bon TimedOut 6 0 0 0 ServerFailed 0 3 2 0 EnvError 0 0 0 1" in said(made)

    def test_the_legend_explains_what_occurs_and_no_more(self) -> None:
        made = calls(failures=Failures(calls={"ServerFailed": 3, "Unheard": 1}))
        found = re.findall(r"<dt><code>(\w+)</code></dt>", page(made))
        assert found == ["ServerFailed"]
        slow = calls(caps=(cap(1, 9), cap(2, 6, "slow")))
        assert re.findall(r"<dt><code>(\w+)</code></dt>", page(slow)) == ["slow"]

    def test_an_old_run_with_failures_has_them_without_a_journal(self) -> None:
        made = calls(ledger=None, failures=Failures(tasks={"EnvError": 2}))
        assert "bon EnvError 0 0 0 2" in said(made)
        assert "Calls answered" not in said(made)


def chart(*changes: CapChange, seconds: float = 10.0, **more: object) -> str:
    return cap_chart(calls(caps=changes, ledger=ledger(seconds=seconds), **more))


def steps(svg: str) -> list[tuple[str, float]]:
    """The commands of the line: H to the right, V up or down, after the first place."""
    (line,) = [e for e in parse(svg).iter() if e.get("stroke-width") == "1.6"]
    found = re.findall(r"([HV])([\d.]+)", line.attrib["d"])
    return [(letter, float(value)) for letter, value in found]


def tips(svg: str) -> list[str]:
    return [e.findtext("{http://www.w3.org/2000/svg}title") or "" for e in by_class(svg, "point")]


class TestChart:
    def test_a_value_holds_until_the_next_one(self) -> None:
        begun = cap(0, 8, "start")
        found = steps(chart(begun, cap(5, 9), cap(7.5, 6, "RateLimited"), cap(10, 7)))
        across = [value for letter, value in found if letter == "H"]
        heights = [value for letter, value in found if letter == "V"]
        assert across == sorted(across)
        low, high = across[0], across[-1]
        assert across[2] == pytest.approx((low + 3 * high) / 4, abs=0.02)
        assert heights[1] < heights[0] < heights[3] < heights[2]

    def test_cuts_are_marked_with_their_reason(self) -> None:
        svg = chart(cap(1, 9), cap(2, 6, "RateLimited"), cap(4, 4, "slow"), cap(6, 2, "slow"))
        assert tips(svg) == [
            "cut: slow: down to 4 after 4.00 s",
            "cut: slow: down to 2 after 6.00 s",
            "cut: RateLimited: down to 6 after 2.00 s",
        ]
        assert {"cut: slow (2)", "cut: RateLimited (1)", "allowed"} <= set(words(svg))

    def test_cuts_too_close_to_be_told_apart_are_one_mark(self) -> None:
        svg = chart(*(cap(1 + i / 1000, 20 - i, "TimedOut") for i in range(5)))
        assert tips(svg) == ["cut: TimedOut, 5 times: down to 16 after 1.00 s"]
        assert "cut: TimedOut (5)" in words(svg)

    def test_a_continued_run_begins_anew(self) -> None:
        svg = chart(cap(1, 8, "start"), cap(2, 10), cap(5, 8, "start"), cap(6, 10))
        assert tips(svg) == ["run continued: down to 8 after 5.00 s"]

    def test_a_pause_is_left_out(self) -> None:
        twice = ledger(stretches=((START, START + 10), (START + 5000, START + 5010)))
        changes = (cap(5, 9, "start"), cap(5005, 8, "start"))
        svg = cap_chart(calls(caps=changes, ledger=twice))
        assert tips(svg) == ["run continued: down to 8 after 15.00 s"]
        assert "seconds since the start, pauses left out" in words(svg)

    def test_without_a_journal_time_begins_with_the_first_change(self) -> None:
        svg = cap_chart(calls(caps=(cap(5, 9), cap(8, 6, "TimedOut")), ledger=None))
        assert tips(svg) == ["cut: TimedOut: down to 6 after 3.00 s"]

    def test_many_changes_make_a_small_drawing(self) -> None:
        changes = []
        for i in range(5000):
            changes += [cap(i, 9 + j) for j in range(8)] + [cap(i, 8, "RateLimited")]
        svg = chart(*changes, seconds=5000.0)
        assert len(svg) < 200_000
        assert len(by_class(svg, "point")) < 110

    def test_no_change_is_said(self) -> None:
        assert words(chart()) == ["no data"]

    @given(
        st.lists(
            st.tuples(st.floats(-1, 1e6), st.integers(1, 2000), st.sampled_from("abcdefgh")),
            min_size=1,
        )
    )
    def test_anything_can_be_drawn(self, changes: list[tuple[float, int, str]]) -> None:
        named = [
            cap(at, value, {"a": "grow", "b": "start"}.get(why, why)) for at, value, why in changes
        ]
        ElementTree.fromstring(chart(*named))

    def test_stands_on_the_page(self) -> None:
        made = page(calls(caps=(cap(1, 9),)))
        assert "<figcaption>bon</figcaption><svg" in made
        assert "Requests in flight" in made


def test_the_page_is_a_function_of_its_data() -> None:
    data = EMPTY.model_copy(update={"calls": (calls(caps=(cap(1, 9),)),)})
    again = ReportData.model_validate_json(data.model_dump_json())
    assert render_page(again) == render_page(data)
