"""Charts as inline SVG strings: pure functions, no file, no font, no script.

Every chart scales with its container and takes its colours from the page; see
:mod:`armap.report.svg`. Points that are not finite are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING

from armap.report.axes import CHARACTER, Axis, axis_around, axis_within, labels, per_cent, widen
from armap.report.frame import FOOT, PLOT, footer, header, margin, no_data, stroke
from armap.report.svg import (
    LINE,
    WIDTH,
    bottom_axis,
    colour,
    drawing,
    left_axis,
    symbol,
    tag,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Interval", "Series", "histogram", "interval_bars", "line_chart"]

_ROW = 30.0
_NAME = 28
"""Characters of a row's name at most."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    name: str
    points: tuple[tuple[float, float], ...]
    """Pairs of x and y, in the order in which they are joined."""
    dash: str | None = None
    """An SVG ``stroke-dasharray``; None draws a solid line."""
    notes: tuple[str, ...] = ()
    """What tooltips add to each point; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One row of an interval plot; numbers are shares in [0, 1]."""

    name: str
    value: float
    low: float
    high: float
    reference: bool = False
    """Drawn hollow: a bound to compare with, not a contender."""


def line_chart(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    percent: bool = False,
    log_x: bool = False,
) -> str:
    """Lines with a mark and a tooltip at every point and the last value written at the end.

    Args:
        series: lines; more than one get a legend.
        x_label: what runs to the right.
        y_label: what runs upwards.
        percent: y is a share in [0, 1], written as per cent from 0.
        log_x: a logarithmic x axis, for budgets that double.

    Raises:
        ValueError: ``log_x`` and an x that is not above 0.
    """
    lines = [_finite(line) for line in series]
    points = [point for line in lines for point in line.points]
    caption = f"{y_label} by {x_label}"
    if not points:
        return no_data(caption)
    head, top = header([(line.name, _sample(i, line)) for i, line in enumerate(lines)], y_label)
    y = axis_around((v for _, v in points), start=top + PLOT, end=top, as_percent=percent)
    ends = [_number(line.points[-1][1], percent=percent) if line.points else "" for line in lines]
    left = margin([label for _, label in y.marks()])
    right = WIDTH - margin(ends)
    x = axis_within((v for v, _ in points), start=left, end=right, log=log_x)
    body = [_line(i, line, x, y, percent=percent) for i, line in enumerate(lines)]
    return drawing(
        head
        + left_axis(y, left, right)
        + bottom_axis(x, top, y.start)
        + "".join(body)
        + _end_labels(lines, ends, x, y)
        + footer(x_label, x, y.start),
        y.start + FOOT,
        caption,
    )


def histogram(
    groups: Sequence[tuple[str, Sequence[float]]], *, x_label: str, bins: int = 30
) -> str:
    """Overlaid translucent bars: how each group's values are spread, as shares of the group.

    Shares, not counts, so that a small group can be compared with a large one; the counts stand
    in the legend and in the tooltips.

    Raises:
        ValueError: fewer than one bin.
    """
    if bins < 1:
        raise ValueError(f"bins={bins!r}: a histogram needs one at least")
    held = [(name, [value for value in values if isfinite(value)]) for name, values in groups]
    pooled = [value for _, values in held for value in values]
    caption = f"Distribution of {x_label}"
    if not pooled:
        return no_data(caption)
    low, high = widen(min(pooled), max(pooled))
    counts = [_counts(values, low, high, bins) for _, values in held]
    names = [f"{name} (n = {len(values):,})" for name, values in held]
    head, top = header([(n, _patch(i)) for i, n in enumerate(names)], "share of the group")
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    y = axis_around(
        (share for row in shares for share in row), start=top + PLOT, end=top, as_percent=True
    )
    left = margin([label for _, label in y.marks()])
    x = axis_within((low, high), start=left, end=WIDTH - 2 * CHARACTER)
    bars = [
        _bars(i, name, row, x, y) for i, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    return drawing(
        head
        + left_axis(y, left, x.end)
        + bottom_axis(x, top, y.start)
        + "".join(bars)
        + footer(x_label, x, y.start),
        y.start + FOOT,
        caption,
    )


def interval_bars(rows: Sequence[Interval], *, x_label: str = "tasks solved") -> str:
    """A dot for each value and a bar for its 95 % interval, from 0 to 100 %, in the order given."""
    kept = [row for row in rows if isfinite(row.value) and isfinite(row.low + row.high)]
    if not kept:
        return no_data(x_label)
    bottom = _ROW * len(kept) + 6
    widest = max(len(_short(row.name)) for row in kept) * CHARACTER
    marks = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    right = WIDTH - 10 * CHARACTER
    x = Axis(0.0, 1.0, widest + 14, right, marks, as_percent=True)
    body = [_interval(index, row, x) for index, row in enumerate(kept)]
    return drawing(
        bottom_axis(x, 0.0, bottom, grid=True) + "".join(body) + footer(x_label, x, bottom),
        bottom + FOOT,
        f"{x_label}: value and 95 % interval",
    )


def _finite(line: Series) -> Series:
    notes = line.notes or ("",) * len(line.points)
    kept = [
        (point, note)
        for point, note in zip(line.points, notes, strict=True)
        if all(map(isfinite, point))
    ]
    points, said = tuple(point for point, _ in kept), tuple(note for _, note in kept)
    return Series(line.name, points, line.dash, said)


def _number(value: float, *, percent: bool) -> str:
    return per_cent(value) if percent else labels((float(f"{value:.3g}"),))[0]


def _sample(index: int, line: Series) -> str:
    return tag("line", x1=0.0, x2=26.0, y1=0.0, y2=0.0, **stroke(index, line.dash)) + symbol(
        index, 13, 0, line.name
    ).replace('class="point"', 'class="key"')


def _line(index: int, line: Series, x: Axis, y: Axis, *, percent: bool) -> str:
    places = [(x.place(a), y.place(b)) for a, b in line.points]
    path = " ".join(f"{a:.2f},{b:.2f}" for a, b in places)
    joined = tag("polyline", points=path, **stroke(index, line.dash)) if len(places) > 1 else ""
    marks = [
        symbol(index, a, b, f"{line.name}: {_number(v, percent=percent)} at {u:,.6g}{note}")
        for (a, b), (u, v), note in zip(places, line.points, line.notes, strict=True)
    ]
    return tag("g", joined + "".join(marks), class_="series")


def _end_labels(lines: Sequence[Series], ends: Sequence[str], x: Axis, y: Axis) -> str:
    """The last value of every line beside its end, moved apart; none when they are too many."""
    wanted = sorted(
        (y.place(line.points[-1][1]), index) for index, line in enumerate(lines) if line.points
    )
    if len(wanted) * LINE > PLOT:
        return ""
    parts, below = [], y.start + LINE
    places = []
    for place, index in reversed(wanted):
        below = min(place, below - LINE + 3)
        places.append((below, index))
    shift = max(0.0, y.end - places[-1][0])
    for place, index in places:
        style = f"fill:{colour(index)};font-weight:600"
        at = x.place(lines[index].points[-1][0]) + 10
        parts.append(text(ends[index], at, place + shift + 4, class_="end-label", style=style))
    return "".join(parts)


def _counts(values: Sequence[float], low: float, high: float, bins: int) -> list[int]:
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / (high - low) * bins))] += 1
    return counts


def _patch(index: int) -> str:
    style = f"fill:{colour(index)};stroke:{colour(index)}"
    dash: dict[str, str | float] = {"stroke_dasharray": _dash(index)} if _dash(index) else {}
    return tag("rect", x=4, y=-6, width=18, height=12, style=style, fill_opacity=0.35, **dash)


def _dash(index: int) -> str:
    return ("", "5 3", "2 2")[index % 3]


def _bars(index: int, name: str, counts: Sequence[int], x: Axis, y: Axis) -> str:
    """Bars of one group, and their outline."""
    total, bins = sum(counts), len(counts)
    if not total:
        return ""
    width = (x.high - x.low) / bins
    edges = [x.low + place * width for place in range(bins + 1)]
    parts, outline = [], f"M{x.start:.2f},{y.start:.2f}"
    for count, (low, high) in zip(counts, pairwise(edges), strict=True):
        left, right, top = x.place(low), x.place(high), y.place(count / total)
        outline += f"V{top:.2f}H{right:.2f}"
        if count:
            about = f"{name}: {count:,} ({per_cent(count / total)}) from {low:.3g} to {high:.3g}"
            parts.append(
                tag(
                    "rect",
                    tag("title", escape(about)),
                    class_="bar",
                    x=left,
                    y=top,
                    width=right - left,
                    height=y.start - top,
                    style=f"fill:{colour(index)}",
                    fill_opacity=0.35,
                )
            )
    line = stroke(index, _dash(index)) | {"stroke_width": 1.5}
    return tag(
        "g", "".join(parts) + tag("path", d=f"{outline}V{y.start:.2f}", **line), class_="group"
    )


def _short(name: str) -> str:
    """A name that leaves room for the plot; the tooltip has all of it."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 1].rstrip()}…"


def _interval(index: int, row: Interval, x: Axis) -> str:
    middle = _ROW * (index + 0.5)
    shade = colour(5 if row.reference else 0)
    left, right = x.place(max(row.low, 0.0)), x.place(min(row.high, 1.0))
    spread = f"{per_cent(row.low)} to {per_cent(row.high)}"
    about = f"{row.name}: {per_cent(row.value)}, 95 % interval {spread}"
    bar = tag(
        "line", x1=left, x2=right, y1=middle, y2=middle, style=f"stroke:{shade}", stroke_width=3
    )
    dot = tag(
        "circle",
        tag("title", escape(about)),
        class_="point",
        cx=x.place(row.value),
        cy=middle,
        r=5.5,
        style=f"stroke:{shade};fill:{'var(--paper,#fff)' if row.reference else shade}",
        stroke_width=2,
    )
    name = text(_short(row.name), x.start - 12, middle + 4, text_anchor="end")
    value = text(per_cent(row.value), WIDTH, middle + 4, text_anchor="end", font_weight="600")
    return tag("g", name + bar + dot + value, class_="interval")
