"""``armap calls`` and ``armap plan --replay``: what a run's journal knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from armap.calls import JOURNAL, read_calls, read_ledger
from armap.cli.progress import Terminal, console
from armap.cli.tables import result_table
from armap.errors import ReplayError
from armap.run import replay_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["replay_run", "show_calls"]


def show_calls(run: Path, *, failed: bool, as_json: bool) -> None:
    """Print the ledger of a run, or its calls."""
    if as_json or failed:
        for call, messages in read_calls(run / JOURNAL):
            if failed and call.failure is None:
                continue
            whole = call.model_dump(mode="json", exclude_defaults=True)
            whole["messages"] = [message.model_dump(exclude_defaults=True) for message in messages]
            if as_json:
                typer.echo(json.dumps(whole, ensure_ascii=False))
            else:
                assert call.failure is not None
                typer.echo(f"{call.task}: {call.failure.kind}: {call.failure.message}")
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for label, value in read_ledger(run).lines():
        table.add_row(label, value)
    console.print(table)


def replay_run(source: Path, settings: Sequence[str], out: str | None, *, overwrite: bool) -> None:
    """Replay a planning run and say whether its plans came out the same.

    Raises:
        ReplayError: they did not, although nothing was changed.
    """
    target = source.with_name(f"{source.name}-replay") if out is None else Path(out)
    with Terminal() as progress:
        replayed, summary = replay_plan(
            source, target, settings=settings, overwrite=overwrite, progress=progress
        )
    if summary is not None:
        console.print(result_table(summary.rows))
    console.print(f"  in [bold]{target}[/]")
    if not replayed.differing:
        console.print(f"  {replayed.plans} plans, the same bytes as in [bold]{source}[/]")
    elif settings:
        console.print(f"  {len(replayed.differing)} of {replayed.plans} plans differ")
    else:
        raise ReplayError(
            f"{target}/plans.jsonl: {len(replayed.differing)} of {replayed.plans} plans differ "
            f"from those of {source}, the first for task {replayed.differing[0]!r}: "
            "was it made with this version?"
        )
