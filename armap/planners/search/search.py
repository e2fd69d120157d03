"""Monte Carlo tree search as questions and answers.

``ask`` says what to do next, ``tell`` takes what came of it, in any order. Any number of tickets
may be out at a time; what makes that sound is here, so that every loop gets it:

- A ticket marks its path, so that the next one prefers to go elsewhere (virtual loss, or the
  counts alone as in WU-UCT).
- **The result depends on the order of asking, never on that of telling.** Results are applied in
  the order of their tickets, and ticket ``t`` is drawn when exactly those before ``t - window``
  are applied, or, while there is nothing to do, one by one the fewest more that change that. So a
  slow answer holds up nobody until ``window`` tickets are out, and with ``window=1`` the search
  is the sequential one.
- Nothing that was told is thrown away: :meth:`Search.settle` applies what came late.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from armap.planners.search.graph import Edge, Node, close, grow

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from armap.planners.search.rules import Rules

__all__ = ["Expanded", "Failed", "Played", "Result", "Search", "Simulated", "Ticket"]


@dataclass(frozen=True, slots=True)
class Expanded:
    """The policy's proposals at a node."""

    actions: Sequence[str]
    """Duplicates included: their frequency is the prior."""
    asked: int
    """How many were asked for; replies without an action are not among ``actions``."""
    states: Mapping[str, Hashable] | None = None
    """By action the state that it leads to; equal states at equal depths become one node."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """By action what its edge is to carry for the caller."""


@dataclass(frozen=True, slots=True)
class Played:
    """A simulation took a turn and is not at its end: a ticket for the next turn will follow."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A finished trajectory through a node."""

    value: float
    """Of its end, discounted from there to the node."""
    key: Hashable
    """Equal for equal trajectories, which are found once."""
    over: bool = False
    """The node itself is an end: nothing can be done there."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing came of it."""

    close: bool = True
    """Never come back; otherwise it may be tried again."""


Kind = Literal["expand", "simulate"]
Result = Expanded | Played | Simulated | Failed


class Ticket:
    """One thing to do."""

    __slots__ = ("begun", "kind", "number", "path", "seen", "turn")

    def __init__(self, number: int, kind: Kind, path: list[Edge], seen: int) -> None:
        self.number = number
        """Order of asking, from 0."""
        self.kind = kind
        """``expand``: ask the policy for actions. ``simulate``: play on to the end and judge, all
        at once or a turn at a time."""
        self.path = path
        """The edges from the root; none where the root is meant."""
        self.seen = seen
        """Results that were applied before it was drawn: those of the tickets below it."""
        self.begun = number
        """The ticket that began this simulation."""
        self.turn = 0
        """Simulating: turns that were :class:`Played` before. Expanding: proposals asked for
        at this node before."""

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions from the root."""
        return tuple(edge.action for edge in self.path)


class Search:
    """A search in progress.

    >>> from armap.planners.search import Rules
    >>> search = Search(Rules(trajectories=2, depth=1))
    >>> while ticket := search.ask():
    ...     if ticket.kind == "expand":
    ...         search.tell(ticket, Expanded(["left", "right", "right"], asked=3))
    ...     else:
    ...         value = 0.9 if ticket.actions == ("left",) else 0.2
    ...         search.tell(ticket, Simulated(value, key=ticket.actions, over=True))
    >>> [(edge.action, edge.child.best) for edge in search.root.edges]
    [('right', 0.2), ('left', 0.9)]
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.root = Node(0)
        self.found = 0
        """Distinct trajectories whose results are applied."""
        self.barren = 0
        """Simulations in a row that found nothing new."""
        self._choose = rules.chooser()
        self._issued = 0
        self._applied = 0
        self._simulating = 0
        self._playing: deque[Ticket] = deque()
        self._told: dict[int, tuple[Ticket, Result]] = {}
        self._keys: set[Hashable] = set()
        self._states: dict[tuple[int, Hashable], Node] = {}
        self._stopped = False
        self._low, self._high, self._factor = 0.0, 1.0, 1.0

    @property
    def outstanding(self) -> int:
        """Tickets whose results are not told yet."""
        return self._issued - self._applied - len(self._told)

    @property
    def ending(self) -> str:
        """Why there is nothing left to ask; empty while there is."""
        rules = self.rules
        if self.found >= rules.trajectories:
            return f"found {self.found} trajectories"
        if self.root.closed:
            return f"tree exhausted after {self.found} trajectories"
        if self.barren >= rules.patience:
            return f"nothing new in {self.barren} simulations"
        return "stopped" if self._stopped else ""

    def ask(self) -> Ticket | None:
        """Draw the next ticket; None when there is none before more is told, or none at all."""
        while self._applied + self.rules.window <= self._issued:
            if not self._apply():
                return None
        while (ticket := self._next()) is None and self._apply():
            pass
        return ticket

    def tell(self, ticket: Ticket, result: Result) -> None:
        """Take what came of a ticket, once.

        Raises:
            TypeError: it does not fit the ticket's kind.
            ValueError: it was told already.
        """
        if ticket.number < self._applied or ticket.number in self._told:
            raise ValueError(f"ticket {ticket.number} was told already")
        fits = (ticket.kind == "expand") is isinstance(result, Expanded)
        if not fits and not isinstance(result, Failed):
            kind = type(result).__name__
            raise TypeError(f"ticket {ticket.number} is to {ticket.kind}, and got {kind}")
        self._told[ticket.number] = ticket, result
        while self._applied + self.rules.window <= self._issued and self._apply():
            pass

    def stop(self) -> None:
        """Draw no more tickets."""
        self._stopped = True

    def settle(self) -> None:
        """Apply what was told and waits for its turn, once every ticket was told.

        After :meth:`stop` there may be simulations that are not at their end; they leave no trace.

        Raises:
            ValueError: tickets are outstanding.
        """
        while self._apply():
            pass
        while self._playing:
            self._land(self._playing.popleft())
        if self.outstanding:
            raise ValueError(f"{self.outstanding} tickets are outstanding; tell Failed() at least")

    def _next(self) -> Ticket | None:
        if self._playing and not self._stopped:
            return self._go_on(self._playing.popleft())
        if self.ending or self.found + self._simulating >= self.rules.trajectories:
            return None
        return self._draw()

    def _draw(self) -> Ticket | None:
        """Descend from the root, around what waits for its first proposals."""
        choose, low, factor = self._choose, self._low, self._factor
        wants_more = self.rules.wants_more
        skip: set[Node] = set()
        while True:
            node, path = self.root, list[Edge]()
            while node.edges and not wants_more(node):
                edge = choose(node, skip, low, factor)
                if edge is None:
                    break
                path.append(edge)
                node = edge.child
            else:
                kind = self._kind(node)
                if kind is not None:
                    return self._issue(kind, path, node)
            if node is self.root:
                return None
            skip.add(node)

    def _kind(self, node: Node) -> Kind | None:
        """What to do at a leaf; None when that is being done already."""
        if node.depth >= self.rules.depth:
            return None if node.flying else "simulate"
        if node.parents and not (node.asked or node.visits or node.flying):
            return "simulate"
        return None if node.busy else "expand"

    def _go_on(self, before: Ticket) -> Ticket:
        """The next turn of a simulation; its marks on the path are there already."""
        ticket = Ticket(self._issued, "simulate", before.path, self._applied)
        ticket.begun, ticket.turn = before.begun, before.turn + 1
        self._issued += 1
        return ticket

    def _issue(self, kind: Kind, path: list[Edge], node: Node) -> Ticket:
        ticket = Ticket(self._issued, kind, path, self._applied)
        self._issued += 1
        self.root.flying += 1
        for edge in path:
            edge.flying += 1
            edge.child.flying += 1
        if kind == "expand":
            ticket.turn = node.asked
            node.busy = True
        else:
            self._simulating += 1
        return ticket

    def _apply(self) -> bool:
        """Apply the next result in order, if it was told."""
        told = self._told.pop(self._applied, None)
        if told is None:
            return False
        self._applied += 1
        ticket, result = told
        if isinstance(result, Played):
            self._playing.append(ticket)
            return True
        self._land(ticket)
        match result:
            case Expanded():
                self._expand(self._node(ticket), result)
            case Simulated():
                self._back_up(ticket, result)
            case Failed():
                self._fail(ticket, result)
        return True

    def _land(self, ticket: Ticket) -> None:
        """Take the ticket's marks away."""
        self.root.flying -= 1
        for edge in ticket.path:
            edge.flying -= 1
            edge.child.flying -= 1
        if ticket.kind == "expand":
            self._node(ticket).busy = False
        else:
            self._simulating -= 1

    def _node(self, ticket: Ticket) -> Node:
        return ticket.path[-1].child if ticket.path else self.root

    def _expand(self, node: Node, result: Expanded) -> None:
        fresh = grow(node, result.actions, asked=result.asked)
        edges = node.edges
        assert edges is not None
        for action, count in fresh.items():
            edge = Edge(node, self._child(node, action, result), action, result.notes.get(action))
            edge.count = count
            edges.append(edge)
        if self._states:
            self._raise([edge.child for edge in edges if edge.child.visits])
        if all(edge.child.closed for edge in edges):
            close(node)

    def _child(self, node: Node, action: str, result: Expanded) -> Node:
        """A new node, or the one of the same state."""
        depth = node.depth + 1
        if result.states is None:
            return Node(depth)
        return self._states.setdefault((depth, result.states[action]), Node(depth))

    def _back_up(self, ticket: Ticket, result: Simulated) -> None:
        """Credit a value to the path, and the best of it to other paths to the same states."""
        value, discount = result.value, self.rules.discount
        self._widen(value)
        for edge in reversed(ticket.path):
            edge.visits += 1
            _credit(edge.child, value)
            value *= discount
        _credit(self.root, value)
        if self._states:
            self._raise([edge.child for edge in ticket.path])
        new = result.key not in self._keys
        self._keys.add(result.key)
        self.found += new
        self.barren = 0 if new else self.barren + 1
        if result.over:
            close(self._node(ticket))

    def _raise(self, rising: list[Node]) -> None:
        """Let the best return of merged nodes reach all their parents."""
        while rising:
            node = rising.pop()
            value = node.best * self.rules.discount
            for edge in node.parents:
                above = edge.parent
                if above.best < value:
                    above.best = value
                    rising.append(above)

    def _fail(self, ticket: Ticket, result: Failed) -> None:
        node = self._node(ticket)
        self.barren += 1
        if ticket.kind == "expand" and node.edges:
            node.asked += 1
        elif result.close:
            close(node)

    def _widen(self, value: float) -> None:
        """Take note of the range of values."""
        if self.rules.scale == "unit":
            return
        seen = self.found > 0
        self._low = min(self._low, value) if seen else value
        self._high = max(self._high, value) if seen else value
        spread = self._high - self._low
        self._factor = 1 / spread if spread > 0 else 0.0


def _credit(node: Node, value: float) -> None:
    if value > node.best:
        node.best = value
    node.visits += 1
    node.total += value
