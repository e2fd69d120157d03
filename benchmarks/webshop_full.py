"""One load of a large catalogue, and searches in it; what a run of armap would do.

    python benchmarks/webshop_full.py FOLDER

Run it twice: the first time the index is built. See ``webshop_full.sh``.
"""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.env import WebShop
from armap.envs.webshop.search.bm25 import Bm25
from armap.envs.webshop.tasks import make_task
from armap.envs.webshop.world import open_world
from armap.types import Action

if TYPE_CHECKING:
    from armap.envs.webshop.world import World

WORDS = 10
QUERIES = 200
STEPS = 1_000


def resident() -> float:
    """Memory of this process now, in GB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e9


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")  # noqa: TID251
    folder = Path(sys.argv[1])
    known = any((folder / ".armap").glob("*/header.json"))
    started = perf_counter()
    config = WebShopConfig(data=str(folder), size="full", goals="human", max_steps=None)
    world = open_world(config)
    seconds = perf_counter() - started
    count = len(world.shop.catalogue.products)
    print(f"| {'later' if known else 'first'} load of {count:,} products | {seconds:.1f} s |")
    print(f"| ... CPU time | {process_time():.1f} s |")
    print(f"| resident after it | {resident():.2f} GB |")
    queries(world)
    walk(config, world)
    print(f"| resident at the end | {resident():.2f} GB |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"| peak | {peak:.2f} GB |")


def queries(world: World) -> None:
    """Words drawn from one product each, so that something is found."""
    random, times, before = Random(0), [], process_time()
    engine = Bm25(world.shop.catalogue.postings)
    for _ in range(QUERIES):
        text = world.shop.product(random.randrange(len(world.shop.prices))).contents.split()
        query = " ".join(random.choice(text) for _ in range(WORDS))
        started = perf_counter()
        engine.search(query)
        times.append(perf_counter() - started)
    spent = (process_time() - before) / QUERIES
    times.sort()
    print(f"| a query of {WORDS} words, median | {median(times) * 1e3:.1f} ms |")
    print(f"| ... 95th percentile | {times[int(0.95 * QUERIES)] * 1e3:.1f} ms |")
    print(f"| ... CPU time, mean | {spent * 1e3:.1f} ms |")


def walk(config: WebShopConfig, world: World) -> None:
    """Random clicks among the results of one search."""
    random, env = Random(0), WebShop(config)
    task = make_task(world, 0, split="test")
    seen = env.reset(task)
    started = process_time()
    for _ in range(STEPS):
        action = random.choice(seen.choices)
        seen = env.step(Action(text="search[shoes]" if "..." in action else action))
        if seen.terminal:
            seen = env.reset(task)
    print(f"| steps a CPU second | {STEPS / (process_time() - started):,.0f} |")


if __name__ == "__main__":
    main()
