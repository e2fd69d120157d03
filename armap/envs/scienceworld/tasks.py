"""ScienceWorld's tasks. What each asks for is in the simulator's words, so it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.envs.scienceworld.catalogue import listed, native
from armap.envs.scienceworld.env import keeper_of
from armap.envs.scienceworld.rules import PROTOCOLS
from armap.types import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from armap.envs.scienceworld.catalogue import Variation
    from armap.envs.scienceworld.env import ScienceWorldConfig
    from armap.types import Split

__all__ = ["Descriptions", "describe", "variations"]


def variations(config: ScienceWorldConfig, split: Split) -> list[Variation]:
    """What the protocol's split holds, in the order of the protocol."""
    eto = PROTOCOLS[config.protocol].eto
    return list(listed(split) if eto else native(split))


def describe(
    config: ScienceWorldConfig, chosen: Iterable[Variation], *, split: Split
) -> Iterator[Task]:
    """The tasks of some variations, one by one: one load each, 30 to 60 ms.

    Raises:
        ConfigError: Java or the simulator is missing.
        EnvError: the simulator failed.
    """
    keeper = keeper_of(config)
    try:
        for variation in chosen:
            simulator = keeper.load(variation, config.simplification)
            yield Task(
                env="scienceworld",
                name=variation.name,
                split=split,
                instruction=simulator.description(),
                setup={"task": variation.kind.name, "variation": variation.number},
            )
    finally:
        keeper.close()


@dataclass(frozen=True)
class Descriptions:
    """Tasks whose number is known; what they ask for is found out by iterating over them."""

    config: ScienceWorldConfig
    chosen: Sequence[Variation]
    split: Split

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[Task]:
        return describe(self.config, self.chosen, split=self.split)
