"""Tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from armap.report.headline import display_name, dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.evaluate import Row

__all__ = ["result_table"]


def result_table(rows: Sequence[Row]) -> Table:
    """Success with its interval, and what it cost; dollars where any row has some."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    table.add_column("planner", no_wrap=True)
    paid = any(row.dollars > 0 for row in rows)
    costs = ("LLM calls", "tokens", *(["$"] if paid else []), "seconds")
    for column in ("N", "tasks", "success", "95 %", *costs):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        low, high = row.ci
        table.add_row(
            display_name(row.planner),
            str(row.n),
            str(row.tasks),
            f"{row.success:.1%}",
            f"{100 * low:.0f}-{100 * high:.0f}",
            f"{row.llm_calls:,}",
            f"{row.tokens:,}",
            *([dollars(row.dollars)] if paid else []),
            f"{row.seconds:.1f}",
        )
    return table
