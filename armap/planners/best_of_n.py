"""ARMAP-B: sample N episodes, keep the one that the reward model likes most.

ARMAP section 4.1. The candidates are drawn live, or read from a folder (a sampling run, an
imported log), in which case nothing is called but the reward model. Every candidate is scored
once, from all of its steps; ties go to the first; nothing is dropped for being long (the
released code drops such candidates from numerator and denominator).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.errors import ConfigError
from armap.planners.context import Context, argmax, give_up, spent
from armap.planners.sampling import Drawn, draw
from armap.storage import read_records
from armap.types import Plan, Record, Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armap.types import Task

__all__ = ["BestOfN", "BestOfNConfig", "stored_candidates"]


class BestOfNConfig(Record):
    """Settings of :class:`BestOfN`."""

    kind: Literal["best_of_n"] = "best_of_n"
    n: int = Field(default=10, gt=0)
    candidates: str | None = None
    """Run folder to take candidates from instead of drawing them; the first ``n`` per task."""


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Selects among ``n`` candidates."""

    config: BestOfNConfig
    context: Context
    name: str = "best_of_n"
    _stored: dict[str, list[Trajectory]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.config.candidates is not None:
            self._stored.update(stored_candidates(Path(self.config.candidates)))

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Draw or look up the candidates, score them, take the best.

        Raises:
            ConfigError: candidates are to be read and there are none for ``task``.
        """
        drawn = await self._drawn(task, seed)
        candidates = await self.context.scored(drawn.episodes)
        chosen = argmax(candidates)
        if chosen is None:
            give_up(drawn.failures)
        return Plan(
            task=task,
            planner=self.name,
            candidates=tuple(candidates),
            chosen=chosen,
            usage=drawn.usage,
            failures=drawn.failures,
            remark=drawn.remark,
            objective=self.context.aim,
        )

    async def _drawn(self, task: Task, seed: int) -> Drawn:
        if self.config.candidates is None:
            return await draw(self.context, task, self.config.n, seed)
        found = self._stored.get(task.name, [])[: self.config.n]
        if not found:
            raise ConfigError(f"{self.config.candidates}: no candidates for task {task.name!r}")
        return Drawn(found, spent(found))


def stored_candidates(folder: Path) -> dict[str, list[Trajectory]]:
    """Trajectories of a collect, import or plan run, by task name, in order.

    Raises:
        ConfigError: the folder holds neither trajectories nor plans.
    """
    found: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in _trajectories(folder):
        found[trajectory.task.name].append(trajectory)
    return dict(found)


def _trajectories(folder: Path) -> Iterator[Trajectory]:
    if (folder / "trajectories.jsonl").is_file():
        yield from read_records(folder / "trajectories.jsonl", Trajectory)
    elif (folder / "plans.jsonl").is_file():
        for plan in read_records(folder / "plans.jsonl", Plan):
            yield from (candidate.trajectory for candidate in plan.candidates)
    else:
        raise ConfigError(f"{folder}: neither trajectories.jsonl nor plans.jsonl in it")
