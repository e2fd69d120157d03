"""Load what a config names by ``target``: third-party implementations of any socket."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue

from armap.errors import ConfigError
from armap.types import Record

__all__ = ["ImportConfig", "load"]


class ImportConfig(Record):
    """An implementation of your own: ``target: pkg.module:Name`` or ``folder/file.py:Name``."""

    kind: Literal["import"] = "import"
    target: str
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments for the target."""


def load(target: str) -> Any:
    """Return the object that ``target`` names; dotted modules may lie in the working folder.

    Raises:
        ConfigError: the target is malformed, or there is no such module or name.

    >>> load("fractions:Fraction").__name__
    'Fraction'
    """
    place, _, name = target.partition(":")
    if not place or not name:
        raise ConfigError(f"target {target!r}: write 'package.module:Name' or 'file.py:Name'")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else _from_path(place)
    except (ImportError, TypeError, ValueError) as error:
        raise ConfigError(f"target {target!r}: {error}") from error
    if not hasattr(module, name):
        raise ConfigError(f"target {target!r}: {place} has no {name!r}")
    return getattr(module, name)


def _from_path(place: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(place)


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ImportError(f"no file {path}")
    whole = path.resolve()
    name = f"armap_import_{path.stem}_{sha256(str(whole).encode()).hexdigest()[:8]}"
    changed = whole.stat().st_mtime_ns
    known = sys.modules.get(name)
    if known is not None and getattr(known, _CHANGED, None) == changed:
        return known
    spec = importlib.util.spec_from_file_location(name, whole)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _CHANGED, changed)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


_CHANGED = "__armap_changed__"
"""On the module of a file: when that was changed. One that has not been is not run again."""
