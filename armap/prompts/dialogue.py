"""From a situation to chat messages."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from armap.errors import ConfigError
from armap.types import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.types import Observation, Situation, Trajectory

__all__ = ["digest", "failed_attempt", "first_message", "reflection", "render", "template"]

_LAYOUT = "dialogue-1"
"""Name and version of how a dialogue is written, part of every prompt's digest."""
_CHOICES = "Available actions:"
"""What precedes an observation's choices; a template that speaks of the list names it."""


def first_message(instruction: str, observation: str, notes: Sequence[str] = ()) -> str:
    r"""The opening user turn: the intent, notes of earlier attempts, what is seen.

    >>> first_message("Make 24 from 4 5 6 10.", "Left: 4 5 6 10", ["Failed: 10 - 6, 4 * 4"])
    'Make 24 from 4 5 6 10.\nFailed: 10 - 6, 4 * 4\nLeft: 4 5 6 10'
    """
    return "\n".join((instruction, *notes, observation))


def failed_attempt(actions: Sequence[str]) -> str:
    """A note that lists what an attempt did, each action up to its first ``=``.

    >>> failed_attempt(["10 - 6 = 4 (left: 4 4 5)", "4 * 4 = 16 (left: 5 16)"])
    'Failed: 10 - 6, 4 * 4'
    """
    acts = [action for action in actions if not action.lower().startswith("answer")]
    return "Failed: " + ", ".join(action.split("=")[0].strip() for action in acts or actions)


def reflection(trajectory: Trajectory) -> list[Message]:
    """What asks a chat model what an attempt teaches: ``[2]`` messages, without any score.

    The advice that the attempt had been given is shown too, so that the next one goes further.
    """
    lines = [f"Task: {trajectory.task.instruction}"]
    lines += [f"Advice it had: {note}" for note in trajectory.notes]
    for step in trajectory.steps:
        lines.append(f"It saw: {step.observation.text}")
        if step.action.thought:
            lines.append(f"It thought: {step.action.thought}")
        lines.append(f"It did: {step.action.text}")
    lines.append(f"It saw: {trajectory.final.text}")
    lines.append("The attempt ended there without doing what was asked. Your advice:")
    content = "\n".join(lines)
    images = tuple(i for step in trajectory.steps for i in step.observation.images)
    return [
        Message(role="system", content=template("reflection")),
        Message(role="user", content=content, images=images + trajectory.final.images),
    ]


@lru_cache
def template(name: str) -> str:
    """Text of ``prompts/<name>.md``.

    Raises:
        ConfigError: there is no such template.
    """
    path = files("armap.prompts").joinpath(f"{name}.md")
    if not path.is_file():
        known = sorted(
            p.name[:-3] for p in files("armap.prompts").iterdir() if p.name[-3:] == ".md"
        )
        raise ConfigError(f"no prompt template {name!r}; there are {', '.join(known)}")
    return path.read_text(encoding="utf-8").strip()


def digest(system: str, *, choices: bool | None = None) -> str:
    """What a prompt is made of besides the episode, as a short digest; empty for no template.

    >>> len(digest("game24")), digest("")
    (16, '')
    """
    parts = f"{_LAYOUT}\0{_lists(system, choices)}\0{template(system)}" if system else ""
    return sha256(parts.encode()).hexdigest()[:16] if parts else ""


def render(situation: Situation, *, system: str = "", choices: bool | None = None) -> list[Message]:
    """The dialogue so far, ending with what the policy must answer.

    Args:
        situation: what the policy may look at.
        system: name of the template that explains the task; empty for none (a model that was
            trained on the bare dialogue needs none).
        choices: list the actions that each observation offers below it; None for where the
            template shows such a list.
    """
    messages = [Message(role="system", content=template(system))] if system else []
    seen = [step.observation for step in situation.steps] + [situation.observation]
    listed = _lists(system, choices)
    texts = [_page(observation, listed=listed) for observation in seen]
    texts[0] = first_message(situation.task.instruction, texts[0], situation.notes)
    for index, observation in enumerate(seen):
        content = texts[index]
        messages.append(_turn("user", content, observation.images))
        if index < len(situation.steps):
            action = situation.steps[index].action
            content = _act(action.thought, action.text)
            messages.append(_turn("assistant", content))
    return messages


def _lists(system: str, choices: bool | None) -> bool:  # noqa: FBT001  (a setting, not a switch)
    return choices if choices is not None else bool(system) and _CHOICES in template(system)


def _page(observation: Observation, *, listed: bool) -> str:
    if not listed or not observation.choices:
        return observation.text
    choices = "".join(f"\n- {choice}" for choice in observation.choices)
    return f"{observation.text.rstrip()}\n{_CHOICES}{choices}"


@lru_cache(maxsize=4096)  # a dialogue grows: all but its end has been rendered before
def _turn(
    role: Literal["user", "assistant"], content: str, images: tuple[str, ...] = ()
) -> Message:
    return Message(role=role, content=content, images=images)


def _act(thought: str, text: str) -> str:
    return f"Thought: {thought}\nAction: {text}" if thought else text
