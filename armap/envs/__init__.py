"""Environments, and the table that names them.

What is built here cannot grade: the ``outcome`` method exists only on the environments of
:mod:`armap.envs.graded`, which evaluation alone may import.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from pydantic import Field

from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.measures import MEASURES as GAME24_MEASURES
from armap.envs.game24.puzzles import tasks as game24_tasks
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig
from armap.envs.scienceworld.measures import MEASURES as SCIENCEWORLD_MEASURES
from armap.envs.scienceworld.tasks import describe, variations
from armap.envs.ungraded import Ungraded
from armap.errors import ConfigError
from armap.measures import COMMON, Measure
from armap.plugins import ImportConfig, load
from armap.storage import read_records
from armap.types import Record, Split, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.protocols import Environment

__all__ = [
    "KINDS",
    "AnyEnvConfig",
    "EnvConfig",
    "TaskSelection",
    "make_env",
    "make_measures",
    "narrow",
    "read_tasks",
    "select_tasks",
]

T = TypeVar("T")

KINDS = ("game24", "scienceworld")
"""Built-in environment kinds."""

AnyEnvConfig = Game24Config | ScienceWorldConfig | ImportConfig
EnvConfig = Annotated[AnyEnvConfig, Field(discriminator="kind")]


class TaskSelection(Record):
    """Which tasks a run works on."""

    split: Split = "train"
    first: int = Field(default=0, ge=0)
    """Skip so many tasks of the split."""
    limit: int | None = Field(default=None, gt=0)
    """At most so many tasks; None for all."""
    file: str | None = None
    """JSON Lines of tasks (as ``armap tasks --json`` prints them) instead of a split."""


def make_env(config: AnyEnvConfig) -> Environment:
    """Build the environment that ``config`` describes, without its grade."""
    match config:
        case Game24Config():
            return Game24(config)
        case ScienceWorldConfig():
            return ScienceWorld(config)
        case ImportConfig():
            return Ungraded(cast("Environment", load(config.target)(**config.options)))


def make_measures(config: AnyEnvConfig) -> dict[str, Measure]:
    """The measures of this environment's trajectories by name, the common ones included.

    Raises:
        ConfigError: an imported environment's ``measures`` are none.
    """
    own: Mapping[str, Measure]
    match config:
        case Game24Config():
            own = GAME24_MEASURES
        case ScienceWorldConfig():
            own = SCIENCEWORLD_MEASURES
        case ImportConfig():
            own = getattr(load(config.target), "measures", {})
            if not isinstance(own, Mapping) or not all(
                isinstance(measure, Measure) for measure in own.values()
            ):
                raise ConfigError(
                    f"{config.target}: measures must map names to armap.measures.Measure"
                )
    return {**COMMON, **own}


def select_tasks(config: AnyEnvConfig, selection: TaskSelection) -> list[Task]:
    """The tasks that a run works on.

    Raises:
        ConfigError: nothing is left of the selection.
    """
    if selection.file is not None:
        found = read_tasks(Path(selection.file))
    elif isinstance(config, ScienceWorldConfig):
        chosen = narrow(variations(config, selection.split), selection)
        return describe(config, chosen, split=selection.split)
    else:
        found = _split(config, selection.split)
    return narrow(found, selection)


def narrow(found: Sequence[T], selection: TaskSelection) -> list[T]:
    """Apply ``first`` and ``limit``.

    Raises:
        ConfigError: nothing is left.
    """
    end = None if selection.limit is None else selection.first + selection.limit
    chosen = list(found[selection.first : end])
    if not chosen:
        raise ConfigError(
            f"tasks: nothing left of {len(found)} tasks after first={selection.first}"
        )
    return chosen


def read_tasks(path: Path) -> list[Task]:
    """Read tasks from JSON Lines."""
    return list(read_records(path, Task))


def _split(config: Game24Config | ImportConfig, split: Split) -> list[Task]:
    match config:
        case Game24Config():
            return game24_tasks(split)
        case ImportConfig():
            target = load(config.target)
            if not hasattr(target, "tasks"):
                raise ConfigError(f"{config.target}: give it tasks(split), or set tasks.file")
            return list(target.tasks(split))
