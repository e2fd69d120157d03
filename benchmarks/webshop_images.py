"""Milliseconds of CPU time per picture of a WebShop page: `python benchmarks/webshop_images.py`.

Every kind of page, on the embedded catalogue, in two ways: product pictures drawn, and product
photographs from a folder (smooth random ones, 600 by 450, made here). Every page is drawn twice
and the second time counts: words are kept from page to page, and so are shrunken photographs.
CPU time, because wall time on a shared machine says more about the others on it.
"""

from __future__ import annotations

import sys
import time
from io import BytesIO
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image

from armap.envs.webshop.catalogue.product import Product, parse_product
from armap.envs.webshop.embedded import make
from armap.envs.webshop.images.pictures import Pictures
from armap.envs.webshop.images.reference import View, reference
from benchmarks.table import machine

PAGES = 60
"""Of each kind."""


def main() -> None:
    official = make()
    parsed = [parse_product(r, official.attributes[r["asin"]]) for r in official.products]
    products = {product.asin: product for product in parsed if product is not None}
    chosen = Random(0).sample(list(products.values()), PAGES * 2)
    kinds = pages(chosen)
    print("| product pictures | page | draw, ms | draw and encode as PNG, ms | 95th percentile |")
    print("|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        photographs([product.asin for product in chosen], Path(folder))
        for name, pictures in (
            ("drawn", Pictures(products.get)),
            ("photographs", Pictures(products.get, folder=Path(folder))),
        ):
            rows = {kind: measured(pictures, refs) for kind, refs in kinds.items()}
            columns = zip(*rows.values(), strict=True)
            rows["all"] = [list(chain.from_iterable(column)) for column in columns]
            for kind, (drawn, encoded) in rows.items():
                high = quantiles(encoded, n=20)[-1]
                print(
                    f"| {name} | {kind} | {median(drawn):.2f} | {median(encoded):.2f} "
                    f"| {high:.2f} |"
                )
    print(f"\n{PAGES} pages of each kind. {machine()}.")


def pages(products: list[Product]) -> dict[str, list[str]]:
    """References of pages by kind."""
    random = Random(1)
    asins = [product.asin for product in products]
    return {
        "results": [
            reference(
                View("results", keywords="a b", total=50, asins=tuple(random.sample(asins, 10)))
            )
            for _ in range(PAGES)
        ],
        "item": [
            reference(
                View("item", asin=p.asin, options=tuple((g, values[0]) for g, values in p.options))
            )
            for p in products[:PAGES]
        ],
        "description": [
            reference(View("sub", asin=p.asin, sub="Description")) for p in products[:PAGES]
        ],
        "features": [reference(View("sub", asin=p.asin, sub="Features")) for p in products[:PAGES]],
        "done": [reference(View("done", asin=p.asin)) for p in products[:PAGES]],
    }


def measured(pictures: Pictures, references: list[str]) -> list[list[float]]:
    """CPU milliseconds of drawing alone, and with encoding, for each page."""
    drawn, encoded = [], []
    for text in references:
        pictures.image(text)
    for text in references:
        start = time.thread_time()
        image = pictures.image(text)
        middle = time.thread_time()
        image.save(BytesIO(), "PNG", compress_level=1)
        drawn.append(1000 * (middle - start))
        encoded.append(1000 * (time.thread_time() - start))
    return [drawn, encoded]


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
