"""Regret of the search at equal simulations, against exhaustive search and plain UCT.

    python benchmarks/regret.py [--trees 300]

Synthetic trees: 5 actions, 5 deep. Every edge carries a number and an end is worth the sum of
those above it, squashed to [0, 1], so that values are smooth enough to be searched for and no
prefix tells all. Three policies propose actions: one that knows nothing, one that leans towards
the good, one that leans towards the bad. Regret is the worth of the best end of all minus that of
the best end found. A simulation is one finished trajectory, new or not; a parallel search is told
its results in random order, as many at a time as are in flight. Intervals: 95 %, over the trees;
the last column is the paired difference to plain UCT (UCB1 with mean values, one at a time).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from math import exp
from random import Random
from statistics import fmean, stdev

from armap.planners.search import Expanded, Played, Result, Rules, Search, Simulated, Ticket
from armap.seeding import derive

WIDTH, DEPTH = 5, 5
LETTERS = "abcde"
POLICIES = {"uniform": 0.0, "helpful": 1.0, "misleading": -1.0}


@dataclass
class Tree:
    """One synthetic problem."""

    seed: int
    leaning: float
    _edges: dict[str, float] = field(default_factory=dict)

    def edge(self, path: str) -> float:
        """The number on the edge that ends ``path``."""
        if path not in self._edges:
            self._edges[path] = Random(derive(self.seed, path)).gauss(0, 1)
        return self._edges[path]

    def worth(self, end: str) -> float:
        """Of an end, in [0, 1]."""
        total = sum(self.edge(end[: i + 1]) for i in range(DEPTH))
        return 1 / (1 + exp(-total / 2))

    def draw(self, path: str, rng: Random) -> str:
        """One action of the policy."""
        weights = [exp(self.leaning * self.edge(path + letter)) for letter in LETTERS]
        return rng.choices(LETTERS, weights)[0]

    def best(self) -> float:
        """By looking at every end."""
        ends = [""]
        for _ in range(DEPTH):
            ends = [end + letter for end in ends for letter in LETTERS]
        return max(map(self.worth, ends))


def search(tree: Tree, rules: Rules, simulations: int, parallelism: int) -> float:
    """The worth of the best end found."""
    rng = Random(derive(tree.seed, "order"))
    engine, out, best, done = Search(rules), [], 0.0, 0

    def answer(ticket: Ticket) -> Result:
        nonlocal best, done
        path = "".join(ticket.actions)
        own = Random(derive(tree.seed, ticket.kind, path, ticket.turn))
        if ticket.kind == "expand":
            return Expanded([tree.draw(path, own) for _ in range(WIDTH)], asked=WIDTH)
        if len(path) + ticket.turn + 1 < DEPTH:
            return Played()
        own = Random(derive(tree.seed, "play", path))
        end = path
        while len(end) < DEPTH:
            end += tree.draw(end, own)
        best, done = max(best, tree.worth(end)), done + 1
        return Simulated(tree.worth(end), key=done, over=len(path) == DEPTH)

    while done < simulations:
        while len(out) < parallelism and (ticket := engine.ask()):
            out.append(ticket)
        if not out:
            break
        ticket = out.pop(rng.randrange(len(out)))
        engine.tell(ticket, answer(ticket))
    return best


def rules_of(simulations: int, parallelism: int, **settings: object) -> Rules:
    """The planner's rules at this parallelism."""
    window = 1 if parallelism == 1 else 2 * parallelism
    base = {"trajectories": simulations, "patience": 10**9, "depth": DEPTH, "window": window}
    return Rules(**{**base, **settings})  # type: ignore[arg-type]


PLAIN = {"rule": "uct", "value": "mean", "widening": "none"}
SETTINGS = {
    "default": {},
    "default with virtual loss": {"flight": "virtual_loss"},
    "paper (UCT, best return)": {"rule": "uct", "widening": "none"},
    "plain UCT": PLAIN,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--simulations", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--parallelism", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    options = parser.parse_args()
    heads = ("policy", "simulations", "search", "parallelism", "regret (95 %)", "minus plain UCT")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for policy, leaning in POLICIES.items():
        trees = [Tree(seed, leaning) for seed in range(options.trees)]
        bests = [tree.best() for tree in trees]
        for simulations in options.simulations:
            plain_rules = rules_of(simulations, 1, **PLAIN)
            plain = [
                best - search(tree, plain_rules, simulations, 1)
                for tree, best in zip(trees, bests, strict=True)
            ]
            for name, settings in SETTINGS.items():
                for parallelism in options.parallelism:
                    rules = rules_of(simulations, parallelism, **settings)
                    regrets = [
                        best - search(tree, rules, simulations, parallelism)
                        for tree, best in zip(trees, bests, strict=True)
                    ]
                    gaps = [a - b for a, b in zip(regrets, plain, strict=True)]
                    cells = (policy, simulations, name, parallelism, shown(regrets), shown(gaps))
                    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def shown(values: list[float]) -> str:
    """Mean and interval."""
    mean, half = fmean(values), 1.96 * stdev(values) / len(values) ** 0.5
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f})"


if __name__ == "__main__":
    main()
