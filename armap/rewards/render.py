"""One renderer of trajectories for reward models: training, scoring and serving share it.

A trajectory becomes the dialogue that it was: the intent and the first observation, the
actions, what the environment said to each, and the last observation. What the agent was told
on the side (notes of earlier attempts) and who it was stays out: the reward model judges the
deed, not the doer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.prompts import first_message
from armap.types import Message

if TYPE_CHECKING:
    from armap.types import Trajectory

__all__ = ["RENDERER", "render"]

RENDERER = "dialogue-1"
"""Name and version; saved with every reward model, which refuses to load under another."""


def render(trajectory: Trajectory) -> list[Message]:
    """The trajectory as chat messages, its own intent first.

    An episode that stopped without an action (an unparsable reply, an agent that gave up)
    ends with a line that says so: the observations alone would not show it.
    """
    seen = [step.observation.text for step in trajectory.steps] + [trajectory.final.text]
    seen[0] = first_message(trajectory.task.instruction, seen[0])
    messages = []
    for text, step in zip(seen, trajectory.steps, strict=False):
        messages.append(Message(role="user", content=text))
        thought = f"{step.action.thought}\n" if step.action.thought else ""
        messages.append(Message(role="assistant", content=thought + step.action.text))
    ending = "" if trajectory.final.terminal else f"\nStopped: {trajectory.stop.value}."
    messages.append(Message(role="user", content=seen[-1] + ending))
    return messages
