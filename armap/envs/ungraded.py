"""A fence around somebody else's environment: everything but its grade passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armap.protocols import Environment, SnapshotEnvironment

if TYPE_CHECKING:
    from armap.types import Action, Observation, Task

__all__ = ["Ungraded"]


class Ungraded:
    """Delegates the environment socket and nothing else, so planners cannot ask for a grade."""

    def __init__(self, env: Environment) -> None:
        self.__env = env
        self.blocking = bool(getattr(env, "blocking", False))
        self.capacity: int | None = getattr(env, "capacity", None)

    def reset(self, task: Task) -> Observation:
        """Start ``task`` afresh."""
        return self.__env.reset(task)

    def step(self, action: Action) -> Observation:
        """Act."""
        return self.__env.step(action)

    def close(self) -> None:
        """Free what the environment holds."""
        self.__env.close()

    def __getattr__(self, name: str) -> Any:
        if name in {"snapshot", "restore"} and isinstance(self.__env, SnapshotEnvironment):
            return getattr(self.__env, name)
        raise AttributeError(name)
