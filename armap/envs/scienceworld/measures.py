"""What an episode of ScienceWorld shows besides its length."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from armap.envs.scienceworld.rules import AMBIGUOUS, UNKNOWN, UNREADABLE
from armap.measures import Measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armap.types import Trajectory

__all__ = ["MEASURES"]

_REFUSALS = (UNKNOWN, UNREADABLE, "Unknown action.")


def _beginning(trajectory: Trajectory, *beginnings: str) -> float:
    seen = [step.observation for step in trajectory.steps[1:]] + [trajectory.final]
    return sum(observation.text.startswith(beginnings) for observation in seen)


def _with(trajectory: Trajectory, verb: str) -> float:
    return sum(action.lower().startswith(verb) for action in trajectory.actions)


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "refused": Measure(
            "actions",
            "actions that the simulator did not understand",
            lambda t: _beginning(t, *_REFUSALS),
        ),
        "ambiguous": Measure(
            "actions",
            "actions that it asked back about",
            lambda t: _beginning(t, AMBIGUOUS),
        ),
        "focuses": Measure(
            "actions",
            "commitments to an object, a wrong one of which ends the episode",
            lambda t: _with(t, "focus "),
        ),
        "waits": Measure("actions", "decisions to wait", lambda t: _with(t, "wait")),
    }
)
"""The simulator's clock is not among them: the trajectory does not show it."""
