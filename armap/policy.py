"""A chat model, a prompt and a parser make a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.prompts import parse, reflection, render
from armap.types import Proposal, Record, Sampling

if TYPE_CHECKING:
    from armap.protocols import ChatModel
    from armap.types import Completions, Situation, Trajectory

__all__ = ["PolicyConfig", "PromptedPolicy"]


class PolicyConfig(Record):
    """How a chat model is asked for actions."""

    system: str = ""
    """Template (``prompts/<name>.md``) that explains the task; empty for the embedded model,
    ``game24`` for a general one."""
    parser: Literal["line", "react", "eto"] = "line"
    """``line``: the reply's first line is the action. ``react``: ``Thought: ... Action: ...``.
    ``eto``: as ``react``, but a reply without an action is an empty one, and goes on."""
    choices: bool | None = None
    """Whether the prompt lists the actions that an observation offers; None for as the template
    says: ``webshop`` speaks of a list, ``game24`` and no template do not."""
    temperature: float | None = Field(default=None, ge=0.0)
    """None leaves it to the planner: 0 for greedy and reflexion, 1 for those that sample."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=64, gt=0)
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptedPolicy:
    """A :class:`~armap.protocols.Policy` that prompts ``model`` with the whole episode."""

    model: ChatModel
    config: PolicyConfig = PolicyConfig()
    default_temperature: float = 1.0

    @property
    def name(self) -> str:
        """The model's name, and the template's when there is one."""
        return f"{self.model.name}/{self.config.system}".rstrip("/")

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        """Draw ``k`` replies in one request and parse each."""
        sampling = Sampling(
            temperature=self._temperature,
            top_p=self.config.top_p,
            max_tokens=self.config.max_tokens,
            stop=self.config.stop,
            seed=seed,
            n=k,
        )
        prompt = render(situation, system=self.config.system, choices=self.config.choices)
        replies = await self.model.complete(prompt, sampling)
        actions = tuple(parse(self.config.parser, text) for text in replies.texts)
        return Proposal(actions=actions, usage=replies.usage)

    async def reflect(self, trajectory: Trajectory, *, seed: int, max_tokens: int) -> Completions:
        """Ask the same model what an attempt teaches; see ``prompts/reflection.md``."""
        sampling = Sampling(
            temperature=self._temperature,
            top_p=self.config.top_p,
            max_tokens=max_tokens,
            seed=seed,
        )
        return await self.model.complete(reflection(trajectory), sampling)

    @property
    def _temperature(self) -> float:
        own = self.config.temperature
        return self.default_temperature if own is None else own
