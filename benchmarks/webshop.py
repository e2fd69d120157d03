"""How fast WebShop is: steps per CPU second, construction, snapshots, memory, in one process.

    python benchmarks/webshop.py [--data DIR] [--seconds 10]

Random clicks and searches in episodes of 15 steps, the available actions at each step, resets
included. CPU time of this process, because machines are shared.
"""

from __future__ import annotations

import argparse
import tracemalloc
from random import Random
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.webshop.config import EMBEDDED, View, WebShopConfig
from armap.envs.webshop.env import WebShop
from armap.envs.webshop.tasks import make_task
from armap.envs.webshop.world import open_world
from armap.types import Action

if TYPE_CHECKING:
    from armap.types import Observation, Task

STEPS = 15
ROUNDS = 5
VIEWS: tuple[View, ...] = ("text", "text_rich", "html_text")


class Speed(NamedTuple):
    """CPU seconds and counts."""

    clicks: int
    click_seconds: float
    searches: int
    search_seconds: float

    @property
    def clicks_a_second(self) -> float:
        return self.clicks / self.click_seconds

    @property
    def steps_a_second(self) -> float:
        return (self.clicks + self.searches) / (self.click_seconds + self.search_seconds)


def walk(env: WebShop, tasks: list[Task], seconds: float, random: Random) -> Speed:
    """Random episodes for about so many CPU seconds; a reset counts as a click."""
    spent, counts = [0.0, 0.0], [0, 0]
    while sum(spent) < seconds:
        task = random.choice(tasks)
        words = task.instruction.split()
        started = process_time()
        seen = env.reset(task)
        spent[0] += process_time() - started
        counts[0] += 1
        for _ in range(STEPS):
            action = choose(seen, words, random)
            searching = action.startswith("search")
            started = process_time()
            seen = env.step(Action(text=action))
            spent[searching] += process_time() - started
            counts[searching] += 1
            if seen.terminal:
                break
    return Speed(counts[0], spent[0], counts[1], spent[1])


def choose(seen: Observation, words: list[str], random: Random) -> str:
    """Any of the actions that the page offers; a search is for words of the instruction."""
    action = random.choice(seen.choices)
    if action == "search[...]":
        return f"search[{' '.join(random.sample(words, min(len(words), random.randint(2, 12))))}]"
    return action


def timed(work: object, number: int) -> float:
    """Median CPU seconds of one call, over rounds."""
    assert callable(work)
    found = []
    for _ in range(ROUNDS):
        started = process_time()
        for _ in range(number):
            work()
        found.append((process_time() - started) / number)
    return median(found)


def live(config: WebShopConfig, tasks: list[Task], count: int) -> int:
    """Bytes that so many environments in the middle of an episode add."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    envs = []
    for number in range(count):
        env = WebShop(config)
        env.reset(tasks[number % len(tasks)])
        env.step(Action(text="search[shoes]"))
        envs.append(env)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(envs) == count
    return after - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=EMBEDDED, help="folder of the official files")
    parser.add_argument("--seconds", type=float, default=4.0, help="CPU seconds of each round")
    given = parser.parse_args()
    config = WebShopConfig(data=given.data, goals="synthetic", max_steps=None)
    started = process_time()
    world = open_world(config)
    print(f"| data | {len(world.shop.catalogue.products):,} products, {len(world.goals):,} goals |")
    print("|---|---|")
    print(f"| loaded in | {process_time() - started:.2f} CPU s |")
    count = min(500, len(world.goals))
    tasks = [make_task(world, index, split="test") for index in range(count)]
    for view in VIEWS:
        env = WebShop(config.model_copy(update={"observation": view}))
        found = [walk(env, tasks, given.seconds, Random(n)) for n in range(ROUNDS)]
        clicks = median(speed.clicks_a_second for speed in found)
        steps = median(speed.steps_a_second for speed in found)
        search = median(speed.search_seconds / speed.searches for speed in found)
        print(f"| {view}: clicks a CPU second | {clicks:,.0f} |")
        print(f"| {view}: all steps a CPU second | {steps:,.0f} |")
        print(f"| {view}: a search | {search * 1e6:,.0f} us |")
    env = WebShop(config)
    env.reset(tasks[0])
    env.step(Action(text="search[shoes]"))
    print(f"| construction | {timed(lambda: WebShop(config), 2_000) * 1e6:.1f} us |")
    both = timed(lambda: env.restore(env.snapshot()), 20_000)
    print(f"| snapshot and restore | {both * 1e6:.2f} us |")
    print(f"| 1,000 live environments | {live(config, tasks, 1_000) / 1e6:.2f} MB |")


if __name__ == "__main__":
    main()
