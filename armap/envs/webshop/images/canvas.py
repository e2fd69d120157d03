"""Ink, words and boxes on a sheet of palette indices.

A sheet is an array ``[height, WIDTH]`` of bytes. The palette holds 16 inks with 8 levels each,
from the paper under the ink (level 0) to the ink itself (level 7), so that smooth type needs no
blending: letters are drawn once, kept as levels, and put together to words, which are kept too.
The other half of the palette is for the colours of photographs. That is what makes a page and
its file cheap; Pillow draws the letters and writes the files.
"""

from __future__ import annotations

import unicodedata
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVELS", "WIDTH", "Canvas", "Ink", "Photo", "advance", "line_height", "wrap"]

WIDTH = 720
"""Pixels of every page."""
TALLEST = 2400
"""Pixels; what would stand below is cut off."""
LEVELS = 8

_WHITE, _DARK = (255, 255, 255), (27, 31, 36)
_PAIRS = (
    (_DARK, _WHITE),
    ((107, 114, 128), _WHITE),
    ((11, 92, 173), _WHITE),
    ((122, 74, 160), _WHITE),
    ((160, 44, 28), _WHITE),
    (_WHITE, (47, 93, 138)),
    (_DARK, (233, 237, 242)),
    (_WHITE, (31, 122, 77)),
    (_WHITE, (34, 48, 60)),
    (_WHITE, (198, 100, 16)),
    ((60, 90, 130), (226, 235, 246)),
    ((74, 112, 74), (228, 241, 226)),
    ((146, 84, 52), (250, 235, 222)),
    ((120, 72, 120), (244, 230, 244)),
    ((122, 104, 40), (248, 243, 214)),
    ((60, 112, 116), (222, 242, 242)),
)


class Ink(IntEnum):
    """A colour of type together with the paper under it."""

    TEXT = 0
    FAINT = 1
    LINK = 2
    OPENED = 3
    PRICE = 4
    BUTTON = 5
    OPTION = 6
    CHOSEN = 7
    BANNER = 8
    BUY = 9
    PICTURE = 10
    """The first of six, for drawn product pictures."""


def _palette() -> bytes:
    steps = np.linspace(0.0, 1.0, LEVELS)[:, None]
    rows = [np.array(paper) * (1 - steps) + np.array(ink) * steps for ink, paper in _PAIRS]
    return np.rint(np.concatenate(rows)).astype(np.uint8).tobytes()


_PALETTE = _palette()
_PHOTO = len(_PAIRS)
"""Where the palette goes on with a photograph's colours, counted in inks."""
_BLEED = 2
"""Pixels by which a letter may stand out of its place on either side."""
_SHIFTS = 4
"""Places between two pixels at which a letter may stand."""
_PLAIN = str.maketrans(
    {
        "×": "x", "–": "-", "—": "-", "•": "-", "·": "-", "⁄": "/", "’": "'", "‘": "'",
        "“": '"', "”": '"', "…": "...", "ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe",
        "€": "EUR", "£": "GBP", "‎": "",
    }
)  # fmt: skip
"""Spellings for a typeface that has little beyond ASCII."""


class Photo(NamedTuple):
    """A picture in at most 128 colours."""

    indices: NDArray[np.uint8]
    """``[h, w]``, below 128."""
    palette: bytes
    """Red, green and blue of each."""


class Canvas:
    """A sheet to draw on. Things are placed by their upper left corner, in pixels.

    Args:
        typeface: a TrueType file; empty for the one that Pillow brings along.
    """

    def __init__(self, typeface: str = "") -> None:
        self.typeface = typeface
        self._pixels = np.zeros((TALLEST, WIDTH), dtype=np.uint8)
        self._bottom = 0
        self._palette = _PALETTE

    def box(self, place: tuple[int, int, int, int], ink: Ink, level: int = 0) -> None:
        """Fill ``(left, top, right, bottom)``; level 0 is the ink's paper, 7 the ink."""
        left, top, right, bottom = place
        self._pixels[top:bottom, left:right] = ink * LEVELS + level
        self._bottom = max(self._bottom, min(bottom, TALLEST))

    def stamp(self, left: int, top: int, levels: NDArray[np.uint8], ink: int) -> None:
        """Copy levels ``[h, w]`` in an ink."""
        place = self._pixels[top : top + levels.shape[0], left : left + levels.shape[1]]
        np.add(levels[: place.shape[0], : place.shape[1]], np.uint8(ink * LEVELS), out=place)
        self._bottom = max(self._bottom, min(top + levels.shape[0], TALLEST))

    def line(self, left: int, top: int, text: str, size: int, ink: Ink) -> int:
        """Write a line; returns where it ends."""
        space = advance(self.typeface, size, " ")
        for word in text.split():
            levels = _word(self.typeface, size, word)
            self.stamp(left, top, levels, ink)
            left += levels.shape[1] + space
        return left - space if text.split() else left

    def paragraph(self, place: tuple[int, int, int], text: str, size: int, ink: Ink) -> int:
        """Write lines that are broken to ``(left, top, right)``; returns where the next begins."""
        left, top, right = place
        for line in wrap(self.typeface, size, text, right - left):
            self.line(left, top, line, size, ink)
            top += line_height(size)
        return top

    def label(self, left: int, top: int, text: str, size: int, ink: Ink) -> tuple[int, int]:
        """Write a line on a box of its own; returns the box's right and bottom."""
        right = min(WIDTH, left + advance(self.typeface, size, text) + 16)
        bottom = top + line_height(size) + 8
        self.box((left, top, right, bottom), ink)
        self.line(left + 8, top + 4, text, size, ink)
        return right, bottom

    def photograph(self, left: int, top: int, photo: Photo) -> None:
        """Place a photograph; those on one sheet must have the same colours."""
        self.stamp(left, top, photo.indices, _PHOTO)
        self._palette = _PALETTE + photo.palette

    def image(self) -> Image.Image:
        """What was drawn, with a margin below, as a palette image."""
        height = min(TALLEST, self._bottom + 16)
        image = Image.frombuffer("P", (WIDTH, height), self._pixels[:height].tobytes())
        image.putpalette(self._palette)
        return image


def line_height(size: int) -> int:
    """Pixels from line to line at a type size."""
    return size + size // 2


@lru_cache(maxsize=8192)
def wrap(typeface: str, size: int, text: str, width: int) -> tuple[str, ...]:
    """Break a text into lines of at most ``width`` pixels.

    >>> wrap("", 14, "one two three four", 80)
    ('one two', 'three four')
    """
    space = advance(typeface, size, " ")
    lines: list[list[str]] = [[]]
    room = width
    for word in text.split():
        for piece in _pieces(typeface, size, word, width):
            needed = advance(typeface, size, piece)
            if lines[-1] and needed > room:
                lines.append([])
                room = width
            lines[-1].append(piece)
            room -= needed + space
    return tuple(" ".join(line) for line in lines)


def advance(typeface: str, size: int, text: str) -> int:
    """Width of a line in pixels."""
    words = text.split(" ")
    width = sum(int(_word(typeface, size, word).shape[1]) for word in words)
    return width + (len(words) - 1) * _space(typeface, size)


def _pieces(typeface: str, size: int, word: str, width: int) -> list[str]:
    """The word, or parts of it where it is wider than a line."""
    if _word(typeface, size, word).shape[1] <= width:
        return [word]
    fits = max(1, width // max(1, advance(typeface, size, "m")))
    return [word[at : at + fits] for at in range(0, len(word), fits)]


@lru_cache(maxsize=64)
def _font(typeface: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface at a size; a bitmap font of one size where Pillow lacks FreeType."""
    if not features.check("freetype2"):
        return ImageFont.load_default_imagefont()
    if typeface:
        return ImageFont.truetype(typeface, size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def _space(typeface: str, size: int) -> int:
    return round(_font(typeface, size).getlength(" ")) or 1


@lru_cache(maxsize=32768)
def _word(typeface: str, size: int, word: str) -> NDArray[np.uint8]:
    """A word as levels ``[line height, width]``, read-only."""
    shown = word if typeface or word.isascii() else _spelled(word)
    places = [0.0]
    for char in shown:
        places.append(places[-1] + _length(typeface, size, char))
    levels = np.zeros((line_height(size), int(np.ceil(places[-1])) + 2 * _BLEED + 1), np.uint8)
    for char, place in zip(shown, places[:-1], strict=True):
        left = int(place)
        glyph = _glyph(typeface, size, char, int((place - left) * _SHIFTS))
        field = levels[:, left : left + glyph.shape[1]]
        np.maximum(field, glyph[:, : field.shape[1]], out=field)
    levels = levels[:, _BLEED : _BLEED + int(np.ceil(places[-1]))]
    levels.setflags(write=False)
    return levels


@lru_cache(maxsize=8192)
def _length(typeface: str, size: int, char: str) -> float:
    return float(_font(typeface, size).getlength(char))


@lru_cache(maxsize=8192)
def _glyph(typeface: str, size: int, char: str, shift: int) -> NDArray[np.uint8]:
    """A letter as levels ``[line height, width]``, ``shift`` parts of a pixel to the right."""
    width = int(np.ceil(_length(typeface, size, char))) + 2 * _BLEED + 1
    drawn = Image.new("L", (width, line_height(size)))
    place = (_BLEED + shift / _SHIFTS, 0)
    ImageDraw.Draw(drawn).text(place, char, font=_font(typeface, size), fill=255)
    return (np.asarray(drawn) >> 5).astype(np.uint8)


def _spelled(word: str) -> str:
    """The word in signs that the built-in typeface has.

    Letters without a spelling become ``?``; other signs (emoji, stars) are left out, unless the
    word has nothing else.

    >>> _spelled("★Crème–Brûlée½☞"), _spelled("茶"), _spelled("☞")
    ('Creme-Brulee1/2', '?', '?')
    """
    apart = unicodedata.normalize("NFKD", word).translate(_PLAIN)
    return "".join(map(_sign, apart)) or "?"


def _sign(char: str) -> str:
    if char.isascii() or char in "°®":
        return char
    return "?" if char.isalnum() else ""
