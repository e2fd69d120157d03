"""The tasks of a run, where it takes a while to tell what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from armap.envs import Found
    from armap.run.progress import Progress
    from armap.types import Task

__all__ = ["read_all"]


def read_all(found: Found, watch: Progress) -> list[Task]:
    """All of ``found``; with a bar, unless they are at hand.

    Raises:
        ConfigError: what the environment needs is missing.
        EnvError: the environment failed.
    """
    if isinstance(found, list):
        return found
    watch.start("listing tasks", len(found))
    tasks = []
    for task in found:
        tasks.append(task)
        watch.advance(task.name)
    return tasks
