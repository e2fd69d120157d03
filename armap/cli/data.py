"""``armap data``: official files of environments, put in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from armap.cli.progress import console
from armap.envs.webshop.catalogue.fetch import fetch
from armap.envs.webshop.catalogue.official import find_files
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.world import open_world

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["place_webshop"]


def place_webshop(source: str, folder: Path, *, overwrite: bool) -> None:
    """Bring the files, then open what they make and say what it is."""
    with console.status("fetching") as status:

        def tell(name: str, have: int, whole: int | None) -> None:
            total = f" of {whole:,}" if whole else ""
            status.update(f"{name}: {have:,}{total} bytes")

        for placed in fetch(source, folder, overwrite=overwrite, progress=tell):
            name = f"[bold]{placed.path.name}[/], {placed.size:,} bytes, {placed.done}"
            console.print(f"  {name}\n    sha256 {placed.sha256}")
    files = find_files(folder, "auto")
    goals: Literal["synthetic", "human"] = "synthetic" if files.instructions is None else "human"
    with console.status(f"reading {files.items.name}"):
        world = open_world(WebShopConfig(data=str(folder), goals=goals))
    count = len(world.shop.catalogue.products)
    console.print(f"  {count:,} products, {len(world.goals):,} {goals} goals")
    console.print(f"  use it with [bold]env: {{kind: webshop, data: {folder}}}[/]")
