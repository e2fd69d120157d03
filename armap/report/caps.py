"""How an adaptive cap on concurrency moved: a step line, marked where it was cut."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.report.axes import Axis, axis_within, ticks
from armap.report.frame import FOOT, PLOT, footer, header, margin, no_data, stroke
from armap.report.svg import WIDTH, bottom_axis, drawing, left_axis, symbol, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.report.data import RunCalls

__all__ = ["cap_chart"]

_COLUMN = 0.5
"""Width within which changes are drawn as one stroke from the lowest to the highest."""
_CLOSE = 5.0
"""Marks of one reason that are no further apart are drawn as one."""
_GREW, _BEGAN = "grow", "start"
_CONTINUED = "run continued"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A mark on the line."""

    x: float
    y: float
    """The value after it."""
    why: str


def cap_chart(run: RunCalls) -> str:
    """The cap of one run over the seconds since its start; pauses between sessions left out.

    A run that was continued begins anew with the configured cap, which is marked too.
    """
    if not run.caps:
        return no_data("requests in flight allowed")
    ledger, first = run.ledger, run.caps[0]
    at = [ledger.elapsed(c.at) if ledger else c.at - first.at for c in run.caps]
    points: list[Point] = []
    cuts: list[_Cut] = []
    for x, change in zip(at, run.caps, strict=True):
        if change.why == _BEGAN and points:
            cuts.append(_Cut(x, change.cap, _CONTINUED))
        elif change.why not in (_BEGAN, _GREW):
            cuts.append(_Cut(x, change.cap, f"cut: {change.why}"))
        points.append((x, change.cap))
    paused = ledger is not None and len(ledger.stretches) > 1
    return _steps(
        points,
        cuts,
        end=max(at[-1], ledger.seconds if ledger else 0.0),
        x_label=f"seconds since the start{', pauses left out' if paused else ''}",
        y_label="requests in flight allowed",
    )


def _steps(
    points: Sequence[Point], cuts: Sequence[_Cut], *, end: float, x_label: str, y_label: str
) -> str:
    """A line that keeps each value until the next one, with a mark for every cut.

    Args:
        points: x and the whole number that holds from there on, by increasing x.
        cuts: marks; each reason has its own symbol and stands in the legend with its number.
        end: x up to which the last value holds.
        x_label: what runs to the right.
        y_label: what runs upwards.
    """
    if not points:
        return no_data(f"{y_label} by {x_label}")
    count = Counter(cut.why for cut in cuts)
    reasons = [why for why, _ in count.most_common()]
    entries = [("allowed", tag("line", x1=0.0, x2=26.0, y1=0.0, y2=0.0, **stroke(0)))]
    entries += [
        (f"{why} ({count[why]:,})", _key(index, why)) for index, why in enumerate(reasons, start=1)
    ]
    head, top = header(entries, y_label)
    marks = ticks(0.0, max(y for _, y in points), smallest=1.0)
    y = Axis(marks[0], marks[-1], top + PLOT, top, marks)
    left = margin([label for _, label in y.marks()])
    x = axis_within((0.0, max(end, points[-1][0])), start=left, end=WIDTH - 8)
    line = tag("path", d=_path(points, x, y), **stroke(0) | {"stroke_width": 1.6})
    body = "".join(
        _mark(index, close, x, y)
        for index, why in enumerate(reasons, start=1)
        for close in _merged([cut for cut in cuts if cut.why == why], x)
    )
    return drawing(
        head
        + left_axis(y, left, x.end)
        + bottom_axis(x, top, y.start)
        + tag("g", line + body, class_="series")
        + footer(x_label, x, y.start),
        y.start + FOOT,
        f"{y_label} by {x_label}",
    )


def _path(points: Sequence[Point], x: Axis, y: Axis) -> str:
    """Steps through all values; those too close to be told apart become one vertical stroke."""
    columns: defaultdict[int, list[Point]] = defaultdict(list)
    for u, v in points:
        columns[int(x.place(u) / _COLUMN)].append((x.place(u), y.place(v)))
    parts = []
    for places in columns.values():
        heights = [height for _, height in places]
        drawn = heights if len(heights) < 4 else [max(heights), min(heights), heights[-1]]
        parts.append(f"H{places[0][0]:.2f}" + "".join(f"V{height:.2f}" for height in drawn))
    begin = f"M{x.place(points[0][0]):.2f},{y.place(points[0][1]):.2f}"
    return f"{begin}{''.join(parts)}H{x.end:.2f}"


def _merged(cuts: Sequence[_Cut], x: Axis) -> list[list[_Cut]]:
    groups: list[list[_Cut]] = []
    for cut in cuts:
        if groups and x.place(cut.x) - x.place(groups[-1][0].x) <= _CLOSE:
            groups[-1].append(cut)
        else:
            groups.append([cut])
    return groups


def _mark(index: int, cuts: Sequence[_Cut], x: Axis, y: Axis) -> str:
    last = cuts[-1]
    times = f", {len(cuts)} times" if len(cuts) > 1 else ""
    about = f"{last.why}{times}: down to {last.y:g} after {last.x:,.2f} s"
    return symbol(index, x.place(last.x), y.place(last.y), about)


def _key(index: int, why: str) -> str:
    return symbol(index, 13, 0, why).replace('class="point"', 'class="key"')
