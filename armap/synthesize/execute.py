"""Write a trajectory by acting it out: no observation in a training pair is made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.errors import EnvError
from armap.protocols import SnapshotEnvironment
from armap.types import Action, Step, StopReason, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from armap.protocols import Environment
    from armap.types import Task

__all__ = ["Executed", "act_out", "execute"]


@dataclass(frozen=True, slots=True)
class Executed:
    """A trajectory that was acted out, and the state of the world behind its last line."""

    trajectory: Trajectory
    state: Hashable


def execute(
    make_env: Callable[[], Environment], task: Task, actions: Sequence[str], *, author: str
) -> Executed:
    """Act out ``actions`` and keep the state they lead to.

    Args:
        make_env: makes an environment with snapshots.
        task: with the intent that the trajectory is to carry.
        actions: commands in order.
        author: recorded as the trajectory's policy.

    Raises:
        EnvError: the environment has no snapshots.
    """
    env = make_env()
    if not isinstance(env, SnapshotEnvironment):
        raise EnvError(f"{type(env).__name__} has no snapshot(); hindsight needs one")
    trajectory = act_out(env, task, actions, author=author)
    return Executed(trajectory, env.snapshot())


def act_out(env: Environment, task: Task, actions: Sequence[str], *, author: str) -> Trajectory:
    """Act out ``actions`` from the start of ``task``; those after the episode's end are dropped.

    Raises:
        EnvError: the environment failed.
    """
    observation, steps = env.reset(task), []
    for text in actions:
        if observation.terminal:
            break
        action = Action(text=text)
        steps.append(Step(observation=observation, action=action))
        observation = env.step(action)
    return Trajectory(
        task=task,
        steps=tuple(steps),
        final=observation,
        stop=StopReason.TERMINAL if observation.terminal else StopReason.QUIT,
        policy=author,
        seed=0,
    )
