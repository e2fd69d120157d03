"""WebShop's own files, read as they are: plain or gzip, one product at a time."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from json import JSONDecodeError, JSONDecoder
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, cast

from armap.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from re import Pattern

__all__ = [
    "Files",
    "Records",
    "Size",
    "find_files",
    "missing_files",
    "read_mapping",
    "stream_records",
]

Records = dict[str, Any]
Size = Literal["small", "full"]
"""The two catalogues: of 1,000 products, and the full one."""

_STEMS = {
    "small": ("items_shuffle_1000", "items_ins_v2_1000"),
    "full": ("items_shuffle", "items_ins_v2"),
    "human": ("items_human_ins",),
}
"""Products and attributes of the two catalogues, and what people asked for."""
_CHUNK = 1 << 24
_LARGEST = 1 << 26
"""No product takes so many characters: beyond that the file is broken."""
_BLANKS = re.compile(r"[ \t\r\n\ufeff]*")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_HALVES = ("\\ud", "\\uD")
"""How JSON writes one half of a character; two of them make a whole one."""
_PACKED = (gzip.BadGzipFile, zlib.error, EOFError)
"""What a damaged archive raises."""
_decode = JSONDecoder().raw_decode


class Files(NamedTuple):
    """The files of one catalogue."""

    items: Path
    """``items_shuffle*.json``: products, a JSON list."""
    attributes: Path
    """``items_ins_v2*.json``: attributes and synthetic instructions by asin."""
    instructions: Path | None
    """``items_human_ins.json``: what people asked for, by asin; None when it is not there."""


def find_files(folder: Path, size: Literal["auto", "small", "full"]) -> Files:
    """Find the official files in ``folder``.

    Raises:
        ConfigError: the folder or a file is missing, or there are two catalogues to choose from.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"webshop: data: no folder {folder}; put the official files there with "
            f"`armap data webshop --source DIR|URL --to {folder}`, or set data: embedded"
        )
    small, full = _find(folder, "items_shuffle_1000"), _find(folder, "items_shuffle")
    if size == "auto" and small and full:
        raise ConfigError(f"{folder}: holds both catalogues; set size: small or size: full")
    wanted: Size = "small" if size == "small" or (size == "auto" and small) else "full"
    items, attributes = (_find(folder, stem) for stem in _STEMS[wanted])
    if items is None:
        raise ConfigError(f"{folder}: {_STEMS[wanted][0]}.json is missing (or .json.gz)")
    if attributes is None:
        raise ConfigError(
            f"{folder}: {_STEMS[wanted][1]}.json is missing (or .json.gz), {items.name} needs it"
        )
    return Files(items, attributes, _find(folder, *_STEMS["human"]))


def missing_files(folder: Path, what: Literal["small", "full", "human"]) -> tuple[str, ...]:
    """Names of the files that a catalogue, or human goals for any, still need in ``folder``."""
    return tuple(f"{stem}.json" for stem in _STEMS[what] if _find(folder, stem) is None)


def _find(folder: Path, stem: str) -> Path | None:
    for name in (f"{stem}.json", f"{stem}.json.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON mapping by asin.

    Raises:
        DataError: it is truncated, or holds something else.
    """
    with _opened(path) as stream:
        try:
            text = stream.read()
            content = json.loads(text)
        except (JSONDecodeError, UnicodeDecodeError, *_PACKED) as error:
            raise DataError(f"{path}: not whole JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: the wrong file: wanted a mapping by asin, not a list")
    if any(half in text for half in _HALVES):
        for asin, entry in content.items():
            _check_whole([asin, entry], f"{path}: entry {asin!a}")
    return content


def stream_records(path: Path) -> Iterator[Records]:
    """The products of a file, one after the other, without holding all of it.

    Raises:
        DataError: the file is truncated, malformed or no list of products.
    """
    with _opened(path) as stream:
        try:
            yield from _items(path, stream)
        except (UnicodeDecodeError, *_PACKED) as error:
            raise DataError(f"{path}: damaged or truncated: {error}") from error


def _items(path: Path, stream: IO[str]) -> Iterator[Records]:
    window = _Window(path, stream)
    if window.skip(_BLANKS) != "[":
        raise DataError(f"{path}: the wrong file: wanted a list of products")
    window.at += 1
    while window.skip(_BETWEEN) != "]":
        record = window.decode()
        if not isinstance(record, dict):
            raise DataError(f"{path}: entry {window.count} is no product: {record!r:.40}")
        if window.halves:
            asin = record.get("asin")
            _check_whole(record, f"{path}: record {window.count:,}: product {asin!a}")
        window.count += 1
        yield record


class _Window:
    """The part of a text that is being decoded."""

    def __init__(self, path: Path, stream: IO[str]) -> None:
        self.at = 0
        self.count = 0
        self.halves = False
        """Whether the last value was written with halves of characters."""
        self._path = path
        self._stream = stream
        self._text = ""

    def skip(self, what: Pattern[str]) -> str:
        """Pass over ``what``; return the next character, the empty string at the end."""
        while True:
            found = what.match(self._text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._more():
                return ""

    def decode(self) -> Any:
        """The JSON value at this place."""
        while True:
            try:
                value, end = _decode(self._text, self.at)
            except JSONDecodeError as error:
                if len(self._text) - self.at > _LARGEST:
                    raise DataError(self._broken("is malformed")) from error
                if not self._more():
                    raise DataError(self._broken("is truncated")) from error
            else:
                self.halves = any(self._text.find(half, self.at, end) >= 0 for half in _HALVES)
                self.at = end
                return value

    def _more(self) -> bool:
        more = self._stream.read(_CHUNK)
        self._text, self.at = self._text[self.at :] + more, 0
        return bool(more)

    def _broken(self, what: str) -> str:
        count = f"{self.count:,} products"
        return f"{self._path}: the JSON {what} after {count}; download it again"


def _check_whole(value: Any, where: str) -> None:
    """Refuse half a character: JSON may hold one, but no file or message of a run could."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        near = ascii(error.object[max(0, error.start - 20) : error.end])
        raise DataError(
            f"{where}: holds half a character: {near}; mend or remove it in the file"
        ) from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8"))
    return path.open(encoding="utf-8")
