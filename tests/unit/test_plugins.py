"""A target names an object in a module or a file, or the mistake is said in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from armap.errors import ConfigError
from armap.plugins import ImportConfig, load


@pytest.fixture(autouse=True)
def _imports_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_of_an_installed_package() -> None:
    assert load("fractions:Fraction") is Fraction
    assert load("armap.plugins:load") is load


def test_a_module_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zz_mine").mkdir()
    (tmp_path / "zz_mine" / "world.py").write_text("VALUE = 7\n")
    monkeypatch.chdir(tmp_path)
    assert load("zz_mine.world:VALUE") == 7


def test_a_file_wherever_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "my world.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class World:\n"
        "    size: int = 3\n"
    )
    assert load(f"{path}:World")(size=4).size == 4


def test_a_file_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "world.py").write_text("NAME = __name__\n")
    monkeypatch.chdir(tmp_path)
    assert load("world.py:NAME").startswith("armap_import_world_")
    assert "world" not in sys.modules


def test_a_file_is_run_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "counted.py"
    path.write_text("THING = object()\n")
    first = load(f"{path}:THING")
    assert load(f"{path}:THING") is first
    path.write_text("THING = 'another'\n")
    os.utime(path, ns=(1, 1))
    assert load(f"{path}:THING") == "another"


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    found = []
    for value in (1, 2):
        path = tmp_path / str(value) / "world.py"
        path.parent.mkdir()
        path.write_text(f"def value():\n    return {value}\n")
        found.append(load(f"{path}:value"))
    assert [value() for value in found] == [1, 2]


@pytest.mark.parametrize("target", ["", ":", "fractions", "fractions:", ":Fraction", "world.py"])
def test_a_malformed_target(target: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(target)
    assert str(caught.value) == (
        f"target {target!r}: write 'package.module:Name' or 'file.py:Name'"
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("zz_absent:Name", "No module named 'zz_absent'"),
        ("fractions.zz:Name", "No module named 'fractions.zz'; 'fractions' is not a package"),
        ("zz absent:Name", "No module named 'zz absent'"),
        ("zz/absent.py:Name", "no file zz/absent.py"),
        ("fractions:Absent", "fractions has no 'Absent'"),
        ("fractions:Fraction:x", "fractions has no 'Fraction:x'"),
    ],
)
def test_a_target_that_is_not_there(target: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(target)
    assert str(caught.value) == f"target {target!r}: {message}"


def test_a_file_that_lacks_what_it_imports(tmp_path: Path) -> None:
    path = tmp_path / "world.py"
    path.write_text("import zz_absent\n")
    with pytest.raises(ConfigError, match="No module named 'zz_absent'"):
        load(f"{path}:World")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "world.py").mkdir()
    with pytest.raises(ConfigError, match="no file"):
        load(f"{tmp_path / 'world.py'}:World")


def test_an_error_of_the_code_itself_is_not_hidden(tmp_path: Path) -> None:
    path = tmp_path / "world.py"
    path.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        load(f"{path}:World")


def test_the_config_names_a_target_and_its_options() -> None:
    config = ImportConfig(target="fractions:Fraction", options={"numerator": 8, "denominator": 3})
    assert load(config.target)(**config.options) == Fraction(8, 3)
    assert ImportConfig(target="a:b").options == {}
