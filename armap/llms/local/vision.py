"""What a vision-language model reads: a dialogue with images, turned into tensors.

The model's own processor does it: its chat template places the images before the text of their
turn, its image processor makes pixels of them, and its tokenizer gives each image its tokens.
Decoding is that of :mod:`~armap.llms.local.generate`.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from armap.errors import ModelError, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from PIL.Image import Image

    from armap.types import Message

__all__ = ["Reading", "VisionReader", "open_image"]


class Reading(NamedTuple):
    """A prompt as the model reads it."""

    ids: tuple[int, ...]
    """Its tokens, those of the images included."""
    inputs: Mapping[str, torch.Tensor] | None = None
    """All that is handed to the model, ``[1, ...]`` each; None where the ids say it all."""


class VisionReader:
    """Reads dialogues with a processor, in a thread of its own: pictures take their time.

    Args:
        processor: what ``AutoProcessor`` loads for a vision-language model. It is used by one
            thread only; whoever decodes needs another copy of its tokenizer.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._closed = Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="armap-read")

    async def read(self, messages: Sequence[Message]) -> Reading:
        """Turn a dialogue into tensors.

        Raises:
            RequestRefused: an image is missing or no image, or a text pretends to have one.
            ModelError: the reader was closed.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._read, messages)

    def close(self) -> None:
        """Stop the thread after the dialogue it is busy with; those behind it fail."""
        self._closed.set()
        self._thread.shutdown(wait=False)

    def _read(self, messages: Sequence[Message]) -> Reading:
        if self._closed.is_set():
            raise ModelError("closed before it was answered")
        self._check(messages)
        images = [open_image(image) for message in messages for image in message.images]
        text = self._processor.apply_chat_template(
            [_turn(message) for message in messages], tokenize=False, add_generation_prompt=True
        )
        first = self._processor.tokenizer.bos_token
        read = self._processor(
            text=[text],
            images=[images] if images else None,
            add_special_tokens=not (first and text.startswith(first)),
            return_tensors="pt",
        )
        return Reading(tuple(read["input_ids"][0].tolist()), dict(read))

    def _check(self, messages: Sequence[Message]) -> None:
        mark = getattr(self._processor, "image_token", None)
        if mark and any(mark in message.content for message in messages):
            raise RequestRefused(
                f"the text of a turn has {mark!r} in it, which stands for an image; "
                "images come in Message.images"
            )


def open_image(reference: str) -> Image:
    """The image at a path or in a ``data:`` URL, upright and in RGB.

    Raises:
        RequestRefused: there is none; names the reference.
    """
    from PIL import Image, ImageOps

    inline = reference.startswith("data:")
    shown = f"{reference[:40]}..." if inline else reference
    try:
        source = BytesIO(_inline(reference)) if inline else Path(reference).expanduser()
        with Image.open(source) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError as error:
        raise RequestRefused(f"image {shown!r} does not exist") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestRefused(f"image {shown!r} cannot be read: {error}") from error


def _inline(url: str) -> bytes:
    """The bytes of a ``data:`` URL."""
    head, comma, body = url.partition(",")
    if not comma:
        raise ValueError("a data: URL has a comma before its data")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return b64decode(unquote_to_bytes(body), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


def _turn(message: Message) -> dict[str, Any]:
    """A message as chat templates of vision-language models expect it."""
    pictures = [{"type": "image"} for _ in message.images]
    return {
        "role": message.role,
        "content": [*pictures, {"type": "text", "text": message.content}],
    }
