"""Beam search over steps, with the reward model on prefixes.

Level by level every state of the beam is asked for actions, the actions are taken, and of the
unfinished states reached the ``width`` best go on (step-level beam search, as with process reward
models: Snell et al., arXiv 2408.03314, section 5.2). Finished episodes leave the beam: each is a
candidate exactly once, scored from all of its steps, and the best of them is the answer.

Prefixes are scored as episodes that end where they stand: their record says ``quit`` (the agent
simply stopped) and its last observation is what is seen there. The reward model was trained on
*whole* trajectories, of which some end like that. So what it says of a prefix is a guess outside
what it was trained for, and only compared with that of other prefixes of the same length. Prefixes
are never candidates.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.calls import session_scope
from armap.errors import BoundaryError, BudgetSpent, EnvError, ModelError, TaskBudgetSpent
from armap.planners.context import Context, argmax, dearer, give_up, remark
from armap.seeding import derive
from armap.types import (
    Candidate,
    Failure,
    Plan,
    Record,
    Situation,
    StopReason,
    Trajectory,
    TreeNode,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from armap.rollout import Point
    from armap.types import Action, Proposal, Task

__all__ = ["Beam", "BeamConfig"]


class BeamConfig(Record):
    """Settings of :class:`Beam`. How deep it goes is ``limits.max_steps`` of the run."""

    kind: Literal["beam"] = "beam"
    width: int = Field(default=5, gt=0)
    """Unfinished states that go on from level to level."""
    expansions: int = Field(default=4, gt=0)
    """Actions proposed per state in one request, duplicates included."""
    merge: bool = True
    """Keep only the best way to each state, where the environment has snapshots: equal snapshots
    have equal futures. Elsewhere it changes nothing."""


@dataclass(frozen=True, slots=True)
class Beam:
    """Keeps the ``width`` best prefixes; all requests of a level are in flight together."""

    config: BeamConfig
    context: Context
    name: str = "beam"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Search until every state of the beam is finished, or the budget is spent.

        Raises:
            BoundaryError: nothing finished, for the reason of the first branch that failed.
        """
        own = derive(seed, task.env, task.split, task.name)
        search = _Search(self.config, self.context, task, own)
        with session_scope(task, seed):
            await search.run()
        chosen = argmax(search.candidates)
        if chosen is None:
            give_up(search.failures)
        return Plan(
            task=task,
            planner=self.name,
            candidates=tuple(search.candidates),
            chosen=chosen,
            usage=search.usage,
            tree=search.evidence(),
            failures=tuple(search.failures),
            remark=remark(search.ending, search.failures),
            objective=self.context.aim,
        )


@dataclass(slots=True, eq=False)
class _State:
    """A prefix: where it stands and what is known of it."""

    point: Point
    parent: _State | None = None
    action: str = ""
    share: float = 1.0
    """Of the proposals at its parent."""
    usage: Usage = Usage()
    """Of the calls on the way to it, those that it shares with other states included in the
    first of them only."""
    judged: Candidate | None = None

    def ancestry(self) -> Iterator[_State]:
        """Itself, its parent, ... the start."""
        state: _State | None = self
        while state is not None:
            yield state
            state = state.parent


@dataclass(slots=True)
class _Search:
    config: BeamConfig
    context: Context
    task: Task
    seed: int
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    failures: list[Failure] = field(default_factory=list[Failure])
    usage: Usage = Usage()
    ending: str = ""
    _states: list[_State] = field(default_factory=list[_State])
    _dearest: Usage = Usage()

    async def run(self) -> None:
        """Search level by level; raises when the task does not even begin."""
        beam = [_State(await self.context.runner.begin(self.task))]
        self._states += beam
        if self.context.runner.over(beam[0].point):
            await self._finish(beam)
            return
        while beam and (room := self._room(len(beam[0].point.steps))):
            reached = await self._expand(beam[:room])
            over = [state for state in reached if self.context.runner.over(state.point)]
            await self._finish(over)
            beam = await self._best([state for state in reached if state not in over])
        if beam:
            self._break(len(beam))

    async def _expand(self, beam: Sequence[_State]) -> list[_State]:
        """Everything that one action leads to from the states of the beam, in their order."""
        proposals = await asyncio.gather(*(self._propose(state) for state in beam))
        moves: list[tuple[_State, Action, int]] = []
        for state, proposal in zip(beam, proposals, strict=True):
            if isinstance(proposal, BoundaryError):
                self._lost(proposal)
                continue
            state.usage = proposal.usage
            self.usage += proposal.usage
            self._dearest = dearer(self._dearest, proposal.usage)
            moves += [(state, action, count) for action, count in _distinct(proposal)]
        reached = await asyncio.gather(*(self._take(*move) for move in moves))
        found = []
        for result in reached:
            if isinstance(result, BoundaryError):
                self._lost(result)
            else:
                found.append(result)
        self._states += found
        return found

    async def _propose(self, state: _State) -> Proposal | BoundaryError:
        """Ask for actions."""
        place = state.point
        situation = Situation(task=self.task, steps=place.steps, observation=place.observation)
        own = derive(self.seed, "beam", *(step.action.text for step in place.steps))
        try:
            return await self.context.runner.propose(situation, k=self.config.expansions, seed=own)
        except ModelError as error:
            return error

    async def _take(self, state: _State, action: Action, count: int) -> _State | BoundaryError:
        """Act."""
        try:
            (point,) = await self.context.runner.advance(self.task, state.point, [action])
        except EnvError as error:
            return error
        return _State(point, state, action.text, count / self.config.expansions)

    async def _finish(self, over: Sequence[_State]) -> None:
        """Make candidates of finished episodes; a request is on the account of its first one."""
        for state in over:
            observation = state.point.observation
            stop = StopReason.TERMINAL if observation.terminal else StopReason.MAX_STEPS
            usage = Usage()
            for ancestor in state.ancestry():
                usage, ancestor.usage = usage + ancestor.usage, Usage()
            state.judged = Candidate(trajectory=self._record(state, stop, usage))
        judged = await self.context.scored([s.judged.trajectory for s in over if s.judged])
        for state, candidate in zip(over, judged, strict=True):
            state.judged = candidate
        self.candidates += judged

    async def _best(self, states: Sequence[_State]) -> list[_State]:
        """The ``width`` best of unfinished states, best first; ties go to the first."""
        records = [self._record(state, StopReason.QUIT, Usage()) for state in states]
        for state, judged in zip(states, await self.context.scored(records), strict=True):
            state.judged = judged
        ranked = sorted(states, key=_worth, reverse=True)  # stable
        if self.config.merge:
            ranked = _merged(ranked)
        return ranked[: self.config.width]

    def _room(self, depth: int) -> int:
        """How many states of the beam to expand: those for whose requests the budget has room.

        A request for every further level is kept back, so that one episode at least is finished.
        """
        if not self.context.budget.limited or not self._dearest.calls:
            return self.config.width
        room = self.context.budget.room(self.usage, self._dearest)
        if room is None:
            return self.config.width
        further = self.context.runner.limits.max_steps - depth - 1
        return min(room, max(1, room - further))

    def _break(self, left: int) -> None:
        self.ending = f"budget spent with {left} states unfinished"
        self.failures.append(Failure(kind=TaskBudgetSpent.__name__, message=self.ending))

    def _lost(self, error: BoundaryError) -> None:
        """A branch ends here; told in the order of the branches, whichever failed first."""
        self.failures.append(Failure.of(error))
        if isinstance(error, BudgetSpent):
            self.ending = f"budget spent after {len(self.candidates)} episodes"

    def _record(self, state: _State, stop: StopReason, usage: Usage) -> Trajectory:
        return Trajectory(
            task=self.task,
            steps=state.point.steps,
            final=state.point.observation,
            stop=stop,
            policy=self.context.runner.policy.name,
            seed=self.seed,
            usage=usage,
        )

    def evidence(self) -> tuple[TreeNode, ...]:
        """Every state reached, by levels; visits count the states at and below it."""
        index = {id(state): i for i, state in enumerate(self._states)}
        visits = Counter(id(above) for state in self._states for above in state.ancestry())
        best: dict[int, float] = {}
        for state in self._states:
            if state.judged is not None and state.judged.score is not None:
                value = state.judged.score.calibrated
                for above in state.ancestry():
                    best[id(above)] = max(value, best.get(id(above), value))
        return tuple(
            TreeNode(
                parent=None if state.parent is None else index[id(state.parent)],
                action=state.action,
                prior=state.share,
                visits=visits[id(state)],
                value=best.get(id(state)),
            )
            for state in self._states
        )


def _distinct(proposal: Proposal) -> list[tuple[Action, int]]:
    """Different actions in the order of their first proposal, and how often each was proposed."""
    actions = [action for action in proposal.actions if action is not None]
    first = {action.text: action for action in reversed(actions)}
    counts = Counter(action.text for action in actions)
    return [(first[text], count) for text, count in counts.items()]


def _worth(state: _State) -> float:
    assert state.judged is not None
    assert state.judged.score is not None
    utility = state.judged.utility
    return state.judged.score.raw if utility is None else utility


def _merged(ranked: Sequence[_State]) -> list[_State]:
    """The first of the states with equal snapshots; those without one stay apart."""
    kept: dict[object, _State] = {}
    for state in ranked:
        snapshot = state.point.snapshot
        kept.setdefault(id(state) if snapshot is None else (snapshot,), state)
    return list(kept.values())
