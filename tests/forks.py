"""A world for planners: at every fork one of a few letters; what was chosen is the whole state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from armap.answers import LAST_ACTION
from armap.llms.scripted import Scripted
from armap.measures import Measure
from armap.objective import Objective
from armap.planners import AnyPlannerConfig, Context, make_planner, temperature
from armap.policy import PolicyConfig, PromptedPolicy
from armap.protocols import ChatModel, Environment, Planner
from armap.rollout import Runner
from armap.types import Action, Limits, Message, Observation, Score, Task, Trajectory

LETTERS = "abcd"
TASK = Task(env="forks", name="one", split="dev", instruction="Find the way.")


class Forks:
    """Ends after ``depth`` forks. Letters in ``raises`` fail, those in ``hangs`` never answer,
    those in ``changes`` show something else each time they are walked."""

    def __init__(
        self,
        depth: int = 3,
        *,
        raises: str = "",
        hangs: str = "",
        changes: str = "",
        capacity: int | None = None,
    ) -> None:
        self.depth = depth
        self.raises, self.hangs, self.changes = raises, hangs, changes
        self.capacity = capacity
        self.blocking = bool(hangs)
        self.way = ""

    def reset(self, task: Task) -> Observation:
        self.way = ""
        return Observation(text="Way: ")

    def step(self, action: Action) -> Observation:
        if action.text in self.raises:
            raise ValueError(f"the bridge {action.text} is down")
        if action.text in self.hangs:
            GATE.wait(20)
        self.way += action.text
        again = f" ({next(COUNTER)})" if action.text in self.changes else ""
        text = f"Way: {self.way}{again}"
        return Observation(text=text, terminal=len(self.way) >= self.depth)

    def close(self) -> None:
        return


class Crossroads(Forks):
    """Forks with snapshots: it does not matter in which order letters were chosen."""

    def snapshot(self) -> str:
        return "".join(sorted(self.way))

    def restore(self, token: str) -> None:
        self.way = token


GATE = threading.Event()
COUNTER = iter(range(10**9))


class Liking:
    """Likes the letters by their place; raw scores, and the same squeezed into [0, 1]."""

    name = "liking"

    def __init__(self, held_out: Sequence[float] = ()) -> None:
        self.asked: list[Trajectory] = []
        self.held_out = held_out

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        self.asked += trajectories
        return [scored(worth(trajectory.actions)) for trajectory in trajectories]

    def positives(self) -> list[Score]:
        return [scored(raw) for raw in self.held_out]

    async def close(self) -> None:
        return


def worth(way: Sequence[str]) -> float:
    """What a way scores: the later the letters, and the earlier in the way, the more."""
    return sum(LETTERS.index(letter) * 4.0**-place for place, letter in enumerate(way))


def scored(raw: float) -> Score:
    return Score(raw=raw, calibrated=raw / 4.0)


def at_random(messages: Sequence[Message], seed: int) -> str:
    return LETTERS[seed % len(LETTERS)]


def in_turn() -> Callable[[Sequence[Message], int], str]:
    """Every letter once per request of ``len(LETTERS)`` replies."""
    count = iter(range(10**9))
    return lambda messages, seed: LETTERS[next(count) % len(LETTERS)]


def planner(
    config: AnyPlannerConfig,
    *,
    world: Callable[[], Environment] = Forks,
    model: ChatModel | None = None,
    reward: Liking | None = None,
    limits: Limits = Limits(),
    objective: str = "",
    warm: bool = False,
    **more: object,
) -> Planner:
    own = PolicyConfig(temperature=1.0 if warm else None)
    policy = PromptedPolicy(model or Scripted(reply=at_random), own, temperature(config))
    measures = {"last": Measure("letters", "place of the last letter", last_letter)}
    aim = Objective.parse(objective, measures) if objective else None
    context = Context(
        Runner(world, policy, limits),
        reward or Liking(),
        objective=aim,
        answer=LAST_ACTION,
        **more,  # type: ignore[arg-type]
    )
    return make_planner(config, context)


def last_letter(trajectory: Trajectory) -> float:
    return LETTERS.index(trajectory.actions[-1]) if trajectory.actions else 0.0
