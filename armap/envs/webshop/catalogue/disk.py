"""A catalogue on disk: built once, checked at every start, mapped into memory.

A folder holds the products one after the other, the columns and the postings as NumPy arrays,
the vocabulary as sorted text, and a header with the checksum of each file and the identity of
the files that it was built from. It is written under another name and renamed when it is whole.
"""

from __future__ import annotations

import fcntl
import json
import logging
import mmap
import os
import shutil
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, overload
from zlib import crc32

import numpy as np

from armap.envs.webshop.catalogue.catalogue import Catalogue, assemble, read_files
from armap.envs.webshop.catalogue.columns import Columns
from armap.envs.webshop.catalogue.product import Product, unpack
from armap.envs.webshop.search.bm25 import Postings
from armap.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from armap.envs.webshop.catalogue.catalogue import Sought
    from armap.envs.webshop.catalogue.official import Files

__all__ = ["FORMAT", "open_on_disk"]

FORMAT = 1
"""Version of the folder's layout, of the analyser and of the ranking."""

_HEADER = "header.json"
_PRODUCTS = "products.bin"
_TERMS = "terms.bin"
_COLUMNS = Columns._fields[:8]
_POSTINGS = Postings._fields[1:6]
_ARRAYS = (*_COLUMNS, *_POSTINGS, "offsets", "term_ends", "term_numbers")
_NAMES = frozenset((_HEADER, _PRODUCTS, _TERMS, *(f"{name}.npy" for name in _ARRAYS)))
"""All that an index ever holds: a folder with anything else in it is somebody's own."""
_CHUNK = 1 << 22
_TELL = 100_000
_CACHED = 4096
_log = logging.getLogger(__name__)


def open_on_disk(files: Files, folder: Path, *, limit: int | None = None) -> Catalogue:
    """The catalogue of ``files`` from ``folder``, which is built when it is not there.

    An index that is damaged, of another version, or of other files, is built anew.

    Raises:
        ConfigError: the folder cannot be written, or is something else than an index.
        DataError: the official files are damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"webshop: env.index: {folder} is a file; set it to a folder")
    folder = folder.resolve()  # a link stays: what it leads to is built anew
    identity = _identity(files, limit)
    if _problem(folder, identity) is not None:
        with _alone(folder):
            # Another process may have built it while this one waited.
            problem = _problem(folder, identity)
            if problem is not None:
                _check_replaceable(folder)
                if folder.exists():
                    _log.warning("webshop: %s: %s; building it anew", folder, problem)
                _build(files, folder, identity, limit)
    return _opened(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of an index: one process at a time builds it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f"{folder.name}.lock").open("a")
    except OSError as error:
        raise ConfigError(
            f"{folder.parent}: cannot be written ({error.strerror}); "
            "set env.index to a folder for the index"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_replaceable(folder: Path) -> None:
    """Refuse to delete what is no index, where one is built or where it goes."""
    for place in (folder, _part(folder)):
        names = {path.name for path in place.iterdir()} if place.is_dir() else set[str]()
        if names - _NAMES:
            reason = f"it also holds {min(names - _NAMES)!r}"
        elif place == folder and names and not _vouched(folder, names):
            reason = "its header is not an index's"
        else:
            continue
        raise ConfigError(
            f"webshop: env.index: {place} is no index, and would be deleted: {reason}; "
            "set env.index to a folder of its own"
        )


def _vouched(folder: Path, names: set[str]) -> bool:
    """Whether a folder with only an index's names is one."""
    try:
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {_PRODUCTS, _TERMS} <= names  # damaged
    identity = header.get("identity") if isinstance(header, dict) else None
    return isinstance(identity, dict) and "format" in identity


def _part(folder: Path) -> Path:
    """Where an index is while it is being built."""
    return folder.with_name(f"{folder.name}.part")


def _identity(files: Files, limit: int | None) -> dict[str, Any]:
    """What an index is made from: it is built anew when any of this changes."""
    found: dict[str, Any] = {"format": FORMAT, "limit": limit}
    for path in (files.items, files.attributes):
        status = path.stat()
        found[path.name] = [status.st_size, status.st_mtime_ns]
    return found


def _problem(folder: Path, identity: dict[str, Any]) -> str | None:
    """Why an index cannot be used; None when it can."""
    if not folder.is_dir():
        return "there is none"
    try:
        header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "its header is missing or damaged"
    if not isinstance(header, dict) or header.get("identity") != identity:
        return "it was built from other files, or by another version"
    with ThreadPoolExecutor(2) as pool:
        names = sorted(header["files"], key=lambda name: header["files"][name], reverse=True)
        for name, found in zip(
            names, pool.map(_checksum, (folder / n for n in names)), strict=True
        ):
            if found != header["files"][name]:
                return f"{name} is damaged"
    return None


def _checksum(path: Path) -> list[int] | None:
    """Length and CRC-32 of a file, against damage; None when it is missing."""
    sum_, length = 0, 0
    try:
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                sum_ = crc32(chunk, sum_)
                length += len(chunk)
    except OSError:
        return None
    return [length, sum_]


class _Writer:
    """Takes products one after the other into one file, and says how far it is."""

    def __init__(self, path: Path) -> None:
        self.offsets = array("q", [0])
        self._stream = path.open("wb", buffering=_CHUNK)
        self._started = monotonic()

    def keep(self, product: Product, packed: bytes) -> None:  # noqa: ARG002
        self._stream.write(packed)
        self.offsets.append(self.offsets[-1] + len(packed))
        count = len(self.offsets) - 1
        if count % _TELL == 0:
            seconds = monotonic() - self._started
            _log.warning("webshop: %s products indexed in %.0f s", f"{count:,}", seconds)

    def close(self) -> None:
        self._stream.close()


def _build(files: Files, folder: Path, identity: dict[str, Any], limit: int | None) -> None:
    _log.warning(
        "webshop: building the index of %s once, in %s; a full catalogue takes some minutes",
        files.items, folder,
    )  # fmt: skip
    part = _part(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    writer = _Writer(part / _PRODUCTS)
    sought = assemble(read_files(files, limit), writer.keep)
    writer.close()
    offsets = np.frombuffer(writer.offsets, np.int64)
    _save(part, sought, offsets)
    names = [path.name for path in part.iterdir()]
    header = {
        "identity": identity,
        "digest": sought.digest,
        "filled": sought.postings.filled,
        "categories": sought.columns.categories,
        "queries": sought.columns.queries,
        "files": {name: _checksum(part / name) for name in names},
    }
    (part / _HEADER).write_text(json.dumps(header), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _save(part: Path, sought: Sought, offsets: np.ndarray[Any, Any]) -> None:
    columns, postings = sought.columns, sought.postings
    names = sorted(_vocabulary(postings), key=lambda term: term.encode())
    packed = [name.encode() for name in names]
    (part / _TERMS).write_bytes(b"".join(packed))
    arrays = {
        **{name: value for name, value in columns._asdict().items() if hasattr(value, "dtype")},
        **{name: value for name, value in postings._asdict().items() if hasattr(value, "dtype")},
        "offsets": offsets,
        "term_ends": np.cumsum([0, *map(len, packed)], dtype=np.int64),
        "term_numbers": np.array([postings.vocabulary.get(name) for name in names], np.int32),
    }
    for name, value in arrays.items():
        np.save(part / f"{name}.npy", value)


def _vocabulary(postings: Postings) -> Iterable[str]:
    assert isinstance(postings.vocabulary, dict)
    return postings.vocabulary


def _opened(folder: Path) -> Catalogue:
    header = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
    arrays = _Arrays(folder)
    columns = Columns(
        **{name: arrays[name] for name in _COLUMNS},
        categories=tuple(header["categories"]),
        queries=tuple(header["queries"]),
    )
    postings = Postings(
        vocabulary=Terms(_map(folder / _TERMS), arrays["term_ends"], arrays["term_numbers"]),
        **{name: arrays[name] for name in _POSTINGS},
        filled=header["filled"],
    )
    products = Products(folder / _PRODUCTS, arrays["offsets"])
    return Catalogue(products, columns, postings, header["digest"])


class _Arrays:
    """The arrays of a folder by name, mapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Any:
        # A plain view: a memmap does more at every access.
        return np.asarray(np.load(self._folder / f"{name}.npy", mmap_mode="r"))


def _map(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as stream:
        if not path.stat().st_size:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


class Products(Sequence[Product]):
    """Products on disk; some thousand are kept as they were read.

    They are read, not mapped: what a scattered access maps around it would fill the memory.
    """

    def __init__(self, path: Path, offsets: np.ndarray[Any, Any]) -> None:
        self._stream = path.open("rb", buffering=0)
        self._offsets = offsets
        self._read = lru_cache(_CACHED)(self._unpacked)

    def __del__(self) -> None:
        self._stream.close()

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, row: int) -> Product: ...
    @overload
    def __getitem__(self, row: slice) -> list[Product]: ...
    def __getitem__(self, row: int | slice) -> Product | list[Product]:
        if isinstance(row, slice):
            return [self._read(each) for each in range(*row.indices(len(self)))]
        return self._read(row)

    def __iter__(self) -> Iterator[Product]:
        return (self._unpacked(row) for row in range(len(self)))

    def _unpacked(self, row: int) -> Product:
        if not 0 <= row < len(self):
            raise IndexError(row)
        first, end = int(self._offsets[row]), int(self._offsets[row + 1])
        # At a place of its own, so that threads do not move each other's.
        return unpack(os.pread(self._stream.fileno(), end - first, first))


class Terms:
    """A sorted vocabulary on disk."""

    def __init__(
        self, text: mmap.mmap | bytes, ends: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any]
    ) -> None:
        self._text = text
        self._ends = ends
        self._numbers = numbers

    def get(self, term: str, /) -> int | None:
        """The number of a term, by bisection."""
        wanted, count = term.encode(), len(self._numbers)
        at = bisect_left(range(count), wanted, key=self._at)
        return int(self._numbers[at]) if at < count and self._at(at) == wanted else None

    def _at(self, place: int) -> bytes:
        return self._text[self._ends[place] : self._ends[place + 1]]
