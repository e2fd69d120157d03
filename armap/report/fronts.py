"""Fronts between reward and a measure as charts: every point is one weight of the measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from armap.report.charts import Series, line_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.report.data import Front, Tradeoffs
    from armap.tradeoff import Means

__all__ = ["front_plots"]


def front_plots(tradeoffs: Tradeoffs) -> list[tuple[str, list[tuple[str, Markup]]]]:
    """For every measure two captioned charts: the environment's score against it, the model's."""
    return [
        (
            measure,
            [
                ("What the environment says", _chart(fronts, _score, "score")),
                ("What the reward model says", _chart(fronts, _reward, "calibrated reward")),
            ],
        )
        for measure in tradeoffs.measures
        if (fronts := [front for front in tradeoffs.fronts if front.measure == measure])
    ]


def _chart(fronts: Sequence[Front], value: Callable[[Means], float | None], y_label: str) -> Markup:
    """One line a run, from the largest weight to 0: its end is the answer to the reward alone."""
    lines = []
    for front in fronts:
        points = [(means, v) for means in reversed(front.points) if (v := value(means)) is not None]
        lines.append(
            Series(
                front.run,
                tuple((means.measures[front.measure], v) for means, v in points),
                notes=tuple(f", {means.objective}" for means, _ in points),
            )
        )
    first = fronts[0]
    unit = f" ({first.unit})" if first.unit != first.measure else ""
    x_label = f"{first.measure}{unit}, mean over tasks"
    return Markup(line_chart(lines, x_label=x_label, y_label=f"{y_label}, mean over tasks"))


def _score(means: Means) -> float | None:
    return means.score


def _reward(means: Means) -> float:
    return means.reward
