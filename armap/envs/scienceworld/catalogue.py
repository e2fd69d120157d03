"""The thirty tasks, their variations and their splits: facts about the simulator, as data.

A task (``boil``) has variations, numbered from 0: which substance, where, what is broken. The
simulator takes a variation out of range for an empty task, silently; here it is an error. Its
native splits are ranges of variations. The papers use a sample of 24 of the tasks (ETO's lists).
"""

from __future__ import annotations

import difflib
import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from armap.errors import EnvError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armap.types import Split

__all__ = ["KINDS", "Kind", "Variation", "find", "listed", "native"]


class Kind(NamedTuple):
    """One of the thirty tasks."""

    number: str
    """As in the paper, e.g. ``1-1``."""
    name: str
    train: int
    """How many variations the native training split has; they come first."""
    dev: int
    test: int
    turns: int | None
    """ETO's cap on the agent's turns; None where ETO has no such task."""

    @property
    def variations(self) -> int:
        """How many there are."""
        return self.train + self.dev + self.test

    @property
    def electrical(self) -> bool:
        """Whether it cannot be done without wires."""
        return "power-component" in self.name or "conductivity" in self.name


class Variation(NamedTuple):
    """One episode that can be played."""

    kind: Kind
    number: int

    @property
    def name(self) -> str:
        """E.g. ``boil/21``."""
        return f"{self.kind.name}/{self.number}"


KINDS: tuple[Kind, ...] = (
    Kind("1-1", "boil", 14, 7, 9, 100),
    Kind("1-2", "melt", 14, 7, 9, 80),
    Kind("1-3", "freeze", 14, 7, 9, 80),
    Kind("1-4", "change-the-state-of-matter-of", 14, 7, 9, 80),
    Kind("2-1", "use-thermometer", 270, 135, 135, 30),
    Kind("2-2", "measure-melting-point-known-substance", 218, 109, 109, 120),
    Kind("2-3", "measure-melting-point-unknown-substance", 150, 75, 75, None),
    Kind("3-1", "power-component", 10, 5, 5, 20),
    Kind("3-2", "power-component-renewable-vs-nonrenewable-energy", 10, 5, 5, 30),
    Kind("3-3", "test-conductivity", 450, 225, 225, 30),
    Kind("3-4", "test-conductivity-of-unknown-substances", 300, 150, 150, 30),
    Kind("4-1", "find-living-thing", 150, 75, 75, 15),
    Kind("4-2", "find-non-living-thing", 150, 75, 75, 15),
    Kind("4-3", "find-plant", 150, 75, 75, 15),
    Kind("4-4", "find-animal", 150, 75, 75, 15),
    Kind("5-1", "grow-plant", 62, 31, 33, 30),
    Kind("5-2", "grow-fruit", 62, 31, 33, 60),
    Kind("6-1", "chemistry-mix", 16, 8, 8, 60),
    Kind("6-2", "chemistry-mix-paint-secondary-color", 18, 9, 9, 15),
    Kind("6-3", "chemistry-mix-paint-tertiary-color", 18, 9, 9, 30),
    Kind("7-1", "lifespan-longest-lived", 62, 31, 32, 10),
    Kind("7-2", "lifespan-shortest-lived", 62, 31, 32, 10),
    Kind("7-3", "lifespan-longest-lived-then-shortest-lived", 62, 31, 32, 12),
    Kind("8-1", "identify-life-stages-1", 6, 3, 5, 30),
    Kind("8-2", "identify-life-stages-2", 4, 2, 4, 30),
    Kind("9-1", "inclined-plane-determine-angle", 84, 42, 42, None),
    Kind("9-2", "inclined-plane-friction-named-surfaces", 692, 346, 348, None),
    Kind("9-3", "inclined-plane-friction-unnamed-surfaces", 80, 40, 42, None),
    Kind("10-1", "mendelian-genetics-known-plant", 60, 30, 30, None),
    Kind("10-2", "mendelian-genetics-unknown-plant", 240, 120, 120, None),
)
"""All tasks, in the paper's order: 7,207 variations."""

_NAMED = {kind.name: kind for kind in KINDS}
_NUMBERED = {kind.number: kind for kind in KINDS}
_ETO_TEST = 10
"""ETO's test list: so many of each task's native test variations, from the first."""


def find(task: str, variation: int) -> Variation:
    """The variation of that number.

    Args:
        task: a name (``boil``), a number of the paper (``1-1``) or an old name (``task-1-boil``).
        variation: from 0.

    Raises:
        EnvError: there is no such task, or it has no such variation.

    >>> find("task-2-power-component-(renewable-vs-nonrenewable-energy)", 3).name
    'power-component-renewable-vs-nonrenewable-energy/3'
    """
    name = re.sub(r"^task-[0-9ab]+-|[()]", "", task)
    kind = _NUMBERED.get(task) or _NAMED.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, _NAMED, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(_NAMED)}"
        raise EnvError(f"scienceworld has no task {task!r}; {hint}")
    if not 0 <= variation < kind.variations:
        raise EnvError(
            f"scienceworld's {kind.name} has variations 0 to {kind.variations - 1}, not {variation}"
        )
    return Variation(kind, variation)


def native(split: Split) -> Iterator[Variation]:
    """The simulator's own splits of all thirty tasks: 3,592 train, 1,796 dev, 1,819 test."""
    for kind in KINDS:
        first, count = {
            "train": (0, kind.train),
            "dev": (kind.train, kind.dev),
            "test": (kind.train + kind.dev, kind.test),
        }[split]
        for number in range(first, first + count):
            yield Variation(kind, number)


@lru_cache
def listed(split: Split) -> tuple[Variation, ...]:
    """ETO's lists, which ARMAP reports on: 1,483 train, 194 dev ("seen"), 211 test ("unseen").

    In the order of ETO's files. "Seen" is meant so: 54 of the 194 are in the training list too.
    """
    content = json.loads(files(__package__).joinpath("eto.json").read_text(encoding="utf-8"))
    kinds = [_NAMED[name] for name in content["tasks"]]
    if split == "test":
        return tuple(
            Variation(kind, kind.train + kind.dev + number)
            for kind in kinds
            for number in range(min(kind.test, _ETO_TEST))
        )
    pairs = content["seen" if split == "dev" else "train"]
    return tuple(Variation(kinds[kind], number) for kind, number in pairs)
