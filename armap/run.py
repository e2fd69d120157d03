"""Runs: from a validated configuration to a finished folder. What the commands call.

Each function builds the parts that its configuration names, continues what is on disk, and
returns what a reader wants to know. ``Progress`` is how they tell of their work; the command
line draws it, tests and notebooks may ignore it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from armap.batching import finish, for_each
from armap.collect import Effort, Health, collect
from armap.config import (
    CollectRun,
    PlanRun,
    PolicyTrainRun,
    RewardTrainRun,
    SynthesizeRun,
)
from armap.envs import make_env, narrow, select_tasks
from armap.envs.graded import make_graded_env
from armap.errors import BoundaryError, ConfigError
from armap.evaluate import Graded, Row, Summary, grade, oracle_row, row
from armap.llms import make_llm
from armap.planners import Context, make_planner, temperature
from armap.planners.best_of_n import BestOfNConfig, stored_candidates
from armap.policy import PromptedPolicy
from armap.rewards import make_reward
from armap.rollout import Runner
from armap.storage import JsonLines, RunFolder, read_manifest, write_text
from armap.synthesize import hindsight
from armap.types import Failure, Plan, Preference, Record, Task, Trajectory

if TYPE_CHECKING:
    from armap.config import Run
    from armap.protocols import ChatModel, RewardModel
    from armap.rewards.card import RewardCard
    from armap.rewards.train import LearningPoint

__all__ = [
    "PlanFailure",
    "Progress",
    "Quiet",
    "Summary",
    "run_collect",
    "run_plan",
    "run_synthesize",
    "run_train",
]


class Progress(Protocol):
    """Told how far a run is."""

    def start(self, what: str, total: int | None, done: int = 0) -> None:
        """A piece of work begins; ``done`` of it was on disk already."""
        ...

    def advance(self, note: str = "") -> None:
        """One more item is done."""
        ...

    def say(self, text: str) -> None:
        """A line for the reader."""
        ...


class Quiet:
    """Progress that nobody watches."""

    def start(self, what: str, total: int | None, done: int = 0) -> None:
        """Nothing."""

    def advance(self, note: str = "") -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


class PlanFailure(Record):
    """A task that could not be planned, one line of ``failures.jsonl``."""

    task: Task
    failure: Failure


def run_collect(
    run: CollectRun, *, overwrite: bool = False, progress: Progress | None = None
) -> list[Trajectory]:
    """Explore; leaves ``trajectories.jsonl`` (sorted) and, if any, ``failures.jsonl``."""
    watch = progress or Quiet()
    tasks = select_tasks(run.env, run.tasks)
    order = {task.name: index for index, task in enumerate(tasks)}
    with RunFolder.open(Path(run.out), stage="collect", config=run, overwrite=overwrite) as folder:
        done = folder.lines("trajectories.jsonl", Trajectory)
        if folder.manifest.finished:
            return list(done)
        failed = folder.lines("failures.jsonl", Trajectory)
        failed.clear()
        total = len(tasks) * run.samples
        watch.start("collecting trajectories", total, done=sum(1 for _ in done))
        finish(_collect(run, tasks, done, failed, watch))
        episodes = done.sort(lambda episode: (order[episode.task.name], episode.seed))
        failed.close()
        if len(episodes) == total:
            folder.finish()
        else:
            watch.say(f"{total - len(episodes)} of {total} episodes failed")
    return episodes


async def _collect(
    run: CollectRun,
    tasks: list[Task],
    done: JsonLines[Trajectory],
    failed: JsonLines[Trajectory],
    watch: Progress,
) -> None:
    model = make_llm(run.llm)
    policy = PromptedPolicy(model, run.policy)
    runner = Runner(lambda: make_env(run.env), policy, run.limits)
    try:
        await collect(
            tasks,
            runner=runner,
            effort=Effort(run.samples, run.seed, run.concurrency),
            done=done,
            failed=failed,
            progress=lambda episode: watch.advance(episode.task.name),
        )
    finally:
        await model.close()


def run_synthesize(
    run: SynthesizeRun, *, overwrite: bool = False, progress: Progress | None = None
) -> list[Preference]:
    """Make pairs; leaves ``preferences.jsonl``."""
    watch = progress or Quiet()
    source = Path(run.trajectories) / "trajectories.jsonl"
    if not source.is_file():
        raise ConfigError(f"trajectories: {source} does not exist; run `armap collect` first")
    with RunFolder.open(
        Path(run.out), stage="synthesize", config=run, overwrite=overwrite
    ) as folder:
        lines = folder.lines("preferences.jsonl", Preference)
        if folder.manifest.finished:
            return list(lines)
        lines.clear()
        episodes = list(JsonLines(source, Trajectory))
        watch.start("making preference pairs", run.synthesis.pairs)
        for pair in hindsight(run.synthesis, episodes, lambda: make_env(run.env), seed=run.seed):
            lines.append(pair)
            watch.advance(pair.provenance.rival)
        lines.close()
        pairs = list(lines)
        if not pairs:
            raise ConfigError(f"{source}: no pair could be made of {len(episodes)} trajectories")
        folder.finish()
    kinds = Counter(pair.provenance.rival.split(" at ")[0] for pair in pairs).most_common(4)
    watch.say("most frequent rivals: " + ", ".join(f"{kind} ({n})" for kind, n in kinds))
    return pairs


def run_train(
    run: RewardTrainRun | PolicyTrainRun,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RewardCard | None:
    """Train; leaves ``model/``. Returns the reward model's card, None for a policy."""
    watch = progress or Quiet()
    path = Path(run.out)
    if isinstance(run, PolicyTrainRun):
        from armap.embedded.train import train_policy

        with RunFolder.open(path, stage="train", config=run, overwrite=overwrite) as folder:
            if not folder.manifest.finished:
                watch.start("training the policy", run.train.stop_after or run.train.steps)
                train_policy(
                    run.train,
                    path,
                    seed=run.seed,
                    resume=folder.resumed,
                    progress=lambda step: watch.advance(f"step {step}"),
                )
                folder.finish()
        return None
    return _train_reward(run, path, overwrite=overwrite, watch=watch)


def _train_reward(
    run: RewardTrainRun, path: Path, *, overwrite: bool, watch: Progress
) -> RewardCard:
    from armap.rewards.card import read_card
    from armap.rewards.train import train_reward

    source = Path(run.preferences) / "preferences.jsonl"
    if not source.is_file():
        raise ConfigError(f"preferences: {source} does not exist; run `armap synthesize` first")

    def told(point: LearningPoint) -> None:
        if point.held_out_accuracy is not None:
            watch.advance(f"held-out pair accuracy {point.held_out_accuracy:.1%}")

    with RunFolder.open(path, stage="train", config=run, overwrite=overwrite) as folder:
        if folder.manifest.finished:
            return read_card(path / "model")
        pairs = list(JsonLines(source, Preference))
        watch.start("training the reward model", round(run.train.epochs * run.train.evaluations))
        card = train_reward(
            run.train, pairs, path, seed=run.seed, resume=folder.resumed, progress=told
        )
        folder.finish()
    return card


def run_plan(
    run: PlanRun, *, overwrite: bool = False, progress: Progress | None = None
) -> Summary | None:
    """Plan, then grade; leaves ``plans.jsonl``, ``results.jsonl`` and ``summary.json``.

    Returns None when the run is configured not to evaluate.
    """
    watch = progress or Quiet()
    tasks = _plan_tasks(run)
    order = {task.name: index for index, task in enumerate(tasks)}
    with RunFolder.open(Path(run.out), stage="plan", config=run, overwrite=overwrite) as folder:
        lines = folder.lines("plans.jsonl", Plan)
        if not folder.manifest.finished:
            failed = folder.lines("failures.jsonl", PlanFailure)
            failed.clear()
            watch.start(f"planning with {run.planner.kind}", len(tasks), done=sum(1 for _ in lines))
            finish(_plan(run, tasks, lines, failed, watch))
            plans = lines.sort(lambda plan: order[plan.task.name])
            failed.close()
            if len(plans) == len(tasks):
                folder.finish()
            else:
                watch.say(f"{len(tasks) - len(plans)} of {len(tasks)} tasks failed")
    return _evaluate(run, watch) if run.evaluate else None


def _plan_tasks(run: PlanRun) -> list[Task]:
    """The tasks to plan: those of the stored candidates when there are such."""
    if isinstance(run.planner, BestOfNConfig) and run.planner.candidates is not None:
        stored = stored_candidates(Path(run.planner.candidates))
        found = [group[0].task for group in stored.values()]
        return narrow(found, run.tasks)
    return select_tasks(run.env, run.tasks)


async def _plan(
    run: PlanRun,
    tasks: list[Task],
    done: JsonLines[Plan],
    failed: JsonLines[PlanFailure],
    watch: Progress,
) -> None:
    reward = make_reward(run.reward) if run.reward else None
    model = make_llm(run.llm)
    policy = PromptedPolicy(model, run.policy, temperature(run.planner))
    runner = Runner(lambda: make_env(run.env), policy, run.limits)
    planner = make_planner(run.planner, Context(runner, reward))
    have = {plan.task.name for plan in done}
    health = Health(succeeded=len(have))

    async def one(task: Task) -> None:
        problem: str | None = None
        try:
            done.append(await planner.plan(task, seed=run.seed))
        except BoundaryError as error:
            problem = str(error)
            failure = Failure(kind=type(error).__name__, message=problem)
            failed.append(PlanFailure(task=task, failure=failure))
        watch.advance(task.name)
        health.record(problem)

    missing = [task for task in tasks if task.name not in have]
    try:
        await for_each(missing, one, concurrency=run.concurrency)
    finally:
        await _close(model, reward)


async def _close(model: ChatModel, reward: RewardModel | None) -> None:
    await model.close()
    if reward is not None:
        await reward.close()


def _evaluate(run: PlanRun, watch: Progress) -> Summary:
    """Grade every candidate and write the table; quick enough to do anew each time."""
    folder = Path(run.out)
    plans = list(JsonLines(folder / "plans.jsonl", Plan))
    watch.start("grading by re-execution", len(plans))
    graded = []
    for plan in plans:
        graded.append(grade(lambda: make_graded_env(run.env), plan))
        watch.advance(plan.task.name)
    write_text(folder / "results.jsonl", "".join(g.model_dump_json() + "\n" for g in graded))
    summary = Summary(rows=tuple(_rows(run, plans, graded)))
    write_text(folder / "summary.json", summary.model_dump_json(indent=2) + "\n")
    return summary


def _rows(run: PlanRun, plans: list[Plan], graded: list[Graded]) -> list[Row]:
    budget = getattr(run.planner, "n", None) or getattr(run.planner, "trials", None)
    budget = budget or getattr(run.planner, "trajectories", None)
    n = budget or max(len(plan.candidates) for plan in plans)
    main = row(plans, graded, n=n, seconds=_seconds(run))
    selects = isinstance(run.planner, BestOfNConfig)
    return [main, oracle_row(graded, main)] if selects else [main]


def _seconds(run: PlanRun) -> float:
    """Wall time of a run, with that of the run its candidates come from."""
    own = read_manifest(Path(run.out)).seconds
    if isinstance(run.planner, BestOfNConfig) and run.planner.candidates is not None:
        return own + read_manifest(Path(run.planner.candidates)).seconds
    return own


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
