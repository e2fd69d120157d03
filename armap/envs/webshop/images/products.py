"""Product pictures: the user's own where there are some, else a drawn sign of the category."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from armap.envs.webshop.images.canvas import Ink, Photo
from armap.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.product import Product

__all__ = ["Album", "hue", "sign"]

_HUES = 6
_KINDS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}

_Polygon = tuple[tuple[int, int], ...]
_SIGNS: dict[str, tuple[tuple[int, _Polygon], ...]] = {
    "beauty": (
        (5, ((36, 40), (64, 40), (68, 46), (68, 88), (32, 88), (32, 46))),
        (7, ((46, 24), (54, 24), (54, 40), (46, 40))),
        (7, ((36, 16), (60, 16), (60, 24), (36, 24))),
        (1, ((37, 56), (63, 56), (63, 76), (37, 76))),
    ),
    "electronics": (
        (7, ((14, 22), (86, 22), (86, 70), (14, 70))),
        (2, ((19, 27), (81, 27), (81, 65), (19, 65))),
        (5, ((44, 70), (56, 70), (58, 80), (42, 80))),
        (7, ((30, 80), (70, 80), (70, 85), (30, 85))),
    ),
    "garden": (
        (5, ((34, 14), (66, 14), (78, 46), (22, 46))),
        (7, ((47, 46), (53, 46), (53, 80), (47, 80))),
        (7, ((32, 80), (68, 80), (68, 87), (32, 87))),
    ),
    "fashion": (
        (5, ((34, 18), (66, 18), (92, 38), (80, 52), (70, 44), (70, 86), (30, 86), (30, 44),
              (20, 52), (8, 38))),
        (1, ((42, 18), (58, 18), (54, 27), (46, 27))),
    ),
    "grocery": (
        (5, ((28, 30), (72, 30), (76, 38), (76, 88), (24, 88), (24, 38))),
        (7, ((30, 16), (70, 16), (70, 30), (30, 30))),
        (1, ((24, 50), (76, 50), (76, 74), (24, 74))),
        (7, ((34, 58), (66, 58), (66, 61), (34, 61))),
        (7, ((34, 65), (58, 65), (58, 68), (34, 68))),
    ),
    "Shoes": (
        (5, ((10, 40), (30, 34), (48, 56), (84, 64), (92, 76), (10, 76))),
        (7, ((10, 76), (92, 76), (90, 84), (10, 84))),
        (1, ((38, 44), (43, 41), (55, 54), (48, 56))),
    ),
    "Furniture": (
        (5, ((26, 14), (38, 14), (38, 50), (74, 50), (74, 62), (26, 62))),
        (7, ((28, 62), (36, 62), (34, 90), (28, 90))),
        (7, ((64, 62), (72, 62), (72, 90), (66, 90))),
    ),
    "": (
        (5, ((16, 38), (50, 24), (84, 38), (50, 52))),
        (7, ((16, 38), (50, 52), (50, 90), (16, 76))),
        (4, ((84, 38), (50, 52), (50, 90), (84, 76))),
    ),
}  # fmt: skip
"""Polygons on a field of 100 by 100, with their level of ink; the unnamed sign is a parcel."""


def hue(asin: str) -> int:
    """The ink of a product's drawn picture; equal in every process."""
    return Ink.PICTURE + crc32(asin.encode()) % _HUES


def sign(product: Product, size: int) -> NDArray[np.uint8]:
    """A picture of what kind of thing it is, as levels ``[size, size]``, read-only."""
    path = [part.strip() for part in product.product_category.split("›")]
    special = [part for part in path if part in ("Shoes", "Furniture")]
    return _sign((special or [product.category])[0], size)


@lru_cache(maxsize=64)
def _sign(category: str, size: int) -> NDArray[np.uint8]:
    drawn = Image.new("L", (size * 4, size * 4))
    draw = ImageDraw.Draw(drawn)
    for level, polygon in _SIGNS.get(category, _SIGNS[""]):
        draw.polygon([(x * size / 25, y * size / 25) for x, y in polygon], fill=level * 255 // 7)
    small = drawn.resize((size, size), Image.Resampling.BOX)
    levels = (np.asarray(small) >> 5).astype(np.uint8)
    levels.setflags(write=False)
    return levels


class Album:
    """The user's product pictures: ``FOLDER/ASIN.jpg`` and other common kinds.

    Raises:
        ConfigError: there is no such folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._files: dict[str, Path] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise ConfigError(f"product pictures: {folder} is no folder")
        for path in sorted(folder.iterdir(), reverse=True):
            if path.suffix.lower() in _KINDS:
                self._files[path.stem.upper()] = path

    def photo(self, asin: str, size: int, *, alone: bool) -> Photo | None:
        """The product's own picture, fitted into a white square; None where there is none.

        Args:
            asin: whose.
            size: of the square, in pixels.
            alone: whether its page has no other photograph: then it gets colours of its own,
                else those that all share.

        Raises:
            DataError: its file is no image.
        """
        path = self._files.get(asin.upper())
        return None if path is None else _reduced(path, size, alone)


@lru_cache(maxsize=1024)
def _reduced(path: Path, size: int, alone: bool) -> Photo:  # noqa: FBT001  (a key of the cache)
    """A file in few colours, dithered; kept, because this costs more than a whole page."""
    image = _fitted(path, size)
    colours = image.quantize(128, method=Image.Quantize.FASTOCTREE) if alone else _shared()
    reduced = image.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG)
    palette = bytes(colours.getpalette() or ())[: 128 * 3]
    return Photo(np.asarray(reduced), palette)


@lru_cache(maxsize=1)
def _shared() -> Image.Image:
    """Colours for everything: six of red by seven of green by three of blue."""
    steps = (np.linspace(0, 255, count) for count in (6, 7, 3))
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    image = Image.new("P", (1, 1))
    image.putpalette(np.rint(grid).astype(np.uint8).tobytes())
    return image


def _fitted(path: Path, size: int) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (size, size))  # a large JPEG is read at a fraction of its size
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"product picture {path} cannot be read: {error}") from error
    sheet = Image.new("RGBA", upright.size, "white")
    sheet.alpha_composite(upright)
    return ImageOps.pad(sheet.convert("RGB"), (size, size), color="white")
