"""``armap plan --replay``: make a run's plans again, out of its journal, without any call."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from armap.config import FREE, PlanRun, load_manifest_run
from armap.errors import ConfigError
from armap.run.grade import evaluate
from armap.run.model import replayed_model
from armap.run.plan import plan_tasks, tasks_of
from armap.run.progress import Progress, Quiet
from armap.storage import RunFolder
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from armap.evaluate import Summary

__all__ = ["Replayed", "replay_plan"]


class Replayed(Record):
    """What came of a replay."""

    plans: int
    differing: tuple[int, ...]
    """Line numbers of ``plans.jsonl`` that differ from the original's; empty when the bytes are
    the same."""


def replay_plan(
    source: Path,
    out: Path,
    *,
    settings: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Replayed, Summary | None]:
    """Plan again with the configuration of the run in ``source``, answering from its journal.

    Args:
        source: folder of a planning run; it is only read.
        out: folder for the new run.
        settings: changes to its configuration, as for ``--set``; a planner that then asks for
            something new ends the replay.
        overwrite: empty ``out`` first.
        progress: told of the work.

    Raises:
        ReplayError: something is asked for that the journal does not hold.
    """
    watch = progress or Quiet()
    if out.resolve() == source.resolve():
        raise ConfigError(f"{out}: is the run to replay; choose another --out")
    run = load_manifest_run(source, "plan", settings=settings, out=str(out))
    assert isinstance(run, PlanRun)
    with RunFolder.open(out, stage="plan", config=run, free=FREE, overwrite=overwrite) as folder:
        plan_tasks(run, tasks_of(run), folder, replayed_model(run, source), watch)
        folder.finish()
    replayed = _compare(source / "plans.jsonl", out / "plans.jsonl")
    return replayed, evaluate(run, watch) if run.evaluate and replayed.plans else None


def _compare(old: Path, new: Path) -> Replayed:
    with old.open("rb") as before, new.open("rb") as after:
        same = [was == now for was, now in zip_longest(before, after)]
    differing = tuple(number for number, equal in enumerate(same, start=1) if not equal)
    return Replayed(plans=len(same), differing=differing)
