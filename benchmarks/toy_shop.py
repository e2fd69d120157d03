"""A toy shop: what one buys, how long one looks and what one pays pull in different directions.

An environment, a shopper in place of a language model and a reader in place of a reward model,
all of ``kind: import``; for ``benchmarks/objectives.py`` and tests. On a shelf stand eight things
of the kind that is asked for. Their prices can be seen, what they are like only by looking, one
action each. Things with more of what is asked for tend to cost more.
"""

from __future__ import annotations

import re
from math import exp
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from armap.errors import EnvError
from armap.measures import Measure
from armap.oracle import Outcome
from armap.seeding import derive
from armap.types import (
    Action,
    Completions,
    Message,
    Observation,
    Sampling,
    Score,
    Split,
    Task,
    Trajectory,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("kettle", "lamp", "chair", "bag", "clock", "blanket")
QUALITIES = ("red", "quiet", "light", "round", "steel", "soft", "small", "foldable", "striped")
SHELF = 8
"""Things on the shelf."""
WANTED = 3
"""Qualities asked for."""
TASKS = 200

_PAID = re.compile(r"Bought item \d+ for (\d+) dollars\.")
_SEEN = re.compile(r"Item (\d+): (.*?) \w+, (\d+) dollars\.")
_ASKED = re.compile(r"Buy a (.*) \w+ for at most (\d+) dollars\.")


class Thing(NamedTuple):
    """Something on the shelf."""

    qualities: tuple[str, ...]
    price: int


class Shop:
    """Actions: ``look N``, and ``buy`` for the thing looked at last, which ends the episode."""

    measures = MappingProxyType(
        {
            "price": Measure(
                "dollars",
                "price of what was bought, 0 for nothing",
                lambda trajectory: float(_paid(trajectory)),
            )
        }
    )

    def __init__(self) -> None:
        self._task: Task | None = None
        self._shelf: list[Thing] = []
        self._at: int | None = None
        self._bought = False

    @staticmethod
    def tasks(split: Split) -> list[Task]:
        """Two hundred of each split."""
        return [_task(split, number) for number in range(TASKS)]

    def reset(self, task: Task) -> Observation:
        """Fill the shelf of ``task``."""
        wanted, kind, _ = _wish(task)
        self._task, self._at, self._bought = task, None, False
        self._shelf = _shelf(wanted, int(str(task.setup["seed"])))
        prices = ", ".join(f"{i}) {thing.price}" for i, thing in enumerate(self._shelf, 1))
        return Observation(text=f"On the shelf, by price in dollars: {prices}. Each is a {kind}.")

    def step(self, action: Action) -> Observation:
        """Look at something, or buy what was looked at."""
        if self._task is None:
            raise EnvError("toy shop: step() before reset()")
        _, kind, _ = _wish(self._task)
        verb, _, number = action.text.partition(" ")
        if verb == "look" and number.isdigit() and 1 <= int(number) <= SHELF:
            self._at = int(number) - 1
            thing = self._shelf[self._at]
            said = ", ".join(thing.qualities) or "plain"
            return Observation(text=f"Item {number}: {said} {kind}, {thing.price} dollars.")
        if verb == "buy" and self._at is not None:
            self._bought = True
            price = self._shelf[self._at].price
            text = f"Bought item {self._at + 1} for {price} dollars."
            return Observation(text=text, terminal=True)
        return Observation(text="Nothing happens.")

    def outcome(self) -> Outcome:
        """Share of the wishes fulfilled, the price being one of them; nothing bought is 0."""
        if self._task is None or self._at is None or not self._bought:
            return Outcome(score=0.0, success=False)
        wanted, _, most = _wish(self._task)
        thing = self._shelf[self._at]
        met = sum(quality in thing.qualities for quality in wanted) + (thing.price <= most)
        return Outcome(score=met / (WANTED + 1), success=met == WANTED + 1)

    def close(self) -> None:
        """Nothing to free."""


class Shopper:
    """Looks around at random; the more of its wishes a thing meets, the likelier it buys."""

    name = "shopper"
    _buys = (0.03, 0.1, 0.35, 0.8)
    """Probability of buying what meets so many wishes."""

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """The next action, by the request's seed."""
        texts = tuple(self._act(messages, derive(sampling.seed, i)) for i in sampling.ordinals)
        words = sum(len(message.content.split()) for message in messages)
        usage = Usage(calls=1, prompt_tokens=words, completion_tokens=2 * sampling.n)
        return Completions(texts=texts, usage=usage)

    async def close(self) -> None:
        """Nothing to free."""

    def _act(self, messages: Sequence[Message], seed: int) -> str:
        rng = Random(seed)
        said = " ".join(message.content for message in messages)
        asked, seen = _ASKED.search(said), _SEEN.findall(said)
        assert asked is not None, said
        if seen:
            qualities = seen[-1][1]
            met = sum(word in qualities.split(", ") for word in asked[1].split(", "))
            if rng.random() < self._buys[met]:
                return "buy"
        unseen = sorted({*range(1, SHELF + 1)} - {int(number) for number, _, _ in seen})
        return f"look {rng.choice(unseen)}" if unseen else "buy"


class Reader:
    """Reads off a trajectory how much of what was asked for was bought, as a learned model might.

    It misreads some qualities of some things, and one trajectory pleases it more than another
    for no reason; asking again gives the same score. It sees what the agent saw, no grade.
    """

    name = "reader"

    def __init__(self, misread: float = 0.1, noise: float = 0.6) -> None:
        """Take the probability of misreading a quality, and the spread of the raw score."""
        self.misread = misread
        self.noise = noise

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
        """``[N] -> [N]``."""
        return [self._one(trajectory) for trajectory in trajectories]

    async def close(self) -> None:
        """Nothing to free."""

    def _one(self, trajectory: Trajectory) -> Score:
        seen = _SEEN.findall(" ".join(step.observation.text for step in trajectory.steps))
        asked = _ASKED.search(trajectory.task.instruction)
        assert asked is not None
        paid, met = _paid(trajectory), 0
        if paid and seen:
            number, qualities, _ = seen[-1]
            met = (paid <= int(asked[2])) + sum(
                (word in qualities.split(", ")) != self._misreads(trajectory.task, number, word)
                for word in asked[1].split(", ")
            )
        mood = Random(derive(0, trajectory.task.name, *trajectory.actions)).gauss(0, self.noise)
        raw = 6 * met / (WANTED + 1) - 3 + mood
        return Score(raw=raw, calibrated=1 / (1 + exp(-raw)))

    def _misreads(self, task: Task, number: str, word: str) -> bool:
        seed = derive(0, task.split, task.name, number, word)
        return Random(seed).random() < self.misread


def _task(split: Split, number: int) -> Task:
    seed = derive(2, split, number)
    rng = Random(seed)
    wanted, kind = rng.sample(QUALITIES, WANTED), rng.choice(KINDS)
    shelf = _shelf(wanted, seed)
    dearest = max(thing.price for thing in shelf if set(wanted) <= {*thing.qualities})
    most = 10 * (dearest // 10) + rng.choice((0, 10, 20))
    return Task(
        env="toy shop",
        name=f"{kind} {number}",
        split=split,
        instruction=f"Buy a {', '.join(wanted)} {kind} for at most {most} dollars.",
        setup={"seed": seed},
    )


def _shelf(wanted: Sequence[str], seed: int) -> list[Thing]:
    """Two things with all that is asked for, the others with less, in any order."""
    rng = Random(derive(seed, "shelf"))
    shelf = []
    for met in (WANTED, WANTED, *(rng.randrange(WANTED) for _ in range(SHELF - 2))):
        others = [quality for quality in QUALITIES if quality not in wanted]
        qualities = rng.sample(list(wanted), met) + rng.sample(others, rng.randrange(3))
        price = round(rng.uniform(30, 70) * (1 + 0.3 * met))
        shelf.append(Thing(tuple(sorted(qualities)), price))
    rng.shuffle(shelf)
    return shelf


def _wish(task: Task) -> tuple[list[str], str, int]:
    """Qualities, kind and highest price that a task asks for."""
    found = re.fullmatch(r"Buy a (.*) (\w+) for at most (\d+) dollars\.", task.instruction)
    if found is None:
        raise EnvError(f"task {task.name!r} is not one of the toy shop")
    return found[1].split(", "), found[2], int(found[3])


def _paid(trajectory: Trajectory) -> int:
    found = _PAID.search(trajectory.final.text)
    return int(found[1]) if found else 0
