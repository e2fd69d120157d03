"""Monte Carlo tree search as a textbook has it: one recursive step after the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from armap.planners.search import Rules
    from tests.unit.planners.test_search import World


@dataclass(eq=False)
class Place:
    path: tuple[str, ...]
    count: int = 0
    asked: int = 0
    below: list[Place] = field(default_factory=list)
    visits: int = 0
    total: float = 0.0
    best: float = -inf
    over: bool = False


def plain_search(world: World, rules: Rules) -> list[tuple[str, int, float, float | None]]:
    """Search ``world``; every node breadth first as (action, visits, total, best)."""
    root = Place(())
    seen: set[tuple[str, ...]] = set()
    barren = 0
    while len(seen) < rules.trajectories and barren < rules.patience and not root.over:
        end = _simulate(world, rules, root)
        if end is None:
            continue
        barren = barren + 1 if end in seen else 0
        seen.add(end)
    queue = [root]
    for place in queue:
        queue.extend(place.below)
    return [
        (p.path[-1] if p.path else "", p.visits, p.total, p.best if p.visits else None)
        for p in queue
    ]


def _simulate(world: World, rules: Rules, root: Place) -> tuple[str, ...] | None:
    """One simulation; None when the policy was asked instead."""
    line = [root]
    while line[-1].asked and line[-1].visits < line[-1].asked:
        line.append(_choose(rules, line[-1]))
    leaf = line[-1]
    if leaf is root or (leaf.visits and len(leaf.path) < rules.depth):
        _ask(world, leaf)
        _exhaust(line)
        return None
    end = world.end(leaf.path)
    value = world.worth(end)
    for place in reversed(line):
        place.visits += 1
        place.total += value
        place.best = max(place.best, value)
        value *= rules.discount
    if len(leaf.path) == world.depth:
        leaf.over = True
        _exhaust(line[:-1])
    return end


def _ask(world: World, place: Place) -> None:
    known = {below.path[-1]: below for below in place.below}
    fresh: Counter[str] = Counter()
    for action in world.proposals(place.path, place.asked):
        if action in known:
            known[action].count += 1
        else:
            fresh[action] += 1
    for action in sorted(fresh, key=lambda action: -fresh[action]):
        place.below.append(Place((*place.path, action), count=fresh[action]))
    place.asked += 4


def _exhaust(line: list[Place]) -> None:
    for place in reversed(line):
        if place.asked and all(below.over for below in place.below):
            place.over = True


def _choose(rules: Rules, above: Place) -> Place:
    def worth(place: Place) -> float:
        mean = above.total / above.visits if above.visits else 0.0
        found = place.best if rules.value == "max" else place.total / (place.visits or 1)
        value = found if place.visits else mean
        c, n = rules.exploration, place.visits
        if rules.rule == "puct":
            return value + c * sqrt(above.visits or 1) / above.asked * place.count / (1 + n)
        if rules.rule == "released":
            return value + c * sqrt(log(above.visits + 1)) / (1 + n)
        return value + c * sqrt(log(max(above.visits, 1))) / sqrt(n) if n else inf

    return max((place for place in above.below if not place.over), key=worth)
