"""The order of a run's records, and as much of them as it takes to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ConfigDict

from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.types import Task

__all__ = ["Placed", "by_task"]


class _Name(Record):
    model_config = ConfigDict(extra="ignore")

    name: str


class Placed(Record):
    """Of a plan or an episode what it is sorted by; reading no more is many times as quick."""

    model_config = ConfigDict(extra="ignore")

    task: _Name
    seed: int = 0
    """Of an episode; plans have none."""


def by_task(tasks: Sequence[Task]) -> Callable[[Placed], tuple[int, int]]:
    """The key that puts records in the order of ``tasks``."""
    order = {task.name: index for index, task in enumerate(tasks)}
    return lambda record: (order[record.task.name], record.seed)
