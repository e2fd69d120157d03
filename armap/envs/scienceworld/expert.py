"""An expert that follows the simulator's own solution, with slips: for offline data and tests.

It knows what no agent may know. It can collect (``armap collect`` with ``expert:``), and its
name says what it is in every trajectory; ``armap plan`` has no way to use it, and refuses to
grade a choice among its episodes.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from armap.envs.scienceworld.env import keeper_of, read_setup
from armap.errors import EnvError
from armap.seeding import derive
from armap.types import Action, Proposal, Record, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.envs.scienceworld.env import ScienceWorldConfig
    from armap.types import Situation, Task

__all__ = ["EXPERT", "ExpertConfig", "NoisyExpert", "next_action"]

EXPERT = "expert/"
"""How the names of policies begin that know the solutions: nothing learned may be claimed."""


class ExpertConfig(Record):
    """Settings of the noisy expert."""

    kind: Literal["scienceworld"] = "scienceworld"
    error: float = Field(default=0.15, ge=0.0, le=1.0)
    """Chance of a slip at each turn; 0 for the solution itself."""


class NoisyExpert:
    """A :class:`~armap.protocols.Policy` that looks the solution up.

    What it does next depends on the actions so far and on the seed alone. The search for a
    solution takes 0.3 to 12 seconds, once a task, in a JVM of its own: a new one for each task,
    for which of several solutions is found depends on what the JVM has done before.

    Args:
        config: how often it slips.
        env: the world that it acts in.
    """

    def __init__(self, config: ExpertConfig, env: ScienceWorldConfig) -> None:
        self._config = config
        self._simplification = env.simplification
        self._keeper = keeper_of(env.model_copy(update={"episodes": 1}))
        self._paths: dict[str, tuple[str, ...]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="armap-expert")

    @property
    def name(self) -> str:
        """Says that it is an expert, and how often it slips."""
        return f"{EXPERT}scienceworld error {self._config.error:g}"

    async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
        """The solution's next action, or a slip, ``k`` times.

        Raises:
            EnvError: the simulator finds no solution.
        """
        loop = asyncio.get_running_loop()
        path = await loop.run_in_executor(self._thread, self.path, situation.task)
        done = [step.action.text for step in situation.steps]
        actions = tuple(
            Action(text=next_action(path, done, self._config.error, Random(derive(seed, index))))
            for index in range(k)
        )
        return Proposal(actions=actions, usage=Usage())

    async def close(self) -> None:
        """End the thread and the JVM, also in the middle of a search."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._keeper.close)  # the expert's own thread may be busy

    def path(self, task: Task) -> tuple[str, ...]:
        """The simulator's solution of ``task``; blocks while it is searched for.

        Raises:
            EnvError: there is none.
        """
        variation, _ = read_setup(task)
        if variation.name not in self._paths:
            simulator = self._keeper.load(variation, self._simplification, gold=True)
            found = simulator.gold()
            if not found or found[0].startswith("ERROR"):
                raise EnvError(f"the simulator has no solution for {variation.name}: {found[:1]}")
            self._paths[variation.name] = found
        return self._paths[variation.name]


_AHEAD = 3
"""So many actions of the solution at most does a slip leave out."""


def next_action(path: Sequence[str], done: Sequence[str], error: float, rng: Random) -> str:
    """The action of ``path`` that follows on ``done``, or a slip.

    After the end of the path (something went wrong on the way) it tries parts of it again.

    >>> next_action(["open door", "go out", "wait"], ["open door", "look around"], 0.0, Random(0))
    'go out'
    """
    at = 0
    for text in done:
        near = path[at : at + 1 + _AHEAD]
        at += near.index(text) + 1 if text in near else 0
    if at >= len(path):
        return rng.choice(path)
    if rng.random() >= error:
        return path[at]
    return rng.choice(_SLIPS)(path, at, rng)


def _left_out(path: Sequence[str], at: int, rng: Random) -> str:
    return path[min(at + rng.randint(1, _AHEAD), len(path) - 1)]


def _distracted(path: Sequence[str], at: int, rng: Random) -> str:
    del path, at
    rooms = ("kitchen", "bathroom", "hallway", "workshop", "art studio", "greenhouse", "outside")
    return rng.choice(("look around", "inventory", "wait1", f"go to {rng.choice(rooms)}"))


def _other_object(path: Sequence[str], at: int, rng: Random) -> str:
    """The right verb, and what another action of the solution is about."""
    verb, *_ = path[at].split(" on ") if " on " in path[at] else path[at].split(" ")
    joint = " on " if " on " in path[at] else " "
    others = [text.split(joint, 1)[1] for text in path if joint in text and text != path[at]]
    return f"{verb}{joint}{rng.choice(others)}" if others else "look around"


def _premature(path: Sequence[str], at: int, rng: Random) -> str:
    """A commitment before its time, or a repeated action."""
    later = [text for text in path[at:] if text.startswith("focus ")]
    return later[-1] if later else rng.choice(path)


_SLIPS: tuple[Callable[[Sequence[str], int, Random], str], ...] = (
    _left_out,
    _distracted,
    _other_object,
    _premature,
)
