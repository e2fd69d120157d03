"""Append-only files of records, one JSON object a line, that survive being killed.

A record is on disk (in the kernel's hands) before the next one starts. What a crash can leave
behind is one torn last line; it is detected, reported and dropped. Records are appended in the
order in which work finishes and sorted once, atomically, when the stage is complete: an
interrupted and resumed run ends in the same bytes.
"""

from __future__ import annotations

import logging
import os
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from armap.errors import DataError
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["JsonLines", "parse_line", "read_records", "write_text"]

R = TypeVar("R", bound=Record)
_log = logging.getLogger(__name__)


class JsonLines(Generic[R]):
    """A file of records, one JSON object a line, that survives being killed."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path = path
        self._kind = kind
        self._file: IO[str] | None = None

    def __iter__(self) -> Iterator[R]:
        """Read the records so far; an absent file has none."""
        if self.path.exists():
            yield from read_records(self.path, self._kind)

    def append(self, record: R) -> None:
        """Hand one record to the kernel; drops a torn last line first."""
        if self._file is None:
            _drop_torn_line(self.path)
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(record.model_dump_json() + "\n")
        self._file.flush()

    def clear(self) -> None:
        """Start the file anew: for what a later session works out again."""
        self.close()
        self.path.unlink(missing_ok=True)

    def sort(self, key: Callable[[Any], Any], kind: type[Record] | None = None) -> int:
        """Put the records in order, atomically; return how many there are.

        Holds keys in memory, not records.

        Args:
            key: what to order by.
            kind: as much of a record as ``key`` looks at, which is quicker to read; None: all.
        """
        places = self._places(key, kind or self._kind)
        return self._rewrite(sorted(places, key=lambda item: item[0]))

    def keep(self, wanted: Callable[[R], bool]) -> int:
        """Drop the records that are not ``wanted``, atomically; return how many stay."""
        return self._rewrite(item for item in self._places(wanted, self._kind) if item[0])

    def _rewrite(self, chosen: Iterable[_Place]) -> int:
        """Write the lines at the chosen places."""
        count, draft = 0, self.path.with_name(self.path.name + ".part")
        with self.path.open("rb") as old, draft.open("wb") as new:
            for _, place, length in chosen:
                old.seek(place)
                new.write(old.read(length))
                count += 1
        draft.replace(self.path)
        return count

    def _places(self, key: Callable[[Any], Any], kind: type[Record]) -> Iterator[_Place]:
        """Where each record is, with its key."""
        self.close()
        self.path.touch()
        found = _numbered(self.path, kind)
        return ((key(record), place, length) for place, length, record in found)

    def close(self) -> None:
        """Flush to the device and close. Idempotent."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def read_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Yield the records of a JSON Lines file; a torn last line is reported and left out.

    Raises:
        DataError: the file is missing, or a complete line does not match the schema; names
            file and line.
    """
    for _, _, record in _numbered(path, kind):
        yield record


def parse_line(path: Path, number: int, line: bytes, kind: type[R]) -> R:
    """Read one line as a record.

    Raises:
        DataError: it is none; names file and line.
    """
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "line"
        raise DataError(
            f"{path}:{number}: not a {kind.__name__}: {where}: {first['msg']}; "
            "mend or remove the line"
        ) from error


_Place = tuple[Any, int, int]
"""A key, and offset and length of the line it belongs to."""


def _numbered(path: Path, kind: type[R]) -> Iterator[tuple[int, int, R]]:
    """Offset, length and content of every whole line."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    place = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                _log.warning("%s:%d: dropped a torn last line (%d bytes)", path, number, len(line))
                return
            yield place, len(line), parse_line(path, number, line, kind)
            place += len(line)


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically: readers see the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    kept = data.rfind(b"\n") + 1
    if kept != len(data):
        _log.warning("%s: dropped a torn last line (%d bytes)", path, len(data) - kept)
        with path.open("r+b") as file:
            file.truncate(kept)
