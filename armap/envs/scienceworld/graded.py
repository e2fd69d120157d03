"""Grading of ScienceWorld: ground truth, out of reach of everything that learns or plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.envs.scienceworld.env import World
from armap.errors import EnvError
from armap.oracle import Outcome

if TYPE_CHECKING:
    from armap.envs.scienceworld.env import ScienceWorldConfig
    from armap.types import Action, Observation, Task

__all__ = ["GradedScienceWorld"]


class GradedScienceWorld:
    """A ScienceWorld together with its grade."""

    blocking = True

    def __init__(self, config: ScienceWorldConfig) -> None:
        self.capacity = config.jvms
        self._world = World(config)

    @property
    def raw_score(self) -> float:
        """The simulator's own score now, in [-1, 1]; -1 after a wrong ``focus``.

        Raises:
            EnvError: before ``reset``.
        """
        if self._world.episode is None:
            raise EnvError("scienceworld: no episode to grade; reset() first")
        return self._world.episode.raw

    @property
    def steps_taken(self) -> int:
        """Actions that the simulator was given so far, those of replays included."""
        return self._world.steps_taken

    def reset(self, task: Task) -> Observation:
        """Start ``task`` afresh."""
        return self._world.reset(task)

    def step(self, action: Action) -> Observation:
        """Act."""
        return self._world.step(action)

    def close(self) -> None:
        """End the JVM. Idempotent."""
        self._world.close()

    def outcome(self) -> Outcome:
        """The running maximum of the simulator's score; success is a score of 1.

        Under ``eto`` an action that cannot be read sets it to 0 until the next that can.
        ETO itself calls every episode successful that ended by itself; what it reports is the
        mean score, and so do the papers.

        Raises:
            EnvError: before ``reset``.
        """
        if self._world.episode is None:
            raise EnvError("scienceworld: no episode to grade; reset() first")
        best = self._world.episode.best
        return Outcome(score=best, success=round(best, 6) >= 1.0)
