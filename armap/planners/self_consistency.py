"""Self-consistency: sample N episodes, answer what most of them answer.

Wang et al. (arXiv 2203.11171): the answer that most samples give. ``weighted`` adds up the
reward model's scores instead of heads (Li et al., arXiv 2206.02336, and the weighted Best-of-N of
Hugging Face's search-and-learn): of the answers the one with the largest sum of calibrated scores
wins, and stands there as the best scored of its episodes.

Which answers are the same the environment says, see :mod:`armap.answers`. Episodes without an
answer do not vote; where none has one, the first whole episode is what is left. Ties go to the
answer that came first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.answers import LAST_ACTION, FinalAnswer
from armap.errors import ConfigError, EnvError, boundary
from armap.planners.best_of_n import stored_candidates
from armap.planners.context import Context, argmax, give_up
from armap.planners.sampling import Drawn, draw, look_up
from armap.types import Candidate, Failure, Plan, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.types import Task, Trajectory

__all__ = ["SelfConsistency", "SelfConsistencyConfig", "Vote", "vote"]


class SelfConsistencyConfig(Record):
    """Settings of :class:`SelfConsistency`."""

    kind: Literal["self_consistency"] = "self_consistency"
    n: int = Field(default=10, gt=0)
    """Episodes."""
    weighted: bool = False
    """Votes count as much as the reward model's calibrated score instead of one each."""
    answers: Literal["declared", "last_action"] = "declared"
    """What is compared: the final answers that the environment declares, or the texts of the
    last actions (but for case, blanks and a full stop)."""
    candidates: str | None = None
    """Run folder to take candidates from instead of drawing them; the first ``n`` per task."""


class Vote(Record):
    """How the winner won."""

    winner: str
    share: float
    """Of all votes, in [0, 1]."""
    answers: int
    """Different ones."""
    members: tuple[int, ...]
    """Who gave the winning answer, ascending."""


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Lets ``n`` candidates vote.

    Raises:
        ConfigError: the environment declares no final answers and the config names no other.
    """

    config: SelfConsistencyConfig
    context: Context
    name: str = "self_consistency"
    _stored: dict[str, list[Trajectory]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._form()
        if self.config.candidates is not None:
            self._stored.update(stored_candidates(Path(self.config.candidates)))

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Draw or look up the candidates, count their votes.

        Raises:
            ConfigError: candidates are to be read and there are none for ``task``.
        """
        drawn = await self._drawn(task, seed)
        plain = [Candidate(trajectory=episode) for episode in drawn.episodes]
        candidates = await self.context.scored(drawn.episodes) if self.config.weighted else plain
        answers, unread = self._answers(drawn.episodes)
        won = vote(answers, _weights(candidates, weighted=self.config.weighted))
        chosen, remark = _chosen(candidates, won)
        failures = (*drawn.failures, *unread)
        if chosen is None:
            give_up(failures)
        return Plan(
            task=task,
            planner=self.name,
            candidates=tuple(candidates),
            chosen=chosen,
            usage=drawn.usage,
            failures=failures,
            remark="; ".join(text for text in (drawn.remark, remark) if text),
        )

    async def _drawn(self, task: Task, seed: int) -> Drawn:
        if self.config.candidates is None:
            return await draw(self.context, task, self.config.n, seed)
        found = self._stored.get(task.name, [])[: self.config.n]
        if not found:
            raise ConfigError(f"{self.config.candidates}: no candidates for task {task.name!r}")
        return await look_up(found)

    def _form(self) -> FinalAnswer:
        if self.config.answers == "last_action":
            return LAST_ACTION
        if self.context.answer is None:
            raise ConfigError(
                "self_consistency: this environment declares no final answers to compare; give it "
                "`final_answer` (see armap.answers), or set planner.answers: last_action"
            )
        return self.context.answer

    def _answers(self, episodes: Sequence[Trajectory]) -> tuple[list[str | None], list[Failure]]:
        """What each episode answers; one whose answer cannot be read does not vote."""
        answers: list[str | None] = []
        failures = []
        for episode in episodes:
            answers.append(None)
            try:
                with boundary(EnvError, f"reading the final answer of {episode.task.name!r}"):
                    answers[-1] = self._form().of(episode) if episode.whole else None
            except EnvError as error:
                failures.append(Failure.of(error))
        return answers, failures


def vote(answers: Sequence[str | None], weights: Sequence[float]) -> Vote | None:
    """Count ``[K]`` votes of ``[K]`` weights; None when nobody has an answer.

    >>> vote(["24", None, "23", "23"], [1, 1, 1, 1]).members
    (2, 3)
    >>> vote(["24", None, "23", "23"], [0.9, 1, 0.3, 0.4]).winner
    '24'
    """
    members: dict[str, list[int]] = {}
    for index, answer in enumerate(answers):
        if answer is not None:
            members.setdefault(answer, []).append(index)
    if not members:
        return None
    sums = {answer: fsum(weights[i] for i in who) for answer, who in members.items()}
    winner = max(sums, key=sums.__getitem__)  # the first of the largest
    total = fsum(sums.values())
    return Vote(
        winner=winner,
        share=sums[winner] / total if total > 0 else 0.0,
        answers=len(members),
        members=tuple(members[winner]),
    )


def _weights(candidates: Sequence[Candidate], *, weighted: bool) -> list[float]:
    if not weighted:
        return [1.0] * len(candidates)
    return [c.score.calibrated if c.score is not None else 0.0 for c in candidates]


def _chosen(candidates: Sequence[Candidate], won: Vote | None) -> tuple[int | None, str]:
    """The index of the answer, and what to say of it."""
    if won is None:
        whole = [i for i, candidate in enumerate(candidates) if candidate.trajectory.whole]
        return (whole[0] if whole else None), "no episode has an answer to vote with"
    best = argmax([candidates[i] for i in won.members])
    index = won.members[best or 0]
    return index, f"{len(won.members)} of {len(candidates)} agree, {won.answers} answers"
