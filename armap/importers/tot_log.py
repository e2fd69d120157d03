"""Game-of-24 outputs of other models, acted out in our environment.

Two formats: a Tree-of-Thoughts log, a JSON list of ``{idx, ys, infos|accs}``, and JSON Lines of
``{index, puzzle, outputs, labels}``. Only the outputs are read. Labels, infos and accuracies are
ground truth and stay in the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.game24.puzzles import TEST_PUZZLES
from armap.errors import DataError
from armap.storage import RunFolder
from armap.types import Action, Record, Step, StopReason, Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from armap.types import Task

__all__ = ["ImportRun", "act_out", "import_log", "read_outputs"]

_FIRST_TEST_ROW = 900


class ImportRun(Record):
    """What an import folder was made from."""

    stage: str = "import"
    out: str
    seed: int = 0
    file: str


class Outputs(NamedTuple):
    """All outputs for one puzzle."""

    numbers: tuple[int, ...]
    texts: tuple[str, ...]


def import_log(file: Path, out: Path, *, overwrite: bool = False) -> int:
    """Read ``file`` and leave ``trajectories.jsonl`` in ``out``; returns how many.

    Raises:
        DataError: the file is missing or of another format; names the entry.
    """
    puzzles = list(read_outputs(file))
    run = ImportRun(out=str(out), file=str(file))
    with RunFolder.open(out, stage="import", config=run, overwrite=overwrite) as folder:
        lines = folder.lines("trajectories.jsonl", Trajectory)
        if folder.manifest.finished:
            return sum(1 for _ in lines)
        lines.clear()
        count = 0
        for outputs in puzzles:
            for trajectory in act_out(outputs, author=f"log/{file.name}"):
                lines.append(trajectory)
                count += 1
        lines.close()
        folder.finish()
    return count


def read_outputs(file: Path) -> Iterator[Outputs]:
    """Yield the outputs of each puzzle in the file.

    Raises:
        DataError: the file is missing or of another format.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    text = file.read_text(encoding="utf-8")
    try:
        if text.lstrip().startswith("["):
            entries = json.loads(text)
        else:
            entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise DataError(f"{file}: not JSON: {error}") from error
    for number, entry in enumerate(entries, start=1):
        yield _outputs(entry, f"{file}: entry {number}")


def _outputs(entry: JsonValue, where: str) -> Outputs:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: an object is needed, not {entry!r:.40}")
    texts = entry.get("outputs", entry.get("ys"))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{where}: 'outputs' (or 'ys') must be a list of texts")
    puzzle = entry.get("puzzle")
    if isinstance(puzzle, str) and all(part.isdigit() for part in puzzle.split()) and puzzle:
        numbers = tuple(map(int, puzzle.split()))
    else:
        numbers = _by_index(entry.get("index", entry.get("idx")), where)
    return Outputs(numbers, tuple(str(text) for text in texts))


def _by_index(index: JsonValue, where: str) -> tuple[int, ...]:
    last = _FIRST_TEST_ROW + len(TEST_PUZZLES) - 1
    if not isinstance(index, int) or not _FIRST_TEST_ROW <= index <= last:
        raise DataError(
            f"{where}: no 'puzzle', and index {index!r} is not one of the test rows "
            f"{_FIRST_TEST_ROW} to {last}; add the numbers as 'puzzle'"
        )
    return TEST_PUZZLES[index - _FIRST_TEST_ROW]


def act_out(outputs: Outputs, *, author: str) -> Iterator[Trajectory]:
    """Turn each output into a trajectory: a line is an action, the environment answers.

    The episodes are as long as the longest output. What follows a taken answer is no action of
    its own; it joins the answer's line, which then is no longer one the environment takes.
    """
    actions = [_lines(text) for text in outputs.texts]
    turns = max([len(lines) for lines in actions] + [1])
    task = make_task(outputs.numbers, split="test", turns=turns)
    for ordinal, lines in enumerate(actions):
        yield _episode(task, lines, author, ordinal)


def _lines(output: str) -> list[str]:
    lines = [line.strip() for line in output.strip().splitlines()]
    return [line for line in lines if line and line.lower() != "steps:"]


def _episode(task: Task, lines: list[str], author: str, ordinal: int) -> Trajectory:
    env = Game24(Game24Config())
    observation, steps = env.reset(task), []
    for number, line in enumerate(lines):
        action = Action(text=line)
        before = env.snapshot()
        after = env.step(action)
        rest = lines[number + 1 :]
        if after.terminal and rest:
            env.restore(before)
            action = Action(text="\n".join((line, *rest)))
            after = env.step(action)
        steps.append(Step(observation=observation, action=action))
        observation = after
        if action.text != line:
            break
    stop = StopReason.TERMINAL if observation.terminal else StopReason.QUIT
    return Trajectory(
        task=task,
        steps=tuple(steps),
        final=observation,
        stop=stop,
        policy=author,
        seed=ordinal,
    )
