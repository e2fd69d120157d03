"""Game of 24 intents: four numbers and a target, as a task."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from armap.envs.game24.arithmetic import show
from armap.envs.game24.env import read_setup
from armap.envs.game24.rules import instruction, listing
from armap.types import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from armap.types import Split

__all__ = ["make_task", "retarget"]


def make_task(
    numbers: Sequence[int | Fraction],
    *,
    split: Split,
    target: Fraction | int = 24,
    turns: int | None = None,
) -> Task:
    """Describe one game.

    >>> make_task((4, 5, 6, 10), split="test").instruction
    'Make 24 from 4 5 6 10.'
    >>> make_task((4, 5, 6, 10), split="train", target=25).name
    '4 5 6 10 -> 25'
    """
    given = tuple(sorted(map(Fraction, numbers)))
    goal = Fraction(target)
    name = listing(given) + ("" if goal == 24 else f" -> {show(goal)}")
    setup: dict[str, JsonValue] = {"numbers": [show(n) for n in given], "target": show(goal)}
    if turns is not None:
        setup["turns"] = turns
    return Task(
        env="game24",
        name=name,
        split=split,
        instruction=instruction(given, goal),
        setup=setup,
    )


def retarget(task: Task, target: Fraction) -> Task:
    """The same numbers and turns, another intent.

    Raises:
        EnvError: ``task`` is not a Game of 24.
    """
    given, _ = read_setup(task)
    turns = task.setup.get("turns")
    limit = turns if isinstance(turns, int) else None
    return make_task(given, split=task.split, target=target, turns=limit)
