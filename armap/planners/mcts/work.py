"""What the tickets of one search ask for, done: the policy, the environment, the reward model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from armap.errors import BudgetSpent, ConfigError, EnvError, ModelError
from armap.planners.reflection import latest, listed, reflect
from armap.planners.search import Expanded, Failed, Played, Simulated
from armap.rollout import Point
from armap.seeding import derive
from armap.types import Candidate, Failure, Situation, Step, StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Hashable

    from armap.planners.context import Context
    from armap.planners.mcts.config import MCTSConfig
    from armap.planners.search import Edge, Result, Search, Ticket
    from armap.rollout import Episode
    from armap.types import Action, Task, Trajectory

__all__ = ["Work"]


@dataclass(slots=True, eq=False)
class _Branch:
    """What an edge carries: its action and, once it was taken, where that leads."""

    action: Action
    arrival: asyncio.Future[Point] | Point | None = None


_Told = tuple[tuple[str, str], ...]
"""Thoughts and actions."""


def _told(trajectory: Trajectory) -> _Told:
    """What may differ between trajectories of one task: the rest follows from the actions."""
    return tuple((step.action.thought, step.action.text) for step in trajectory.steps)


class _Found(NamedTuple):
    """What a ticket left to be told of, besides its result."""

    candidate: Candidate | None = None
    failure: Failure | None = None
    usage: Usage = Usage()


@dataclass(slots=True)
class Work:
    """Does tickets, any number at a time. What it keeps is in the order of the tickets."""

    config: MCTSConfig
    context: Context
    task: Task
    seed: int
    search: Search
    root: Point
    """Where the task begins."""
    cut: BudgetSpent | None = None
    """What cut the search short, if something did."""
    _found: dict[int, _Found] = field(default_factory=dict[int, _Found])
    _advice: dict[int, str] = field(default_factory=dict[int, str])
    _reflections: dict[_Told, asyncio.Future[tuple[str, Usage]]] = field(
        default_factory=dict[_Told, "asyncio.Future[tuple[str, Usage]]"]
    )
    _episodes: dict[int, Episode] = field(default_factory=dict[int, "Episode"])
    _scores: dict[_Told, asyncio.Future[list[Candidate]]] = field(
        default_factory=dict[_Told, "asyncio.Future[list[Candidate]]"]
    )

    @property
    def candidates(self) -> list[Candidate]:
        """Every finished episode once, and what is left of those that failed."""
        known: set[tuple[str, ...]] = set()
        kept: list[Candidate] = []
        for found in self._in_order():
            candidate = found.candidate
            if candidate is None:
                continue
            actions = candidate.trajectory.actions
            if candidate.trajectory.whole and actions in known:
                continue
            known.add(actions)
            kept.append(candidate)
        return kept

    @property
    def failures(self) -> list[Failure]:
        """What failed, each time at the cost of one branch."""
        return [found.failure for found in self._in_order() if found.failure is not None]

    @property
    def costs(self) -> list[Usage]:
        """What the tickets cost."""
        return [found.usage for found in self._in_order()]

    def leave(self) -> None:
        """Let go of the episodes that are not at their end; record what the budget cut."""
        for number, episode in self._episodes.items():
            episode.leave()
            if self.cut is not None:
                episode.cut_short(self.cut)
                rest = episode.record()
                self._note(number, candidate=Candidate(trajectory=rest), usage=rest.usage)

    async def do(self, ticket: Ticket) -> None:
        """Do what a ticket asks for and tell the search what came of it."""
        try:
            if ticket.kind == "expand":
                result: Result = await self._expand(ticket)
            else:
                result = await self._simulate(ticket)
        except BudgetSpent as error:
            result = self._stop(ticket, error)
        except (EnvError, ModelError) as error:
            self._note(ticket.number, failure=Failure.of(error))
            result = Failed()
        self.search.tell(ticket, result)

    async def _expand(self, ticket: Ticket) -> Result:
        """Ask the policy for actions, for the first time or again."""
        runner, width = self.context.runner, self.config.width
        point = await self._point(ticket.path)
        if runner.over(point):
            return Expanded((), asked=0)
        situation = Situation(
            task=self.task,
            steps=point.steps,
            observation=point.observation,
            notes=self._notes(ticket),
        )
        seed = derive(self.seed, "expand", *ticket.actions, ticket.turn)
        proposal = await runner.propose(situation, k=width, seed=seed)
        self._note(ticket.number, usage=proposal.usage)
        proposed = [action for action in proposal.actions if action is not None]
        branches = {action.text: _Branch(action) for action in reversed(proposed)}
        states = await self._states(point, branches) if self.config.merge else None
        return Expanded(
            [action.text for action in proposed], asked=width, states=states, notes=branches
        )

    async def _states(self, point: Point, branches: dict[str, _Branch]) -> dict[str, Hashable]:
        """Take every action to see which lead to the same state.

        Raises:
            ConfigError: the environment has no snapshots.
            EnvError: it failed.
        """
        if point.snapshot is None:
            raise ConfigError(f"planner.merge: {self.task.env!r} has no snapshots; set it to false")
        states: dict[str, Hashable] = {}
        for text, branch in branches.items():
            (arrival,) = await self.context.runner.advance(self.task, point, [branch.action])
            branch.arrival, states[text] = arrival, arrival.snapshot
        return states

    async def _simulate(self, ticket: Ticket) -> Result:
        """One turn of an episode from the leaf on; at its end, its value."""
        episode, over = await self._episode(ticket)
        if not over:
            return Played()
        del self._episodes[ticket.begun]
        trajectory = episode.record()
        self._note(ticket.number, usage=trajectory.usage)
        if trajectory.failure is not None:
            return self._broken(ticket, trajectory)
        candidate = await self._judge(trajectory)
        self._note(ticket.number, candidate=candidate)
        if self._is_poor(candidate):
            await self._reflect(ticket, trajectory)
        end = len(trajectory.steps) - len(ticket.path)
        return Simulated(
            self._value(candidate) * self.config.discount**end,
            key=trajectory.actions,
            over=end == 0 and trajectory.stop is not StopReason.UNPARSABLE,
        )

    async def _episode(self, ticket: Ticket) -> tuple[Episode, bool]:
        """The ticket's episode after its next turn, and whether it is over."""
        episode = self._episodes.get(ticket.begun)
        if episode is None:
            point = await self._point(ticket.path)
            seed = derive(self.seed, "simulate", *ticket.actions)
            episode = self.context.runner.episode(
                self.task, seed=seed, start=point, notes=self._notes(ticket)
            )
            self._episodes[ticket.begun] = episode
        return episode, await episode.turn()

    def _broken(self, ticket: Ticket, trajectory: Trajectory) -> Result:
        """A failed episode is kept as it is and ends its branch."""
        assert trajectory.failure is not None
        self._note(ticket.number, candidate=Candidate(trajectory=trajectory))
        error = trajectory.failure.error()
        if isinstance(error, BudgetSpent):
            return self._stop(ticket, error)
        self._note(ticket.number, failure=trajectory.failure)
        return Failed()

    async def _judge(self, trajectory: Trajectory) -> Candidate:
        """The scored candidate; the reward model sees every trajectory once."""
        told = _told(trajectory)
        if told not in self._scores:
            self._scores[told] = asyncio.ensure_future(self.context.scored([trajectory]))
        (candidate,) = await self._scores[told]
        return candidate

    def _is_poor(self, candidate: Candidate) -> bool:
        """Whether it is to leave a note."""
        if self.config.reflect is None or candidate.score is None:
            return False
        return candidate.score.calibrated < self.config.reflect_below

    async def _reflect(self, ticket: Ticket, trajectory: Trajectory) -> None:
        """Leave a note of a poor trajectory (LATS, arXiv 2310.04406)."""
        if self.config.reflect == "attempt":
            self._advice[ticket.number] = listed(trajectory)
            return
        told = _told(trajectory)
        first = told not in self._reflections
        if first:
            seed = derive(self.seed, "reflect", *trajectory.actions)
            asked = asyncio.ensure_future(reflect(self.context, trajectory, seed=seed))
            self._reflections[told] = asked
        try:
            note, usage = await self._reflections[told]
        except BudgetSpent as error:
            self._stop(ticket, error)
        except ModelError as error:
            if first:
                self._note(ticket.number, failure=Failure.of(error))
        else:
            self._advice[ticket.number] = note
            if first:
                self._note(ticket.number, usage=trajectory.usage + usage)

    def _notes(self, ticket: Ticket) -> tuple[str, ...]:
        """What a ticket may know: the notes of those whose results it was drawn by."""
        known = (self._advice[number] for number in sorted(self._advice) if number < ticket.seen)
        return latest(known, self.config.notes)

    def _value(self, candidate: Candidate) -> float:
        if candidate.utility is not None:
            return candidate.utility
        assert candidate.score is not None
        score = candidate.score
        return score.raw if self.config.values == "raw" else score.calibrated

    async def _point(self, path: list[Edge]) -> Point:
        """Where a path leads, by its own history; the last action is taken if it never was."""
        if not path:
            return self.root
        last: _Branch = path[-1].note
        if isinstance(last.arrival, Point):
            arrival = last.arrival
        else:
            if last.arrival is None:
                last.arrival = asyncio.ensure_future(self._arrive(path))
            arrival = last.arrival = await last.arrival
        return replace(arrival, steps=self._steps(path)) if self.config.merge else arrival

    async def _arrive(self, path: list[Edge]) -> Point:
        above = await self._point(path[:-1])
        (point,) = await self.context.runner.advance(self.task, above, [path[-1].note.action])
        return point

    def _steps(self, path: list[Edge]) -> tuple[Step, ...]:
        """The steps of a path: with merged states a node has more histories than one."""
        seen = self.root.observation
        steps: list[Step] = []
        for edge in path:
            steps.append(Step(observation=seen, action=edge.note.action))
            seen = edge.note.arrival.observation
        return tuple(steps)

    def _stop(self, ticket: Ticket, error: BudgetSpent) -> Result:
        """The budget is spent: what is being answered is kept, nothing new begins."""
        self.search.stop()
        if self.cut is None:
            self.cut = error
            self._note(ticket.number, failure=Failure.of(error))
        return Failed(close=False)

    def _note(
        self,
        number: int,
        *,
        candidate: Candidate | None = None,
        failure: Failure | None = None,
        usage: Usage | None = None,
    ) -> None:
        old = self._found.get(number, _Found())
        self._found[number] = _Found(
            candidate or old.candidate, failure or old.failure, usage or old.usage
        )

    def _in_order(self) -> list[_Found]:
        return [self._found[number] for number in sorted(self._found)]
