"""One renderer of trajectories for reward models: training, scoring and serving share it.

A trajectory becomes the dialogue that it was: the intent and the first observation, the
actions, what the environment said to each, and the last observation. What the agent was told
on the side (notes of earlier attempts) and who it was stays out: the reward model judges the
deed, not the doer.

``purchase`` is for WebShop and for small models: the intent, what was bought at which price with
which options, and what the product's pages told. Everything it shows the agent saw; searches and
other products are left out, since the intent is about the purchase.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Literal

from armap.envs.webshop.purchase import purchase
from armap.errors import DataError
from armap.prompts import first_message
from armap.types import Message

if TYPE_CHECKING:
    from armap.types import Trajectory

__all__ = ["RENDERERS", "Renderer", "render", "render_with"]

Renderer = Literal["dialogue", "purchase"]
RENDERERS: dict[Renderer, str] = {"dialogue": "dialogue-1", "purchase": "purchase-1"}
"""Names and versions; saved with every reward model, which refuses to load under another."""

_TOLD = 60
"""Words of a product's pages that ``purchase`` shows."""


def render_with(version: str, trajectory: Trajectory) -> list[Message]:
    """The trajectory under one of the versions of :data:`RENDERERS`.

    Raises:
        DataError: ``purchase`` is asked for an episode that is not of WebShop.
    """
    return _purchase(trajectory) if version == RENDERERS["purchase"] else render(trajectory)


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


def _purchase(trajectory: Trajectory) -> list[Message]:
    """Intent, purchase, what the pages told: three messages."""
    if trajectory.task.env != "webshop":
        raise DataError(
            f"task {trajectory.task.name!r} is of {trajectory.task.env!r}, and the renderer "
            "'purchase' reads episodes of webshop; train with train.renderer: dialogue"
        )
    found = purchase(trajectory)
    if found is None:
        deed, told = "Bought: nothing", ""
    else:
        chosen = [f"{group}: {value}" for group, value in found.options.items()]
        left = [group for group in found.groups if group not in found.options]
        lines = [
            f"{'Bought' if found.bought else 'Only looked at'}: {found.title}",
            f"Price: ${found.dearest:.2f}, at most {10 * ceil(found.dearest / 10)} dollars",
            f"Options: {', '.join(chosen) or 'none'}",
            f"Not chosen: {', '.join(left) or 'none'}",
        ]
        deed, told = "\n".join(lines), " ".join(" ".join(found.told).split()[:_TOLD])
    return [
        Message(role="user", content=trajectory.task.instruction),
        Message(role="assistant", content=deed),
        Message(role="user", content=f"Pages: {told}"),
    ]
