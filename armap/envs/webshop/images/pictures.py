"""From a reference to an image, on demand."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from armap.envs.webshop.images.layout import Look, draw
from armap.envs.webshop.images.products import Album
from armap.envs.webshop.images.reference import read
from armap.envs.webshop.world import open_world
from armap.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.config import WebShopConfig

__all__ = ["Pictures", "open_pictures"]


class Pictures:
    """Makes the pictures of one catalogue. Equal references give equal bytes.

    Args:
        find: asin to product, its price as pages show it; None for one that there is not.
        strict: whether the profile is ``strict``.
        show_attrs: whether item pages offer their attributes.
        folder: product pictures, ``ASIN.jpg`` and the like; None to draw them all.
        typeface: a TrueType file; None for the one that Pillow brings along, which spells
            what it cannot write (``é`` as ``e``, emoji not at all).

    Raises:
        ConfigError: the folder or the typeface is not there.
    """

    def __init__(
        self,
        find: Callable[[str], Product | None],
        *,
        strict: bool = False,
        show_attrs: bool = False,
        folder: Path | None = None,
        typeface: Path | None = None,
    ) -> None:
        if typeface is not None and not typeface.is_file():
            raise ConfigError(f"typeface {typeface} does not exist")
        self._products = find
        self._album = Album(folder)
        self._look = Look(self._find, strict, show_attrs, str(typeface or ""))
        self._encoded = lru_cache(maxsize=256)(self._encode)

    def image(self, reference: str) -> Image.Image:
        """The picture, a palette image.

        Raises:
            DataError: no reference of a page, or of a product that is not in the catalogue.
        """
        sheet, frames = draw(read(reference), self._look)
        for left, top, size, asin in frames:
            photo = self._album.photo(asin, size, alone=len(frames) == 1)
            if photo is not None:
                sheet.photograph(left, top, photo)
        return sheet.image()

    def png(self, reference: str) -> bytes:
        """The picture as the content of a PNG file; the last few are kept."""
        return self._encoded(reference)

    def data_url(self, reference: str) -> str:
        """The picture for a chat message."""
        return f"data:image/png;base64,{b64encode(self.png(reference)).decode()}"

    def file(self, reference: str, folder: Path) -> Path:
        """The picture as a file in ``folder``, named by the reference's digest; made once."""
        path = folder / f"{sha256(reference.encode()).hexdigest()[:20]}.png"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(self.png(reference))
            unfinished.replace(path)
        return path

    def _encode(self, reference: str) -> bytes:
        buffer = BytesIO()
        self.image(reference).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def _find(self, asin: str) -> Product:
        product = self._products(asin)
        if product is None:
            raise DataError(f"the catalogue has no product {asin!r}; was it made from other data?")
        return product


def open_pictures(config: WebShopConfig) -> Pictures:
    """The pictures of a configuration's world.

    Raises:
        ConfigError: the data, the folder of product pictures or the typeface is not there.
        DataError: the data is damaged.

    >>> from armap.envs.webshop.config import WebShopConfig
    >>> open_pictures(WebShopConfig()).image("webshop:start").size
    (720, 128)
    """
    shop = open_world(config).shop
    strict = config.profile == "strict"

    def find(asin: str) -> Product | None:
        row = shop.catalogue.columns.row(asin)
        if row is None:
            return None
        product = shop.product(row)
        return replace(product, pricing=(shop.price(row),)) if strict else product

    return Pictures(
        find,
        strict=strict,
        show_attrs=config.show_attrs,
        folder=None if config.pictures is None else Path(config.pictures),
        typeface=None if config.typeface is None else Path(config.typeface),
    )
