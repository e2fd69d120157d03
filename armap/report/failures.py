"""What failed in a run: calls, branches of the search, tasks; and what each kind means."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from pydantic import ConfigDict, Field

from armap.calls import JOURNAL, counted, failed_calls
from armap.errors import BudgetSpent, revive
from armap.storage import read_records
from armap.types import Failure, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["MEANINGS", "Failures", "first_failure", "read_failures"]

R = TypeVar("R", bound=Record)

MEANINGS = {
    "RateLimited": "the server asked for fewer calls (status 429)",
    "ServerFailed": "the server itself failed (status 5xx)",
    "ConnectionFailed": "there was no connection to the server, or it broke",
    "TimedOut": "there was no whole reply in time (llm.timeout)",
    "MalformedReply": "the reply was cut off, or lacked what was asked for",
    "RequestRefused": "the server said that the request was wrong; asking again does not help",
    "ContextTooLong": "prompt and reply did not fit into the model's context",
    "BudgetSpent": "a cap of the run's budget was reached; the call was not made",
    "TaskBudgetSpent": "the task had used what budget.task allows; what was left was not tried",
    "RunBudgetSpent": "the run had used what budget.run allows; raise it and run again to go on",
    "ModelError": "the model could not answer, for a reason that armap has no name for",
    "EnvError": "the environment raised, hung, or did not repeat what it did before",
    "RewardError": "the reward model could not score",
    "BoundaryError": "code or a service outside of armap failed",
    "slow": "replies took far longer than the best seen, a sign of an overloaded server",
}
"""By kind: the names of the errors in :mod:`armap.errors`, and what else cuts an adaptive cap."""


class Failures(Record):
    """What failed in one run and stayed so, by kind, most frequent first."""

    calls: dict[str, int] = Field(default_factory=dict)
    """Requests that stayed without an answer after all their tries."""
    branches: dict[str, int] = Field(default_factory=dict)
    """Parts of a search that were given up; in a collect run, episodes."""
    tasks: dict[str, int] = Field(default_factory=dict)
    """Tasks without an answer, by what kept the planner from one."""
    cut: int = 0
    """Tasks that the budget ended early, with or without an answer; in a collect run, episodes."""
    exploring: bool = False
    """Whether it is a collect run."""

    @property
    def any(self) -> bool:
        """Whether there is one, the budget's doings included."""
        return bool(self.calls or self.branches or self.tasks or self.cut)

    @property
    def line(self) -> str:
        """In one line; empty when nothing failed.

        Kinds stand in parentheses, unless a level before has named them all. What the budget
        did not allow has not failed and is told apart.

        >>> Failures(calls={"ServerFailed": 3}, tasks={"ServerFailed": 1}).line
        'failed: 3 calls (ServerFailed 3), 1 task'
        """
        branch, task = ("episode", "episode") if self.exploring else ("branch", "task")
        parts, known = [], set[str]()
        for noun, kinds in (("call", self.calls), (branch, self.branches), (task, self.tasks)):
            failed = {kind: n for kind, n in kinds.items() if not _is_budget(kind)}
            if failed:
                named = "" if failed.keys() <= known else f" ({counted(failed)})"
                parts.append(_number(sum(failed.values()), noun) + named)
                known |= failed.keys()
        said = [f"failed: {', '.join(parts)}"] if parts else []
        if self.cut:
            said.append(f"cut short by the budget: {_number(self.cut, task)}")
        return "; ".join(said)


def read_failures(run: Path, *, exploring: bool = False) -> Failures:
    """Gather what failed in the folder ``run``; files that are not there hold nothing.

    Args:
        run: folder of a planning run or, when ``exploring``, of a collect run.
        exploring: what its ``failures.jsonl`` holds: episodes, not tasks.

    Raises:
        DataError: a file is damaged.
    """
    calls = failed_calls(run) if (run / JOURNAL).is_file() else {}
    lost = [line.failure for line in _lines(run / "failures.jsonl", _Lost) if line.failure]
    cut = sum(isinstance(failure.error(), BudgetSpent) for failure in lost)
    if exploring:
        return Failures(calls=calls, branches=_kinds(lost), cut=cut, exploring=True)
    branches: list[Failure] = []
    for plan in _lines(run / "plans.jsonl", _Planned):
        branches += plan.failures
        if plan.chosen is None and plan.failures:
            lost.append(plan.failures[0])
        cut += any(_is_budget(failure.kind) for failure in plan.failures)
    return Failures(calls=calls, branches=_kinds(branches), tasks=_kinds(lost), cut=cut)


def first_failure(run: Path) -> Failure | None:
    """What failed first in the folder ``run``: an episode or task, or else a branch of a plan.

    Raises:
        DataError: a file is damaged.
    """
    lost = (line.failure for line in _lines(run / "failures.jsonl", _Lost) if line.failure)
    branches = (it for plan in _lines(run / "plans.jsonl", _Planned) for it in plan.failures)
    return next(chain(lost, branches), None)


class _Lost(Record):
    """As much of a line of ``failures.jsonl`` as tells the kind."""

    model_config = ConfigDict(extra="ignore")

    failure: Failure | None = None


class _Planned(Record):
    """As much of a plan as tells what failed."""

    model_config = ConfigDict(extra="ignore")

    chosen: int | None
    failures: tuple[Failure, ...] = ()


def _lines(path: Path, kind: type[R]) -> Iterator[R]:
    if path.is_file():
        yield from read_records(path, kind)


def _kinds(failures: Iterable[Failure]) -> dict[str, int]:
    return dict(Counter(failure.kind for failure in failures).most_common())


def _is_budget(kind: str) -> bool:
    return isinstance(revive(kind, ""), BudgetSpent)


def _number(count: int, noun: str) -> str:
    plural = noun if count == 1 else f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{count:,} {plural}"
