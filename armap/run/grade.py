"""Grade a planning run: the only stage that learns the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from armap.envs.graded import make_graded_env
from armap.evaluate import Grader, Row, Summary, oracle_row, row
from armap.planners import selects, stored_in
from armap.storage import read_manifest, read_records, write_text
from armap.types import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.config import PlanRun
    from armap.evaluate import Graded
    from armap.run.progress import Progress
    from armap.types import Usage

__all__ = ["evaluate", "wall_time", "write_results"]


def evaluate(run: PlanRun, watch: Progress) -> Summary:
    """Grade every candidate and write the table, anew each time."""
    folder = Path(run.out)
    path = folder / "plans.jsonl"
    with path.open("rb") as lines:
        watch.start("grading by re-execution", sum(1 for _ in lines))
    graded, spent = [], []
    with Grader(lambda: make_graded_env(run.env)) as grader:
        for plan in read_records(path, Plan):
            graded.append(grader.grade(plan))
            spent.append(plan.usage)
            watch.advance(plan.task.name)
    return write_results(folder, run, graded, spent, seconds=wall_time(folder, run))


def write_results(
    folder: Path,
    run: PlanRun,
    graded: Sequence[Graded],
    spent: Sequence[Usage],
    *,
    seconds: float,
) -> Summary:
    """Write ``results.jsonl`` and ``summary.json``; return the table.

    Args:
        folder: of the run.
        run: its configuration.
        graded: the truth about every plan.
        spent: what each plan cost.
        seconds: wall time that the plans took.
    """
    write_text(folder / "results.jsonl", "".join(g.model_dump_json() + "\n" for g in graded))
    summary = Summary(rows=tuple(_rows(run, spent, graded, seconds)))
    write_text(folder / "summary.json", summary.model_dump_json(indent=2) + "\n")
    return summary


def _rows(
    run: PlanRun, spent: Sequence[Usage], graded: Sequence[Graded], seconds: float
) -> list[Row]:
    budget = getattr(run.planner, "n", None) or getattr(run.planner, "trials", None)
    budget = budget or getattr(run.planner, "trajectories", None)
    n = budget or max(len(item.outcomes) for item in graded)
    main = row(graded, spent, n=n, seconds=seconds)
    aimed = main.model_copy(update={"objective": run.objective or ""})
    return [aimed, oracle_row(graded, main)] if selects(run.planner) else [aimed]


def wall_time(folder: Path, run: PlanRun) -> float:
    """Seconds that the run in ``folder`` took, with those of the run its candidates come from."""
    own = read_manifest(folder).seconds
    if (drawn_in := stored_in(run.planner)) is not None:
        return own + read_manifest(drawn_in).seconds
    return own
