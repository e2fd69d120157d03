"""What a stub server counts."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Stats"]


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last reset; ``in_flight`` and ``open`` are of now."""

    requests: int = 0
    """Chat completions asked for, whatever became of them."""
    in_flight: int = 0
    peak: int = 0
    """Most requests in flight at once, those included that are refused on arrival."""
    open: int = 0
    """Connections that are open."""
    connections: int = 0
    """Connections that were opened."""
    abandoned: int = 0
    """Requests whose client went away before the answer."""
    statuses: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """Faults by kind; ``poison``, ``scripted`` and ``concurrent`` are kinds too."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Requests by identity."""
    successes: Counter[str] = field(default_factory=Counter)
    """Whole, true answers sent, by the request's identity."""

    def arrived(self) -> None:
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak:
            self.peak = self.in_flight

    def reset(self) -> None:
        """Forget what was; what is in flight stays in flight."""
        self.requests = self.connections = self.abandoned = 0
        self.peak = self.in_flight
        for counted in (self.statuses, self.faults, self.attempts, self.successes):
            counted.clear()

    def summary(self) -> dict[str, Any]:
        """What ``GET /stats`` answers."""
        repeated = sum(count > 1 for count in self.successes.values())
        return {
            "requests": self.requests,
            "in_flight": self.in_flight,
            "peak": self.peak,
            "open": self.open,
            "connections": self.connections,
            "abandoned": self.abandoned,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": dict(sorted(self.faults.items())),
            "identities": len(self.attempts),
            "successes": self.successes.total(),
            "answered": len(self.successes),
            "repeated": repeated,
            "cpu_s": time.process_time(),
        }
