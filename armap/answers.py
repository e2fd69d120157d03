"""What a trajectory answers: whether two of them say the same, for voting.

An environment declares how its trajectories are compared (``FINAL_ANSWER`` in its package, or an
attribute ``final_answer`` of an imported one). Like a measure it is read off the record alone,
never from ground truth: it says *what* the answer is, not whether it is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from armap.types import Trajectory

__all__ = ["LAST_ACTION", "FinalAnswer"]


class FinalAnswer(NamedTuple):
    """How the answers of an environment's trajectories are compared."""

    meaning: str
    """One line: what counts as the same answer."""
    of: Callable[[Trajectory], str | None]
    """The answer in a form that is equal exactly for equal answers; None for no answer."""


def _last_action(trajectory: Trajectory) -> str | None:
    if not trajectory.steps:
        return None
    words = trajectory.steps[-1].action.text.casefold().split()
    return " ".join(words).rstrip(".!") or None


LAST_ACTION = FinalAnswer("the last action, but for case, blanks and a full stop", _last_action)
"""For environments without a form of their own whose last action is the answer."""
