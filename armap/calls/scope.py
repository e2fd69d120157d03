"""On whose behalf a call is made: the task that pays, and the dialogue it belongs to.

Both follow the flow of control (a context variable), so that planners and policies, third
parties' too, are accounted for without handing anything on.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

    from armap.types import Task

__all__ = ["Scope", "current_scope", "session_scope", "task_scope"]


class Scope(NamedTuple):
    """Who is calling."""

    task: str = ""
    """``env/split/name`` of the task; empty outside of one."""
    session: str = ""
    """Equal for calls whose prompts grow out of one another: a trajectory, or a whole tree."""


_scope: ContextVar[Scope] = ContextVar("armap_scope", default=Scope())


def current_scope() -> Scope:
    """Who is calling here and now."""
    return _scope.get()


@contextmanager
def task_scope(task: Task) -> Generator[None, None, None]:
    """What is called inside is on ``task``'s account."""
    name = f"{task.env}/{task.split}/{task.name}"
    token = _scope.set(_scope.get()._replace(task=name))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def session_scope(task: Task, seed: int) -> Generator[None, None, None]:
    """What is called inside belongs to one dialogue, unless it is part of a larger one already.

    >>> from armap.types import Task
    >>> task = Task(env="e", name="t", split="dev", instruction="")
    >>> with session_scope(task, 1):
    ...     tree = current_scope().session
    ...     with session_scope(task, 2):
    ...         assert current_scope().session == tree
    >>> len(tree)
    16
    """
    scope = _scope.get()
    if not scope.session:
        text = f"{task.env}\0{task.split}\0{task.name}\0{seed}"
        scope = scope._replace(session=sha256(text.encode()).hexdigest()[:16])
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
