"""Reflections: what an attempt teaches the next one, in words.

Reflexion (arXiv 2303.11366) and LATS (arXiv 2310.04406) have the language model itself write
them. It reads the attempt, and never its score: the reward model decides only whether there is a
next attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from armap.errors import ConfigError, ModelError, boundary
from armap.prompts import failed_attempt
from armap.protocols import ReflectivePolicy
from armap.seeding import derive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from armap.planners.context import Context
    from armap.types import Trajectory, Usage

__all__ = ["NOTE_TOKENS", "Author", "latest", "listed", "reflect", "require_reflective"]

Author = Literal["attempt", "llm"]
"""Who writes: the attempt itself by listing its actions, for nothing, or the language model."""

NOTE_TOKENS = 128
"""Longest reflection of a language model, in tokens."""


async def reflect(
    context: Context, trajectory: Trajectory, *, seed: int, max_tokens: int = NOTE_TOKENS
) -> tuple[str, Usage]:
    """Have the policy's language model say in one line what to do otherwise, and what that cost.

    The line is empty when the model had nothing to say. The call is journaled and on the task's
    budget like any other.

    Args:
        context: of the planner.
        trajectory: the attempt, with the notes it was given.
        seed: of the attempt; the reflection's own is derived from it.
        max_tokens: of the reply.

    Raises:
        ConfigError: the policy cannot reflect.
        ModelError: the model could not answer.
    """
    policy = require_reflective(context)
    with boundary(ModelError, f"asking {policy.name} to reflect"):
        reply = await policy.reflect(
            trajectory, seed=derive(seed, "reflect"), max_tokens=max_tokens
        )
    return " ".join(reply.texts[0].split()), reply.usage


def require_reflective(context: Context) -> ReflectivePolicy:
    """The policy as one that can reflect.

    Raises:
        ConfigError: it cannot.
    """
    policy = context.runner.policy
    if not isinstance(policy, ReflectivePolicy):
        raise ConfigError(
            f"policy {policy.name!r} cannot reflect: give it reflect(), see armap.protocols, "
            "or set planner.reflect: attempt"
        )
    return policy


def listed(trajectory: Trajectory) -> str:
    """The note that lists what an attempt did; empty when it did nothing."""
    return failed_attempt(trajectory.actions) if trajectory.actions else ""


def latest(notes: Iterable[str], most: int) -> tuple[str, ...]:
    """The last ``most`` different notes, the empty ones left out.

    >>> latest(["a", "b", "", "a", "c"], 2)
    ('b', 'c')
    """
    distinct = [note for note in dict.fromkeys(notes) if note]
    return tuple(distinct[max(0, len(distinct) - most) :])
