"""What the tree search costs, and what parallel search in one tree gains.

    python benchmarks/search.py [overhead] [memory] [parallel]

``overhead``: CPU microseconds a simulation with a policy that costs nothing (width 5), beside
llm-reasoners, treequest and mctx where they are installed. ``memory``: bytes a node. ``parallel``:
a toy environment and an in-process model that answers after 50 ms; one tree at parallelism 1, 4 and
16, and 100 trees that share 128 calls in flight. Every row is the median of five; a JSON line
each, then a table.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
import tracemalloc
from collections import deque
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from armap.batching import for_each
from armap.cli.stages import spare_the_collector
from armap.planners import Context
from armap.planners.mcts import MCTS, MCTSConfig
from armap.planners.search import Expanded, Rules, Search, Simulated, flatten
from armap.policy import PromptedPolicy
from armap.rollout import Runner
from armap.seeding import derive
from armap.types import (
    Action,
    Completions,
    Limits,
    Message,
    Observation,
    Plan,
    Sampling,
    Score,
    Task,
    Trajectory,
    Usage,
)
from benchmarks.search_peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 5
LATENCY = 0.05
REPEATS = 5


def grow(simulations: int, depth: int, **settings: object) -> Search:
    """A search of the synthetic tree."""
    rng = Random(0)
    values = [rng.random() for _ in range(simulations)]
    actions = [str(i) for i in range(WIDTH)]
    base = {"trajectories": simulations, "depth": depth, "patience": simulations}
    search = Search(Rules(**{**base, "widening": "none", **settings}))  # type: ignore[arg-type]
    done = 0
    while ticket := search.ask():
        if ticket.kind == "expand":
            search.tell(ticket, Expanded(actions, asked=WIDTH))
        else:
            search.tell(ticket, Simulated(values[done], key=done))
            done += 1
    return search


def ours(**settings: object) -> object:
    """Timed as the peers are."""

    def run(simulations: int, width: int, depth: int) -> float:
        assert width == WIDTH
        gc.collect()
        begun = time.process_time()
        grow(simulations, depth, **settings)
        return time.process_time() - begun

    return run


def overhead() -> None:
    """CPU a simulation."""
    rows = {"armap, PUCT": ours(), "armap, UCT": ours(rule="uct"), **PEERS}
    for depth in (4, 10):
        for simulations in (100, 1_000, 10_000):
            for name, run in rows.items():
                slow = name not in {"armap, PUCT", "armap, UCT", "mctx"} and simulations > 1_000
                if run is None or (slow and not OPTIONS.all):
                    continue
                seconds = median(run(simulations, WIDTH, depth) for _ in range(REPEATS))  # type: ignore[operator]
                micros = seconds / simulations * 1e6
                show("overhead", depth=depth, simulations=simulations, search=name, micros=micros)


def memory() -> None:
    """Bytes a node, edges, lists and action texts included."""
    for depth, simulations in ((4, 500), (10, 10_000)):
        gc.collect()
        tracemalloc.start()
        search = grow(simulations, depth)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        nodes = sum(1 for _ in flatten(search.root))
        show("memory", depth=depth, nodes=nodes, bytes_a_node=size / nodes)


class Letters:
    """Four letters, one after the other."""

    def __init__(self) -> None:
        self.text = ""

    def reset(self, task: Task) -> Observation:  # noqa: ARG002
        self.text = ""
        return self.observe()

    def step(self, action: Action) -> Observation:
        self.text += action.text
        return self.observe()

    def observe(self) -> Observation:
        return Observation(text=f"so far: {self.text}", terminal=len(self.text) == 4)

    def snapshot(self) -> str:
        return self.text

    def restore(self, token: str) -> None:
        self.text = token

    def close(self) -> None:
        return


class Slow:
    """Proposes letters after 50 ms, so many requests at a time; counts what it answered.

    As with a server and our HTTP client, a slot is taken again the moment it is free, whatever the
    program is busy with, and replies are handed on one per turn of the loop.
    """

    name = "slow"

    def __init__(self, cap: int) -> None:
        self.calls = 0
        self.free = cap
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.ready: deque[asyncio.Future[None]] = deque()

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:  # noqa: ARG002
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(answered)
        self.admit()
        await answered
        self.calls += 1
        rng = Random(sampling.seed)
        texts = tuple(rng.choice("abcdefghijkl") for _ in range(sampling.n))
        return Completions(texts=texts, usage=Usage(calls=1))

    def admit(self) -> None:
        while self.free and self.waiting:
            self.free -= 1
            asyncio.get_running_loop().call_later(LATENCY, self.answer, self.waiting.popleft())

    def answer(self, answered: asyncio.Future[None]) -> None:
        self.free += 1
        self.admit()
        self.ready.append(answered)
        if len(self.ready) == 1:
            asyncio.get_running_loop().call_soon(self.hand_on)

    def hand_on(self) -> None:
        self.ready.popleft().set_result(None)
        if self.ready:
            asyncio.get_running_loop().call_soon(self.hand_on)

    async def close(self) -> None:
        return


class Luck:
    """A reward that costs nothing."""

    name = "luck"

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        worth = [Random(derive(0, *t.actions)).random() for t in trajectories]
        return [Score(raw=value, calibrated=value) for value in worth]

    async def close(self) -> None:
        return


async def forest(trees: int, trajectories: int, parallelism: int, cap: int) -> dict[str, float]:
    """Plan ``trees`` tasks side by side."""
    model = Slow(cap)
    runner = Runner(Letters, PromptedPolicy(model), Limits(max_steps=4))
    config = MCTSConfig(trajectories=trajectories, width=WIDTH, parallelism=parallelism)
    planner = MCTS(config, Context(runner, Luck()))
    plans: list[Plan] = []

    async def one(number: int) -> None:
        task = Task(env="letters", name=str(number), split="dev", instruction="Write.")
        plans.append(await planner.plan(task, seed=0))

    begun, cpu = time.perf_counter(), time.process_time()
    await for_each(range(trees), one, concurrency=trees)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    paid = sum(plan.usage.calls for plan in plans)
    return {
        "calls": model.calls,
        "discarded": model.calls - paid,
        "wall": wall,
        "rate": model.calls / wall,
        "cpu_ms_a_call": cpu / model.calls * 1e3,
        "trajectories_a_second": sum(len(plan.candidates) for plan in plans) / wall,
    }


def parallel() -> None:
    """One tree, then a hundred."""
    for parallelism in (1, 4, 16):
        trajectories = 100 if parallelism == 1 else 400
        runs = [asyncio.run(forest(1, trajectories, parallelism, 128)) for _ in range(REPEATS)]
        row = middle(runs)
        if parallelism == 1:
            alone = row
        show(
            "one tree",
            parallelism=parallelism,
            calls=row["calls"],
            speedup=row["rate"] / alone["rate"],
            speedup_in_trajectories=row["trajectories_a_second"] / alone["trajectories_a_second"],
            discarded=row["discarded"],
        )
    for parallelism in (1, 4, 16):
        row = middle([asyncio.run(forest(100, 100, parallelism, 128)) for _ in range(REPEATS)])
        ideal = min(128, 100 * parallelism) / LATENCY
        show(
            "100 trees",
            parallelism=parallelism,
            calls=row["calls"],
            rate=row["rate"],
            share_of_ideal=row["rate"] / ideal,
            cpu_ms_a_call=row["cpu_ms_a_call"],
            discarded=row["discarded"],
        )


def middle(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Median of each figure."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


TABLES: dict[str, list[dict[str, object]]] = {}


def show(table: str, **row: object) -> None:
    """Print a row as JSON and keep it for the table."""
    shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
    TABLES.setdefault(table, []).append(shown)
    print(json.dumps({"table": table, **shown}), file=sys.stderr, flush=True)


PARTS = {"overhead": overhead, "memory": memory, "parallel": parallel}
PARSER = argparse.ArgumentParser(description=__doc__)
PARSER.add_argument("parts", nargs="*", metavar="|".join(PARTS), default=list(PARTS))
PARSER.add_argument("--all", action="store_true", help="peers at 10,000 simulations too: minutes")
OPTIONS = PARSER.parse_args(None if __name__ == "__main__" else [])

if __name__ == "__main__":
    spare_the_collector()
    for part in OPTIONS.parts:
        PARTS[part]()
    for title, rows in TABLES.items():
        print(f"\n## {title}\n\n| " + " | ".join(rows[0]) + " |")
        print("|" + "---|" * len(rows[0]))
        for row in rows:
            print("| " + " | ".join(map(str, row.values())) + " |")
