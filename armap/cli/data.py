"""``armap data``: official files of environments, put in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.table import Table

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
    table = Table("file", "bytes", "SHA-256", "", box=None, padding=(0, 2, 0, 0))
    with console.status("fetching") as status:

        def tell(name: str, have: int, whole: int | None) -> None:
            total = f" of {whole:,}" if whole else ""
            status.update(f"{name}: {have:,}{total} bytes")

        for placed in fetch(source, folder, overwrite=overwrite, progress=tell):
            table.add_row(placed.path.name, f"{placed.size:,}", placed.sha256, placed.done)
    console.print(table)
    files = find_files(folder, "auto")
    goals: Literal["synthetic", "human"] = "synthetic" if files.instructions is None else "human"
    with console.status(f"reading {files.items.name}"):
        world = open_world(WebShopConfig(data=str(folder), goals=goals))
    count = len(world.shop.catalogue.products)
    console.print(f"  {count:,} products, {len(world.goals):,} {goals} goals")
    console.print(f"  use it with [bold]env: {{kind: webshop, data: {folder}}}[/]")
