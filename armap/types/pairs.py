"""What a reward model learns from."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from armap.types.episodes import Task, Trajectory
from armap.types.record import Record

__all__ = ["Preference", "Provenance"]


class Provenance(Record):
    """How a preference came to be, so that every pair can be audited and ablated."""

    strategy: str
    """E.g. ``"hindsight"``."""
    positive: str
    """How the chosen side was made, e.g. ``"policy"`` or ``"policy, answer completed"``."""
    rival: str
    """How the rejected side was made, e.g. ``"wrong arithmetic"``."""
    sources: tuple[str, ...] = ()
    """Keys of the collected trajectories both sides come from."""
    ground_truth: bool = False
    """True when the environment's own score took part (never, unless a strategy says so)."""


class Preference(Record):
    """A training pair: under ``task.instruction``, ``chosen`` should outscore ``rejected``.

    Both trajectories carry the pair's (refined) intent as their own task.
    """

    version: Literal[1] = 1
    task: Task
    chosen: Trajectory
    rejected: Trajectory
    provenance: Provenance

    @model_validator(mode="after")
    def _one_task(self) -> Preference:
        if not self.task == self.chosen.task == self.rejected.task:
            raise ValueError("both sides of a preference must carry the preference's own task")
        return self
