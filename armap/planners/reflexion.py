"""ARMAP-R: try, judge, write down what failed, try again.

ARMAP section 4.1 and its Reflexion baseline (arXiv 2303.11366). The reward model's score is the
stop test only: neither the policy nor who writes the reflections ever sees it. A trial ends the
search when its score is *above* the threshold.

Deviations: the threshold is on the calibrated score unless the config says otherwise; by default
the answer is the best trial where none is good enough, and a reflection lists what an attempt
did, which costs nothing. ``reflect: llm`` has the language model write it, as in the paper (there
with two worked examples in the prompt, here with none). :data:`PRESETS` has the paper's settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from armap.collect import episode_seed
from armap.errors import BudgetSpent, ModelError
from armap.planners.context import Context, argmax, failures_of, give_up, spent
from armap.planners.presets import filled
from armap.planners.reflection import (
    NOTE_TOKENS,
    Author,
    latest,
    listed,
    reflect,
    require_reflective,
)
from armap.planners.threshold import Threshold, passes
from armap.types import Candidate, Failure, Plan, Record, StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armap.types import Task

__all__ = ["PRESETS", "Reflexion", "ReflexionConfig"]

_PAPER: Mapping[str, object] = MappingProxyType({"trials": 10, "reflect": "llm", "notes": 9})
PRESETS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "webshop": MappingProxyType({**_PAPER, "fallback": "last"}),
        "scienceworld": MappingProxyType({**_PAPER, "fallback": "first"}),
        "game24": MappingProxyType({**_PAPER, "fallback": "last"}),
    }
)
"""What the paper says of its environments: at most 10 trials, reflections written by the language
model and never dropped (a tenth trial has nine behind it), and which trial is the answer when
none is good enough. It acts at temperature 0, like this planner where the policy's config does
not say. It does not say: the thresholds ("per task and model"; its released code has raw logits,
7.25 on ScienceWorld and 0 on Game of 24, and on WebShop a test that never holds), nor how long a
reflection may be. Those keep our defaults."""


class ReflexionConfig(Record):
    """Settings of :class:`Reflexion`."""

    kind: Literal["reflexion"] = "reflexion"
    preset: Literal["webshop", "scienceworld", "game24"] | None = None
    """The paper's settings for an environment, see :data:`PRESETS`; what is set beside it wins."""
    trials: int = Field(default=10, gt=0)
    """Episodes at most."""
    threshold: Threshold = Threshold(calibrated=0.68)
    """Stop at the first trial whose score is above this: a calibrated score in (0, 1),
    ``{quantile: 0.1}`` of the reward model's held-out positives, or ``{raw: 7.25}``. A model that
    separates its held-out pairs well puts their better sides near 0.73 and their worse ones near
    0.27."""
    fallback: Literal["first", "last", "best"] = "best"
    """Answer when no trial gets there. The paper takes the last trial on WebShop and Game of
    24, the first on ScienceWorld; ``best`` by score costs nothing more."""
    notes: int = Field(default=9, ge=0)
    """Reflections kept in the prompt, the latest ones."""
    reflect: Author = "attempt"
    """Who writes them: ``attempt`` lists its actions, ``llm`` is one call per failed trial."""
    note_tokens: int = Field(default=NOTE_TOKENS, gt=0)
    """Longest reflection of the language model, in tokens."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, content: Any) -> Any:
        return filled(content, PRESETS)


@dataclass(frozen=True, slots=True)
class Reflexion:
    """Sequential trials with notes.

    Raises:
        ConfigError: the threshold is a quantile of what the reward model does not hold, or the
            policy is to reflect and cannot.
    """

    config: ReflexionConfig
    context: Context
    name: str = "reflexion"

    def __post_init__(self) -> None:
        passes(self.config.threshold, self.context)
        if self.config.reflect == "llm":
            require_reflective(self.context)

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Try until the reward model is content."""
        trials = _Trials()
        enough, content = passes(self.config.threshold, self.context), False
        for number in range(self.config.trials):
            if number:
                await self._reflect(trials)
            if trials.broke:
                break
            notes = latest(trials.notes, self.config.notes)
            own_seed = episode_seed(seed, task, number)
            episode = await self.context.runner.run(task, seed=own_seed, notes=notes)
            trials.candidates += await self.context.scored([episode])
            score = trials.candidates[-1].score
            content = score is not None and enough(score)
            trials.broke = episode.stop is StopReason.BUDGET
            if content:
                break
        return self._plan(task, trials, content=content)

    async def _reflect(self, trials: _Trials) -> None:
        """Write the note of the last trial; when that fails, the note is all that is lost."""
        last = trials.candidates[-1]
        if trials.broke or last.score is None or not self.config.notes:
            return
        if self.config.reflect == "attempt":
            trials.notes.append(listed(last.trajectory))
            return
        try:
            note, usage = await reflect(
                self.context,
                last.trajectory,
                seed=last.trajectory.seed,
                max_tokens=self.config.note_tokens,
            )
        except ModelError as error:
            trials.failures.append(Failure.of(error))
            trials.broke = isinstance(error, BudgetSpent)
        else:
            trials.notes.append(note)
            trials.usage += usage

    def _plan(self, task: Task, trials: _Trials, *, content: bool) -> Plan:
        episodes = [candidate.trajectory for candidate in trials.candidates]
        failures = (*failures_of(episodes), *trials.failures)
        chosen = self._answer(trials.candidates, content=content)
        if chosen is None:
            give_up(failures)
        how = "content" if content else "budget spent" if trials.broke else "gave up"
        return Plan(
            task=task,
            planner=self.name,
            candidates=tuple(trials.candidates),
            chosen=chosen,
            usage=spent(episodes) + trials.usage,
            failures=failures,
            remark=f"{how} after {len(episodes)} trials",
            objective=self.context.aim,
        )

    def _answer(self, candidates: list[Candidate], *, content: bool) -> int | None:
        scored = [i for i, c in enumerate(candidates) if c.trajectory.whole]
        if content or (self.config.fallback == "last" and scored):
            return scored[-1]
        if self.config.fallback == "first" and scored:
            return scored[0]
        return argmax(candidates)


@dataclass(slots=True)
class _Trials:
    """What was tried and noted so far."""

    candidates: list[Candidate] = field(default_factory=list[Candidate])
    notes: list[str] = field(default_factory=list[str])
    usage: Usage = Usage()
    """Of the reflections."""
    failures: list[Failure] = field(default_factory=list[Failure])
    """Of the reflections."""
    broke: bool = False
    """The budget is spent."""
