"""``armap rescore``: choose anew among a planning run's candidates, without any call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from armap.config import FREE, PlanRun, load_manifest_run
from armap.envs import make_measures
from armap.envs.graded import make_graded_env
from armap.errors import ConfigError
from armap.evaluate import Graded, Grader
from armap.objective import REWARD, Objective
from armap.run.grade import wall_time, write_results
from armap.run.progress import Progress, Quiet
from armap.storage import JsonLines, Origin, RunFolder, read_manifest, read_records
from armap.tradeoff import Change, Means, Pool, penalised
from armap.types import Plan, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from armap.evaluate import Summary

__all__ = ["Judged", "Rescoring", "Sweep"]

STRETCHES = 12
"""Weights of a sweep that names none."""
MOST = 1000
"""Weights of a sweep at most."""


class Judged(Record):
    """One objective's answers."""

    means: Means
    change: Change | None
    """Against the answers as they were planned; None for those."""


class Sweep(NamedTuple):
    """A measure, and the weights at which it is taken off an objective."""

    measure: str
    weights: tuple[float, ...]
    """Empty where the run's own candidates are to say which."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``steps=0:0.2:0.01`` (first, last, step), or ``steps`` for weights that matter.

        Raises:
            ConfigError: it is neither.

        >>> Sweep.parse("steps=0:0.3:0.1")
        Sweep(measure='steps', weights=(0.0, 0.1, 0.2, 0.3))
        """
        name, sign, values = text.partition("=")
        measure = name.strip()
        if not sign:
            return cls(measure, ())
        try:
            first, last, step = (float(value) for value in values.split(":"))
            count = 1 + (last - first) / step
        except (ValueError, ZeroDivisionError) as error:
            raise ConfigError(
                f"--sweep {text!r}: write {measure or 'steps'}=FIRST:LAST:STEP, "
                f"e.g. {measure or 'steps'}=0:0.2:0.01"
            ) from error
        if not 1 <= count <= MOST:
            raise ConfigError(f"--sweep {text!r}: that is not between 1 and {MOST} weights")
        weights = (float(f"{first + i * step:.12g}") for i in range(int(count + 1e-9)))
        return cls(measure, tuple(weights))


class Rescoring:
    """The candidates of one planning run, read once.

    Attributes:
        run: the run's configuration.
        pool: its candidates in numbers.
    """

    def __init__(self, source: Path, progress: Progress | None = None) -> None:
        """Read plans and grades; candidates that nobody graded yet are graded here.

        Args:
            source: folder of a planning run; it is only read.
            progress: told of the work.

        Raises:
            ConfigError: the folder holds no plan whose candidates have scores.
            DataError: a file is damaged.
        """
        self._watch = progress or Quiet()
        self._source = source
        run = load_manifest_run(source, "plan")
        assert isinstance(run, PlanRun)
        self.run = run
        self._graded: dict[str, Graded] = {}
        self.pool = Pool.of(self._judged(), make_measures(run.env))
        if not self.pool.tasks:
            raise ConfigError(f"{source}: has no plan yet")
        if not self.pool.scored:
            raise ConfigError(
                f"{source}: no candidate has a score; select among them first, with "
                f"planner.kind: best_of_n and planner.candidates: {source}"
            )

    def objective(self, text: str) -> Objective:
        """Read an objective over this run's measures.

        Raises:
            ConfigError: it is none.
        """
        return Objective.parse(text, self.pool.measures)

    def planned(self) -> Judged:
        """The answers as they are."""
        means = self.pool.means(self.pool.planned(), self.pool.objective)
        return Judged(means=means, change=None)

    def judge(self, objective: Objective, weight: float | None = None) -> Judged:
        """The answers that maximise ``objective``.

        Raises:
            ObjectiveError: it has no value for a trajectory.
        """
        answers = self.pool.answers(objective)
        return Judged(
            means=self.pool.means(answers, objective.text, weight),
            change=self.pool.change(self.pool.planned(), answers),
        )

    def sweep(self, sweep: Sweep, base: Objective | None = None) -> list[Judged]:
        """The answers at each weight of a measure taken off ``base``, or off the reward.

        Raises:
            ConfigError: there is no such measure.
        """
        base = base or self.objective(REWARD)
        if sweep.measure not in self.pool.measures:
            known = ", ".join(self.pool.measures)
            raise ConfigError(f"--sweep: no measure {sweep.measure!r}; there is {known}")
        weights = sweep.weights or self.pool.weights(base, sweep.measure, most=STRETCHES)
        return [
            self.judge(self.objective(penalised(base.text, sweep.measure, weight)), weight)
            for weight in weights
        ]

    def write(self, objective: Objective, out: Path, *, overwrite: bool = False) -> Summary | None:
        """Leave a planning run whose answers maximise ``objective``.

        Its manifest names the source, its plans hold every candidate with its utility. What
        is finished there is left as it is.

        Returns None where the source is not graded.

        Raises:
            ConfigError: ``out`` holds something else.
        """
        if out.resolve() == self._source.resolve():
            raise ConfigError(f"{out}: is the run to rescore; choose another --out")
        run = self.run.model_copy(update={"objective": objective.text, "out": str(out)})
        opened = RunFolder.open(
            out,
            stage="plan",
            config=run,
            free=FREE,
            origin=Origin(str(self._source), read_manifest(self._source).world),
            overwrite=overwrite,
        )
        with opened as folder:
            kept = folder.lines("plans.jsonl", Plan)
            if not folder.manifest.finished:
                self._write_plans(kept, objective)
                if read_manifest(self._source).finished:
                    folder.finish()
            answers = [(plan.task.name, plan.chosen) for plan in kept]
            spent = [plan.usage for plan in kept]
        expected = zip(self.pool.tasks, self.pool.answers(objective), strict=True)
        if answers != [(stored.task, chosen) for stored, chosen in expected]:
            raise ConfigError(
                f"{out}: {self._source} has other plans now; use another --out, or --overwrite"
            )
        if not self.pool.graded:
            return None
        graded = [
            self._graded[task].model_copy(update={"chosen": chosen}) for task, chosen in answers
        ]
        return write_results(out, run, graded, spent, seconds=wall_time(self._source, self.run))

    def _write_plans(self, kept: JsonLines[Plan], objective: Objective) -> None:
        kept.clear()
        answers = self.pool.answers(objective)
        self._watch.start("writing plans", len(answers))
        for plan, stored, chosen in zip(self._plans(), self.pool.tasks, answers, strict=True):
            candidates = tuple(
                candidate.model_copy(update={"utility": utility})
                for candidate, utility in zip(
                    plan.candidates, stored.utilities(objective), strict=True
                )
            )
            update = {"candidates": candidates, "chosen": chosen, "objective": objective.text}
            kept.append(plan.model_copy(update=update))
            self._watch.advance(plan.task.name)

    def _plans(self) -> Iterator[Plan]:
        yield from read_records(self._source / "plans.jsonl", Plan)

    def _judged(self) -> Iterator[tuple[Plan, Graded | None]]:
        """Every plan with its grades: the stored ones, or new ones where there are none.

        A run that was not to be graded, and is not, stays so.
        """
        plans, results = self._source / "plans.jsonl", self._source / "results.jsonl"
        if not plans.is_file():
            raise ConfigError(f"{self._source}: has no plan yet")
        stored = {g.task: g for g in read_records(results, Graded)} if results.is_file() else {}
        ungraded = not stored and not self.run.evaluate
        with plans.open("rb") as lines:
            self._watch.start("reading candidates", sum(1 for _ in lines))
        with Grader(lambda: make_graded_env(self.run.env)) as grader:
            for plan in self._plans():
                truth = stored.get(plan.task.name)
                if not ungraded and (truth is None or len(truth.outcomes) != len(plan.candidates)):
                    truth = grader.grade(plan)
                if truth is not None:
                    self._graded[plan.task.name] = truth
                yield plan, truth
                self._watch.advance(plan.task.name)
