"""Nodes and edges of a search. No model, no environment, no randomness.

A node is a state, an edge an action that the policy proposed there. Without merging every node
has one parent and the graph is a tree; with it, equal states at equal depths are one node.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Edge", "Node", "close", "flatten", "grow"]


class Node:
    """A state, with what the simulations through it found."""

    __slots__ = (
        "asked",
        "best",
        "busy",
        "closed",
        "depth",
        "edges",
        "flying",
        "parents",
        "total",
        "visits",
    )

    def __init__(self, depth: int) -> None:
        self.depth = depth
        """Actions from the root."""
        self.parents: tuple[Edge, ...] = ()
        """The edges that lead here: one in a tree, none at the root."""
        self.edges: list[Edge] | None = None
        """What the policy proposed, most frequent first; None before it was asked."""
        self.asked = 0
        """Proposals asked for so far, duplicates and replies without an action included."""
        self.visits = 0
        """Simulations through here whose results are in."""
        self.flying = 0
        """Tickets through here whose results are not in yet."""
        self.total = 0.0
        self.best = -inf
        """Highest value backed up (the papers' value)."""
        self.busy = False
        """The policy is being asked."""
        self.closed = False
        """Nothing new can be found below."""

    @property
    def mean(self) -> float:
        """Mean of the values backed up; 0 when unvisited."""
        return self.total / self.visits if self.visits else 0.0


class Edge:
    """An action at a state."""

    __slots__ = ("action", "child", "count", "flying", "note", "parent", "visits")

    def __init__(self, parent: Node, child: Node, action: str, note: Any) -> None:
        self.parent = parent
        self.child = child
        self.action = action
        self.note = note
        """The caller's own."""
        self.count = 0
        """How often the policy proposed it."""
        self.visits = 0
        self.flying = 0
        child.parents += (self,)

    @property
    def prior(self) -> float:
        """Share of the policy's proposals at the parent."""
        return self.count / self.parent.asked


def grow(node: Node, actions: Sequence[str], *, asked: int) -> dict[str, int]:
    """Count proposals at ``node``; return those that have no edge yet with their counts.

    Args:
        node: where the policy was asked.
        actions: what it proposed, duplicates included.
        asked: how many it was asked for.
    """
    edges = node.edges if node.edges is not None else []
    known = {edge.action: edge for edge in edges}
    fresh: dict[str, int] = {}
    for action in actions:
        if action in known:
            known[action].count += 1
        else:
            fresh[action] = fresh.get(action, 0) + 1
    node.edges = edges
    node.asked += asked
    return dict(sorted(fresh.items(), key=lambda item: -item[1]))


def close(node: Node) -> None:
    """Mark a node as exhausted, and those above it that have nothing else left."""
    if node.closed:
        return
    node.closed = True
    rising = [edge.parent for edge in node.parents]
    while rising:
        above = rising.pop()
        if not above.closed and all(edge.child.closed for edge in above.edges or ()):
            above.closed = True
            rising += [edge.parent for edge in above.parents]


def flatten(root: Node) -> Iterator[tuple[int | None, Edge | None, int | None]]:
    """Every edge in breadth-first order, the root first.

    Yields the index of the parent's entry, the edge (None for the root) and, for an edge to a
    node that was listed before, the index of that entry; what is below is listed there.
    """
    first: dict[Node, int] = {root: 0}
    queue: list[tuple[int | None, Edge | None, Node]] = [(None, None, root)]
    for index, (parent, edge, node) in enumerate(queue):
        same = first.setdefault(node, index)
        yield parent, edge, None if same == index else same
        if same == index:
            queue.extend((index, below, below.child) for below in node.edges or ())
