"""Run folders: a lock, and a manifest that says what was run."""

from __future__ import annotations

import fcntl
import json
import logging
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from pydantic import Field, JsonValue, ValidationError

from armap.errors import ConfigError
from armap.storage.lines import JsonLines, write_text
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = [
    "Manifest",
    "Origin",
    "RunFolder",
    "differences",
    "last_checkpoint",
    "read_manifest",
]

R = TypeVar("R", bound=Record)
_log = logging.getLogger(__name__)
_PACKAGES = ("pydantic", "numpy", "aiohttp", "torch", "transformers")
_VERSION = re.compile(r"^Version: (.+)$", re.MULTILINE)
_MANIFEST = "manifest.json"
_LOCK = ".lock"
_FAILURES = "failures.jsonl"


class Manifest(Record):
    """What a run folder was made with, in ``manifest.json``."""

    version: int = 1
    stage: str
    config: dict[str, JsonValue]
    """The complete configuration, defaults included."""
    seed: int
    world: dict[str, str] = Field(default_factory=dict)
    """Digests of the data behind the environment: two runs are comparable where they agree."""
    created: str
    versions: dict[str, str]
    git_commit: str | None
    finished: bool = False
    seconds: float = 0.0
    """Wall time spent, over all sessions of this run."""
    source: str = ""
    """Folder of the run that this one was made out of, by another way than its stage."""


class Origin(NamedTuple):
    """What a run is made out of, besides its configuration."""

    source: str = ""
    """Another run, if making something out of one is not what the stage does anyway."""
    world: Mapping[str, str] = MappingProxyType({})
    """Digests of the data behind the run's environment."""


class RunFolder:
    """An open run folder; a context manager that holds the folder's lock.

    Attributes:
        path: the folder.
        manifest: what it was made with.
        resumed: True when it existed before.
    """

    def __init__(self, path: Path, manifest: Manifest, *, resumed: bool, lock: IO[str]) -> None:
        self.path = path
        self.manifest = manifest
        self.resumed = resumed
        self._lock = lock
        self._files: list[JsonLines[Any]] = []
        self._started = datetime.now(UTC)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        stage: str,
        config: Record,
        free: Collection[str] = ("out",),
        origin: Origin = Origin(),
        overwrite: bool = False,
    ) -> Self:
        """Create the folder, or continue it when it was made with the same configuration.

        Args:
            path: the folder.
            stage: of the pipeline.
            config: all of the run's settings.
            free: those that may differ (dotted names); a finished run whose free settings
                changed, other than ``out``, is taken up again.
            origin: what the run is made out of, besides its configuration.
            overwrite: empty the folder first.

        Raises:
            ConfigError: the folder holds something else, was made with another configuration,
                or another process is writing to it.
        """
        content = config.model_dump(mode="json")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be a run folder: {error.strerror}") from error
        lock = _locked(path)
        try:
            existing = _existing(path)
            if existing is not None and overwrite:
                _empty(path)
                existing = None
            if existing is not None:
                _refuse_source(path, existing.source, origin.source)
                _refuse_changes(path, existing, stage, content, free)
                _refuse_another_world(path, existing.world, origin.world)
                manifest = _continued(existing, content)
                return cls(path, manifest, resumed=True, lock=lock)
            manifest = _fresh(stage, content, path, origin)
        except ConfigError:
            lock.close()
            raise
        return cls(path, manifest, resumed=False, lock=lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lines in self._files:
            lines.close()
        if error is not None and not self._has_records():
            _empty(self.path)
        else:
            self._save(finished=self.manifest.finished)
        self._lock.close()

    def lines(self, name: str, kind: type[R]) -> JsonLines[R]:
        """The append-only file ``name`` of this run."""
        lines = JsonLines(self.path / name, kind)
        self._files.append(lines)
        return lines

    def _has_records(self) -> bool:
        """Whether anything but failures has come of this run."""
        names = {entry.name for entry in self.path.iterdir() if entry.stat().st_size}
        return bool(names - {_MANIFEST, _LOCK, _FAILURES})

    def finish(self) -> None:
        """Mark the stage as complete."""
        self._save(finished=True)

    def _save(self, *, finished: bool) -> None:
        now = datetime.now(UTC)
        spent = 0.0 if self.manifest.finished else (now - self._started).total_seconds()
        self._started = now
        self.manifest = self.manifest.model_copy(
            update={"finished": finished, "seconds": self.manifest.seconds + spent}
        )
        _save_manifest(self.path, self.manifest)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a run folder.

    Raises:
        ConfigError: the folder holds no run.
    """
    manifest = _existing(path) if path.is_dir() else None
    if manifest is None:
        raise ConfigError(f"{path}: not a run folder ({_MANIFEST} is missing)")
    return manifest


def last_checkpoint(folder: Path) -> str | None:
    """The newest whole ``checkpoint-N`` in ``folder``: one killed while being saved is passed over.

    The trainer writes ``trainer_state.json`` last, so its presence says that the rest is there.
    """
    whole: list[tuple[int, str]] = []
    for path in folder.glob("checkpoint-*"):
        try:
            state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            continue
        whole.append((int(state["global_step"]), str(path)))
    return max(whole)[1] if whole else None


def differences(old: JsonValue, new: JsonValue, at: str = "") -> list[str]:
    """Say where two configurations differ.

    >>> differences({"planner": {"n": 10}}, {"planner": {"n": 20}})
    ['planner.n is 10 there and 20 here']
    """
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for key in sorted({*old, *new}):
            found += differences(old.get(key), new.get(key), f"{at}.{key}".lstrip("."))
        return found
    return [] if old == new else [f"{at} is {json.dumps(old)} there and {json.dumps(new)} here"]


def _locked(path: Path) -> IO[str]:
    lock = (path / _LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigError(
            f"{path}: another armap process is writing to this folder; wait for it, or use --out"
        ) from error
    return lock


def _existing(path: Path) -> Manifest | None:
    file = path / _MANIFEST
    if not file.exists():
        if any(entry.name not in {_LOCK, f"{_MANIFEST}.part"} for entry in path.iterdir()):
            raise ConfigError(
                f"{path}: the folder is not empty and holds no {_MANIFEST}; choose another --out"
            )
        return None
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ConfigError(f"{file}: not a run manifest; choose another --out") from error


def _continued(manifest: Manifest, config: dict[str, JsonValue]) -> Manifest:
    """The manifest with the settings of this session; unfinished when they may matter."""
    same = {**manifest.config, "out": ""} == {**config, "out": ""}
    return manifest.model_copy(update={"config": config, "finished": manifest.finished and same})


def _without(config: JsonValue, names: Collection[str]) -> JsonValue:
    """``config`` without the settings called ``names``."""
    if not isinstance(config, dict):
        return config
    inner = {
        key: [name.partition(".")[2] for name in names if name.startswith(f"{key}.")]
        for key in config
    }
    return {key: _without(value, inner[key]) for key, value in config.items() if key not in names}


def _refuse_source(path: Path, there: str, here: str) -> None:
    if there != here:
        made = f"a run made out of {there}" if there else "another run"
        raise ConfigError(f"{path}: holds {made}; use another --out, or --overwrite")


def _refuse_changes(
    path: Path,
    manifest: Manifest,
    stage: str,
    config: dict[str, JsonValue],
    free: Collection[str],
) -> None:
    if manifest.stage != stage:
        raise ConfigError(
            f"{path}: holds a {manifest.stage!r} run, not {stage!r}; use another --out"
        )
    changed = differences(_without(manifest.config, free), _without(config, free))
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise ConfigError(
            f"{path}: made with another configuration: {changed[0]}{more}; "
            "use another --out, or --overwrite to start anew"
        )


def _refuse_another_world(path: Path, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Runs that were made before worlds had digests are continued as they are."""
    changed = differences(dict(there), dict(here)) if there else []
    if changed:
        raise ConfigError(
            f"{path}: made with other data behind the environment: {changed[0]}; "
            "use another --out, or --overwrite to start anew"
        )


def _fresh(stage: str, config: dict[str, JsonValue], path: Path, origin: Origin) -> Manifest:
    seed = config.get("seed", 0)
    manifest = Manifest(
        stage=stage,
        config=config,
        seed=seed if isinstance(seed, int) else 0,
        world=dict(origin.world),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
        git_commit=_git_commit(),
        source=origin.source,
    )
    _save_manifest(path, manifest)
    return manifest


def _save_manifest(path: Path, manifest: Manifest) -> None:
    write_text(path / _MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def _empty(path: Path) -> None:
    for entry in path.iterdir():
        if entry.name == _LOCK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("armap", *_PACKAGES):
        try:
            found[package] = _version(package)
        except PackageNotFoundError:
            continue
    return found


def _version(package: str) -> str:
    """Read without all of the package's description, which ``version`` takes apart first."""
    found = _VERSION.search(distribution(package).read_text("METADATA") or "")
    return found[1] if found else version(package)


def _git_commit() -> str | None:
    """The commit of the working folder; None outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
