"""What a trajectory itself shows in numbers: the terms that an objective may trade reward for.

A measure is computed from the record alone, so that stored plans can be judged anew, and never
from ground truth. Those below hold for every environment; an environment declares more of its
own (``MEASURES`` in its package, or an attribute ``measures`` of an imported one).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from armap.types import Trajectory

__all__ = ["COMMON", "Measure"]


class Measure(NamedTuple):
    """One number of a trajectory."""

    unit: str
    """E.g. ``"actions"``, ``"dollars"``."""
    meaning: str
    """One line for tables and ``--help``."""
    of: Callable[[Trajectory], float]
    """Finite for every trajectory, whole or cut short."""


COMMON: Mapping[str, Measure] = MappingProxyType(
    {
        "steps": Measure("actions", "actions taken", lambda t: len(t.steps)),
        "calls": Measure("calls", "LLM calls of this episode", lambda t: t.usage.calls),
        "tokens": Measure("tokens", "LLM tokens of this episode", lambda t: t.usage.tokens),
        "dollars": Measure(
            "dollars", "what the LLM calls of this episode cost", lambda t: t.usage.dollars
        ),
        "words": Measure(
            "words",
            "words of its actions and thoughts",
            lambda t: sum(len(f"{s.action.thought} {s.action.text}".split()) for s in t.steps),
        ),
    }
)
"""Measures of every trajectory."""
