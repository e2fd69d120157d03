"""The interaction loop. There is exactly one, and it is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from armap.calls import session_scope
from armap.rollout.episode import Episode, Opening, propose
from armap.rollout.pool import Pool
from armap.types import Limits, Situation, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.errors import BoundaryError
    from armap.protocols import Environment, Policy
    from armap.rollout.live import Point
    from armap.rollout.pool import Counts
    from armap.types import Action, Proposal, Task, Trajectory

__all__ = ["Runner"]


@dataclass(slots=True)
class Runner:
    """Runs episodes of one policy, as many at a time as callers ask for.

    Args:
        make_env: makes an environment instance; :mod:`armap.rollout.pool` says how they are
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

    @property
    def capacity(self) -> int | None:
        """Instances of the environment that there may be; None for any number.

        It is the environment's to say: known from the first episode's begin on.
        """
        return self._pool.capacity

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
        """Record one episode, however it ends. Arguments as for :meth:`episode`.

        Where instances are few and cannot be copied, as many episodes are played at a time as
        there may be instances, and the others wait.
        """
        episode = self.episode(task, seed=seed, start=start, notes=notes, opening=opening)
        async with self._pool.room():
            try:
                while not await episode.turn():
                    pass
            finally:
                episode.leave()
        return episode.record()

    def episode(
        self,
        task: Task,
        *,
        seed: int,
        start: Point | None = None,
        notes: tuple[str, ...] = (),
        opening: Opening | None = None,
    ) -> Episode:
        """An episode to be played a turn at a time.

        The seed of a turn depends on ``seed`` and the turn's number only.

        Args:
            task: what to do.
            seed: of the policy.
            start: where to go on from; its steps cost nothing. None for the beginning.
            notes: advice from earlier attempts.
            opening: the first action, when :meth:`openings` has drawn it.
        """
        return Episode(self.policy, self.limits, self._pool, task, seed, start, notes, opening)

    def unbegun(self, task: Task, *, seed: int, error: BoundaryError) -> Trajectory:
        """The record of an episode whose first action could not be drawn."""
        episode = self.episode(task, seed=seed)
        episode.cut_short(error)
        return episode.record()

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
        return [await self._pool.go(task, point, action) for action in actions]

    def over(self, point: Point) -> bool:
        """Whether an episode ends here: by the environment's word or by the step limit."""
        return point.observation.terminal or len(point.steps) >= self.limits.max_steps

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        """Ask the policy for ``k`` actions.

        Raises:
            ModelError: it could not answer.
        """
        return await propose(self.policy, situation, k=k, seed=seed)
