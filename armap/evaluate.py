"""Grade plans: act every candidate out again and ask the environment. Sole reader of truth."""

from __future__ import annotations

import logging
from statistics import fmean
from typing import TYPE_CHECKING

from armap.errors import EnvError
from armap.oracle import Outcome
from armap.rollout import compare, replay
from armap.statistics import best_of, mean_interval, wilson
from armap.types import Record, StopReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from armap.oracle import GradedEnvironment
    from armap.types import Plan, Trajectory, Usage

__all__ = ["CurvePoint", "Graded", "Grader", "Row", "Summary", "curve", "oracle_row", "row"]


_log = logging.getLogger(__name__)


class Graded(Record):
    """The truth about one plan, one line of ``results.jsonl``."""

    task: str
    planner: str
    outcomes: tuple[Outcome | None, ...]
    """One per candidate; None for an episode that a failure ended, which counts as lost."""
    chosen: int | None
    scores: tuple[float | None, ...]
    """The reward model's raw scores, for curves."""

    @property
    def successes(self) -> tuple[float, ...]:
        """1 for a candidate that succeeded, else 0: ``[K]``."""
        return tuple(float(outcome is not None and outcome.success) for outcome in self.outcomes)

    @property
    def marks(self) -> tuple[float, ...]:
        """The environment's score of each candidate, 0 for a lost one: ``[K]``."""
        return tuple(outcome.score if outcome is not None else 0.0 for outcome in self.outcomes)

    @property
    def mark(self) -> float:
        """The environment's score of the plan's answer."""
        return 0.0 if self.chosen is None else self.marks[self.chosen]

    @property
    def success(self) -> bool:
        """Whether the plan's answer succeeds."""
        return self.chosen is not None and self.successes[self.chosen] == 1.0


class Row(Record):
    """One row of a result table."""

    planner: str
    objective: str = ""
    """What the answers maximise, if not the reward alone."""
    n: int
    """Candidates per task at most: the budget."""
    tasks: int
    success: float
    """Share of tasks, in [0, 1]."""
    ci: tuple[float, float]
    """95 % interval: Wilson's for one answer a task, else from the spread over tasks."""
    score: float | None = None
    """Mean of the environment's own score, in [0, 1]; None in tables made before it was kept."""
    llm_calls: int
    """In total over all tasks."""
    tokens: int
    """Prompt and completion tokens in total."""
    dollars: float = 0.0
    """By the configuration's prices, in total; 0 where it names none."""
    seconds: float
    """Wall time of the whole row."""

    @property
    def partial(self) -> bool:
        """Whether the score says more than success: the environment knows partial success."""
        return self.score not in {None, self.success}


class Grader:
    """Grades plans by acting their candidates out, all in one instance of the environment.

    A context manager: the instance is made for the first candidate and closed at the end.

    Args:
        make_env: makes the environment, with its grade.
    """

    def __init__(self, make_env: Callable[[], GradedEnvironment]) -> None:
        self._make = make_env
        self._env: GradedEnvironment | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the instance. Idempotent; the next candidate would make another."""
        if self._env is not None:
            self._env.close()
        self._env = None

    def grade(self, plan: Plan) -> Graded:
        """Act out every candidate of a plan; those that are equal throughout once.

        Raises:
            EnvError: an episode does not replay as recorded, twice.
        """
        known: dict[tuple[object, ...], Outcome | None] = {}
        outcomes = []
        for candidate in plan.candidates:
            episode = candidate.trajectory
            seen = tuple((step.observation, step.action.text) for step in episode.steps)
            key = (episode.stop is StopReason.FAILED, seen)
            if key not in known:
                known[key] = self._outcome(episode)
            outcomes.append(known[key])
        return Graded(
            task=plan.task.name,
            planner=plan.planner,
            outcomes=tuple(outcomes),
            chosen=plan.chosen,
            scores=tuple(c.score.raw if c.score else None for c in plan.candidates),
        )

    def _outcome(self, trajectory: Trajectory) -> Outcome | None:
        if trajectory.stop is StopReason.FAILED:
            return None
        try:
            return self._acted(trajectory)
        except EnvError as error:
            _log.warning("grading %s again: %s", trajectory.task.name, error)
        self.close()  # what failed once (a simulator that died) gets a second chance
        return self._acted(trajectory)

    def _acted(self, trajectory: Trajectory) -> Outcome:
        if self._env is None:
            self._env = self._make()
        seen = replay(self._env, trajectory.task, trajectory.steps)
        compare(trajectory.task, seen, trajectory.final, "at the end")
        return self._env.outcome()


def row(graded: Sequence[Graded], spent: Sequence[Usage], *, n: int, seconds: float) -> Row:
    """Sum up one planning run; a ``sampling`` run is the mean over its samples.

    Args:
        graded: one per task.
        spent: what planning each task cost.
        n: the budget, for the table.
        seconds: wall time of the whole run.
    """
    name = graded[0].planner
    if name == "sampling":
        per_task = [fmean(item.successes) for item in graded]
        success, interval = fmean(per_task), mean_interval(per_task)
        score = fmean(fmean(item.marks) for item in graded)
    else:
        wins = sum(item.success for item in graded)
        success, interval = wins / len(graded), wilson(wins, len(graded))
        score = fmean(item.mark for item in graded)
    return Row(
        planner=name,
        n=n,
        tasks=len(graded),
        success=success,
        ci=interval,
        score=score,
        llm_calls=sum(usage.calls for usage in spent),
        tokens=sum(usage.tokens for usage in spent),
        dollars=sum(usage.dollars for usage in spent),
        seconds=round(seconds, 3),
    )


def oracle_row(graded: Sequence[Graded], like: Row) -> Row:
    """The best of the same candidates by ground truth: what perfect selection would reach."""
    wins = sum(max(item.successes) == 1.0 for item in graded)
    return like.model_copy(
        update={
            "planner": "oracle",
            "success": wins / len(graded),
            "ci": wilson(wins, len(graded)),
            "score": fmean(max(item.marks) for item in graded),
        }
    )


class Summary(Record):
    """``summary.json``: the result table."""

    rows: tuple[Row, ...]


class CurvePoint(Record):
    """Best-of-N at one N, means over tasks."""

    n: int
    selected: float
    oracle: float
    mean: float


def curve(graded: Sequence[Graded], sizes: Sequence[int] | None = None) -> list[CurvePoint]:
    """The Best-of-N curve from one set of scored candidates, exact for every ``n``.

    Tasks with fewer than ``n`` candidates leave the curve at their own size.
    """
    largest = max(len(item.outcomes) for item in graded)
    points = []
    for n in sizes or range(1, largest + 1):
        selected, oracle = [], []
        for item in graded:
            size = min(n, len(item.successes))
            scores = [float("-inf") if score is None else score for score in item.scores]
            selected.append(best_of(scores, item.successes, size))
            oracle.append(best_of(item.successes, item.successes, size))
        mean = fmean(fmean(item.successes) for item in graded)
        points.append(CurvePoint(n=n, selected=fmean(selected), oracle=fmean(oracle), mean=mean))
    return points
