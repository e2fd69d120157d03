"""The frame around the data that the charts share: its sizes, legend, names of axes, strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.report.axes import CHARACTER
from armap.report.svg import LINE, WIDTH, colour, drawing, legend, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.report.axes import Axis

__all__ = ["FOOT", "PLOT", "footer", "header", "margin", "no_data", "stroke"]

PLOT = 220.0
"""Height of the part of a chart that holds the data."""
FOOT = 2 * LINE + 6
"""Height of what stands below it."""


def no_data(caption: str) -> str:
    """The drawing for nothing to draw."""
    words = text("no data", WIDTH / 2, 32, text_anchor="middle", fill_opacity=0.7)
    return drawing(words, 54, f"{caption}: no data")


def margin(written: Sequence[str]) -> float:
    """Width to keep free for labels beside the data."""
    return max(map(len, written)) * CHARACTER + 14


def header(entries: Sequence[tuple[str, str]], y_label: str) -> tuple[str, float]:
    """Legend and name of the y axis; returns them and where the data may begin.

    Args:
        entries: name and swatch of each series; a single one needs no legend.
        y_label: what runs upwards.
    """
    names, height = legend(entries if len(entries) > 1 else ())
    title = text(y_label, 0, height + 13, class_="axis-name", fill_opacity=0.75)
    return names + title, height + LINE + 14


def footer(x_label: str, x: Axis, bottom: float) -> str:
    """The name of the x axis, below its labels."""
    place = (x.start + x.end) / 2
    return text(
        x_label,
        place,
        bottom + 2 * LINE,
        text_anchor="middle",
        class_="axis-name",
        fill_opacity=0.75,
    )


def stroke(index: int, dash: str | None = None) -> dict[str, str | float]:
    """Attributes of the line of series ``index``."""
    drawn: dict[str, str | float] = {
        "style": f"stroke:{colour(index)};fill:none",
        "stroke_width": 2.2,
        "stroke_linejoin": "round",
    }
    return drawn | ({"stroke_dasharray": dash} if dash else {})
