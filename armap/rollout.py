"""The interaction loop. There is exactly one, and it is here."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from armap.calls import session_scope
from armap.errors import BoundaryError, BudgetSpent, EnvError, ModelError, boundary
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
    from armap.types import Action, Task

__all__ = ["Opening", "Runner", "replay"]

T = TypeVar("T")


def replay(env: Environment, task: Task, steps: Sequence[Step]) -> Observation:
    """Reset ``env`` and repeat ``steps``; return what is seen after the last one.

    Raises:
        EnvError: the environment failed, or showed something else than it did before.
    """
    with boundary(EnvError, f"replaying {task.env}/{task.name}"):
        observation = env.reset(task)
        for number, step in enumerate(steps):
            if observation != step.observation:
                raise EnvError(
                    f"{task.env}/{task.name} diverged before step {number}: "
                    f"{observation.text[:80]!r}, recorded {step.observation.text[:80]!r}"
                )
            observation = env.step(step.action)
    return observation


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
        make_env: makes a fresh environment; each episode has its own.
        policy: proposes the actions.
        limits: bounds on one episode.
    """

    make_env: Callable[[], Environment]
    policy: Policy
    limits: Limits = Limits()
    _threads: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    async def run(
        self,
        task: Task,
        *,
        seed: int,
        prefix: Sequence[Step] = (),
        notes: tuple[str, ...] = (),
        opening: Opening | None = None,
    ) -> Trajectory:
        """Record one episode, however it ends.

        The seed of a turn depends on ``seed`` and the turn's number only.

        Args:
            task: what to do.
            seed: of the policy.
            prefix: steps that are replayed, not sampled.
            notes: advice from earlier attempts.
            opening: the first action, when :meth:`openings` has drawn it.
        """
        env = self.make_env()
        episode = _Episode(task=task, steps=list(prefix), notes=notes)
        try:
            with session_scope(task, seed):
                await self._play(env, episode, seed, opening)
        except BoundaryError as error:
            episode.cut_short(error)
        finally:
            env.close()
        return episode.record(policy=self.policy.name, seed=seed)

    def unbegun(self, task: Task, *, seed: int, error: BoundaryError) -> Trajectory:
        """The record of an episode whose first action could not be drawn."""
        episode = _Episode(task=task, steps=[], notes=())
        episode.cut_short(error)
        return episode.record(policy=self.policy.name, seed=seed)

    async def openings(self, task: Task, *, n: int, seed: int) -> list[Opening]:
        """Draw the first actions of ``n`` episodes, which share a prompt, in one request.

        Opening ``i`` is the same whatever ``n`` is.

        Raises:
            EnvError, ModelError: none could be drawn.
        """
        with session_scope(task, seed):
            seen = await self.look(task, ())
            proposal = await self.propose(Situation(task=task, observation=seen), k=n, seed=seed)
        costs = [proposal.usage] + [Usage()] * (n - 1)
        return [
            Opening(seen, action, cost)
            for action, cost in zip(proposal.actions, costs, strict=True)
        ]

    async def look(self, task: Task, steps: Sequence[Step]) -> Observation:
        """Return what is seen after ``steps``, by a verified replay.

        Raises:
            EnvError: the environment failed or diverged.
        """
        env = self.make_env()
        try:
            return await self._wait(env, lambda: replay(env, task, steps))
        finally:
            env.close()

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        """Ask the policy for ``k`` actions.

        Raises:
            ModelError: it could not answer.
        """
        with boundary(ModelError, f"asking {self.policy.name}"):
            return await self.policy.propose(situation, k=k, seed=seed)

    async def _play(
        self, env: Environment, episode: _Episode, seed: int, opening: Opening | None
    ) -> None:
        task = episode.task
        prefix = tuple(episode.steps)
        episode.final = await self._wait(env, lambda: replay(env, task, prefix))
        while (stop := self._stop(episode)) is None:
            if opening is not None and not episode.steps:
                action = _opened(episode, opening)
            else:
                own = derive(seed, len(episode.steps))
                proposal = await self.propose(episode.situation(), k=1, seed=own)
                episode.usage += proposal.usage
                (action,) = proposal.actions
            if action is None:
                stop = StopReason.UNPARSABLE
                break
            episode.steps.append(Step(observation=episode.final, action=action))
            with boundary(EnvError, f"stepping {task.env}/{task.name}"):
                episode.final = await self._wait(env, _stepping(env, action))
        episode.stop = stop

    def _stop(self, episode: _Episode) -> StopReason | None:
        if episode.final.terminal:
            return StopReason.TERMINAL
        if len(episode.steps) >= self.limits.max_steps:
            return StopReason.MAX_STEPS
        return None

    async def _wait(self, env: Environment, work: Callable[[], T]) -> T:
        """Run ``work`` here, or in a thread of our own when the environment says it blocks."""
        if not getattr(env, "blocking", False):
            return work()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(thread_name_prefix="armap-env")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _opened(episode: _Episode, opening: Opening) -> Action | None:
    if episode.final != opening.observation:
        raise EnvError(
            f"{episode.task.env}/{episode.task.name} begins with {episode.final.text[:80]!r} now "
            f"and began with {opening.observation.text[:80]!r} before"
        )
    episode.usage += opening.usage
    return opening.action


def _stepping(env: Environment, action: Action) -> Callable[[], Observation]:
    return lambda: env.step(action)


@dataclass(slots=True)
class _Episode:
    """An episode in the making."""

    task: Task
    steps: list[Step]
    notes: tuple[str, ...]
    final: Observation = Observation(text="")
    stop: StopReason = StopReason.FAILED
    failure: Failure | None = None
    usage: Usage = Usage()

    def situation(self) -> Situation:
        return Situation(
            task=self.task, steps=tuple(self.steps), observation=self.final, notes=self.notes
        )

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
