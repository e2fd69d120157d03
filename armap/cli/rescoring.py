"""``armap rescore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from armap.cli.progress import Terminal, console
from armap.cli.tables import fitting, objective_table
from armap.errors import ConfigError
from armap.run import Judged, Rescoring, Sweep
from armap.storage import read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from armap.objective import Objective

__all__ = ["rescore_run"]


def rescore_run(
    source: Path,
    objectives: Sequence[str],
    sweeps: Sequence[str],
    *,
    out: Path | None,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Print what other objectives make of a run's candidates; keep one of them in ``out``.

    Raises:
        ConfigError: an objective or a sweep is none, or there is not exactly one objective
            where one is wanted.
    """
    if not objectives and not sweeps:
        raise ConfigError(
            "armap rescore wants --objective, e.g. 'reward - 0.02 * steps', or --sweep steps"
        )
    if out is not None and len(objectives) != 1:
        raise ConfigError("--out keeps the answers to exactly one --objective")
    if sweeps and len(objectives) > 1:
        raise ConfigError("--sweep starts from one --objective at most")
    wanted = [Sweep.parse(text) for text in sweeps]
    with Terminal() as progress:
        rescoring = Rescoring(source, progress)
        read = [_objective(rescoring, text) for text in objectives]
        rows = _rows(rescoring, read, wanted)
        if out is not None:
            rescoring.write(read[0], out, overwrite=overwrite)
    named = [name for objective in read for name in objective.names]
    _show(source, rescoring, rows, [*(sweep.measure for sweep in wanted), *named], as_json=as_json)
    if out is not None:
        console.print(f"  in [bold]{out}[/]")


def _objective(rescoring: Rescoring, text: str) -> Objective:
    try:
        return rescoring.objective(text)
    except ConfigError as error:
        raise ConfigError(f"--objective {error}") from error


def _rows(
    rescoring: Rescoring, objectives: Sequence[Objective], sweeps: Sequence[Sweep]
) -> list[Judged]:
    rows = [rescoring.planned(), *(rescoring.judge(objective) for objective in objectives)]
    base = objectives[0] if objectives else None
    for sweep in sweeps:
        rows += rescoring.sweep(sweep, base)
    return rows


def _show(
    source: Path,
    rescoring: Rescoring,
    rows: Sequence[Judged],
    named: Sequence[str],
    *,
    as_json: bool,
) -> None:
    if as_json:
        for row in rows:
            typer.echo(row.model_dump_json())
        return
    varying = rescoring.pool.varying
    wanted = [name for name in varying if name in {"steps", *named}]
    others = [name for name in varying if name not in wanted]
    console.print(objective_table(rows, fitting(wanted, others, console.width)))
    lost = rows[0].means.tasks - rows[0].means.answered
    if lost:
        console.print(f"  {lost} tasks have no answer: they count as lost, and in no mean")
    if not read_manifest(source).finished:
        console.print(f"  {source} is not finished: these are the tasks planned so far")
