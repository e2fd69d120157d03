"""What a planner considered and chose."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from armap.types.calls import Usage
from armap.types.episodes import Failure, Task, Trajectory
from armap.types.record import Record

__all__ = ["Candidate", "Plan", "Score", "TreeNode"]


class Score(Record):
    """What a reward model says of one trajectory."""

    raw: float = Field(allow_inf_nan=False)
    """The model's own logit, unbounded; comparable within one task and one model."""
    calibrated: float = Field(ge=0.0, le=1.0)
    """``raw`` on the model's held-out scale: 0.5 lies half way between its positives and
    negatives, so thresholds and exploration constants carry over between models."""


class Candidate(Record):
    """A trajectory a planner considered, with its score when the planner asks for scores."""

    trajectory: Trajectory
    score: Score | None = None
    utility: float | None = Field(default=None, allow_inf_nan=False)
    """What the run's objective makes of trajectory and score; None without an objective."""


class TreeNode(Record):
    """One node of a finished search tree, as evidence."""

    parent: int | None
    """Index of the parent in ``Plan.tree``; None for the root."""
    action: str
    prior: float
    visits: int
    value: float | None
    """Best value backed up through this node; None when never visited."""
    same: int | None = None
    """Index of the entry that stands for the same (merged) state and has what is below it."""


class Plan(Record):
    """A planner's answer together with its evidence."""

    version: Literal[1] = 1
    task: Task
    planner: str
    candidates: tuple[Candidate, ...]
    """All ``K`` candidates in the order in which they were produced."""
    chosen: int | None
    """Index of the answer; None when no candidate could be produced."""
    usage: Usage
    """Every LLM call of this plan, those of abandoned branches included."""
    saved: int = Field(default=0, ge=0)
    """Episodes that the planner was allowed and left undrawn: they would not have paid."""
    tree: tuple[TreeNode, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What failed on the way: each cost one branch. Planning again tries them again."""
    remark: str = ""
    """What a reader should know, e.g. "search space exhausted after 7 trajectories"."""
    objective: str = ""
    """What the choice maximises, if not the reward alone: the text of an objective."""

    @model_validator(mode="after")
    def _chosen_exists(self) -> Plan:
        if self.chosen is not None and not 0 <= self.chosen < len(self.candidates):
            raise ValueError(
                f"chosen={self.chosen} is not one of {len(self.candidates)} candidates"
            )
        return self

    @property
    def answer(self) -> Trajectory | None:
        """The chosen trajectory."""
        return None if self.chosen is None else self.candidates[self.chosen].trajectory
