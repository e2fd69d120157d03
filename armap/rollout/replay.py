"""Taking recorded steps again, every observation compared: a silent difference would be a lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.errors import EnvError, boundary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.protocols import Environment
    from armap.types import Observation, Step, Task

__all__ = ["compare", "repeat", "replay"]


def replay(env: Environment, task: Task, steps: Sequence[Step]) -> Observation:
    """Reset ``env`` and repeat ``steps``; return what is seen after the last one.

    Raises:
        EnvError: the environment failed, or showed something else than it did before.
    """
    with boundary(EnvError, f"replaying {task.env}/{task.name}"):
        return repeat(env, task, env.reset(task), steps, done=0)


def repeat(
    env: Environment, task: Task, seen: Observation, steps: Sequence[Step], *, done: int
) -> Observation:
    """Take ``steps`` from the one numbered ``done`` on, each where it was taken before.

    Args:
        env: in an episode of ``task``, ``done`` steps along.
        task: for the message.
        seen: what it shows now.
        steps: all of them.
        done: how many are taken.

    Raises:
        EnvError: it shows something else than is recorded.
    """
    for number, step in enumerate(steps[done:], start=done):
        compare(task, seen, step.observation, f"before step {number}")
        seen = env.step(step.action)
    return seen


def compare(task: Task, seen: Observation, recorded: Observation, where: str) -> None:
    """See whether an environment shows what it showed before.

    Raises:
        EnvError: it does not.
    """
    if seen is not recorded and seen != recorded:
        raise EnvError(
            f"{task.env}/{task.name} diverged {where}: "
            f"{seen.text[:80]!r}, recorded {recorded.text[:80]!r}"
        )
