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

__all__ = ["Node", "Selection", "backup", "best_child", "close", "expand", "flatten", "select"]

Selection = Literal["puct", "uct"]


@dataclass(slots=True, eq=False)
class Node:
    """A prefix of an episode: the actions on the way from the root."""

    action: str = ""
    parent: Node | None = None
    count: int = 0
    """How often the policy proposed this action at the parent."""
    children: list[Node] = field(default_factory=list["Node"])
    visits: int = 0
    total: float = 0.0
    best: float = 0.0
    """Highest value backed up through this node (the papers' value)."""
    proposals: int = 0
    """Actions asked for here so far, duplicates included; 0 before the first expansion."""
    closed: bool = False
    """Nothing new can be found below: terminal, or all children closed."""

    @property
    def expanded(self) -> bool:
        """Whether the policy has been asked here."""
        return self.proposals > 0

    @property
    def prior(self) -> float:
        """Share of the policy's proposals at the parent; 1 for the root."""
        return 1.0 if self.parent is None else self.count / self.parent.proposals

    @property
    def wants_more(self) -> bool:
        """Whether as many simulations as proposals have gone through: time to ask again."""
        return self.visits >= self.proposals

    @property
    def mean(self) -> float:
        """Mean of the values backed up; 0 when unvisited."""
        return self.total / self.visits if self.visits else 0.0


def lineage(node: Node) -> Iterator[Node]:
    """The node, its parent, ... the root."""
    current: Node | None = node
    while current is not None:
        yield current
        current = current.parent


def select(root: Node, *, exploration: float, rule: Selection) -> Node | None:
    """Descend to a node where the policy is to be asked (again), or that is new.

    Closed children are passed over; None when everything is closed.
    """
    if root.closed:
        return None
    node = root
    while node.expanded and not node.wants_more:
        node = best_child(node, exploration=exploration, rule=rule)
    return node


def best_child(node: Node, *, exploration: float, rule: Selection) -> Node:
    """The open child that is worth most; ties go to the one that was proposed first.

    Raises:
        ValueError: no child is open.
    """
    open_children = [child for child in node.children if not child.closed]
    return max(open_children, key=lambda child: _worth(child, exploration, rule))


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


def expand(node: Node, proposals: Sequence[str], *, asked: int) -> list[Node]:
    """Give ``node`` one child per distinct proposal; return the new ones.

    May be called again: proposals add up, and with them the priors (progressive widening by the
    policy's own samples). New children come behind the old, most frequent first.

    Args:
        node: where the policy was asked.
        proposals: the actions it proposed, duplicates included.
        asked: how many it was asked for, replies without an action included.
    """
    known = {child.action: child for child in node.children}
    fresh: dict[str, Node] = {}
    for action in proposals:
        child = known.get(action) or fresh.setdefault(action, Node(action=action, parent=node))
        child.count += 1
    node.children += sorted(fresh.values(), key=lambda child: -child.count)
    node.proposals += asked
    if all(child.closed for child in node.children):
        close(node)
    return list(fresh.values())


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
