"""``armap plan --replay``: make a run's plans again, out of its journal, without any call."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from armap.config import FREE, PlanRun, load_manifest_run
from armap.errors import ConfigError
from armap.run.grade import evaluate
from armap.run.model import replayed_model
from armap.run.plan import plan_tasks, tasks_of
from armap.run.progress import Progress, Quiet
from armap.run.tasks import read_all
from armap.run.world import world_of
from armap.storage import Origin, RunFolder, read_records
from armap.types import Plan, Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from armap.evaluate import Summary

__all__ = ["Replayed", "replay_plan"]


class Replayed(Record):
    """What came of a replay."""

    plans: int
    differing: tuple[str, ...]
    """Tasks whose plans differ from the original's; empty when every plan has the same bytes."""


def replay_plan(
    source: Path,
    out: Path,
    *,
    settings: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Replayed, Summary | None]:
    """Plan again with the configuration of the run in ``source``, answering from its journal.

    Tasks that have no plan there (they failed, or the run was stopped) are left out.

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
    before = _plans(source)
    tasks = [task for task in read_all(tasks_of(run), watch) if task.name in before]
    origin = Origin(world=world_of(run))
    with RunFolder.open(
        out, stage="plan", config=run, free=FREE, origin=origin, overwrite=overwrite
    ) as folder:
        folder.lines("plans.jsonl", Plan).clear()
        plan_tasks(run, tasks, folder, replayed_model(run, source), watch)
        folder.finish()
    after = _plans(out)
    names = [task.name for task in tasks]
    differing = tuple(name for name in names if before[name] != after.get(name))
    replayed = Replayed(plans=len(after), differing=differing)
    return replayed, evaluate(run, watch) if run.evaluate and after else None


def _plans(run: Path) -> dict[str, str]:
    """Digest of each plan, by its task."""
    return {
        plan.task.name: sha256(plan.model_dump_json().encode()).hexdigest()
        for plan in read_records(run / "plans.jsonl", Plan)
    }
