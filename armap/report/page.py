"""One self-contained HTML file about a planning experiment: it needs no network and no script.

Everything that comes from a run is escaped by the template; only our own SVG is trusted.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from armap.report.axes import MINUS, amount, per_cent
from armap.report.caps import cap_chart
from armap.report.charts import Interval, Series, histogram, interval_bars, line_chart
from armap.report.failures import MEANINGS
from armap.report.fronts import front_plots
from armap.report.headline import above_oracle, display_name, dollars, headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from armap.evaluate import CurvePoint, Row
    from armap.report.data import ReportData, RunCalls
    from armap.rewards.train import LearningPoint
    from armap.tradeoff import Change

__all__ = ["render_page"]

_LONG_CURVE = 16
"""Budgets above it are shown on a logarithmic axis."""


def render_page(data: ReportData) -> str:
    """Write the page; equal data give equal pages.

    Sections for which ``data`` holds nothing are left out.
    """
    return _template().render(
        data=data,
        headline=headline(data.rows),
        above_oracle=above_oracle(data.rows),
        planners=sorted({example.planner for example in data.examples}),
        interval_plot=_intervals(data.rows),
        curve_plot=_curve(data.curve),
        loss_plot=_losses(data.learning),
        accuracy_plot=_accuracy(data.learning),
        score_plot=_scores(data),
        front_plots=front_plots(data.tradeoffs),
        called=[run for run in data.calls if run.ledger is not None],
        troubles=[(run, rows) for run in data.calls if (rows := _troubles(run))],
        meanings=_meanings(data.calls),
        cap_plots=[(run.name, Markup(cap_chart(run))) for run in data.calls if run.caps],
    )


@lru_cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "name": display_name,
        "per_cent": per_cent,
        "dollars": dollars,
        "verdict": _verdict,
        "amount": amount,
        "change": _change,
    }
    return environment.get_template("page.html.j2")


def _source(name: str) -> str:
    return files("armap.report").joinpath(name).read_text(encoding="utf-8")


def _verdict(success: bool | None) -> str:  # noqa: FBT001  (a template filter)
    """The class that marks a candidate; the words stand in the template."""
    return "ungraded" if success is None else "solved" if success else "unsolved"


def _change(change: Change | None) -> str:
    """A change of success in points with its interval; empty for what is compared with."""
    if change is None or change.success is None:
        return ""
    delta, low, high = (f"{100 * share:+.1f}".replace("-", MINUS) for share in change.success)
    return f"{delta} ({low} to {high})"


def _troubles(run: RunCalls) -> list[tuple[str, tuple[int, ...]]]:
    """Every kind of failure in a run: tries repeated, calls, branches and tasks lost."""
    failures = run.failures
    levels = (run.retried, failures.calls, failures.branches, failures.tasks)
    kinds = dict.fromkeys(kind for level in levels for kind in level)
    return [(kind, tuple(level.get(kind, 0) for level in levels)) for kind in kinds]


def _meanings(calls: Sequence[RunCalls]) -> list[tuple[str, str]]:
    """The legend: every kind that occurs and is known, in the order of the error tree."""
    occurring = {kind for run in calls for kind, _ in _troubles(run)}
    occurring |= {change.why for run in calls for change in run.caps}
    return [(kind, meaning) for kind, meaning in MEANINGS.items() if kind in occurring]


def _intervals(rows: Sequence[Row]) -> Markup:
    repeated = len({row.planner for row in rows}) < len(rows)
    return Markup(
        interval_bars(
            [
                Interval(
                    _named(row, repeated=repeated),
                    row.success,
                    *row.ci,
                    reference=row.planner == "oracle",
                )
                for row in rows
            ]
        )
    )


def _named(row: Row, *, repeated: bool) -> str:
    size = f", N = {row.n}" if repeated else ""
    return row.objective or f"{display_name(row.planner)}{size}"


def _curve(points: Sequence[CurvePoint]) -> Markup:
    lines = [
        Series("reward model's choice", tuple((p.n, p.selected) for p in points)),
        Series("oracle", tuple((p.n, p.oracle) for p in points), dash="6 4"),
        Series("mean of the candidates", tuple((p.n, p.mean) for p in points), dash="2 3"),
    ]
    return Markup(
        line_chart(
            lines,
            x_label="N, candidates per task",
            y_label="tasks solved",
            percent=True,
            log_x=max((p.n for p in points), default=0) > _LONG_CURVE,
        )
    )


def _losses(points: Sequence[LearningPoint]) -> Markup | None:
    train = tuple((p.pairs, p.train_loss) for p in points if p.train_loss is not None)
    held = tuple((p.pairs, p.held_out_loss) for p in points if p.held_out_loss is not None)
    lines = [Series("training", train, dash="6 4"), Series("held out", held)]
    kept = [line for line in lines if line.points]
    if not kept:
        return None
    return Markup(line_chart(kept, x_label="pairs seen", y_label="loss"))


def _accuracy(points: Sequence[LearningPoint]) -> Markup | None:
    held = tuple((p.pairs, p.held_out_accuracy) for p in points if p.held_out_accuracy is not None)
    if not held:
        return None
    line = Series("held-out pairs", held)
    return Markup(
        line_chart(
            [line], x_label="pairs seen", y_label="held-out pairs ordered rightly", percent=True
        )
    )


def _scores(data: ReportData) -> Markup:
    groups = [("solved", data.solved_scores), ("not solved", data.unsolved_scores)]
    return Markup(histogram(groups, x_label="raw score"))
