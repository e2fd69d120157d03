"""ARMAP-R: try, judge, write down what failed, try again.

ARMAP section 4.1 and its Reflexion baseline (arXiv 2303.11366). The reward model's score is the
stop test only; the policy never sees it. The threshold is on the *calibrated* score, so it
carries over between reward models (the released code compares raw logits with 7.25, 0.9 or 0).

Deviation: the reflection is a note that lists what an attempt did; a language model may find
more to say, the tiny one cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.collect import episode_seed
from armap.planners.context import Context, argmax, failures_of, give_up, spent
from armap.prompts import failed_attempt
from armap.types import Candidate, Plan, Record, StopReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.types import Task, Trajectory

__all__ = ["Reflexion", "ReflexionConfig"]


class ReflexionConfig(Record):
    """Settings of :class:`Reflexion`."""

    kind: Literal["reflexion"] = "reflexion"
    trials: int = Field(default=10, gt=0)
    threshold: float = Field(default=0.68, gt=0.0, lt=1.0)
    """Stop at the first trial whose calibrated score is above this. A model that separates its
    held-out pairs well puts their better sides near 0.73 and their worse ones near 0.27."""
    fallback: Literal["first", "last", "best"] = "best"
    """Answer when no trial gets there. The paper takes the last trial on WebShop and Game of
    24, the first on ScienceWorld; ``best`` by score costs nothing more."""
    notes: int = Field(default=9, ge=0)
    """Reflections kept in the prompt, the latest ones."""


@dataclass(frozen=True, slots=True)
class Reflexion:
    """Sequential trials with notes."""

    config: ReflexionConfig
    context: Context
    name: str = "reflexion"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Try until the reward model is content."""
        candidates: list[Candidate] = []
        content = False
        for trial in range(self.config.trials):
            notes = self._notes(candidates)
            own_seed = episode_seed(seed, task, trial)
            episode = await self.context.runner.run(task, seed=own_seed, notes=notes)
            candidates += await self.context.scored([episode])
            score = candidates[-1].score
            content = score is not None and score.calibrated > self.config.threshold
            if content or episode.stop is StopReason.BUDGET:
                break
        failures = failures_of(candidate.trajectory for candidate in candidates)
        chosen = self._answer(candidates, content=content)
        if chosen is None:
            give_up(failures)
        return Plan(
            task=task,
            planner=self.name,
            candidates=tuple(candidates),
            chosen=chosen,
            usage=spent(candidate.trajectory for candidate in candidates),
            failures=failures,
            remark=_remark(candidates, content=content),
            objective=self.context.aim,
        )

    def _notes(self, candidates: Sequence[Candidate]) -> tuple[str, ...]:
        failed = [_reflection(c.trajectory) for c in candidates if c.score is not None]
        distinct = list(dict.fromkeys(note for note in failed if note))
        return tuple(distinct[-self.config.notes :]) if self.config.notes else ()

    def _answer(self, candidates: Sequence[Candidate], *, content: bool) -> int | None:
        scored = [i for i, c in enumerate(candidates) if c.trajectory.whole]
        if content or (self.config.fallback == "last" and scored):
            return scored[-1]
        if self.config.fallback == "first" and scored:
            return scored[0]
        return argmax(candidates)


def _remark(candidates: Sequence[Candidate], *, content: bool) -> str:
    cut = candidates[-1].trajectory.stop is StopReason.BUDGET
    how = "content" if content else "budget spent" if cut else "gave up"
    return f"{how} after {len(candidates)} trials"


def _reflection(trajectory: Trajectory) -> str:
    return failed_attempt(trajectory.actions) if trajectory.actions else ""
