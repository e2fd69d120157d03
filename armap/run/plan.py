"""``armap plan``: search, then grade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from armap.batching import finish, for_each
from armap.calls import task_scope
from armap.collect import Health
from armap.config import FREE
from armap.envs import find_tasks, make_answer, make_env, make_measures, narrow
from armap.envs.scienceworld.expert import EXPERT
from armap.errors import BoundaryError, BudgetSpent, ConfigError, RunBudgetSpent
from armap.objective import Objective
from armap.planners import Context, make_planner, stored_in, temperature
from armap.planners.best_of_n import stored_candidates
from armap.policy import PromptedPolicy
from armap.rewards import make_reward
from armap.rollout import Runner
from armap.run.grade import evaluate
from armap.run.model import recorded_model
from armap.run.order import Placed, by_task
from armap.run.progress import Progress, Quiet
from armap.run.tasks import read_all
from armap.run.world import world_of
from armap.storage import JsonLines, Origin, RunFolder
from armap.types import Failure, Plan, Record, Task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from armap.calls import Recorded
    from armap.config import PlanRun
    from armap.envs import Found
    from armap.evaluate import Summary
    from armap.protocols import RewardModel
    from armap.types import Trajectory

__all__ = ["PlanFailure", "plan_tasks", "run_plan", "tasks_of"]


class PlanFailure(Record):
    """A task that could not be planned, one line of ``failures.jsonl``."""

    task: Task
    failure: Failure


def run_plan(
    run: PlanRun, *, overwrite: bool = False, progress: Progress | None = None
) -> Summary | None:
    """Plan, then grade; leaves ``plans.jsonl``, ``results.jsonl`` and ``summary.json``.

    Plans in which something failed are made anew: their answered calls come from the journal,
    so that only what failed is asked again.

    Returns None when the run is configured not to evaluate, or nothing could be planned.
    """
    watch = progress or Quiet()
    found = tasks_of(run)
    if overwrite:  # before anything is thrown away
        found = read_all(found, watch)
    path = Path(run.out)
    opened = RunFolder.open(
        path,
        stage="plan",
        config=run,
        free=FREE,
        origin=Origin(world=world_of(run)),
        overwrite=overwrite,
    )
    with opened as folder:
        if not folder.manifest.finished:
            tasks = read_all(found, watch)
            model = recorded_model(run, folder, watch)
            if plan_tasks(run, tasks, folder, model, watch):
                folder.finish()
        planned = any(True for _ in folder.lines("plans.jsonl", Plan))
    return evaluate(run, watch) if run.evaluate and planned else None


def plan_tasks(
    run: PlanRun,
    tasks: list[Task],
    folder: RunFolder,
    model: AbstractContextManager[Recorded],
    watch: Progress,
) -> bool:
    """Plan what has no whole plan yet; True when nothing is left to try again."""
    done = folder.lines("plans.jsonl", Plan)
    failed = folder.lines("failures.jsonl", PlanFailure)
    failed.clear()
    done.keep(lambda plan: not plan.failures)
    have = {plan.task.name for plan in done}
    watch.start(f"planning with {run.planner.kind}", len(tasks), done=len(have))
    work = _Work(run, done, failed, watch, Health(succeeded=len(have)))
    if missing := [task for task in tasks if task.name not in have]:
        with model as opened:
            reward = make_reward(run.reward) if run.reward else None
            finish(work.all(missing, opened, reward))
    count = done.sort(by_task(tasks), Placed)
    failed.close()
    if count < len(tasks):
        watch.say(f"{len(tasks) - count} of {len(tasks)} tasks have no plan, see failures.jsonl")
    if work.saved:
        watch.say(f"{work.saved:,} episodes were not needed")
    if work.failures:
        watch.say(f"{work.failures} branches failed; run again to try those once more")
    return count == len(tasks) and not work.failures


def tasks_of(run: PlanRun) -> Found:
    """The tasks to plan: those of the stored candidates when there are such."""
    if (folder := stored_in(run.planner)) is not None:
        stored = stored_candidates(folder)
        _refuse_experts(run, stored)
        return narrow([group[0].task for group in stored.values()], run.tasks)
    return find_tasks(run.env, run.tasks)


def _refuse_experts(run: PlanRun, stored: Mapping[str, Sequence[Trajectory]]) -> None:
    """Who chooses among episodes of an expert that knows the solutions has learned nothing.

    Raises:
        ConfigError: there are such, and they would be graded.
    """
    names = {episode.policy for group in stored.values() for episode in group}
    expert = next((name for name in sorted(names) if name.startswith(EXPERT)), None)
    if run.evaluate and expert is not None:
        raise ConfigError(
            f"planner.candidates: by {expert!r}, which knows the solutions; grades of a choice "
            "among them would say nothing about a learned agent (evaluate: false plans without)"
        )


class _Work:
    """One session of a planning run."""

    def __init__(
        self,
        run: PlanRun,
        done: JsonLines[Plan],
        failed: JsonLines[PlanFailure],
        watch: Progress,
        health: Health,
    ) -> None:
        self.failures = 0
        self.saved = 0
        self._run = run
        self._done = done
        self._failed = failed
        self._watch = watch
        self._health = health
        self._broke = False

    async def all(self, tasks: list[Task], model: Recorded, reward: RewardModel | None) -> None:
        """Plan every task; close the models."""
        run = self._run
        policy = PromptedPolicy(model, run.policy, temperature(run.planner))
        runner = Runner(lambda: make_env(run.env), policy, run.limits)
        objective = (
            Objective.parse(run.objective, make_measures(run.env)) if run.objective else None
        )
        context = Context(runner, reward, run.budget.task, objective, make_answer(run.env))
        planner = make_planner(run.planner, context)

        async def one(task: Task) -> None:
            if self._broke:
                return
            with task_scope(task):
                problem = await self._record(planner.plan(task, seed=run.seed), task)
            self._watch.advance(task.name)
            self._health.record(problem)

        try:
            await for_each(tasks, one, concurrency=run.concurrency)
        finally:
            await runner.close()
            await model.close()
            if reward is not None:
                await reward.close()

    async def _record(self, planning: Awaitable[Plan], task: Task) -> str | None:
        """Keep a plan or what went wrong with it; the latter's message, unless it is the budget."""
        try:
            plan = await planning
        except BoundaryError as error:
            self._failed.append(PlanFailure(task=task, failure=Failure.of(error)))
            self._broke = self._broke or isinstance(error, RunBudgetSpent)
            return None if isinstance(error, BudgetSpent) else str(error)
        self._done.append(plan)
        self.saved += plan.saved
        self.failures += sum(
            not isinstance(failure.error(), BudgetSpent) for failure in plan.failures
        )
        return None
