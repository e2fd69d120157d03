"""Load what a config names by ``target``: third-party implementations of any socket."""

from __future__ import annotations

import importlib
import importlib.util
import sys
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
    spec = importlib.util.spec_from_file_location(f"armap_import_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
