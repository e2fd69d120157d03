"""Keeps one simulator in good health: started when it is wanted, replaced when it is old or dead.

A JVM grows with the episodes it has played; a new one costs a second or two.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from armap.envs.scienceworld.simulator import Simulator
from armap.errors import EnvError

if TYPE_CHECKING:
    from armap.envs.scienceworld.catalogue import Variation
    from armap.envs.scienceworld.simulator import Launch

__all__ = ["Keeper"]


class Keeper:
    """At most one simulator at a time. One thread loads; any thread may close.

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
        self._closings = 0
        self._lock = threading.Lock()
        """Between a simulator that is new and :meth:`close`; nobody waits while they hold it."""
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
            EnvError: it does not start, fails although it is new, or is closed meanwhile.
        """
        closings = self._closings
        while True:
            simulator, used = self._healthy(closings), self._played > 0
            self._played += 1
            try:
                simulator.load(variation.kind.name, variation.number, simplification, gold=gold)
            except EnvError:
                if not used or self._closings != closings:
                    raise
                simulator.close()  # it had died since its last episode
            else:
                return simulator

    def close(self) -> None:
        """End the simulator, also one that starts or is busy just now. Idempotent.

        A later :meth:`load` starts another; one that is under way fails.
        """
        with self._lock:
            self._closings += 1
            simulator, self._simulator = self._simulator, None
        if simulator is not None:
            simulator.close()

    def _healthy(self, closings: int) -> Simulator:
        """The one there is, or a new one, unless it was closed more than ``closings`` times."""
        kept = self._simulator
        if kept is not None:
            if self._fit(kept):
                return kept
            kept.close()
        new = Simulator(self._launch)
        with self._lock:
            wanted = self._closings == closings
            if wanted:
                self._simulator, self._played = new, 0
        if not wanted:
            new.close()
            raise EnvError("scienceworld was closed while a simulator was started")
        self.started += 1
        new.start()
        return new

    def _fit(self, simulator: Simulator) -> bool:
        memory = simulator.memory_mb
        light = memory is None or memory <= self._memory_mb
        return simulator.alive and light and self._played < self._most
