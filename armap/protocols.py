"""The five sockets. Implement one and it plugs in; there is nothing to inherit.

What waits (LLM, policy, reward model, planner) is ``async``; what computes (environment,
search tree) is plain Python. Lists go in, lists of the same length and order come out.
A planner is written for **one task**: batching happens below it, where requests of all tasks
in flight meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from armap.types import (
        Action,
        Completions,
        Message,
        Observation,
        Plan,
        Proposal,
        Sampling,
        Score,
        Situation,
        Task,
        Trajectory,
    )

__all__ = [
    "ChatModel",
    "Environment",
    "MeasuredReward",
    "Planner",
    "Policy",
    "ReflectivePolicy",
    "RewardModel",
    "SnapshotEnvironment",
]


@runtime_checkable
class Environment(Protocol):
    """A world that runs one episode at a time. Not thread-safe.

    Two attributes are optional: ``blocking`` (True: steps wait for a process or a socket, so
    they run in a thread) and ``capacity`` (at most so many instances live at once in this
    process; without it as many as there are episodes in flight, and with it, unless there are
    snapshots, as many whole episodes are played at a time). Instances are reused: after an
    episode comes the ``reset`` of the next.
    """

    def reset(self, task: Task) -> Observation:
        """Start ``task`` afresh. Equal tasks and actions give equal observations.

        Raises:
            EnvError: the task is not one of this environment's.
        """
        ...

    def step(self, action: Action) -> Observation:
        """Act. An illegal action is answered in the observation; it never raises.

        Undefined after a terminal observation.
        """
        ...

    def close(self) -> None:
        """Free processes and sockets. Idempotent."""
        ...


@runtime_checkable
class SnapshotEnvironment(Environment, Protocol):
    """An environment that can be branched without replaying the prefix."""

    def snapshot(self) -> Hashable:
        """Return the whole state of the episode; equal states have equal snapshots."""
        ...

    def restore(self, token: Hashable) -> None:
        """Continue from ``token``, a snapshot of any instance of the same environment."""
        ...


@runtime_checkable
class ChatModel(Protocol):
    """A language model behind a chat interface. Safe to call from many tasks at once."""

    @property
    def name(self) -> str:
        """Stable identifier, recorded in every trajectory."""
        ...

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Sample ``sampling.n`` replies to one prompt.

        Raises:
            ModelError: the prompt could not be answered after the backend's own retries.
        """
        ...

    async def close(self) -> None:
        """Free connections and workers. Idempotent."""
        ...


@runtime_checkable
class Policy(Protocol):
    """Proposes actions."""

    @property
    def name(self) -> str:
        """Stable identifier, recorded in every trajectory."""
        ...

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        """Sample ``k`` next actions, duplicates included (their frequency is a prior).

        Raises:
            ModelError: the chat model behind the policy could not answer.
        """
        ...


@runtime_checkable
class ReflectivePolicy(Policy, Protocol):
    """A policy that can say what an attempt of its own taught it."""

    async def reflect(self, trajectory: Trajectory, *, seed: int, max_tokens: int) -> Completions:
        """Advice for the next attempt at the same task, one text; no score is shown.

        Raises:
            ModelError: the chat model behind the policy could not answer.
        """
        ...


@runtime_checkable
class RewardModel(Protocol):
    """Scores how well trajectories fulfil their own instruction."""

    @property
    def name(self) -> str:
        """Stable identifier, recorded in every run's manifest."""
        ...

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        """``[N] -> [N]``, higher is better, comparable within one task.

        Raises:
            RewardError: a score could not be computed. Never returns a placeholder.
        """
        ...

    async def close(self) -> None:
        """Free connections and workers. Idempotent."""
        ...


@runtime_checkable
class MeasuredReward(RewardModel, Protocol):
    """A reward model that knows how trajectories score that fulfil their instruction."""

    def positives(self) -> list[Score]:
        """Scores of held-out trajectories of that kind, ascending and evenly spaced in rank.

        Empty when they were not measured.
        """
        ...


@runtime_checkable
class Planner(Protocol):
    """Searches for a good trajectory under a fixed budget."""

    @property
    def name(self) -> str:
        """What the tables call it, e.g. ``"best_of_n"``."""
        ...

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Return the candidates with their scores. Same inputs, same plan.

        Failed episodes are left out of the choice and recorded in the candidates.
        """
        ...
