"""A small shop in the official format, for tests: 60 products with everything that matters."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from armap.envs.webshop.config import WebShopConfig

COLOURS = ("Black", "Navy/White", "Red", 'C5-"Grey"')
SIZES = ("Small", "Medium", "X-Large")


def product(number: int) -> dict[str, Any]:
    """One record of ``items_shuffle.json``."""
    kind = ("shoes", "lamps")[number % 2]
    options: Any = {
        "Color": [{"value": value} for value in COLOURS[: 1 + number % 4]],
        "Size": [{"value": f" {value} "} for value in SIZES],
        "Empty": None,
    }
    return {
        "asin": f"B{number:09d}",
        "name": f"Soft Running {kind.title()} number {number} for Women",
        "full_description": f"Very {kind} & light." if number % 3 else "",
        "pricing": ("$12.5", "$10.00 to $25.50", "", "$1,299.99")[number % 4],
        "small_description": [f"machine washable {kind}", "", "it's good"],
        "customization_options": options if number % 5 else "",
        "images": [f"https://example.com/{number}.jpg"],
        "category": ("fashion", "garden")[number % 2],
        "query": f" {kind.title()} ",
        "product_category": f"Home › {kind} › All",
    }


def attributes(number: int) -> dict[str, Any]:
    """One entry of ``items_ins_v2.json``."""
    own = ["machine washable", ("day comfort", "non slip")[number % 2]]
    if number % 3 == 2:
        return {"attributes": own}
    wish = f"Find me {own[0]} things"
    return {"attributes": own, "instruction": wish, "instruction_attributes": own[:1]}


def instructions(number: int) -> list[dict[str, Any]]:
    """One entry of ``items_human_ins.json``."""
    return [
        {
            "asin": f"B{number:09d}",
            "instruction": f"i want thing {number} in black.",
            "instruction_attributes": ["machine washable"] if number % 4 else [],
            "instruction_options": ["black"],
        }
    ]


def write_shop(folder: Path, *, count: int = 60, packed: bool = False) -> Path:
    """Write the three official files."""
    folder.mkdir(parents=True, exist_ok=True)
    asins = [f"B{number:09d}" for number in range(count)]
    files = {
        "items_shuffle": [product(number) for number in range(count)],
        "items_ins_v2": {asin: attributes(number) for number, asin in enumerate(asins)},
        "items_human_ins": {asin: instructions(number) for number, asin in enumerate(asins)},
    }
    for name, content in files.items():
        text = json.dumps(content).encode()
        if packed:
            (folder / f"{name}.json.gz").write_bytes(gzip.compress(text))
        else:
            (folder / f"{name}.json").write_bytes(text)
    return folder


def shop_config(folder: Path, **settings: Any) -> WebShopConfig:
    """A configuration for :func:`write_shop`."""
    return WebShopConfig.model_validate({"data": str(folder), "goals": "synthetic", **settings})
