"""A chat model that wanders through ScienceWorld: fast, deterministic, and not very clever."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from armap.seeding import derive
from armap.types import Completions, Message, Sampling, Usage

ACTIONS = (
    "look around",
    "inventory",
    "teleport to outside",
    "teleport to kitchen",
    "focus on elephant",
    "focus on crocodile",
    "wait1",
)


class Explorer:
    """Draws one of a few actions, by the dialogue so far and the request's seed."""

    name = "explorer"

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        said = "".join(message.content for message in messages)
        texts = tuple(
            f"Thought: {len(said)} letters so far.\n"
            f"Action: {Random(derive(sampling.seed, said, ordinal)).choice(ACTIONS)}"
            for ordinal in sampling.ordinals
        )
        usage = Usage(calls=1, prompt_tokens=len(said.split()), completion_tokens=sampling.n)
        return Completions(texts=texts, usage=usage)

    async def close(self) -> None:
        return
