"""Put the official files where ``data:`` looks for them, from a folder or from the web.

A file comes under another name first and is renamed when it is whole; what is there is never
overwritten unless that is asked for. An interrupted download goes on where it stopped.
"""

from __future__ import annotations

import shutil
from hashlib import file_digest
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from armap.errors import BoundaryError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NAMES", "Placed", "fetch"]

NAMES = tuple(
    f"{stem}.json{tail}"
    for stem in (
        "items_shuffle_1000",
        "items_ins_v2_1000",
        "items_shuffle",
        "items_ins_v2",
        "items_human_ins",
    )
    for tail in ("", ".gz")
)
"""Names of the official files, packed or not."""

_CHUNK = 1 << 20
_TIMEOUT = 60


class Placed(NamedTuple):
    """One file and what was done about it."""

    path: Path
    size: int
    """Bytes."""
    sha256: str
    done: Literal["copied", "downloaded", "already there", "kept, though the source differs"]


def fetch(
    source: str,
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Iterator[Placed]:
    """Bring every official file that ``source`` has into ``folder``.

    Args:
        source: a folder, the address of a folder, or the address of one file.
        folder: where they go; made when it is not there.
        overwrite: replace files that differ.
        progress: is told how far a file is.

    Raises:
        ConfigError: the source has none of the files.
        BoundaryError: a download failed; calling again goes on with it.
    """
    web = source.startswith(("http://", "https://"))
    if not web and not Path(source).is_dir():
        raise ConfigError(f"--source {source}: is neither a folder nor a web address")
    folder.mkdir(parents=True, exist_ok=True)
    found = False
    for name in _wanted(source):
        if web:
            address = source if source.endswith(name) else f"{source.rstrip('/')}/{name}"
            placed = _download(address, folder / name, progress, overwrite=overwrite)
        else:
            placed = _copy(Path(source) / name, folder / name, overwrite=overwrite)
        if placed is not None:
            found = True
            yield placed
    if not found:
        raise ConfigError(f"--source {source}: has none of {', '.join(NAMES[::2])} (or .gz)")


def _wanted(source: str) -> tuple[str, ...]:
    last = source.rstrip("/").rpartition("/")[2]
    return (last,) if last in NAMES else NAMES


def _copy(source: Path, target: Path, *, overwrite: bool) -> Placed | None:
    if not source.is_file():
        return None
    if target.exists():
        same = target.samefile(source) or _sum(target) == _sum(source)
        if same or not overwrite:
            return _stays(target, same=same)
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, part)
    part.rename(target)
    return _placed(target, "copied")


def _download(
    address: str, target: Path, tell: Callable[[str, int, int | None], None], *, overwrite: bool
) -> Placed | None:
    """One file from the web; None when it is not there."""
    part = target.with_name(f"{target.name}.part")
    try:
        with _asked(address, part) as reply:
            resumed = reply.status == HTTPStatus.PARTIAL_CONTENT
            have = part.stat().st_size if resumed else 0
            length = reply.headers.get("Content-Length")
            whole = None if length is None else have + int(length)
            if target.exists() and not overwrite:
                return _stays(target, same=whole == target.stat().st_size)
            with part.open("ab" if resumed else "wb") as stream:
                while chunk := reply.read(_CHUNK):
                    have += stream.write(chunk)
                    tell(target.name, have, whole)
    except HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return None
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # longer than the file: of another one
        raise BoundaryError(f"{address}: {error.code} {error.reason}; run it again") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise BoundaryError(f"{address}: {reason}; run it again to go on") from error
    if whole is not None and have != whole:
        raise BoundaryError(
            f"{address}: broke off after {have:,} of {whole:,} bytes; run it again to go on"
        )
    part.rename(target)
    return _placed(target, "downloaded")


def _asked(address: str, part: Path) -> Any:
    """Ask for a file, or for the rest of it."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "armap"} | ({"Range": f"bytes={have}-"} if have else {})
    return urlopen(Request(address, headers=headers), timeout=_TIMEOUT)


def _stays(path: Path, *, same: bool) -> Placed:
    return _placed(path, "already there" if same else "kept, though the source differs")


def _placed(path: Path, done: Any) -> Placed:
    return Placed(path, path.stat().st_size, _sum(path), done)


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
