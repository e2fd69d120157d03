"""``armap data``: official files of environments, put in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from rich.markup import escape

from armap.cli.progress import console
from armap.envs.webshop.catalogue.fetch import fetch
from armap.envs.webshop.catalogue.official import missing_files
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.world import open_world

if TYPE_CHECKING:
    from pathlib import Path

    from armap.envs.webshop.catalogue.official import Size

__all__ = ["place_webshop"]

_SIZES: tuple[Size, ...] = ("small", "full")


def place_webshop(source: str, folder: Path, *, overwrite: bool) -> None:
    """Bring the files, then open every catalogue that they make and say what it is."""
    _bring(source, folder, overwrite=overwrite)
    missing = {size: missing_files(folder, size) for size in _SIZES}
    whole = [size for size in _SIZES if not missing[size]]
    begun = [size for size in _SIZES if len(missing[size]) == 1]
    for size in begun if whole or begun else _SIZES:
        _tell_missing(f"{size} catalogue", missing[size])
    human = missing_files(folder, "human")
    if human:
        _tell_missing("human goals", human)
    for size in whole:
        settings: dict[str, Any] = {"kind": "webshop", "data": str(folder)}
        if len(whole) + len(begun) > 1:
            settings["size"] = size
        if human:
            settings["goals"] = "synthetic"
        _describe(size, settings)
    if not whole:
        console.print(
            f"  bring them with a further --source, --to {folder}", markup=False, soft_wrap=True
        )


def _bring(source: str, folder: Path, *, overwrite: bool) -> None:
    with console.status("fetching") as status:

        def tell(name: str, have: int, whole: int | None) -> None:
            total = f" of {whole:,}" if whole else ""
            status.update(f"{name}: {have:,}{total} bytes")

        for placed in fetch(source, folder, overwrite=overwrite, progress=tell):
            name = f"[bold]{placed.path.name}[/], {placed.size:,} bytes, {placed.done}"
            console.print(f"  {name}\n    sha256 {placed.sha256}", soft_wrap=True)


def _tell_missing(what: str, names: tuple[str, ...]) -> None:
    console.print(
        f"  {what}: [yellow]missing[/] {' and '.join(names)} (or .json.gz)", soft_wrap=True
    )


def _describe(size: Size, settings: dict[str, Any]) -> None:
    """Open a catalogue, say what it holds and how a run asks for it."""
    config = WebShopConfig.model_validate({**settings, "size": size})
    with console.status(f"reading the {size} catalogue"):
        world = open_world(config)
    count = len(world.shop.catalogue.products)
    console.print(
        f"  {size} catalogue: {count:,} products, {len(world.goals):,} {config.goals} goals"
    )
    line = yaml.safe_dump(
        settings, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    console.print(f"  use it with [bold]env: {escape(line.strip())}[/]", soft_wrap=True)
