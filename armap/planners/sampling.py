"""Greedy and Sampling: the baselines without a reward model (ARMAP section 4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from armap.collect import episode_seed, opening_seed
from armap.errors import TaskBudgetSpent
from armap.planners.context import Context, dearer, failures_of, give_up, less, spent
from armap.types import Candidate, Failure, Plan, Record, Usage

if TYPE_CHECKING:
    from armap.calls import Budget
    from armap.types import Task, Trajectory

__all__ = ["Greedy", "GreedyConfig", "Sampling", "SamplingConfig", "draw", "look_up"]


class GreedyConfig(Record):
    """One episode at temperature 0."""

    kind: Literal["greedy"] = "greedy"


class SamplingConfig(Record):
    """``n`` independent episodes; the result is their mean, so nothing is selected."""

    kind: Literal["sampling"] = "sampling"
    n: int = Field(default=10, gt=0)


class Drawn(NamedTuple):
    """Independent episodes of one task."""

    episodes: list[Trajectory]
    usage: Usage
    failures: tuple[Failure, ...] = ()
    """What failed on the way, the budget included."""
    remark: str = ""
    """How the budget cut the drawing short, if it did."""
    saved: int = 0
    """Episodes that were not wanted any more."""


More = Callable[[Sequence["Trajectory"]], Awaitable[int]]
"""Looks at the episodes so far and says how many to draw next, side by side; 0 for enough."""


async def draw(
    context: Context, task: Task, n: int, seed: int, *, more: More | None = None
) -> Drawn:
    """Run ``n`` independent episodes; sample ``i`` is the same whatever ``n`` is.

    Their first actions come from one request, those of episodes that are not wanted later
    included: a prompt less for each, a few tokens lost for some. Under a budget the first episode
    shows what one costs; then as many run side by side as still fit, so that calls go into whole
    episodes.

    Args:
        context: of the planner.
        task: what to do.
        n: episodes at most.
        seed: of the plan.
        more: asked before every wave; None draws all.

    Raises:
        EnvError, ModelError: the task does not even begin.
    """
    runner = context.runner
    openings = await runner.openings(task, n=n, seed=opening_seed(seed, task))
    shared = openings[0].usage
    episodes: list[Trajectory] = []
    wanted = n if more is None else min(n, await more(episodes))
    while wanted and (wave := min(_room(context.budget, episodes, shared, n), wanted)) > 0:
        numbers = range(len(episodes), len(episodes) + wave)
        episodes += await asyncio.gather(
            *(
                runner.run(task, seed=episode_seed(seed, task, i), opening=openings[i])
                for i in numbers
            )
        )
        wanted = n - len(episodes)
        if more is not None and wanted:
            wanted = min(wanted, await more(episodes))
    failures = failures_of(episodes)
    if wanted == 0:
        saved = n - len(episodes)
        return Drawn(episodes, spent(episodes), failures, saved=saved)
    remark = f"the budget leaves room for {len(episodes)} of {n} episodes"
    short = Failure(kind=TaskBudgetSpent.__name__, message=remark)
    return Drawn(episodes, spent(episodes), (*failures, short), remark)


async def look_up(found: Sequence[Trajectory], *, more: More | None = None) -> Drawn:
    """As :func:`draw`, out of stored episodes; the cost is that of those looked at."""
    count = len(found) if more is None else 0
    while count < len(found) and more is not None and (wanted := await more(found[:count])):
        count += min(wanted, len(found) - count)
    taken = list(found[:count])
    return Drawn(taken, spent(taken), saved=len(found) - count)


def _room(budget: Budget, episodes: Sequence[Trajectory], shared: Usage, n: int) -> int:
    """How many more episodes to begin: all, unless there is a budget.

    ``shared`` is the request for all first actions, which the first episode has on its account.
    """
    if not budget.limited:
        return n
    if not episodes:
        return 1
    costs = [episode.usage for episode in episodes]
    first, *others = costs
    dearest = dearer(less(first, shared), *others)
    room = budget.room(spent(episodes), dearest)
    return n if room is None else room


@dataclass(frozen=True, slots=True)
class Sampling:
    """Draws ``n`` episodes. The plan's answer is the first that did not fail."""

    config: SamplingConfig
    context: Context
    name: str = "sampling"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Draw and keep everything."""
        return unselected(self.name, task, await draw(self.context, task, self.config.n, seed))


@dataclass(frozen=True, slots=True)
class Greedy:
    """One episode; the policy's temperature is 0 unless its config says otherwise."""

    config: GreedyConfig
    context: Context
    name: str = "greedy"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Run the one episode."""
        return unselected(self.name, task, await draw(self.context, task, 1, seed))


def unselected(name: str, task: Task, drawn: Drawn) -> Plan:
    """A plan without scores; its answer is the first whole episode.

    Raises:
        BoundaryError: there is none.
    """
    whole = [index for index, episode in enumerate(drawn.episodes) if episode.whole]
    if not whole:
        give_up(drawn.failures)
    return Plan(
        task=task,
        planner=name,
        candidates=tuple(Candidate(trajectory=episode) for episode in drawn.episodes),
        chosen=whole[0] if whole else None,
        usage=drawn.usage,
        failures=drawn.failures,
        remark=drawn.remark,
    )
