"""Where episodes stand, and the environment instances that stand there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from armap.rollout.replay import compare, repeat
from armap.types import Observation, Step

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from armap.protocols import Environment, SnapshotEnvironment
    from armap.rollout.worker import Worker
    from armap.types import Action, Task

__all__ = ["Live", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """Where an episode stands: from here it can be gone on with, any number of times."""

    steps: tuple[Step, ...]
    observation: Observation
    """What is seen after the steps."""
    snapshot: Hashable = None
    """The environment's own state, where it has snapshots."""
    ahead: dict[str, Point] = field(default_factory=dict[str, "Point"], repr=False, compare=False)
    """By the text of an action, where it led when somebody took it here; without snapshots."""

    def known(self, action: Action) -> Point | None:
        """Where ``action`` leads, with this history, if it was taken here before."""
        found = self.ahead.get(action.text)
        return None if found is None else self.beyond(action, found)

    def beyond(self, action: Action, found: Point) -> Point:
        """``found`` with the history that leads there from here, thoughts included."""
        steps = (*self.steps, Step(observation=self.observation, action=action))
        return replace(found, steps=steps)


@dataclass(slots=True, eq=False)
class Live:
    """An instance and the episode it is in."""

    env: Environment
    worker: Worker | None
    snapshots: bool = False
    task: Task | None = None
    steps: list[Step] = field(default_factory=list[Step])
    seen: Observation = Observation(text="")
    player: object = None
    """Whose episode it is in, if somebody will certainly go on with it."""

    def leads_to(self, task: Task, steps: Sequence[Step]) -> bool:
        """Whether its episode is a prefix of ``steps``."""
        return (
            self.task is not None
            and len(self.steps) <= len(steps)
            and (self.task is task or self.task == task)
            and all(
                mine is theirs or mine.action.text == theirs.action.text
                for mine, theirs in zip(self.steps, steps, strict=False)
            )
        )

    def reset(self, task: Task) -> None:
        """Begin ``task``."""
        self.task, self.steps = task, []
        self.seen = self.env.reset(task)

    def restore(self, task: Task, point: Point) -> None:
        """Go on from a point that has a snapshot."""
        cast("SnapshotEnvironment", self.env).restore(point.snapshot)
        self.task, self.steps, self.seen = task, list(point.steps), point.observation

    def lead(self, task: Task, point: Point) -> None:
        """Replay what is missing to stand at a point, all of it where it stands elsewhere.

        Raises:
            EnvError: something else shows than is recorded.
        """
        if not self.leads_to(task, point.steps):
            self.reset(task)
        self.seen = repeat(self.env, task, self.seen, point.steps, done=len(self.steps))
        self.steps = list(point.steps)
        compare(task, self.seen, point.observation, f"after step {len(point.steps)}")
