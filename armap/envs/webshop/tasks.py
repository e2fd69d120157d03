"""The task lists that people quote, by goal index.

=============  ==================  ===================  =====================  ===================
protocol       test                dev                  train                  source
=============  ==================  ===================  =====================  ===================
``agentbench``  0 to 199 (``std``)  200 to 279 (``dev``)  1,000 to 11,999        AgentBench, ARMAP
``paper``       0 to 499            500 to 1,499          from 1,500             WebShop's baselines
``ids``         from a file         from the file         from the file          ETO and others
``product``     20 % of products    10 %                  70 %                   ours
=============  ==================  ===================  =====================  ===================

ARMAP's own training goals (``webshop-train``) are instructions that a language model wrote, not
among these. AgentBench 0.2 has no training split; the one here is that of its later version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from armap.envs.webshop.env import goal_index
from armap.envs.webshop.purchase import purchase
from armap.envs.webshop.world import open_world
from armap.errors import ConfigError
from armap.types import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from armap.envs.webshop.config import WebShopConfig
    from armap.envs.webshop.world import World
    from armap.types import Split, Trajectory

__all__ = ["make_task", "reserved_products", "subjects", "tasks"]

_PUBLISHED: dict[str, dict[Split, tuple[int, int | None]]] = {
    "agentbench": {"test": (0, 200), "dev": (200, 280), "train": (1_000, 12_000)},
    "paper": {"test": (0, 500), "dev": (500, 1_500), "train": (1_500, None)},
}


_HELD: tuple[Split, ...] = ("test", "dev")
_FORM = 'write [0, 1] (test) or {"train": [...], "dev": [...], "test": [...]}'


def make_task(world: World, index: int, *, split: Split) -> Task:
    """One goal as a task.

    Raises:
        ConfigError: there is no such goal.
    """
    if not 0 <= index < len(world.goals):
        raise ConfigError(
            f"webshop: goal {index:,} is past the end: there are {len(world.goals):,} goals"
        )
    return Task(
        env="webshop",
        name=str(index),
        split=split,
        instruction=world.goals[index].instruction,
        setup={"goal": index, "world": world.name},
    )


def tasks(config: WebShopConfig, split: Split) -> list[Task]:
    """The tasks of a split under ``config``'s protocol.

    Raises:
        ConfigError: a file of indices is missing, malformed, or names a goal that is not there.
    """
    world = open_world(config)
    return [make_task(world, index, split=split) for index in _indices(config, split, world)]


def reserved_products(config: WebShopConfig) -> frozenset[str]:
    """Asins, in lower case, of the products that the test and dev tasks were written for.

    By product (``protocol: product``) all of those splits' products, asked for or not.
    """
    world = open_world(config)
    if config.splits == "product":
        from armap.envs.webshop.embedded import split_of

        asins = (product.asin for product in world.shop.catalogue.products)
        return frozenset(asin.lower() for asin in asins if split_of(asin) != "train")
    held = {index for split in _HELD for index in _held(config, split, world)}
    return frozenset(world.goals[index].asin.lower() for index in held)


def subjects(world: World, trajectory: Trajectory) -> frozenset[str]:
    """Asins, in lower case, of what an episode is about: its wish's product and what was bought.

    Says what may not be learned from; nothing that learns or plans is told the wish's product.
    """
    index = goal_index(trajectory.task)
    wished = {world.goals[index].asin.lower()} if index is not None else set[str]()
    bought = purchase(trajectory)
    return frozenset(wished if bought is None else {*wished, bought.code})


def _held(config: WebShopConfig, split: Split, world: World) -> Iterable[int]:
    """Indices of a split; none where a file of indices leaves it out.

    Raises:
        ConfigError: the file is damaged: nobody may learn from what it means to hold back.
    """
    if config.ids is not None and split not in _lists(Path(config.ids)):
        return ()
    return _indices(config, split, world)


def _indices(config: WebShopConfig, split: Split, world: World) -> Iterable[int]:
    count = len(world.goals)
    match config.splits:
        case "ids":
            assert config.ids is not None
            return _listed(Path(config.ids), split, count)
        case "product":
            from armap.envs.webshop.embedded import split_of

            return [n for n, goal in enumerate(world.goals) if split_of(goal.asin) == split]
        case published:
            first, end = _PUBLISHED[published][split]
            return range(count)[first:end]


def _lists(path: Path) -> dict[str, Any]:
    """What a JSON file of indices holds by split; a list alone is the test split."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"webshop: env.ids: no file {path}") from error
    except IsADirectoryError as error:
        raise ConfigError(
            f"webshop: env.ids: {path} is a folder; name a JSON file of indices in it"
        ) from error
    except ValueError as error:
        raise ConfigError(f"webshop: env.ids: {path} is not JSON: {error}") from error
    if isinstance(content, dict):
        return content
    if isinstance(content, list):
        return {"test": content}
    raise ConfigError(f"webshop: env.ids: {path} is no list of indices; {_FORM}")


def _listed(path: Path, split: Split, count: int) -> list[int]:
    """The indices of one split."""
    lists = _lists(path)
    if not isinstance(lists.get(split), list):
        raise ConfigError(f"webshop: env.ids: {path} has no {split!r} list; {_FORM}")
    found: list[int] = []
    for entry in lists[split]:
        index = _number(entry)
        if index is None or not 0 <= index < count:
            raise ConfigError(
                f"webshop: env.ids: {path}: {entry!r} is no index of the {count:,} goals here"
            )
        found.append(index)
    return found


def _number(entry: Any) -> int | None:
    """An index: a number, or text that ends in one, like ETO's ``webshop_314``."""
    if isinstance(entry, int) and not isinstance(entry, bool):
        return entry
    tail = str(entry).rpartition("_")[2]
    return int(tail) if isinstance(entry, str) and tail.isdecimal() else None
