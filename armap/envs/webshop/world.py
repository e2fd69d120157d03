"""The world of a configuration, opened once per process and shared by all environments."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from armap.envs.webshop.actions import Rules
from armap.envs.webshop.catalogue.catalogue import Catalogue, in_memory, read_files, read_products
from armap.envs.webshop.catalogue.disk import open_on_disk
from armap.envs.webshop.catalogue.official import find_files, read_mapping
from armap.envs.webshop.config import EMBEDDED
from armap.envs.webshop.goals.human import human_goals
from armap.envs.webshop.goals.order import check_human, digest, in_index_order
from armap.envs.webshop.goals.prices import Shared, Single
from armap.envs.webshop.goals.synthetic import synthetic_goals
from armap.envs.webshop.pages import Pages
from armap.envs.webshop.shop import Shop
from armap.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from armap.envs.webshop.catalogue.official import Files
    from armap.envs.webshop.config import WebShopConfig
    from armap.envs.webshop.goals.goal import Goal

__all__ = ["World", "open_world"]

_LARGE = 30_000_000
"""Bytes of a file of products beyond which an index is kept on disk."""


class _Data(NamedTuple):
    """A catalogue and what people asked for in it."""

    catalogue: Catalogue
    instructions: Mapping[str, Sequence[Mapping[str, Any]]] | None
    source: str
    """Where these instructions come from, for what is said of them."""


class World:
    """Products, goals and rules: all that environments of one configuration share."""

    def __init__(self, config: WebShopConfig) -> None:
        data = _open_data(config.data, config.size, config.num_products, config.index)
        draws = Single(config.seed) if config.profile == "strict" else Shared(config.seed)
        prices = draws.prices(data.catalogue.columns)
        self.shop = Shop(data.catalogue, prices, config.profile, config.seed)
        if config.goals == "synthetic":
            goals = synthetic_goals(data.catalogue, prices, draws)
        elif data.instructions is None:
            raise ConfigError(
                f"{config.data}: items_human_ins.json is missing (or .json.gz); "
                "put it there, or set goals: synthetic"
            )
        else:
            goals = human_goals(data.catalogue, data.instructions, prices, draws, data.source)
        if not goals:
            raise DataError(f"{config.data}: no {config.goals} goals in this catalogue")
        self.goals: list[Goal] = in_index_order(goals)
        if config.goals == "human" and config.data != EMBEDDED:
            check_human(self.goals, asked=len(data.instructions or ()))
        self.fingerprint: dict[str, str] = {
            "catalogue": data.catalogue.digest[:16],
            "goals": digest(self.goals)[:16],
            "prices": sha256(prices.tobytes()).hexdigest()[:16],
            "profile": config.profile,
        }
        """Digests of what makes two worlds comparable."""
        whole = "\n".join(f"{key} {value}" for key, value in sorted(self.fingerprint.items()))
        self.name = sha256(whole.encode()).hexdigest()[:12]
        """One short digest of all of these, which every task carries."""
        self._parts: dict[bool, tuple[Rules, Pages]] = {}

    def parts(self, *, show_attrs: bool) -> tuple[Rules, Pages]:
        """The rules and the pages of this world."""
        if show_attrs not in self._parts:
            rules = Rules(self.shop, show_attrs=show_attrs)
            self._parts[show_attrs] = rules, Pages(self.shop, rules)
        return self._parts[show_attrs]


def open_world(config: WebShopConfig) -> World:
    """The world of a configuration; configurations that differ only in what is seen share one.

    Raises:
        ConfigError: there is no such data.
        DataError: the data is damaged, or no WebShop data.
    """
    return _open_world(
        config.model_copy(
            update={
                "observation": "text", "images": "off", "pictures": None,
                "typeface": None, "show_attrs": False, "max_steps": None,
                "protocol": None, "ids": None, "nouns": "rule", "spacy_model": "",
            }
        )
    )  # fmt: skip


@lru_cache(maxsize=8)
def _open_world(config: WebShopConfig) -> World:
    return World(config)


@lru_cache(maxsize=4)
def _open_data(data: str, size: Any, num_products: int | None, index: str | None) -> _Data:
    if data == EMBEDDED:
        from armap.envs.webshop.embedded import make

        made = make()
        products = read_products(islice(made.products, num_products), made.attributes)
        return _Data(in_memory(products), made.instructions, EMBEDDED)
    files = find_files(Path(data), size)
    catalogue = _catalogue(files, num_products, index)
    asked = None if files.instructions is None else read_mapping(files.instructions)
    return _Data(catalogue, asked, str(files.instructions))


def _catalogue(files: Files, limit: int | None, index: str | None) -> Catalogue:
    """The catalogue of official files: in memory, or on disk where it is large."""
    if index is None and files.items.stat().st_size < _LARGE:
        return in_memory(read_files(files, limit))
    name = files.items.name.partition(".")[0] + ("" if limit is None else f"_{limit}")
    folder = files.items.parent / ".armap" / name if index is None else Path(index)
    return open_on_disk(files, folder, limit=limit)
