"""What the four stage commands have in common."""

from __future__ import annotations

import gc
from pathlib import Path

from armap.errors import ModelError

__all__ = ["run_stage", "spare_the_collector"]


def run_stage(
    stage: str, config: Path, settings: list[str] | None, out: str | None, *, overwrite: bool
) -> None:
    """Load and start the run of one stage, with progress."""
    from armap.cli.progress import Terminal, console
    from armap.config import load_run
    from armap.report.failures import read_failures
    from armap.run import start
    from armap.storage import read_manifest

    run = load_run(config, stage, settings=settings or (), out=out)
    spare_the_collector()
    with Terminal() as progress:
        result = start(run, overwrite=overwrite, progress=progress)
    _show(result)
    if stage == "plan" and (failed := read_failures(Path(run.out)).line):
        console.print(f"  {failed}", markup=False, soft_wrap=True)
    console.print(f"  in [bold]{run.out}[/]")
    if not read_manifest(Path(run.out)).finished:
        raise ModelError(f"{run.out}: incomplete: {_what_next(run.out)}")


def spare_the_collector() -> None:
    """Look for cycles rarely: a run makes many records that live on, and hardly any cycles.

    What the imports made is left out altogether. Worth a fifth of the CPU time of a call.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _what_next(out: str) -> str:
    from armap.calls import JOURNAL
    from armap.report.failures import first_failure, read_failures

    run = Path(out)
    if "RunBudgetSpent" in read_failures(run).tasks:
        return "the budget is spent; raise budget.run and run again to go on"
    first = first_failure(run)
    told = "run again to retry what failed"
    if (run / JOURNAL).is_file():
        told += f"; `armap calls {out}` tells of it"
    if first is not None:
        told += f"; the first failure ({first.kind}): {first.message}"
    return told


def _show(result: object) -> None:
    from armap.cli.progress import console
    from armap.cli.tables import result_table
    from armap.rewards.card import RewardCard
    from armap.run import Summary
    from armap.storage import JsonLines

    if isinstance(result, Summary):
        console.print(result_table(result.rows))
    elif isinstance(result, RewardCard):
        console.print(
            f"  {result.train_pairs} pairs, held-out accuracy {result.held_out_accuracy:.1%} "
            f"on {result.held_out_pairs} pairs of other tasks"
        )
    elif isinstance(result, JsonLines | list):
        console.print(f"  {sum(1 for _ in result)} records")
