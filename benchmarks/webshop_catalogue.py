"""Write a catalogue of made-up products in WebShop's official format, as large as you like.

    python benchmarks/webshop_catalogue.py FOLDER [--products 1180000]

Word counts a product, options, price ranges and the share of annotated products follow the
official 1,000 products; words follow Zipf's law over a million made-up ones.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

VOCABULARY = 1_000_000
BLOCK = 10_000
CATEGORIES = ("beauty", "electronics", "fashion", "garden", "grocery")
COLOURS = ("black", "white", "navy", "red", "olive", "c5-grey", "blue | white")
SIZES = ("small", "medium", "large", "x-large", "xx-large", "3x-large")
ATTRIBUTES = tuple(
    f"{kind} {thing}"
    for kind in ("easy", "long", "high", "heavy", "hand", "machine", "non", "soft")
    for thing in ("clean", "lasting", "quality", "duty", "wash", "slip", "carry", "assemble")
)
SYLLABLES = tuple(a + b for a in "bcdfgklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er"))


def vocabulary(random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Made-up words, the frequent ones short."""
    lengths = np.clip((np.log10(np.arange(1, VOCABULARY + 1)) * 0.8).astype(int) + 1, 1, 5)
    drawn = random.integers(0, len(SYLLABLES), (VOCABULARY, 5))
    words = [
        "".join(SYLLABLES[n] for n in row[:length])
        for row, length in zip(drawn.tolist(), lengths.tolist(), strict=True)
    ]
    return np.array(words, dtype=object)


class Texts:
    """Text of a given number of words."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._words = vocabulary(random)
        shares = 1 / np.arange(1, VOCABULARY + 1)
        self._steps = np.cumsum(shares / shares.sum())

    def some(self, counts: np.ndarray[Any, Any]) -> list[str]:
        """One text for each count."""
        ends = np.cumsum(counts)
        places = np.searchsorted(self._steps, self._random.random(int(ends[-1])))
        words = self._words[np.minimum(places, VOCABULARY - 1)].tolist()
        starts = (ends - counts).tolist()
        return [" ".join(words[a:b]) for a, b in zip(starts, ends.tolist(), strict=True)]


def products(count: int, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The records of ``items_shuffle.json``."""
    texts = Texts(random)
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        titles = texts.some(random.integers(8, 30, size))
        descriptions = texts.some(random.integers(0, 160, size))
        bullets = texts.some(random.integers(8, 40, size * 8))
        low = np.round(random.lognormal(3.2, 1.0, size) + 1, 2).tolist()
        draws = random.random((size, 4)).tolist()
        for n in range(size):
            ranged, optional, kind, extra = draws[n]
            price = f"${low[n]}" + (
                f" to ${round(low[n] * (1.2 + extra), 2)}" if ranged < 0.2 else ""
            )
            category = CATEGORIES[int(kind * len(CATEGORIES))]
            yield {
                "name": titles[n],
                "full_description": descriptions[n],
                "pricing": price if ranged < 0.95 else "",
                "images": [f"https://example.com/{first + n}.jpg"],
                "product_category": f"{category} › {titles[n][:4]} › {descriptions[n][:6]}",
                "small_description": bullets[n * 8 : n * 8 + 8],
                "customization_options": options(extra) if optional < 0.5 else "",
                "asin": f"B{first + n:09X}",
                "category": category,
                "query": f"{category} {int(extra * 60)}",
                "page": n,
            }


def options(draw: float) -> dict[str, Any]:
    """Some colours and some sizes."""
    colours = COLOURS[: 1 + int(draw * len(COLOURS))]
    sizes = SIZES[: 1 + int((1 - draw) * len(SIZES))]
    return {
        "Color": [{"value": value, "image": None} for value in colours],
        "Size": [{"value": value, "image": None} for value in sizes],
    }


def annotate(count: int, random: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """``items_ins_v2.json`` and ``items_human_ins.json``."""
    attributes: dict[str, Any] = {}
    asked: dict[str, Any] = {}
    picks = random.integers(0, len(ATTRIBUTES), (count, 3)).tolist()
    share = 10_014 / count
    people = random.random(count) < share
    for number, pick in enumerate(picks):
        asin, own = f"B{number:09X}", sorted({ATTRIBUTES[n] for n in pick})
        attributes[asin] = {"attributes": own}
        if people[number]:
            wish = {"asin": asin, "instruction": f"i want something that is {own[0]}."}
            wish |= {"instruction_attributes": own[:1], "instruction_options": ["black"]}
            asked[asin] = [wish]
    return attributes, asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--products", type=int, default=1_180_000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    with (given.folder / "items_shuffle.json").open("w", encoding="utf-8") as stream:
        stream.write("[")
        for number, record in enumerate(products(given.products, random)):
            stream.write(("," if number else "") + json.dumps(record, ensure_ascii=False))
        stream.write("]")
    attributes, asked = annotate(given.products, random)
    (given.folder / "items_ins_v2.json").write_text(json.dumps(attributes), encoding="utf-8")
    (given.folder / "items_human_ins.json").write_text(json.dumps(asked), encoding="utf-8")
    size = (given.folder / "items_shuffle.json").stat().st_size
    print(f"{given.products:,} products, {size / 1e9:.2f} GB of JSON in {given.folder}")


if __name__ == "__main__":
    main()
