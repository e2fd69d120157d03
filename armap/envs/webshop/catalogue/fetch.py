"""Put the official files where ``data:`` looks for them, from a folder or from the web.

A file comes under another name first and is renamed when it is whole; what is there is never
overwritten unless that is asked for. An interrupted download goes on where it stopped.
"""

from __future__ import annotations

import re
import shutil
from hashlib import file_digest
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit

from armap.envs.webshop.catalogue.download import Part, download, size_of
from armap.errors import BoundaryError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armap.envs.webshop.catalogue.download import Tell

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

_ADDRESS = re.compile(r"[!-~]+")
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN)
"""What servers answer for a file that they do not have; object stores say forbidden."""

Done = Literal[
    "copied",
    "downloaded",
    "already there",
    "already there (same size)",
    "kept, though the source differs",
    "kept, the source differs in size",
    "kept, cannot tell whether the source differs",
]


class Placed(NamedTuple):
    """One file and what was done about it."""

    path: Path
    size: int
    """Bytes."""
    sha256: str
    done: Done
    """Contents are compared with a folder's; with the web's, sizes."""


class _Source(NamedTuple):
    """What was named as source."""

    files: dict[str, str]
    """Path or address of each file that is looked for, by name."""
    web: bool
    one: bool
    """Whether one file was named, so that it must be there."""


def fetch(
    source: str,
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Tell = lambda *_: None,
) -> Iterator[Placed]:
    """Bring every official file that ``source`` has into ``folder``.

    Args:
        source: a folder or one file, by path or by web address.
        folder: where they go; made when it is not there.
        overwrite: replace files that differ.
        progress: is told how far a file is.

    Raises:
        ConfigError: the source has none of the files, or cannot be one.
        BoundaryError: a download failed; calling again goes on with it.
    """
    looked = _look(source)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--to {folder}: is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    found, refused = False, ""
    for name, where in looked.files.items():
        try:
            placed = (
                _download(where, folder / name, progress, overwrite=overwrite)
                if looked.web
                else _copy(Path(where), folder / name, overwrite=overwrite)
            )
        except HTTPError as error:
            with error:
                refused = f"{error.code} {error.reason}"
                if looked.one or error.code not in _ABSENT:
                    raise _refusal(where, error) from error
            continue
        if placed is not None:
            found = True
            yield placed
    if not found:
        why = f"; the server answers {refused}" if refused else ""
        raise ConfigError(f"--source {source}: has none of {', '.join(NAMES[::2])} (or .gz){why}")


def _look(source: str) -> _Source:
    """Which files a source may have.

    Raises:
        ConfigError: it is no folder, no official file and no address.
    """
    if source.lower().startswith(("http://", "https://")):
        return _look_on_the_web(source)
    path = Path(source)
    if path.is_dir():
        return _Source({name: str(path / name) for name in NAMES}, web=False, one=False)
    if not path.is_file():
        raise ConfigError(f"--source {source}: is neither a folder, a file nor a web address")
    if path.name not in NAMES:
        raise ConfigError(
            f"--source {source}: is none of the official files: {', '.join(NAMES[::2])} (or .gz)"
        )
    return _Source({path.name: source}, web=False, one=True)


def _look_on_the_web(source: str) -> _Source:
    if not _ADDRESS.fullmatch(source):
        raise ConfigError(
            f"--source {source}: is no web address; write blanks as %20, other signs likewise"
        )
    try:
        parts = urlsplit(source)
        named = parts.hostname and parts.port != 0  # reading the port checks it
    except ValueError as error:
        raise ConfigError(f"--source {source}: is no web address: {error}") from error
    if not named:
        raise ConfigError(f"--source {source}: is no web address: it names no server")
    folder, _, last = parts.path.rstrip("/").rpartition("/")
    if last in NAMES:
        return _Source({last: source}, web=True, one=True)
    folder = f"{folder}/{last}".rstrip("/")
    addresses = {name: parts._replace(path=f"{folder}/{name}").geturl() for name in NAMES}
    return _Source(addresses, web=True, one=False)


def _copy(source: Path, target: Path, *, overwrite: bool) -> Placed | None:
    if not source.is_file():
        return None
    if target.exists():
        same = target.samefile(source) or _sum(target) == _sum(source)
        if same or not overwrite:
            return _placed(target, "already there" if same else "kept, though the source differs")
    part = Part(target)
    part.begin()
    shutil.copyfile(source, part.path)
    part.finish()
    return _placed(target, "copied")


def _download(address: str, target: Path, tell: Tell, *, overwrite: bool) -> Placed:
    if target.exists() and not overwrite:
        return _placed(target, _compared(target.stat().st_size, size_of(address)))
    download(address, target, tell)
    return _placed(target, "downloaded")


def _compared(here: int, there: int | None) -> Done:
    """What sizes alone tell of a file that is kept."""
    if there is None:
        return "kept, cannot tell whether the source differs"
    return "already there (same size)" if here == there else "kept, the source differs in size"


def _refusal(address: str, error: HTTPError) -> ConfigError | BoundaryError:
    answer = f"{address}: {error.code} {error.reason}"
    if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return ConfigError(f"--source {answer}: there is no such file")
    if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return BoundaryError(f"{answer}: the server refuses it; does it need a login or a key?")
    return BoundaryError(f"{answer}; run it again")


def _placed(path: Path, done: Done) -> Placed:
    return Placed(path, path.stat().st_size, _sum(path), done)


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
