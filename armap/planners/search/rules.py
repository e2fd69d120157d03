"""How a search decides where to go next: selection rules, widening, tickets in flight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, log, sqrt
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from armap.planners.search.graph import Edge, Node

__all__ = ["Chooser", "Flight", "Rule", "Rules", "Scale", "Unvisited", "Value", "Widening"]

Rule = Literal["puct", "uct", "released"]
Value = Literal["max", "mean"]
Unvisited = Literal["parent", "zero"]
Widening = Literal["resample", "progressive", "none"]
Flight = Literal["virtual_loss", "wu_uct"]
Scale = Literal["unit", "seen"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of a search; :class:`~armap.planners.mcts.MCTSConfig` explains each."""

    trajectories: int = 10
    """Distinct results wanted."""
    depth: int = 10
    """Nodes this deep are simulated, never expanded."""
    rule: Rule = "puct"
    exploration: float = 1.0
    value: Value = "max"
    discount: float = 1.0
    unvisited: Unvisited = "parent"
    widening: Widening = "resample"
    widening_factor: float = 1.0
    widening_power: float = 0.5
    flight: Flight = "wu_uct"
    virtual_loss: float = 1.0
    window: int = 1
    patience: int = 20
    scale: Scale = "unit"
    """``unit``: values are in [0, 1]. ``seen``: they are anything, and are scaled to [0, 1] by the
    lowest and the highest seen so far (as in MuZero), so that ``exploration`` means the same."""

    def opened(self, node: Node) -> int:
        """How many edges of ``node`` may be taken, most frequent first."""
        edges = node.edges or ()
        if self.widening != "progressive":
            return len(edges)
        visits = max(node.visits + node.flying, 1)
        return max(1, ceil(self.widening_factor * float(visits**self.widening_power)))

    def wants_more(self, node: Node) -> bool:
        """Whether it is time to ask the policy again at a node that has edges.

        ``resample``: as many simulations went through as there were proposals.
        ``progressive``: besides, all edges are open already.
        """
        if self.widening == "none" or node.busy or node.visits + node.flying < node.asked:
            return False
        return self.widening == "resample" or self.opened(node) > len(node.edges or ())

    def chooser(self) -> Chooser:  # noqa: C901, PLR0915  (one function: it is the hot loop)
        """The selection rule as a function.

        With ``N`` visits of the node, ``n`` of the edge and tickets in flight counted in both
        (WU-UCT, arXiv 1810.11755), an edge is worth its child's value plus

        - ``puct`` (AlphaZero): ``c * prior * sqrt(N) / (1 + n)``;
        - ``uct`` (UCB1 on trees): ``c * sqrt(ln N / n)``, every edge once first;
        - ``released`` (ARMAP's code): ``c * sqrt(ln(N + 1)) / (1 + n)``.

        Virtual loss makes the value of a child with ``m`` visits and ``o`` tickets in flight
        ``m / (m + loss * o)`` of what it was.
        """
        rule, exploration, by_best = self.rule, self.exploration, self.value == "max"
        lost = self.virtual_loss if self.flight == "virtual_loss" else 0.0
        by_parent, progressive = self.unvisited == "parent", self.widening == "progressive"
        puct, uct = rule == "puct", rule == "uct"

        def choose(  # noqa: C901, PLR0912
            node: Node, skip: set[Node], low: float, factor: float
        ) -> Edge | None:
            visits = node.visits
            passed = visits + node.flying
            if puct:
                bonus = exploration * sqrt(passed or 1) / node.asked
            else:
                bonus = exploration * sqrt(log(max(passed, 1) if uct else passed + 1))
            unvisited = (node.total / visits - low) * factor if by_parent and visits else 0.0
            top, found = -inf, None
            edges = node.edges or ()
            for edge in edges[: self.opened(node)] if progressive else edges:
                child = edge.child
                if child.closed or (child.busy and child.edges is None):
                    continue
                if skip and child in skip:
                    continue
                tried = edge.visits + edge.flying
                if uct and not tried:
                    return edge
                n = child.visits
                if n:
                    worth = ((child.best if by_best else child.total / n) - low) * factor
                else:
                    worth = unvisited
                if lost and child.flying:
                    worth *= n / (n + lost * child.flying)
                if puct:
                    worth += bonus * edge.count / (1 + tried)
                else:
                    worth += bonus / (sqrt(tried) if uct else 1 + tried)
                if worth > top:
                    top, found = worth, edge
            return found

        return choose


Chooser = Callable[["Node", "set[Node]", float, float], "Edge | None"]
"""``choose(node, skip, low, factor)``: the edge of ``node`` that is worth most, ties to the
first; None when all are closed, in ``skip`` or wait for their first proposals. A value ``v``
counts as ``(v - low) * factor``."""
