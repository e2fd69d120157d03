"""What a report shows, as records: gathered elsewhere, rendered by :mod:`armap.report.page`."""

from __future__ import annotations

from armap.calls import Ledger
from armap.evaluate import CurvePoint, Row
from armap.llms.openai import CapChange
from armap.report.failures import Failures
from armap.rewards.card import RewardCard
from armap.rewards.train import LearningPoint
from armap.run import Judged
from armap.tradeoff import Means
from armap.types import Record

__all__ = ["Example", "Front", "ReportData", "RunCalls", "Shown", "Tradeoffs"]


class Shown(Record):
    """One candidate as the reader sees it."""

    steps: tuple[tuple[str, str], ...]
    """Action, and what the environment said to it."""
    opening: str
    """What the environment said first."""
    score: float | None
    """The reward model's raw score; None when nothing scored the candidate."""
    calibrated: float | None
    """The same on the model's held-out scale, in [0, 1]."""
    success: bool | None
    """The environment's verdict; None when the candidate was not graded."""
    chosen: bool
    """Whether it is the planner's answer."""
    mark: float | None = None
    """The environment's own score, in [0, 1]; None when the candidate was not graded."""
    ended: str = ""
    """What ended it before its end, in words; empty for a whole one."""


class Example(Record):
    """One task, and everything one planner considered for it."""

    task: str
    """Name of the task."""
    instruction: str
    planner: str
    """As in ``Plan.planner``."""
    candidates: tuple[Shown, ...]
    """In any order; the page sorts them by score."""
    remark: str = ""
    """What the planner says of its search."""

    @property
    def answer(self) -> Shown | None:
        """The chosen candidate; None when the planner produced none."""
        return next((shown for shown in self.candidates if shown.chosen), None)

    @property
    def ranked(self) -> tuple[Shown, ...]:
        """Candidates by score, best first; those without a score last, as they came."""
        return tuple(
            sorted(
                self.candidates,
                key=lambda shown: (shown.score is None, -(shown.score or 0.0)),
            )
        )

    @property
    def solved(self) -> int:
        """How many candidates succeed."""
        return sum(shown.success is True for shown in self.candidates)


class RunCalls(Record):
    """What one run's calls to its language model came to."""

    name: str
    """The run's folder."""
    about: str
    """Its planner, or its stage."""
    finished: bool
    """Whether nothing is left to do in it."""
    ledger: Ledger | None
    """None for a run that kept no journal, or called nothing."""
    failures: Failures
    caps: tuple[CapChange, ...] = ()
    """How an adaptive cap moved, in order."""

    @property
    def retried(self) -> dict[str, int]:
        """Failed tries that were followed by another one, by kind."""
        return self.ledger.retried if self.ledger else {}


class Front(Record):
    """What one run's candidates offer between the reward and one measure."""

    run: str
    """As the reader knows it."""
    measure: str
    unit: str
    points: tuple[Means, ...]
    """By increasing weight of the measure, which is 0 first."""


class Tradeoffs(Record):
    """The same candidates chosen among by other objectives."""

    fronts: tuple[Front, ...] = ()
    rows: tuple[tuple[str, Judged], ...] = ()
    """Run and one objective's answers; a run's first is as it was planned."""
    meanings: tuple[tuple[str, str], ...] = ()
    """Measures and what they are."""
    missing: tuple[tuple[str, str], ...] = ()
    """Runs that could not be chosen among anew, and why."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Those that have a front."""
        return tuple(dict.fromkeys(front.measure for front in self.fronts))


class ReportData(Record):
    """One planning experiment. Whatever is empty or None is left out of the page."""

    title: str
    subtitle: str
    rows: tuple[Row, ...]
    """The result table, in the order in which it is printed."""
    curve: tuple[CurvePoint, ...]
    """Best-of-N, by increasing ``n``."""
    learning: tuple[LearningPoint, ...]
    """The reward model's training, in order."""
    card: RewardCard | None
    """The reward model's own account."""
    solved_scores: tuple[float, ...]
    """Raw scores of the graded candidates that succeed."""
    unsolved_scores: tuple[float, ...]
    """Raw scores of those that do not."""
    examples: tuple[Example, ...]
    tradeoffs: Tradeoffs = Tradeoffs()
    calls: tuple[RunCalls, ...] = ()
    """One per planning or collect run."""
    facts: tuple[tuple[str, str], ...]
    """Label and value: machine, seed, commit, versions, commands."""
