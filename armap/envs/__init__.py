"""Environments, and the table that names them.

What is built here cannot grade: the ``outcome`` method exists only on the environments of
:mod:`armap.envs.graded`, which evaluation alone may import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from pydantic import Field

from armap.answers import FinalAnswer
from armap.envs.game24.answers import FINAL_ANSWER as GAME24_ANSWER
from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.measures import MEASURES as GAME24_MEASURES
from armap.envs.game24.puzzles import tasks as game24_tasks
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig
from armap.envs.scienceworld.measures import MEASURES as SCIENCEWORLD_MEASURES
from armap.envs.scienceworld.tasks import Descriptions, variations
from armap.envs.ungraded import Ungraded
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.measures import MEASURES as WEBSHOP_MEASURES
from armap.errors import ConfigError
from armap.measures import COMMON, Measure
from armap.plugins import ImportConfig, load
from armap.storage import read_records
from armap.types import Record, Split, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.protocols import Environment
    from armap.types import Trajectory

__all__ = [
    "KINDS",
    "AnyEnvConfig",
    "EnvConfig",
    "Found",
    "TaskSelection",
    "find_tasks",
    "fingerprint",
    "learnable",
    "make_answer",
    "make_env",
    "make_measures",
    "make_pictures",
    "narrow",
    "read_tasks",
    "reserved",
    "select_tasks",
]

T = TypeVar("T")

KINDS = ("game24", "scienceworld", "webshop")
"""Built-in environment kinds."""

AnyEnvConfig = Game24Config | ScienceWorldConfig | WebShopConfig | ImportConfig
EnvConfig = Annotated[AnyEnvConfig, Field(discriminator="kind")]


Found = list[Task] | Descriptions
"""Tasks that are at hand, or that an environment tells one by one while they are iterated over."""


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
        case WebShopConfig():
            from armap.envs.webshop.env import WebShop

            return WebShop(config)
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
        case WebShopConfig():
            own = WEBSHOP_MEASURES
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


def make_answer(config: AnyEnvConfig) -> FinalAnswer | None:
    """How the answers of this environment's trajectories are compared; None if it does not say.

    Raises:
        ConfigError: an imported environment's ``final_answer`` is something else.
    """
    match config:
        case Game24Config():
            return GAME24_ANSWER
        case ScienceWorldConfig() | WebShopConfig():
            return None
        case ImportConfig():
            own = getattr(load(config.target), "final_answer", None)
            if own is not None and not isinstance(own, FinalAnswer):
                raise ConfigError(
                    f"{config.target}: final_answer must be an armap.answers.FinalAnswer"
                )
            return own


def make_pictures(config: AnyEnvConfig) -> Callable[[str], str] | None:
    """What makes a ``data:`` URL of a reference in ``Observation.images``; None without images.

    References that are none of the environment's are left as they are.

    Raises:
        ConfigError: Pillow, product pictures or a typeface are missing.
    """
    if not isinstance(config, WebShopConfig) or config.images == "off":
        return None
    try:
        from armap.envs.webshop.images.pictures import open_pictures
    except ImportError as error:
        raise ConfigError(
            f"env.images: page needs Pillow: pip install 'armap[webshop]' ({error})"
        ) from error
    from armap.envs.webshop.images.reference import SCHEME

    pictures = open_pictures(config)
    return lambda text: pictures.data_url(text) if text.startswith(SCHEME) else text


def fingerprint(config: AnyEnvConfig) -> dict[str, str]:
    """Digests of the data behind an environment: equal where two runs' numbers are comparable.

    Empty for an environment that is all in its configuration.
    """
    match config:
        case WebShopConfig():
            from armap.envs.webshop.world import open_world

            return {**open_world(config).fingerprint, "splits": config.splits}
        case Game24Config() | ScienceWorldConfig() | ImportConfig():
            return {}


def reserved(config: AnyEnvConfig) -> frozenset[str]:
    """Names of things that test and development tasks are about, for pairs to keep away from."""
    match config:
        case WebShopConfig():
            from armap.envs.webshop.tasks import reserved_products

            return reserved_products(config)
        case Game24Config() | ScienceWorldConfig() | ImportConfig():
            return frozenset()


def learnable(config: AnyEnvConfig) -> Callable[[Trajectory], bool]:
    """Whether an episode is about nothing that test and development tasks are about."""
    match config:
        case WebShopConfig():
            from armap.envs.webshop.tasks import subjects
            from armap.envs.webshop.world import open_world

            world, kept = open_world(config), reserved(config)
            return lambda trajectory: not subjects(world, trajectory) & kept
        case Game24Config() | ScienceWorldConfig() | ImportConfig():
            return lambda _: True


def select_tasks(config: AnyEnvConfig, selection: TaskSelection) -> list[Task]:
    """The tasks that a run works on.

    Raises:
        ConfigError: nothing is left of the selection.
        EnvError: the environment failed to tell what they ask for.
    """
    return list(find_tasks(config, selection))


def find_tasks(config: AnyEnvConfig, selection: TaskSelection) -> Found:
    """The same, without a wait: what each asks for may take a while to tell, see :data:`Found`.

    Raises:
        ConfigError: nothing is left of the selection.
    """
    if selection.file is not None:
        found = read_tasks(Path(selection.file))
    elif isinstance(config, ScienceWorldConfig):
        chosen = narrow(variations(config, selection.split), selection)
        return Descriptions(config, chosen, selection.split)
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


def _split(config: Game24Config | WebShopConfig | ImportConfig, split: Split) -> list[Task]:
    match config:
        case Game24Config():
            return game24_tasks(split)
        case WebShopConfig():
            from armap.envs.webshop.tasks import tasks as webshop_tasks

            return webshop_tasks(config, split)
        case ImportConfig():
            target = load(config.target)
            if not hasattr(target, "tasks"):
                raise ConfigError(f"{config.target}: give it tasks(split), or set tasks.file")
            return list(target.tasks(split))
