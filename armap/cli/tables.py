"""Tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from armap.report.axes import amount
from armap.report.headline import display_name, dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.evaluate import Row
    from armap.run import Judged

__all__ = ["fitting", "objective_table", "result_table"]

_OBJECTIVE = 22
"""Width of an objective, where it may begin a new line."""
_BESIDE = _OBJECTIVE + 50
"""Width of what stands beside the measures of an objective table."""
_NUMBER = 5


def result_table(rows: Sequence[Row]) -> Table:
    """Success with its interval, and what it cost; dollars where any row has some.

    The mean score has a column where the environment also knows partial success.
    """
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    table.add_column("planner", no_wrap=True)
    if aimed := any(row.objective for row in rows):
        table.add_column("objective")
    paid = any(row.dollars > 0 for row in rows)
    costs = ("LLM calls", "tokens", *(["$"] if paid else []), "seconds")
    partial = any(row.partial for row in rows)
    for column in ("N", "tasks", *(["score"] if partial else []), "success", "95 %", *costs):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        low, high = row.ci
        table.add_row(
            display_name(row.planner),
            *([row.objective] if aimed else []),
            str(row.n),
            str(row.tasks),
            *(["" if row.score is None else f"{row.score:.3f}"] if partial else []),
            f"{row.success:.1%}",
            f"{100 * low:.0f}-{100 * high:.0f}",
            f"{row.llm_calls:,}",
            f"{row.tokens:,}",
            *([dollars(row.dollars)] if paid else []),
            f"{row.seconds:.1f}",
        )
    return table


def objective_table(rows: Sequence[Judged], measures: Sequence[str]) -> Table:
    """What each objective's answers come to; changes are against the first row's answers.

    Args:
        rows: the first one the answers as they were planned.
        measures: those to show.
    """
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    table.add_column("objective", overflow="fold", min_width=_OBJECTIVE)
    graded = rows[0].means.success is not None
    partial = any(row.means.score != row.means.success for row in rows)
    truth = ("success", "95 %", "change [95 %]", *(["score"] if partial else []))
    for column in (*(truth if graded else ()), "reward", *measures):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        means = row.means
        table.add_row(
            means.objective or "as planned",
            *_truth(row, partial=partial),
            f"{means.reward:.3f}",
            *(amount(means.measures[name]) for name in measures),
        )
    return table


def fitting(wanted: Sequence[str], others: Sequence[str], width: int) -> list[str]:
    """The measures that are wanted, and as many others as have room in an objective table."""
    room = width - _BESIDE - sum(_column(name) for name in wanted)
    kept = list(wanted)
    for name in others:
        room -= _column(name)
        if room < 0:
            break
        kept.append(name)
    return kept


def _column(name: str) -> int:
    return max(len(name), _NUMBER) + 2


def _truth(row: Judged, *, partial: bool) -> list[str]:
    """Success, its interval, its change with that one's, and the score where it says more."""
    means = row.means
    if means.success is None or means.ci is None or means.score is None:
        return []
    change = ""
    if row.change is not None and row.change.success is not None:
        delta, low, high = (100 * share for share in row.change.success)
        change = f"{delta:+.1f} [{low:+.0f}, {high:+.0f}]"
    low, high = means.ci
    score = [f"{means.score:.3f}"] if partial else []
    return [f"{means.success:.1%}", f"{100 * low:.0f}-{100 * high:.0f}", change, *score]
