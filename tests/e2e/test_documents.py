"""What the documents show is true: the notebook runs, the README's commands exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
READMES = [ROOT / "README.md", *sorted((ROOT / "armap").rglob("README.md"))]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = json.dumps(notebook.cells)
    assert "best_of_n" in shown
    if path.stem == "01_custom_planner":
        assert "backtrack: " in shown
        assert "the best way down begins with 'planner'" in shown
    assert "error: " not in shown


def test_the_notebooks_are_those_that_are_spoken_of() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["00_tour", "01_custom_planner"]


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    stripped = (line.split("#")[0].removeprefix("$ ").split() for line in lines)
    return [words for words in stripped if words and words[0] == "armap"]


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_shown_exists_and_names_real_files(path: Path) -> None:
    for words in commands(path.read_text()):
        for word in words:
            if word.startswith("configs/"):
                assert (ROOT / word).is_file(), f"{path}: {word}"
        verbs = [word for word in words[1:3] if word.isidentifier() or word == "tot-log"]
        command = [sys.executable, "-m", "armap.cli.main", *verbs[:1], "--help"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, (words, done.stderr)
        for option in (word for word in words if word.startswith("--")):
            known = option in done.stdout or verbs[:1] == ["import"]
            assert known, f"{path}: {option} of {words}"


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_python_block_holds(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (path.parent / target).exists(), f"{path}: {target}"
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, str(path), "exec")


def test_the_readme_shows_commands() -> None:
    assert len(commands((ROOT / "README.md").read_text())) >= 6
