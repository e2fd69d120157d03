"""Charts: what is drawn, where, and that nothing degenerate breaks them."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.report.axes import axis_around, axis_within, labels, ticks
from armap.report.charts import Interval, Series, histogram, interval_bars, line_chart

SVG = "{http://www.w3.org/2000/svg}"
NBSP = "\N{NO-BREAK SPACE}"
NUMBERS = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)
LINES = st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5), max_size=7)


def parse(svg: str) -> ElementTree.Element:
    """The drawing as XML; every number in it must be finite."""
    assert not re.search(r"\b(nan|inf)\b", svg)
    return ElementTree.fromstring(svg)


def by_class(svg: str, name: str) -> list[ElementTree.Element]:
    return [element for element in parse(svg).iter() if element.get("class") == name]


def words(svg: str) -> list[str]:
    return [element.text or "" for element in parse(svg).iter(f"{SVG}text")]


def lines(*series: Series, **options: bool) -> str:
    return line_chart(series, x_label="candidates", y_label="success", **options)


UP = Series("up", ((1, 0.2), (2, 0.5), (3, 0.8)))
FLAT = Series("flat", ((1, 0.3), (2, 0.3), (3, 0.3)), dash="4 2")


class TestTicks:
    @given(st.tuples(NUMBERS, NUMBERS).map(sorted), st.integers(1, 12))
    def test_increase_and_enclose_the_range(self, ends: list[float], count: int) -> None:
        low, high = ends
        found = ticks(low, high, count=count)
        assert all(left < right for left, right in pairwise(found))
        step = found[1] - found[0]
        slack = 1e-6 * step
        assert found[0] <= low + slack
        assert high - slack <= found[-1]
        assert 2 <= len(found) <= count + 3

    @given(st.tuples(NUMBERS, NUMBERS).map(sorted))
    def test_are_even(self, ends: list[float]) -> None:
        found = ticks(*ends)
        steps = [right - left for left, right in pairwise(found)]
        assert max(steps) == pytest.approx(min(steps), rel=1e-3)

    @given(values=st.lists(st.floats(1e-15, 1e9), min_size=1), log=st.booleans())
    def test_within_a_range_they_stay_inside(self, values: list[float], *, log: bool) -> None:
        axis = axis_within(values, start=40, end=500, log=log)
        assert all(39.9 <= axis.place(tick) <= 500.1 for tick in axis.ticks)
        assert list(axis.ticks) == sorted(axis.ticks)

    def test_whole_numbers_get_whole_ticks(self) -> None:
        assert axis_within([1, 2, 3], start=0, end=500).ticks == (1.0, 2.0, 3.0)

    def test_powers_get_round_ticks(self) -> None:
        axis = axis_within([1, 100], start=0, end=500, log=True)
        assert list(axis.ticks) == [1, 2, 5, 10, 20, 50, 100]
        assert axis.place(10) == pytest.approx(250)

    def test_crowded_labels_give_way(self) -> None:
        wide = axis_within([0, 2_000_000], start=0, end=500)
        narrow = axis_within([0, 2_000_000], start=0, end=150)
        assert len(narrow.ticks) < len(wide.ticks)

    def test_per_cent_begins_at_zero(self) -> None:
        axis = axis_around([0.6, 0.9], start=200, end=0, as_percent=True)
        assert axis.place(0.0) == 200
        assert axis.place(1.0) == 0

    def test_labels_tell_ticks_apart(self) -> None:
        assert labels((0.0, 0.25, 0.5)) == ("0.00", "0.25", "0.50")
        assert labels((-1.0, 1.0)) == ("\N{MINUS SIGN}1", "1")
        assert labels((0.0, 0.5), as_percent=True) == (f"0{NBSP}%", f"50{NBSP}%")
        assert labels((1e12, 2e12)) == ("1e+12", "2e+12")


class TestLineChart:
    def test_draws_every_point_of_every_series(self) -> None:
        svg = lines(UP, FLAT)
        assert len(by_class(svg, "point")) == 6
        assert len(by_class(svg, "series")) == 2
        assert len(list(parse(svg).iter(f"{SVG}polyline"))) == 2

    def test_every_point_says_its_value(self) -> None:
        tips = [e.findtext(f"{SVG}title") for e in by_class(lines(UP, percent=True), "point")]
        assert tips == [f"up: {value}.0{NBSP}% at {x}" for x, value in ((1, 20), (2, 50), (3, 80))]

    def test_higher_values_are_drawn_higher(self) -> None:
        (line,) = parse(lines(UP)).iter(f"{SVG}polyline")
        heights = [float(pair.split(",")[1]) for pair in line.attrib["points"].split()]
        assert heights == sorted(heights, reverse=True)

    def test_two_series_get_a_legend_and_one_does_not(self) -> None:
        assert len(by_class(lines(UP, FLAT), "legend-item")) == 2
        assert by_class(lines(UP), "legend-item") == []

    def test_end_labels_keep_apart(self) -> None:
        close = [Series(f"s{i}", ((0, 0.0), (1, 0.8 + i / 1000))) for i in range(5)]
        ends = sorted(float(e.attrib["y"]) for e in by_class(lines(*close), "end-label"))
        assert len(ends) == 5
        assert all(right - left >= 14 for left, right in pairwise(ends))

    def test_a_dash_is_drawn(self) -> None:
        assert 'stroke-dasharray="4 2"' in lines(FLAT)

    def test_names_are_escaped(self) -> None:
        svg = lines(Series("<script>&\"'", UP.points), FLAT)
        assert "<script" not in svg
        assert "<script>&\"'" in words(svg)

    @pytest.mark.parametrize(
        "points", [((3, 0.5),), ((3, 0.5), (3, 0.5)), ((0, 0), (1, 0)), ((-1, -1), (1, 1))]
    )
    @pytest.mark.parametrize("percent", [True, False])
    def test_degenerate_lines(
        self, points: tuple[tuple[float, float], ...], *, percent: bool
    ) -> None:
        svg = lines(Series("only", points), percent=percent)
        assert len(by_class(svg, "point")) == len(points)

    @pytest.mark.parametrize("series", [(), (Series("none", ()),)])
    def test_nothing_to_draw_is_said(self, series: tuple[Series, ...]) -> None:
        assert words(lines(*series)) == ["no data"]

    def test_an_empty_series_keeps_its_place_in_the_legend(self) -> None:
        svg = lines(Series("none", ()), UP)
        assert len(by_class(svg, "legend-item")) == 2
        assert len(by_class(svg, "point")) == 3

    def test_values_that_are_not_finite_are_left_out(self) -> None:
        holes = Series("holes", ((1, float("nan")), (2, 0.5), (3, float("inf"))))
        assert len(by_class(lines(holes), "point")) == 1

    def test_a_logarithm_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="log_x"):
            lines(Series("zero", ((0, 1), (1, 1))), log_x=True)

    def test_doubling_budgets_are_evenly_spaced(self) -> None:
        svg = lines(Series("s", tuple((2**i, 0.5) for i in range(5))), log_x=True)
        (line,) = parse(svg).iter(f"{SVG}polyline")
        xs = [float(pair.split(",")[0]) for pair in line.attrib["points"].split()]
        steps = [right - left for left, right in pairwise(xs)]
        assert max(steps) - min(steps) < 0.1

    @given(points=LINES, percent=st.booleans())
    def test_anything_finite_can_be_drawn(
        self, points: list[list[tuple[float, float]]], *, percent: bool
    ) -> None:
        series = [Series(f"s{i}", tuple(line)) for i, line in enumerate(points)]
        svg = lines(*series, percent=percent)
        assert len(by_class(svg, "point")) == sum(map(len, points))


class TestHistogram:
    def test_counts_every_value_once(self) -> None:
        svg = histogram([("a", [0.0, 0.1, 0.9, 1.0]), ("b", [0.5])], x_label="score", bins=10)
        tips = [bar.findtext(f"{SVG}title") or "" for bar in by_class(svg, "bar")]
        counts = dict.fromkeys("ab", 0)
        for tip in tips:
            counts[tip[0]] += int(tip.split(": ")[1].split()[0])
        assert counts == {"a": 4, "b": 1}

    def test_heights_are_shares_of_the_group(self) -> None:
        svg = histogram([("few", [0.0, 1.0]), ("many", [0.0, 1.0] * 50)], x_label="score", bins=2)
        assert len({bar.attrib["height"] for bar in by_class(svg, "bar")}) == 1

    def test_the_legend_counts(self) -> None:
        said = words(histogram([("a", [1.0, 2.0]), ("b", [])], x_label="score"))
        assert "a (n = 2)" in said
        assert "b (n = 0)" in said

    @pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [0.0], [-5.0, 1e9]])
    def test_degenerate_groups(self, values: list[float]) -> None:
        svg = histogram([("a", values), ("none", [])], x_label="score")
        assert len(by_class(svg, "bar")) == len(set(values))

    @pytest.mark.parametrize("groups", [[], [("a", [])], [("a", [float("nan")])]])
    def test_nothing_to_draw_is_said(self, groups: list[tuple[str, list[float]]]) -> None:
        assert words(histogram(groups, x_label="score")) == ["no data"]

    def test_no_bins_are_refused(self) -> None:
        with pytest.raises(ValueError, match="bins=0"):
            histogram([("a", [1.0])], x_label="score", bins=0)


class TestIntervalBars:
    def test_draws_a_row_for_each(self) -> None:
        rows = [Interval("Greedy", 0.31, 0.23, 0.41), Interval("Oracle", 0.83, 0.74, 0.89)]
        svg = interval_bars(rows)
        assert len(by_class(svg, "interval")) == 2
        assert {"Greedy", f"31.0{NBSP}%", "Oracle", f"83.0{NBSP}%"} <= set(words(svg))

    def test_the_value_lies_on_its_interval(self) -> None:
        (row,) = by_class(interval_bars([Interval("x", 0.5, 0.4, 0.6)]), "interval")
        line, dot = row.find(f"{SVG}line"), row.find(f"{SVG}circle")
        assert line is not None
        assert dot is not None
        middle = (float(line.attrib["x1"]) + float(line.attrib["x2"])) / 2
        assert float(dot.attrib["cx"]) == pytest.approx(middle, abs=0.02)

    def test_extremes_and_nothing(self) -> None:
        assert len(by_class(interval_bars([Interval("x", 0, 0, 0)]), "interval")) == 1
        assert len(by_class(interval_bars([Interval("x", 1, 0.9, 1.1)]), "interval")) == 1
        assert words(interval_bars([])) == ["no data"]

    def test_a_long_name_is_cut_and_kept_in_the_tooltip(self) -> None:
        svg = interval_bars([Interval("long " * 20, 0.5, 0.4, 0.6)])
        assert max(map(len, words(svg))) <= 28
        assert "long " * 20 in svg

    def test_names_are_escaped(self) -> None:
        assert "<b>" not in interval_bars([Interval("<b>", 0.5, 0.4, 0.6)])
