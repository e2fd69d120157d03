"""Ground truth, kept apart.

Only graded environments produce an :class:`Outcome`, and only :mod:`armap.evaluate` and what
stands above it read one. Two fences hold that: an import contract (pyproject.toml) keeps this
module away from collection, synthesis, reward training and planning, and the environments
which those are handed do not have the ``outcome`` method at all.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pydantic import Field

from armap.protocols import Environment
from armap.types import Record

__all__ = ["GradedEnvironment", "Outcome"]


class Outcome(Record):
    """How well an episode went, according to the environment itself."""

    score: float = Field(ge=0.0, le=1.0)
    success: bool
    detail: dict[str, float | bool | str | None] = Field(default_factory=dict)
    """What the score is made of, where an environment tells."""


@runtime_checkable
class GradedEnvironment(Environment, Protocol):
    """An environment that can grade the episode it just ran."""

    def outcome(self) -> Outcome:
        """Grade the current episode as it stands, finished or cut short."""
        ...
