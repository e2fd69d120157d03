"""The search tree and the moves on it. No model, no environment, no randomness.

Values are calibrated scores in [0, 1], so one exploration constant serves every reward model
(the released ARMAP code adds a constant of 6.36 to raw logits, which makes the search breadth
first or depth first by accident of scale).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, sqrt
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Node", "Selection", "backup", "close", "expand", "flatten", "select"]

Selection = Literal["puct", "uct"]


@dataclass(slots=True, eq=False)
class Node:
    """A prefix of an episode: the actions on the way from the root."""

    action: str = ""
    parent: Node | None = None
    prior: float = 1.0
    """Share of the policy's proposals at the parent."""
    children: list[Node] = field(default_factory=list["Node"])
    visits: int = 0
    total: float = 0.0
    best: float = 0.0
    """Highest value backed up through this node (the papers' value)."""
    expanded: bool = False
    closed: bool = False
    """Nothing new can be found below: terminal, or all children closed."""

    @property
    def mean(self) -> float:
        """Mean of the values backed up; 0 when unvisited."""
        return self.total / self.visits if self.visits else 0.0

    @property
    def path(self) -> tuple[str, ...]:
        """The actions from the root to here."""
        return tuple(node.action for node in reversed(list(lineage(self))) if node.parent)


def lineage(node: Node) -> Iterator[Node]:
    """The node, its parent, ... the root."""
    current: Node | None = node
    while current is not None:
        yield current
        current = current.parent


def select(root: Node, *, exploration: float, rule: Selection) -> Node | None:
    """Descend to a node that is not expanded yet, past closed ones; None when all are closed.

    Ties go to the child that was proposed first.
    """
    if root.closed:
        return None
    node = root
    while node.expanded:
        open_children = [child for child in node.children if not child.closed]
        node = max(open_children, key=lambda child: _worth(child, exploration, rule))
    return node


def _worth(node: Node, exploration: float, rule: Selection) -> float:
    """Value plus bonus of a child.

    ``puct`` (AlphaZero): ``best + c * prior * sqrt(N) / (1 + n)``. ``uct`` (UCB1 on trees):
    ``best + c * sqrt(ln N / n)``, unvisited children first. Values are the best return below, as
    in ARMAP; an unvisited child takes its parent's mean, so it is neither damned nor hailed.
    """
    assert node.parent is not None
    above = node.parent
    value = node.best if node.visits else above.mean
    if rule == "puct":
        return value + exploration * node.prior * sqrt(max(above.visits, 1)) / (1 + node.visits)
    if node.visits == 0:
        return float("inf")
    return value + exploration * sqrt(log(max(above.visits, 1)) / node.visits)


def expand(node: Node, proposals: Sequence[str]) -> None:
    """Give ``node`` one child per distinct proposal, most frequent first, with its share."""
    counts: dict[str, int] = {}
    for action in proposals:
        counts[action] = counts.get(action, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    node.children = [
        Node(action=action, parent=node, prior=count / len(proposals)) for action, count in ordered
    ]
    node.expanded = True
    if not node.children:
        close(node)


def backup(node: Node, value: float) -> None:
    """Credit ``value`` to the node and all its ancestors."""
    for ancestor in lineage(node):
        ancestor.best = value if ancestor.visits == 0 else max(ancestor.best, value)
        ancestor.visits += 1
        ancestor.total += value


def close(node: Node) -> None:
    """Mark a node as exhausted, and its ancestors as far as they have nothing else left."""
    node.closed = True
    for ancestor in lineage(node):
        if ancestor.expanded and all(child.closed for child in ancestor.children):
            ancestor.closed = True


def flatten(root: Node) -> Iterator[tuple[int | None, Node]]:
    """Every node in breadth-first order with the index of its parent."""
    queue: list[tuple[int | None, Node]] = [(None, root)]
    for index, (parent, node) in enumerate(queue):
        yield parent, node
        queue.extend((index, child) for child in node.children)
