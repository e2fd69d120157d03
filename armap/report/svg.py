"""Marks that every chart shares: elements, text, colours, symbols, the legend, the frame.

Text takes the colour of the page (``currentColor``); series take ``--series-1`` to
``--series-6``, with fallbacks after Okabe and Ito that colour-blind people can tell apart. A
symbol and a dash go with every colour, so that nothing depends on colour alone.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from armap.report.axes import CHARACTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.report.axes import Axis

__all__ = [
    "LINE",
    "WIDTH",
    "bottom_axis",
    "colour",
    "drawing",
    "left_axis",
    "legend",
    "symbol",
    "tag",
    "text",
]

WIDTH = 520.0
"""Width of every drawing; the page scales it."""
LINE = 18.0
"""Height of a line of text."""

_FALLBACKS = ("#0068a5", "#c24e00", "#007a58", "#a3437b", "#8a6100", "#5b5f66")
_SYMBOLS = (
    "m-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0z",
    "m-3.2,-3.2h6.4v6.4h-6.4z",
    "m0,-4.6l4.6,4.6l-4.6,4.6l-4.6,-4.6z",
    "m0,-4.6l4.3,7.6h-8.6z",
)
_GRID = "stroke:currentColor;stroke-opacity:.2"
_SWATCH = 26.0
_GAP = 18.0


def tag(name: str, content: str = "", /, **attributes: str | float) -> str:
    """Write one element; ``content`` is markup, attribute values are escaped.

    Underscores in attribute names become hyphens; one at the end goes away (``class_``).

    >>> tag("g", tag("rect", width=2.0), class_="bar")
    '<g class="bar"><rect width="2"></rect></g>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>"


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def text(content: str, x: float, y: float, **attributes: str | float) -> str:
    """Write a line of text, escaped, in the colour of the page unless ``style`` says more."""
    return tag("text", escape(content), x=x, y=y, **{"fill": "currentColor", **attributes})


def colour(index: int) -> str:
    """CSS colour of series ``index``; after six they start again."""
    place = index % len(_FALLBACKS)
    return f"var(--series-{place + 1},{_FALLBACKS[place]})"


def symbol(index: int, x: float, y: float, tooltip: str) -> str:
    """The mark of one point of series ``index``."""
    return tag(
        "path",
        tag("title", escape(tooltip)),
        class_="point",
        d=f"M{x:.2f},{y:.2f}{_SYMBOLS[index % len(_SYMBOLS)]}",
        style=f"fill:{colour(index)}",
    )


def legend(entries: Sequence[tuple[str, str]]) -> tuple[str, float]:
    """Name the series in lines as wide as the drawing.

    Args:
        entries: name and swatch of each series; a swatch is drawn around (13, 0).

    Returns:
        Markup, and the height it takes.
    """
    items, x, y = [], 0.0, LINE / 2
    for name, swatch in entries:
        width = _SWATCH + 6 + len(name) * CHARACTER
        if x > 0 and x + width > WIDTH:
            x, y = 0.0, y + LINE
        label = text(name, _SWATCH + 6, 4)
        items.append(
            tag("g", swatch + label, class_="legend-item", transform=f"translate({x:.1f},{y:.1f})")
        )
        x += width + _GAP
    return tag("g", "".join(items), class_="legend"), (y + LINE / 2 + 6 if items else 0.0)


def left_axis(axis: Axis, left: float, right: float) -> str:
    """Horizontal gridlines with their labels to the left."""
    parts = []
    for y, label in axis.marks():
        parts.append(tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid", style=_GRID))
        parts.append(text(label, left - 8, y + 4, text_anchor="end"))
    return "".join(parts)


def bottom_axis(axis: Axis, top: float, bottom: float, *, grid: bool = False) -> str:
    """Ticks with their labels below ``bottom``; ``grid`` draws them up to ``top``."""
    parts = []
    for x, label in axis.marks():
        y1 = top if grid else bottom
        parts.append(tag("line", x1=x, x2=x, y1=y1, y2=bottom + 4, class_="grid", style=_GRID))
        parts.append(text(label, x, bottom + LINE, text_anchor="middle"))
    return "".join(parts)


def drawing(content: str, height: float, label: str) -> str:
    """Wrap marks into an ``<svg>`` that scales with the page; ``label`` is for screen readers."""
    return tag(
        "svg",
        content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_value(WIDTH)} {_value(height)}",
        role="img",
        aria_label=label,
        class_="chart",
        style="width:100%;height:auto;font:13px system-ui,sans-serif",
    )
