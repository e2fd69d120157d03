"""Chat messages with images, in the form that servers and chat templates know."""

from __future__ import annotations

import base64
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from armap.errors import ConfigError

if TYPE_CHECKING:
    from armap.types import Message

__all__ = ["turn"]


def turn(message: Message) -> dict[str, Any]:
    """Role and content; images come before the text, as ``data:`` URLs.

    Raises:
        ConfigError: an image file cannot be read, or its name does not say what it is.
    """
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(image)}} for image in message.images
    ]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]}


def _data_url(image: str) -> str:
    if image.startswith("data:"):
        return image
    try:
        return _encoded(image, Path(image).stat().st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"image {image!r} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=64)
def _encoded(image: str, _changed: int) -> str:
    kind = mimetypes.guess_type(image, strict=False)[0]
    if kind is None or not kind.startswith("image/"):
        raise ConfigError(f"image {image!r}: its name does not say what kind of image it is")
    return f"data:{kind};base64,{base64.b64encode(Path(image).read_bytes()).decode()}"
