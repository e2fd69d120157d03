"""The interaction loop. There is exactly one, and it is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from armap.calls import session_scope
from armap.errors import BoundaryError, BudgetSpent, EnvError, ModelError, boundary
from armap.rollout.live import Point, Pool
from armap.seeding import derive
from armap.types import (
    Failure,
    Limits,
    Observation,
    Proposal,
    Situation,
    Step,
    StopReason,
    Trajectory,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.protocols import Environment, Policy
    from armap.rollout.live import Counts, Live
    from armap.types import Action, Task

__all__ = ["Opening", "Runner"]


class Opening(NamedTuple):
    """A first action that was drawn together with others."""

    observation: Observation
    """What was seen when it was drawn."""
    action: Action | None
    """None when the reply held none."""
    usage: Usage
    """The request's cost with the first of those that it drew, nothing with the others."""


@dataclass(slots=True)
class Runner:
    """Runs episodes of one policy, as many at a time as callers ask for.

    Args:
        make_env: makes an environment instance; :mod:`armap.rollout.live` says how they are
            shared.
        policy: proposes the actions.
        limits: bounds on one episode.
    """

    make_env: Callable[[], Environment]
    policy: Policy
    limits: Limits = Limits()
    _pool: Pool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pool = Pool(self.make_env, self.limits.step_seconds)

    @property
    def counts(self) -> Counts:
        """What the environments had to do so far."""
        return self._pool.counts

    async def close(self) -> None:
        """Close the environments. Idempotent."""
        await self._pool.close()

    async def run(
        self,
        task: Task,
        *,
        seed: int,
        start: Point | None = None,
        notes: tuple[str, ...] = (),
        opening: Opening | None = None,
    ) -> Trajectory:
        """Record one episode, however it ends.

        The seed of a turn depends on ``seed`` and the turn's number only.

        Args:
            task: what to do.
            seed: of the policy.
            start: where to go on from; its steps cost nothing. None for the beginning.
            notes: advice from earlier attempts.
            opening: the first action, when :meth:`openings` has drawn it.
        """
        episode = _Episode(task=task, notes=notes)
        if start is not None:
            episode.steps, episode.final = list(start.steps), start.observation
        try:
            with session_scope(task, seed):
                await self._play(episode, seed, start, opening)
        except BoundaryError as error:
            episode.cut_short(error)
        return episode.record(policy=self.policy.name, seed=seed)

    def unbegun(self, task: Task, *, seed: int, error: BoundaryError) -> Trajectory:
        """The record of an episode whose first action could not be drawn."""
        episode = _Episode(task=task, notes=())
        episode.cut_short(error)
        return episode.record(policy=self.policy.name, seed=seed)

    async def openings(self, task: Task, *, n: int, seed: int) -> list[Opening]:
        """Draw the first actions of ``n`` episodes, which share a prompt, in one request.

        Opening ``i`` is the same whatever ``n`` is.

        Raises:
            EnvError, ModelError: none could be drawn.
        """
        with session_scope(task, seed):
            seen = (await self.begin(task)).observation
            proposal = await self.propose(Situation(task=task, observation=seen), k=n, seed=seed)
        costs = [proposal.usage] + [Usage()] * (n - 1)
        return [
            Opening(seen, action, cost)
            for action, cost in zip(proposal.actions, costs, strict=True)
        ]

    async def begin(self, task: Task) -> Point:
        """Where ``task`` starts.

        Raises:
            EnvError: the environment failed.
        """
        return await self._pool.leave(await self._pool.begin(task))

    async def advance(self, task: Task, point: Point, actions: Sequence[Action]) -> list[Point]:
        """Where each of ``actions`` leads from ``point``: ``[K] -> [K]``.

        Raises:
            EnvError: the environment failed or diverged.
        """
        return [await self._advance(task, point, action) for action in actions]

    def over(self, point: Point) -> bool:
        """Whether an episode ends here: by the environment's word or by the step limit."""
        return point.observation.terminal or len(point.steps) >= self.limits.max_steps

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        """Ask the policy for ``k`` actions.

        Raises:
            ModelError: it could not answer.
        """
        with boundary(ModelError, f"asking {self.policy.name}"):
            return await self.policy.propose(situation, k=k, seed=seed)

    async def _advance(self, task: Task, point: Point, action: Action) -> Point:
        live = await self._pool.reach(task, point)
        await self._pool.step(live, action)
        return await self._pool.leave(live)

    async def _play(
        self, episode: _Episode, seed: int, start: Point | None, opening: Opening | None
    ) -> None:
        pool = self._pool
        live: Live | None = None
        try:
            if start is None:
                live = await pool.begin(episode.task)
                episode.final = live.seen
            while (stop := self._stop(episode)) is None:
                if live is not None and pool.capacity is not None:
                    pool.give_back(live)
                    live = None
                action = await self._act(episode, seed, opening)
                if action is None:
                    stop = StopReason.UNPARSABLE
                    break
                if live is None:
                    live = await pool.reach(episode.task, episode.point(start))
                start = None
                lent, live = live, None
                seen = await pool.step(lent, action)
                live = lent
                episode.steps.append(lent.steps[-1])
                episode.final = seen
            episode.stop = stop
        finally:
            if live is not None:
                pool.give_back(live, over=True)

    async def _act(self, episode: _Episode, seed: int, opening: Opening | None) -> Action | None:
        if opening is not None and not episode.steps:
            return _opened(episode, opening)
        own = derive(seed, len(episode.steps))
        proposal = await self.propose(episode.situation(), k=1, seed=own)
        episode.usage += proposal.usage
        return proposal.actions[0]

    def _stop(self, episode: _Episode) -> StopReason | None:
        if episode.final.terminal:
            return StopReason.TERMINAL
        if len(episode.steps) >= self.limits.max_steps:
            return StopReason.MAX_STEPS
        return None


def _opened(episode: _Episode, opening: Opening) -> Action | None:
    if episode.final != opening.observation:
        raise EnvError(
            f"{episode.task.env}/{episode.task.name} begins with {episode.final.text[:80]!r} now "
            f"and began with {opening.observation.text[:80]!r} before"
        )
    episode.usage += opening.usage
    return opening.action


@dataclass(slots=True)
class _Episode:
    """An episode in the making."""

    task: Task
    notes: tuple[str, ...]
    steps: list[Step] = field(default_factory=list[Step])
    final: Observation = Observation(text="")
    stop: StopReason = StopReason.FAILED
    failure: Failure | None = None
    usage: Usage = Usage()

    def situation(self) -> Situation:
        return Situation(
            task=self.task, steps=tuple(self.steps), observation=self.final, notes=self.notes
        )

    def point(self, start: Point | None) -> Point:
        """Where it stands; the point it started from, as long as nothing was done since."""
        return start if start is not None else Point(tuple(self.steps), self.final)

    def cut_short(self, error: BoundaryError) -> None:
        spent = isinstance(error, BudgetSpent)
        self.stop = StopReason.BUDGET if spent else StopReason.FAILED
        self.failure = Failure.of(error)

    def record(self, *, policy: str, seed: int) -> Trajectory:
        return Trajectory(
            task=self.task,
            steps=tuple(self.steps),
            final=self.final,
            stop=self.stop,
            failure=self.failure,
            policy=policy,
            seed=seed,
            notes=self.notes,
            usage=self.usage,
        )
