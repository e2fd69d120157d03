"""ARMAP-M: Monte Carlo tree search whose leaves are judged by the reward model.

ARMAP section 4.1: nodes are states, edges are actions proposed by the policy, a node's value is
the highest reward found below it, and the answer is the best trajectory seen. Against the
released code: every finished episode is a candidate exactly once, terminal ones included; each
distinct trajectory is scored once; the budget counts distinct trajectories; scores are
calibrated before they meet the exploration constant; priors are the policy's own frequencies; and
a node that is visited much is asked for more actions, so that ten proposals are no ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.calls import session_scope
from armap.errors import BudgetSpent, EnvError, ModelError
from armap.planners.context import Context, argmax, give_up
from armap.planners.tree import (
    Node,
    Selection,
    backup,
    best_child,
    close,
    expand,
    flatten,
    select,
)
from armap.rollout import Point
from armap.seeding import derive
from armap.types import (
    Candidate,
    Failure,
    Plan,
    Record,
    Situation,
    StopReason,
    TreeNode,
    Usage,
)

if TYPE_CHECKING:
    from armap.types import Action, Task, Trajectory

__all__ = ["MCTS", "MCTSConfig"]


class MCTSConfig(Record):
    """Settings of :class:`MCTS`."""

    kind: Literal["mcts"] = "mcts"
    trajectories: int = Field(default=10, gt=0)
    """Budget: distinct finished trajectories."""
    width: int = Field(default=10, gt=0)
    """Actions proposed per node at a time, duplicates included; a node is asked again when as
    many simulations as proposals have gone through it."""
    exploration: float = Field(default=1.0, ge=0.0)
    rule: Selection = "puct"
    patience: int = Field(default=20, gt=0)
    """Stop after so many simulations in a row that found nothing new."""


@dataclass(frozen=True, slots=True)
class MCTS:
    """Tree search, one simulation at a time within a task; many tasks run side by side."""

    config: MCTSConfig
    context: Context
    name: str = "mcts"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Search until the budget is spent or nothing new is found."""
        search = _Search(self.config, self.context, task, derive(seed, task.split, task.name))
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
            remark=search.remark,
            objective=self.context.aim,
        )


@dataclass(slots=True)
class _Search:
    config: MCTSConfig
    context: Context
    task: Task
    seed: int
    root: Node = field(default_factory=Node)
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    usage: Usage = Usage()
    ending: str = ""
    failures: list[Failure] = field(default_factory=list[Failure])
    _places: dict[Node, Point] = field(default_factory=dict[Node, Point])
    _actions: dict[Node, Action] = field(default_factory=dict["Node", "Action"])
    _known: dict[tuple[str, ...], float] = field(default_factory=dict[tuple[str, ...], float])

    @property
    def remark(self) -> str:
        """How the search ended, if not by its budget, and what failed on the way."""
        failed = [f for f in self.failures if not isinstance(f.error(), BudgetSpent)]
        count = f"{len(failed)} branch{'es' if len(failed) > 1 else ''} failed"
        lost = f"{count}, the first: {failed[0].message}" if failed else ""
        return "; ".join(text for text in (self.ending, lost) if text)

    async def run(self) -> None:
        """Search until the budget of trajectories is used, or that of calls, or nothing is new."""
        try:
            await self._search()
        except BudgetSpent as error:
            self.failures.append(Failure.of(error))
            self.ending = f"budget spent after {len(self.candidates)} trajectories"

    async def _search(self) -> None:
        self._places[self.root] = await self.context.runner.begin(self.task)
        barren = simulation = 0
        while len(self.candidates) < self.config.trajectories and barren < self.config.patience:
            leaf = select(self.root, exploration=self.config.exploration, rule=self.config.rule)
            if leaf is None:
                self.ending = f"tree exhausted after {len(self.candidates)} trajectories"
                return
            found = await self._try(leaf, derive(self.seed, "simulation", simulation))
            barren = 0 if found else barren + 1
            simulation += 1
        if barren >= self.config.patience:
            self.ending = f"nothing new in {barren} simulations"

    async def _try(self, leaf: Node, seed: int) -> bool:
        """Simulate; a failure below the root ends its branch and is remembered, nothing else."""
        try:
            return await self._simulate(leaf, seed)
        except BudgetSpent:
            raise
        except (EnvError, ModelError) as error:
            if leaf.parent is None:
                raise
            close(leaf)
            self.failures.append(Failure.of(error))
            return False

    async def _simulate(self, leaf: Node, seed: int) -> bool:
        """Visit one leaf, finish the episode from there; True when it is a new trajectory."""
        place = await self._visit(leaf)
        if leaf.visits > 0 or leaf.parent is None:
            await self._expand(leaf, place, seed)
            if leaf.closed:
                return False
            leaf = best_child(leaf, exploration=self.config.exploration, rule=self.config.rule)
            place = await self._visit(leaf)
        runner = self.context.runner
        episode = await runner.run(self.task, seed=seed, start=place)
        self.usage += episode.usage
        if episode.failure is not None:
            self.candidates.append(Candidate(trajectory=episode))
            if episode.stop is StopReason.BUDGET:
                raise episode.failure.error()
            self.failures.append(episode.failure)
            return True
        new = episode.actions not in self._known
        backup(leaf, await self._value(episode))
        if place.observation.terminal or len(place.steps) >= runner.limits.max_steps:
            close(leaf)
        return new

    async def _visit(self, node: Node) -> Point:
        """Take the node's action, on the first visit."""
        if node not in self._places:
            assert node.parent is not None
            above = self._places[node.parent]
            runner = self.context.runner
            (self._places[node],) = await runner.advance(self.task, above, [self._actions[node]])
        return self._places[node]

    async def _expand(self, node: Node, place: Point, seed: int) -> None:
        """Ask the policy for actions, for the first time or again."""
        situation = Situation(task=self.task, steps=place.steps, observation=place.observation)
        proposal = await self.context.runner.propose(
            situation, k=self.config.width, seed=derive(seed, "expand")
        )
        self.usage += proposal.usage
        actions = {action.text: action for action in proposal.actions if action is not None}
        texts = [action.text for action in proposal.actions if action is not None]
        fresh = expand(node, texts, asked=self.config.width)
        self._actions.update({child: actions[child.action] for child in fresh})

    async def _value(self, episode: Trajectory) -> float:
        """The calibrated score, computed once per distinct trajectory."""
        if episode.actions not in self._known:
            (candidate,) = await self.context.scored([episode])
            assert candidate.score is not None
            self.candidates.append(candidate)
            self._known[episode.actions] = candidate.score.calibrated
        return self._known[episode.actions]

    def evidence(self) -> tuple[TreeNode, ...]:
        return tuple(
            TreeNode(
                parent=parent,
                action=node.action,
                prior=node.prior,
                visits=node.visits,
                value=node.best if node.visits else None,
            )
            for parent, node in flatten(self.root)
        )
