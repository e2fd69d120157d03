"""ScienceWorld: how fast, how large, how repeatable, and what is left behind.

    python benchmarks/scienceworld.py steps         # against the official wrapper, in one run
    python benchmarks/scienceworld.py memory        # of one JVM over many episodes
    python benchmarks/scienceworld.py determinism   # random rollouts, replayed elsewhere
    python benchmarks/scienceworld.py orphans       # what outlives its parent
    python benchmarks/scienceworld.py search        # the simulator's work for a tree

Each prints JSON lines. Needs Java and `pip install -e '.[scienceworld]'`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from random import Random
from statistics import median
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).parents[1])  # not this folder: this file has the package's name

from armap.envs.scienceworld.catalogue import Variation, find, native
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig
from armap.envs.scienceworld.simulator import Launch, Simulator
from armap.planners.context import Context
from armap.planners.mcts import MCTS, MCTSConfig
from armap.rollout import Runner
from armap.seeding import derive
from armap.types import Action, Limits, Proposal, Score, Task, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.types import Situation, Trajectory

ROOT = Path(__file__).parents[1]
FREE = ScienceWorldConfig(protocol="native", ticks=100_000)
LISTED = FREE.model_copy(update={"actions": "listed"})
PLAYED = ("boil", "find-plant", "grow-plant", "lifespan-longest-lived", "power-component")


def tell(**row: object) -> None:
    print(json.dumps(row), flush=True)


def task_of(variation: Variation) -> Task:
    return Task(
        env="scienceworld",
        name=variation.name,
        split="train",
        instruction="",
        setup={"task": variation.kind.name, "variation": variation.number},
    )


def solutions(variations: list[Variation]) -> dict[Variation, tuple[str, ...]]:
    """Forty actions at most that solve each."""
    simulator, found = Simulator(Launch()), {}
    simulator.start()
    for variation in variations:
        simulator.load(variation.kind.name, variation.number, "easy", gold=True)
        found[variation] = simulator.gold()[:40]
    simulator.close()
    return found


def steps(arguments: argparse.Namespace) -> None:
    """The same actions through both, task by task in turn, so that both meet the same weather.

    Both are warm: a JVM lives for hundreds of episodes, and compiles what it does often.
    """
    import scienceworld

    official = scienceworld.ScienceWorldEnv("", envStepLimit=100_000)
    ours = {"free": ScienceWorld(FREE), "listed": ScienceWorld(LISTED)}

    def official_episode(variation: Variation, actions: tuple[str, ...]) -> float:
        official.load(variation.kind.name, variation.number, "easy", generateGoldPath=False)
        official.reset()
        return timed(official.step, actions)

    def our_episode(mode: str, variation: Variation, actions: tuple[str, ...]) -> float:
        ours[mode].reset(task_of(variation))
        return timed(lambda text: ours[mode].step(Action(text=text)), actions)

    paths = solutions([find(name, n) for n in range(arguments.rounds) for name in PLAYED])
    for variation, actions in list(paths.items())[: len(PLAYED)]:
        official_episode(variation, actions)
        our_episode("listed", variation, actions)
        for _ in range(12):  # an official step does some ten times the work
            our_episode("free", variation, actions)
    rows = []
    for variation, actions in paths.items():
        row = {"official": official_episode(variation, actions)}
        row |= {mode: our_episode(mode, variation, actions) for mode in ours}
        rows.append(row)
        rounded = {what: round(ms, 2) for what, ms in row.items()}
        tell(task=variation.name, steps=len(actions), ms=rounded)
    official.close()
    for mode, env in ours.items():
        env.close()
        tell(
            measured=f"steps per second, {mode} against official",
            official_ms=round(median(row["official"] for row in rows), 2),
            ours_ms=round(median(row[mode] for row in rows), 2),
            ratio=round(median(row["official"] / row[mode] for row in rows), 2),
        )


def timed(step: Callable[[str], object], actions: tuple[str, ...]) -> float:
    """Milliseconds a step."""
    begin = time.perf_counter()
    for text in actions:
        step(text)
    return (time.perf_counter() - begin) / len(actions) * 1000


def memory(arguments: argparse.Namespace) -> None:
    """Resident memory of one JVM, whose replacement is put off."""
    env = ScienceWorld(FREE.model_copy(update={"memory_mb": 100_000, "episodes": 100_000}))
    rng = Random(0)
    everything = list(native("train"))
    for episode in range(1, arguments.episodes + 1):
        env.reset(task_of(rng.choice(everything)))
        for _ in range(20):
            env.step(Action(text=rng.choice(("look around", "wait", "open door", "inventory"))))
            env.step(Action(text=f"teleport to {rng.choice(('kitchen', 'outside', 'workshop'))}"))
        if episode % 50 == 0:
            tell(measured="memory", episodes=episode, mb=round(env.memory_mb or 0))
    env.close()


def rollouts(count: int, length: int) -> list[tuple[Task, tuple[str, ...], tuple[str, ...]]]:
    """Tasks with random valid actions and what was seen; no commitments, which end episodes."""
    env, rng, made = ScienceWorld(LISTED), Random(7), []
    everything = list(native("train"))
    for _ in range(count):
        task = task_of(rng.choice(everything))
        seen = env.reset(task)
        actions, texts = [], [seen.text]
        while len(actions) < length and not seen.terminal:
            allowed = [choice for choice in seen.choices if not choice.startswith("focus")]
            actions.append(rng.choice(allowed))
            seen = env.step(Action(text=actions[-1]))
            texts.append(seen.text)
        made.append((task, tuple(actions), tuple(texts)))
    env.close()
    return made


def determinism(arguments: argparse.Namespace) -> None:
    """Rollouts recorded with listing, replayed with and without in other JVMs."""
    made = rollouts(arguments.rollouts, arguments.length)
    tell(measured="recorded", rollouts=len(made), steps=sum(len(actions) for _, actions, _ in made))
    for size in arguments.pools:
        for config in (FREE, LISTED):
            pool: SimpleQueue[ScienceWorld] = SimpleQueue()
            for _ in range(size):
                pool.put(ScienceWorld(config))

            def replayed(
                item: tuple[Task, tuple[str, ...], tuple[str, ...]],
                pool: SimpleQueue[ScienceWorld] = pool,
            ) -> bool:
                task, actions, texts = item
                env = pool.get()
                try:
                    seen = [env.reset(task).text]
                    seen += [env.step(Action(text=text)).text for text in actions]
                finally:
                    pool.put(env)
                return tuple(seen) == texts

            with ThreadPoolExecutor(size) as threads:
                same = list(threads.map(replayed, made))
            for _ in range(size):
                pool.get().close()
            tell(
                measured="replayed",
                actions=config.actions,
                pool=size,
                rollouts=len(same),
                diverged=same.count(False),
            )


_CHILD = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from benchmarks.scienceworld import FREE, find, task_of
from armap.envs.scienceworld.env import ScienceWorld
envs = [ScienceWorld(FREE) for _ in range(2)]
for env in envs:
    env.reset(task_of(find("boil", 0)))
print(*[env.pid for env in envs], flush=True)
{ending}
"""
ENDINGS = {
    "normal end": "",
    "exception": "raise ValueError",
    "Ctrl-C": "time.sleep(60)",
    "kill -9": "time.sleep(60)",
}
SIGNALS = {"Ctrl-C": signal.SIGINT, "kill -9": signal.SIGKILL}


def orphans(arguments: argparse.Namespace) -> None:
    """Two JVMs each; looked for two seconds after the end of their parent."""
    del arguments
    for name, ending in ENDINGS.items():
        script = _CHILD.format(root=str(ROOT), ending=ending)
        with subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as child:
            assert child.stdout is not None
            pids = child.stdout.readline().split()
            if name in SIGNALS:
                child.send_signal(SIGNALS[name])
            child.wait(30)
        time.sleep(2)
        left = [pid for pid in pids if _runs(pid)]
        tell(measured="orphans", after=name, started=len(pids), left=len(left))


def _runs(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.is_file() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


ROOMS = ("kitchen", "outside", "workshop", "greenhouse", "art studio", "bathroom", "foundry")
DOINGS = (
    *(f"teleport to {room}" for room in ROOMS),
    *(f"pick up {thing}" for thing in ("thermometer", "orange", "shovel", "metal pot")),
    *("look around", "inventory", "wait1", "open cupboard", "open fridge", "activate stove"),
)
POLICIES = {"varied": DOINGS, "peaked": ("look around",) * 8 + DOINGS[:2]}
"""What a scripted policy draws from: equally, or four times of five the same."""


class Drawn:
    """A policy that draws actions by the request's seed."""

    def __init__(self, name: str) -> None:
        self.name, self._from = name, POLICIES[name]

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:  # noqa: ARG002
        texts = (Random(derive(seed, index)).choice(self._from) for index in range(k))
        return Proposal(actions=tuple(Action(text=text) for text in texts), usage=Usage())

    async def close(self) -> None:
        return


class Luck:
    """A reward for nothing: drawn by the actions."""

    name = "luck"

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        drawn = [Random(derive(*trajectory.actions)).random() for trajectory in trajectories]
        return [Score(raw=value, calibrated=value) for value in drawn]

    async def close(self) -> None:
        return


def search(arguments: argparse.Namespace) -> None:
    """Simulator steps per step that is new in the tree: 3 wide, 10 deep, 30 simulations, 4 JVMs.

    A new trajectory costs its ten steps at least, of which those are new that no other has.
    """
    tasks = [task_of(find(name, 0)) for name in PLAYED[: arguments.rounds]]
    for policy in POLICIES:
        for parallelism, window in ((1, None), (4, None), (4, 8)):
            settings = MCTSConfig(
                trajectories=30, width=3, depth=10, parallelism=parallelism, window=window
            )
            rows = asyncio.run(_searched(settings, policy, tasks))
            tell(measured="search", policy=policy, parallelism=parallelism, window=window, **rows)


async def _searched(settings: MCTSConfig, policy: str, tasks: list[Task]) -> dict[str, float]:
    """Search one task after the other; what the simulators had to do for it."""
    runner = Runner(lambda: ScienceWorld(FREE), Drawn(policy), Limits(max_steps=10))
    planner = MCTS(settings, Context(runner=runner, reward=Luck()))
    begin, new = time.perf_counter(), 0
    for task in tasks:
        plan = await planner.plan(task, seed=0)
        taken = {c.trajectory.actions[: n + 1] for c in plan.candidates for n in range(10)}
        new += len(taken)
    await runner.close()
    counts = runner.counts
    return {
        "new": new,
        "steps": counts.steps,
        "replayed": counts.replayed,
        "known": counts.known,
        "resets": counts.resets,
        "ratio": round(counts.steps / new, 2),
        "seconds": round(time.perf_counter() - begin, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=list(KINDS))
    parser.add_argument(
        "--rounds", type=int, default=3, help="of steps: five tasks each; of search: tasks"
    )
    parser.add_argument("--episodes", type=int, default=200, help="of memory")
    parser.add_argument("--rollouts", type=int, default=100, help="of determinism")
    parser.add_argument("--length", type=int, default=40, help="actions of a rollout")
    parser.add_argument("--pools", type=int, nargs="+", default=[1, 4], help="of determinism")
    arguments = parser.parse_args()
    KINDS[arguments.what](arguments)


KINDS = {
    "steps": steps,
    "memory": memory,
    "determinism": determinism,
    "orphans": orphans,
    "search": search,
}


if __name__ == "__main__":
    main()
