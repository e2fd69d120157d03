"""A chat model that reads from a script: for tests, docs and dry runs. It can also fail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.errors import ModelError
from armap.seeding import derive
from armap.types import Completions, Record, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.types import Message, Sampling

__all__ = ["Scripted", "ScriptedConfig"]


class ScriptedConfig(Record):
    """Replies by table: the first ``match`` found in the last user turn decides."""

    kind: Literal["scripted"] = "scripted"
    replies: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Text to look for in the last user turn -> replies, of which the seed picks one."""
    default: tuple[str, ...] = ("",)
    """Replies when nothing matches."""
    fail_every: int = Field(default=0, ge=0)
    """Every so many-th call fails; 0 for never. Simulates a flaky endpoint."""
    latency: float = Field(default=0.0, ge=0.0)
    """Seconds each call takes."""


class Scripted:
    """Answers from a table or from a function of the prompt.

    >>> import asyncio
    >>> from armap.types import Message, Sampling
    >>> model = Scripted(ScriptedConfig(default=("10 - 4 = 6 (left: 5 6 6)",)))
    >>> prompt = [Message(role="user", content="Left: 4 5 6 10")]
    >>> asyncio.run(model.complete(prompt, Sampling())).texts
    ('10 - 4 = 6 (left: 5 6 6)',)
    """

    name = "scripted"

    def __init__(
        self,
        config: ScriptedConfig | None = None,
        *,
        reply: Callable[[Sequence[Message], int], str] | None = None,
    ) -> None:
        self._config = config or ScriptedConfig()
        self._reply = reply or self._from_table
        self.calls = 0

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Look up ``sampling.n`` replies.

        Raises:
            ModelError: this call is one of those that the script lets fail.
        """
        self.calls += 1
        await asyncio.sleep(self._config.latency)
        if self._config.fail_every and self.calls % self._config.fail_every == 0:
            raise ModelError(f"scripted failure of call {self.calls}")
        texts = tuple(
            self._reply(messages, derive(sampling.seed, sampling.start + index))
            for index in range(sampling.n)
        )
        usage = Usage(
            calls=1,
            prompt_tokens=sum(len(message.content.split()) for message in messages),
            completion_tokens=sum(len(text.split()) for text in texts),
        )
        return Completions(texts=texts, usage=usage)

    async def close(self) -> None:
        """Nothing to free."""

    def _from_table(self, messages: Sequence[Message], seed: int) -> str:
        last = messages[-1].content
        found = (texts for key, texts in self._config.replies.items() if key in last)
        texts = next(found, self._config.default)
        return texts[seed % len(texts)]
