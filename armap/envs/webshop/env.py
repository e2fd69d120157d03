"""WebShop as an environment.

Nothing here can grade: the original's last page shows the reward, ours leaves that line out in
both profiles, and :mod:`armap.envs.webshop.graded` alone can compute it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.envs.webshop.images.reference import reference, view_of
from armap.envs.webshop.state import State
from armap.envs.webshop.views import render
from armap.envs.webshop.world import open_world
from armap.errors import EnvError
from armap.types import Observation

if TYPE_CHECKING:
    from armap.envs.webshop.config import WebShopConfig
    from armap.envs.webshop.world import World
    from armap.types import Action, Task

__all__ = ["WebShop", "goal_index"]


class WebShop:
    """Search, look, choose options, buy.

    ``choices`` of an observation are the page's clicks, and ``search[...]`` where the page has a
    search bar. A snapshot is the state itself.
    """

    def __init__(self, config: WebShopConfig) -> None:
        self._world = open_world(config)
        self._view = config.observation
        self._pictured = config.images == "page"
        self._limit = config.max_steps
        self._show_attrs = config.show_attrs
        self._state: State | None = None
        self._rules, self._pages = self._world.parts(show_attrs=config.show_attrs)

    def reset(self, task: Task) -> Observation:
        """Open the start page for ``task``.

        Raises:
            EnvError: it is not one of WebShop's, or was made in another world.
        """
        self._state = State(session=_session(task, self._world), instruction=task.instruction)
        return self._observed(self._state)

    def step(self, action: Action) -> Observation:
        """Act; what is impossible costs a step and changes nothing else."""
        self._state = self._rules.act(self._current(), action.text)
        return self._observed(self._state)

    def snapshot(self) -> State:
        """The state of the episode."""
        return self._current()

    def restore(self, token: State) -> None:
        """Continue from ``token``."""
        self._state = token

    def close(self) -> None:
        """Nothing to free."""

    def _observed(self, state: State) -> Observation:
        return Observation(
            text=render(self._pages.nodes(state), self._view),
            choices=self._rules.choices(state),
            images=self._images(state),
            terminal=state.kind == "done"
            or (self._limit is not None and state.steps >= self._limit),
        )

    def _images(self, state: State) -> tuple[str, ...]:
        """What the page's picture shows; nobody has drawn it yet."""
        return (reference(view_of(state, self._world.shop)),) if self._pictured else ()

    def _current(self) -> State:
        if self._state is None:
            raise EnvError("webshop: step() or snapshot() before reset()")
        return self._state


def goal_index(task: Task) -> int | None:
    """The goal that a task is graded by; None for an intent that belongs to no goal.

    Raises:
        EnvError: it is no index.
    """
    index = task.setup.get("goal")
    if index is None:
        return None
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise EnvError(f"task {task.name!r}: setup.goal must be a goal's index, not {index!r}")
    return index


def _session(task: Task, world: World) -> str:
    """The name of a task's session: its goal's index, as in the original, or its own name."""
    if task.env != "webshop":
        raise EnvError(f"task {task.name!r} is of {task.env!r}, not of webshop")
    made_in = task.setup.get("world", world.name)
    if made_in != world.name:
        raise EnvError(
            f"task {task.name!r} was made in world {made_in}, this is {world.name}: other data, "
            "goals, profile or seed; list the tasks anew"
        )
    index = goal_index(task)
    if index is None:
        return str(task.setup.get("session", task.name))
    if index >= len(world.goals):
        raise EnvError(
            f"task {task.name!r}: goal {index:,} is past the end of {len(world.goals):,} goals"
        )
    return str(index)
