"""ARMAP-B: sample N episodes, keep the one that the reward model likes most.

ARMAP section 4.1. The candidates are drawn live, or read from a folder (a sampling run, an
imported log), in which case nothing is called but the reward model. Every candidate is scored
once, from all of its steps; ties go to the first; nothing is dropped for being long (the
released code drops such candidates from numerator and denominator).

``adaptive`` (not in the paper) stops when another episode is not expected to change the answer
for the better, see :mod:`armap.planners.stopping`. The episodes that it does draw are the first
ones of the plain planner.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.errors import ConfigError
from armap.planners.context import Context, argmax, give_up
from armap.planners.sampling import Drawn, draw, look_up
from armap.planners.stopping import Patience, Search
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
    """Episodes; with ``adaptive`` at most."""
    candidates: str | None = None
    """Run folder to take candidates from instead of drawing them; the first ``n`` per task."""
    adaptive: bool = False
    """Stop when another episode is expected to add less than ``gain``."""
    gain: float = Field(default=0.003, gt=0.0)
    """On the calibrated scale, 0 to 1; on that of the objective when there is one."""
    fewest: int = Field(default=3, gt=0)
    """Episodes that are drawn in any case when ``adaptive``."""
    wave: int = Field(default=1, gt=0)
    """Episodes that are drawn side by side between two looks at the scores when ``adaptive``: 1
    saves most, more is faster for a single task."""


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
        config = self.config
        search = Search(self.context, Patience(config.gain, config.fewest, config.wave))
        drawn = await self._drawn(task, seed, search)
        await search.catch_up(drawn.episodes)
        chosen = argmax(search.candidates)
        if chosen is None:
            give_up(drawn.failures)
        return Plan(
            task=task,
            planner=self.name,
            candidates=tuple(search.candidates),
            chosen=chosen,
            usage=drawn.usage,
            saved=drawn.saved,
            failures=drawn.failures,
            remark=drawn.remark or _remark(drawn, search),
            objective=self.context.aim,
        )

    async def _drawn(self, task: Task, seed: int, search: Search) -> Drawn:
        more = search.more if self.config.adaptive else None
        if self.config.candidates is None:
            return await draw(self.context, task, self.config.n, seed, more=more)
        found = self._stored.get(task.name, [])[: self.config.n]
        if not found:
            raise ConfigError(f"{self.config.candidates}: no candidates for task {task.name!r}")
        return await look_up(found, more=more)


def _remark(drawn: Drawn, search: Search) -> str:
    if not drawn.saved:
        return ""
    count = len(drawn.episodes)
    return (
        f"stopped after {count} of {count + drawn.saved} episodes: another is expected to add "
        f"{search.gain:.4f}"
    )


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
