"""ARMAP-M as a planner: one search per task, with the policy and the reward model behind it.

ARMAP section 4.1: nodes are states, edges are actions proposed by the policy, a node's value is
the highest reward found below it, and the answer is the best trajectory seen. Against the
released code: every finished episode is a candidate exactly once, terminal ones included; each
distinct trajectory is scored once; the budget counts distinct trajectories; scores are
calibrated before they meet the exploration constant; priors are the policy's own frequencies; and
a node that is visited much is asked for more actions, so that ten proposals are no ceiling.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.calls import session_scope
from armap.planners.context import argmax, give_up, remark
from armap.planners.mcts.work import Work
from armap.planners.reflection import require_reflective
from armap.planners.search import Search, flatten
from armap.seeding import derive
from armap.types import Plan, TreeNode, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armap.planners.context import Context
    from armap.planners.mcts.config import MCTSConfig
    from armap.planners.search import Node
    from armap.types import Task

__all__ = ["MCTS", "evidence"]


@dataclass(frozen=True, slots=True)
class MCTS:
    """Tree search, ``parallelism`` calls at a time within a task; many tasks run side by side."""

    config: MCTSConfig
    context: Context
    name: str = "mcts"

    async def plan(self, task: Task, *, seed: int) -> Plan:
        """Search until the budget is spent or nothing new is found.

        Raises:
            ConfigError: ``reflect: llm`` with a policy that cannot.
            EnvError: the task does not even begin.
        """
        if self.config.reflect == "llm":
            require_reflective(self.context)
        unit = self.context.objective is None and self.config.values == "calibrated"
        runner = self.context.runner
        own = derive(seed, task.split, task.name)
        with session_scope(task, seed):
            root = await runner.begin(task)
            few, max_steps = runner.capacity is not None, runner.limits.max_steps
            search = Search(self.config.rules(max_steps=max_steps, unit=unit, few=few))
            work = Work(self.config, self.context, task, own, search, root)
            await self._search(search, work)
        candidates, failures = work.candidates, work.failures
        chosen = argmax(candidates)
        if chosen is None:
            give_up(failures)
        return Plan(
            task=task,
            planner=self.name,
            objective=self.context.aim,
            candidates=tuple(candidates),
            chosen=chosen,
            usage=sum(work.costs, Usage()),
            tree=tuple(evidence(search.root)),
            failures=tuple(failures),
            remark=remark(_ending(search, work), failures),
        )

    async def _search(self, search: Search, work: Work) -> None:
        """Keep ``parallelism`` tickets in work until the search asks for nothing more."""
        flying: set[asyncio.Task[None]] = set()
        landed: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        try:
            while True:
                while len(flying) < self.config.parallelism and (ticket := search.ask()):
                    task = asyncio.create_task(work.do(ticket))
                    flying.add(task)
                    task.add_done_callback(landed.put_nowait)
                if not flying:
                    break
                task = await landed.get()
                flying.remove(task)
                task.result()
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
            work.leave()
        search.settle()


def evidence(root: Node) -> Iterator[TreeNode]:
    """The nodes of a finished search for ``Plan.tree``, breadth first."""
    for parent, edge, same in flatten(root):
        node = root if edge is None else edge.child
        yield TreeNode(
            parent=parent,
            action="" if edge is None else edge.action,
            prior=1.0 if edge is None else edge.prior,
            visits=node.visits if edge is None else edge.visits,
            value=node.best if node.visits else None,
            same=same,
        )


def _ending(search: Search, work: Work) -> str:
    """How the search ended, if not by its budget of trajectories."""
    if work.cut is not None:
        return f"budget spent after {search.found} trajectories"
    return "" if search.found >= search.rules.trajectories else search.ending
