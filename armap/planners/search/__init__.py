"""The search itself: pure, in your loop or in :class:`~armap.planners.mcts.MCTS`'s."""

from armap.planners.search.graph import Edge, Node, flatten
from armap.planners.search.rules import Rules
from armap.planners.search.search import Expanded, Failed, Played, Result, Search, Simulated, Ticket

__all__ = [
    "Edge",
    "Expanded",
    "Failed",
    "Node",
    "Played",
    "Result",
    "Rules",
    "Search",
    "Simulated",
    "Ticket",
    "flatten",
]
