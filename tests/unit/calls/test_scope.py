"""Who is calling follows the flow of control."""

from __future__ import annotations

import asyncio

import pytest

from armap.calls import Scope, current_scope, session_scope, task_scope
from armap.types import Task

ONE = Task(env="game24", name="4 4 6 6", split="test", instruction="Make 24.")
TWO = ONE.model_copy(update={"name": "1 2 4 7"})


def session(task: Task, seed: int) -> str:
    with session_scope(task, seed):
        return current_scope().session


def test_nobody_in_particular_calls_outside_of_any_scope() -> None:
    assert current_scope() == Scope(task="", session="")


def test_a_task_is_named_by_environment_split_and_name() -> None:
    with task_scope(ONE):
        assert current_scope() == Scope(task="game24/test/4 4 6 6", session="")
    assert current_scope() == Scope()


def test_an_inner_task_pays_for_itself_and_then_the_outer_one_again() -> None:
    with task_scope(ONE):
        with task_scope(TWO):
            assert current_scope().task == "game24/test/1 2 4 7"
        assert current_scope().task == "game24/test/4 4 6 6"


def test_a_session_keeps_the_task_and_a_task_keeps_the_session() -> None:
    with task_scope(ONE), session_scope(ONE, 1):
        assert current_scope() == Scope("game24/test/4 4 6 6", session(ONE, 1))
    with session_scope(ONE, 1), task_scope(TWO):
        assert current_scope().task == "game24/test/1 2 4 7"
        assert current_scope().session


def test_a_session_is_told_by_task_and_seed_and_is_the_same_in_every_run() -> None:
    names = {session(task, seed) for task in (ONE, TWO) for seed in (0, 1, 2**62)}
    assert len(names) == 6
    assert session(ONE, 1) == session(ONE, 1) == "4ffa3a8ba6ee977c"


def test_fields_of_a_task_are_not_confused_in_a_sessions_name() -> None:
    moved = ONE.model_copy(update={"env": "game24\0test", "name": "4 4 6 6"})
    assert session(moved, 1) != session(ONE, 1)
    assert session(ONE.model_copy(update={"name": "1"}), 12) != session(
        ONE.model_copy(update={"name": "11"}), 2
    )


def test_the_outermost_session_counts() -> None:
    with session_scope(ONE, 1):
        tree = current_scope().session
        with session_scope(ONE, 2), session_scope(TWO, 3):
            assert current_scope().session == tree
        assert current_scope().session == tree
    assert current_scope().session == ""


def test_scopes_end_with_an_error_too() -> None:
    with pytest.raises(RuntimeError), task_scope(ONE), session_scope(ONE, 1):
        raise RuntimeError
    assert current_scope() == Scope()


def test_tasks_side_by_side_do_not_mix_and_what_they_start_is_theirs() -> None:
    async def call() -> Scope:
        await asyncio.sleep(0)
        return current_scope()

    async def work(task: Task, seed: int) -> set[Scope]:
        with task_scope(task), session_scope(task, seed):
            await asyncio.sleep(0)
            return {current_scope(), *await asyncio.gather(call(), call(), call())}

    async def run() -> list[set[Scope]]:
        return list(await asyncio.gather(work(ONE, 1), work(TWO, 2), work(ONE, 3)))

    assert asyncio.run(run()) == [
        {Scope("game24/test/4 4 6 6", session(ONE, 1))},
        {Scope("game24/test/1 2 4 7", session(TWO, 2))},
        {Scope("game24/test/4 4 6 6", session(ONE, 3))},
    ]
