"""Keeps one simulator in good health: started when it is wanted, replaced when it is old or dead.

A JVM grows with the episodes it has played; a new one costs a second or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.envs.scienceworld.simulator import Simulator
from armap.errors import EnvError

if TYPE_CHECKING:
    from armap.envs.scienceworld.catalogue import Variation
    from armap.envs.scienceworld.simulator import Launch

__all__ = ["Keeper"]


class Keeper:
    """At most one simulator at a time.

    Args:
        launch: how it is started.
        episodes: it is replaced after so many.
        memory_mb: and when it holds more than this.
    """

    def __init__(self, launch: Launch, *, episodes: int, memory_mb: int) -> None:
        self._launch = launch
        self._most = episodes
        self._memory_mb = memory_mb
        self._simulator: Simulator | None = None
        self._played = 0
        self.started = 0
        """How many were started so far."""

    @property
    def simulator(self) -> Simulator | None:
        """The one that runs, if any."""
        return self._simulator if self._simulator is not None and self._simulator.alive else None

    def load(self, variation: Variation, simplification: str, *, gold: bool = False) -> Simulator:
        """Start an episode on a healthy simulator.

        Raises:
            ConfigError: Java or the package is missing.
            EnvError: it does not start, or fails although it is new.
        """
        simulator, used = self._healthy(), self._played > 0
        self._played += 1
        try:
            simulator.load(variation.kind.name, variation.number, simplification, gold=gold)
        except EnvError:
            if not used:
                raise
            self.close()  # it had died since its last episode
            return self.load(variation, simplification, gold=gold)
        return simulator

    def _healthy(self) -> Simulator:
        if self._simulator is None or not self._fit(self._simulator):
            self.close()
            self._simulator = Simulator(self._launch)
            self.started += 1
        return self._simulator

    def close(self) -> None:
        """End the simulator. Idempotent."""
        if self._simulator is not None:
            self._simulator.close()
        self._simulator, self._played = None, 0

    def _fit(self, simulator: Simulator) -> bool:
        memory = simulator.memory_mb
        light = memory is None or memory <= self._memory_mb
        return simulator.alive and light and self._played < self._most
