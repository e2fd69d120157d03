"""Which answers to a Game of 24 are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.answers import FinalAnswer
from armap.envs.game24.arithmetic import ExpressionError, canonical

if TYPE_CHECKING:
    from armap.types import Trajectory

__all__ = ["FINAL_ANSWER"]


def _of(trajectory: Trajectory) -> str | None:
    """The canonical expression of an answer that the rules took; its value follows from it."""
    if not trajectory.steps or not trajectory.final.text.startswith("Answer taken: "):
        return None
    _, _, claim = trajectory.steps[-1].action.text.partition(":")
    try:
        return canonical(claim.partition("=")[0].strip())
    except ExpressionError:
        return None


FINAL_ANSWER = FinalAnswer("the same expression, whatever the order of its sums and products", _of)
