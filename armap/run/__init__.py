"""Runs: from a validated configuration to a finished folder. What the commands call.

Each function builds the parts that its configuration names, continues what is on disk, and
returns what a reader wants to know. :class:`Progress` is how they tell of their work; the
command line draws it, tests and notebooks may ignore it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.config import CollectRun, PlanRun, PolicyTrainRun, RewardTrainRun, SynthesizeRun
from armap.evaluate import Summary
from armap.run.collect import run_collect
from armap.run.plan import PlanFailure, run_plan
from armap.run.progress import Progress, Quiet
from armap.run.replay import Replayed, replay_plan
from armap.run.rescore import Judged, Rescoring, Sweep
from armap.run.synthesize import run_synthesize
from armap.run.train import run_train

if TYPE_CHECKING:
    from armap.config import Run

__all__ = [
    "Judged",
    "PlanFailure",
    "Progress",
    "Quiet",
    "Replayed",
    "Rescoring",
    "Summary",
    "Sweep",
    "replay_plan",
    "run_collect",
    "run_plan",
    "run_synthesize",
    "run_train",
    "start",
]


def start(run: Run, *, overwrite: bool = False, progress: Progress | None = None) -> object:
    """Run any configuration: the Python twin of the four commands."""
    match run:
        case CollectRun():
            return run_collect(run, overwrite=overwrite, progress=progress)
        case SynthesizeRun():
            return run_synthesize(run, overwrite=overwrite, progress=progress)
        case RewardTrainRun() | PolicyTrainRun():
            return run_train(run, overwrite=overwrite, progress=progress)
        case PlanRun():
            return run_plan(run, overwrite=overwrite, progress=progress)
