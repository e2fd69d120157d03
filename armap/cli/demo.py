"""``armap demo``: every stage in turn, with words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.cli.progress import Terminal, console
from armap.cli.tables import result_table
from armap.demo import demo_steps
from armap.report.build import write_report
from armap.run import start

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_demo"]


def run_demo(out: Path, *, limit: int, overwrite: bool) -> None:
    """Run the steps, then write the report."""
    console.print(
        "[bold]Game of 24[/]: combine four numbers to make 24. A language model of 3.6 million "
        "parameters plays; a reward model learns from its games which trajectories are good; "
        f"planners search with that reward on {limit} puzzles neither has seen.\n"
    )
    steps = demo_steps(str(out), limit=limit)
    for number, step in enumerate(steps, start=1):
        console.print(f"[bold]{number}/{len(steps)} {step.title}.[/] {step.meaning}")
        with Terminal() as progress:
            start(step.run, overwrite=overwrite, progress=progress)
    data = write_report([_folder(step.run.out, out) for step in steps], out)
    console.print()
    console.print(result_table(data.rows))
    console.print(
        "\nGreedy is the model on its own. The oracle picks the best of the same samples by "
        f"ground truth: no selection can beat it.\nOpen [bold]{out / 'report.html'}[/] for "
        "curves, scores and games."
    )


def _folder(name: str, out: Path) -> Path:
    return out / name.removeprefix(f"{out}/")
