"""The simplest reward model there is: fewer actions are better. For tests and dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from armap.types import Record, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.types import Trajectory

__all__ = ["Brevity", "BrevityConfig"]


class BrevityConfig(Record):
    """Settings of :class:`Brevity`."""

    kind: Literal["brevity"] = "brevity"


class Brevity:
    """Scores ``-T``, calibrated as ``1 / (1 + T)``."""

    name = "brevity"

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        """``[N] -> [N]``."""
        lengths = [len(trajectory.steps) for trajectory in trajectories]
        return [Score(raw=-length, calibrated=1 / (1 + length)) for length in lengths]

    async def close(self) -> None:
        """Nothing to free."""
