"""What a Game of 24 shows besides its length."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from armap.measures import Measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armap.types import Trajectory

__all__ = ["MEASURES"]


def _illegal(trajectory: Trajectory) -> float:
    seen = [step.observation for step in trajectory.steps[1:]] + [trajectory.final]
    return sum(observation.text.startswith("Illegal: ") for observation in seen)


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {"illegal": Measure("actions", "actions that the rules refused", _illegal)}
)
