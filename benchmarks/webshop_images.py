"""Milliseconds of CPU time per picture of a WebShop page.

    python benchmarks/webshop_images.py [--data FOLDER]

Every kind of page, of the embedded catalogue or of official files, in two ways: product pictures
drawn, and product photographs from a folder (smooth random ones, 600 by 450, made here). The first
drawing of a page has to set words that no page had before; later ones have them, and shrunken
photographs, at hand. CPU time, because wall time on a shared machine tells of the others on it.
"""

from __future__ import annotations

import argparse
import sys
import time
from io import BytesIO
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image

from armap.envs.webshop.config import EMBEDDED, WebShopConfig
from armap.envs.webshop.images.pictures import Pictures, open_pictures
from armap.envs.webshop.images.reference import View, reference
from armap.envs.webshop.world import open_world
from benchmarks.table import machine

if TYPE_CHECKING:
    from armap.envs.webshop.catalogue.product import Product

PAGES = 60
"""Of each kind."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=EMBEDDED, help="folder of the official files")
    goals = "human" if (data := parser.parse_args().data) == EMBEDDED else "synthetic"
    config = WebShopConfig(data=data, goals=goals, images="page")
    chosen = Random(0).sample(list(open_world(config).shop.catalogue.products), PAGES * 2)
    kinds = pages(chosen)
    print("| product pictures | page | first time, PNG | drawn | drawn, PNG | 95th percentile |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        photographs([product.asin for product in chosen], Path(folder))
        photographed = config.model_copy(update={"pictures": folder})
        for name, shown in (("drawn", config), ("photographs", photographed)):
            pictures = open_pictures(shown)
            rows = {kind: measured(pictures, refs) for kind, refs in kinds.items()}
            columns = zip(*rows.values(), strict=True)
            rows["all"] = [list(chain.from_iterable(column)) for column in columns]
            for kind, (first, drawn, encoded) in rows.items():
                times = (
                    median(first),
                    median(drawn),
                    median(encoded),
                    quantiles(encoded, n=20)[-1],
                )
                print(f"| {name} | {kind} | " + " | ".join(f"{ms:.2f}" for ms in times) + " |")
    print(f"\nMilliseconds, {PAGES} pages of each kind. {machine()}.")


def pages(products: list[Product]) -> dict[str, list[str]]:
    """References of pages by kind."""
    random = Random(1)
    asins = [product.asin for product in products]
    found = [tuple(random.sample(asins, 10)) for _ in range(PAGES)]
    views = {
        "results": [View("results", keywords="a b", total=50, asins=shown) for shown in found],
        "item": [
            View("item", asin=p.asin, options=tuple((g, values[0]) for g, values in p.options))
            for p in products[:PAGES]
        ],
        "description": [View("sub", asin=a, sub="Description") for a in asins[:PAGES]],
        "features": [View("sub", asin=a, sub="Features") for a in asins[:PAGES]],
        "done": [View("done", asin=a) for a in asins[:PAGES]],
    }
    return {kind: list(map(reference, found)) for kind, found in views.items()}


def measured(pictures: Pictures, references: list[str]) -> list[list[float]]:
    """CPU milliseconds: first drawing with encoding, later drawing, that with encoding."""
    first = [sum(draw(pictures, text)) for text in references]
    later = [draw(pictures, text) for text in references]
    return [first, [drawn for drawn, _ in later], [sum(both) for both in later]]


def draw(pictures: Pictures, text: str) -> tuple[float, float]:
    """CPU milliseconds of drawing and of encoding."""
    start = time.thread_time()
    image = pictures.image(text)
    middle = time.thread_time()
    image.save(BytesIO(), "PNG", compress_level=1)
    return 1000 * (middle - start), 1000 * (time.thread_time() - middle)


def photographs(asins: list[str], folder: Path) -> None:
    generator = np.random.default_rng(0)
    y, x = np.mgrid[0:450, 0:600] / 100
    for asin in asins:
        waves = [
            np.sin(x * generator.uniform(0.3, 1.5) + y * generator.uniform(0.3, 1.5) + phase)
            for phase in generator.uniform(0, 6, 3)
        ]
        pixels = 127 + 120 * np.stack(waves, axis=-1) + generator.normal(0, 3, (450, 600, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{asin}.jpg")


if __name__ == "__main__":
    main()
