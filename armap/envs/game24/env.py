"""Game of 24 as an environment: one step a turn, illegal claims answered in words.

The observations speak of legality only (is the claim true?), never of success (is it the
target?): what an agent, a planner or a reward model sees holds no grade. Grading lives in
:mod:`armap.envs.game24.graded`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from armap.envs.game24.arithmetic import ExpressionError, number, show
from armap.envs.game24.rules import Illegal, Numbers, listing, read_answer, read_step
from armap.errors import EnvError
from armap.types import Observation, Record

if TYPE_CHECKING:
    from fractions import Fraction

    from armap.types import Action, Task

__all__ = ["Game24", "Game24Config", "State", "read_setup", "read_target"]


class Game24Config(Record):
    """Settings of the Game of 24."""

    kind: Literal["game24"] = "game24"
    turns: int = Field(default=4, gt=0)
    """Actions per episode: three steps and the answer. ``task.setup["turns"]`` overrides it."""
    grading: Literal["strict", "tot"] = "strict"
    """How the final answer is judged (by evaluation only): see ``envs/README.md``."""


class State(NamedTuple):
    """The whole episode: hashable, and equal exactly when the futures are equal."""

    given: Numbers
    left: Numbers
    turns: int
    """Turns that remain."""
    answer: Fraction | None
    """The value of the answer that was taken; it ends the episode."""


class Game24:
    """Make a target from four numbers, one step at a time.

    >>> from armap.envs.game24.intents import make_task
    >>> from armap.types import Action
    >>> env = Game24(Game24Config())
    >>> env.reset(make_task((4, 5, 6, 10), split="train")).text
    'Left: 4 5 6 10'
    >>> env.step(Action(text="10 - 4 = 7 (left: 5 6 7)")).text
    'Illegal: 10 - 4 is 6, not 7. Left: 4 5 6 10'
    >>> env.step(Action(text="Answer: (10 - 4) * 5 - 6 = 24"))
    Observation(text='Answer taken: 24.', choices=(), images=(), terminal=True)
    """

    def __init__(self, config: Game24Config) -> None:
        self._config = config
        self._state: State | None = None

    def reset(self, task: Task) -> Observation:
        """Deal the numbers of ``task``."""
        given, turns = read_setup(task, default_turns=self._config.turns)
        self._state = State(given=given, left=given, turns=turns, answer=None)
        return Observation(text=f"Left: {listing(given)}")

    def step(self, action: Action) -> Observation:
        """Check one claim; an illegal one costs the turn and changes nothing else."""
        state = self._current()._replace(turns=self._current().turns - 1)
        try:
            claimed = read_answer(action.text, state.given)
            if claimed is None:
                _, left = read_step(action.text, state.left)
                state = state._replace(left=left)
                text = f"Left: {listing(left)}"
            else:
                state = state._replace(answer=claimed)
                text = f"Answer taken: {show(claimed)}."
        except Illegal as error:
            text = f"Illegal: {error}. Left: {listing(state.left)}"
        self._state = state
        return Observation(text=text, terminal=state.answer is not None or state.turns <= 0)

    def snapshot(self) -> State:
        """The state of the episode."""
        return self._current()

    def restore(self, token: State) -> None:
        """Continue from ``token``."""
        self._state = token

    def close(self) -> None:
        """Nothing to free."""

    def _current(self) -> State:
        if self._state is None:
            raise EnvError("game24: step() or snapshot() before reset()")
        return self._state


def read_setup(task: Task, *, default_turns: int = 4) -> tuple[Numbers, int]:
    """Return the numbers and the turns of a task.

    Raises:
        EnvError: the task is not a Game of 24.
    """
    raw, turns = task.setup.get("numbers"), task.setup.get("turns", default_turns)
    if task.env != "game24" or not isinstance(raw, list) or not raw:
        raise EnvError(f"task {task.name!r} of {task.env!r} has no numbers for game24")
    if not isinstance(turns, int) or isinstance(turns, bool) or turns < 1:
        raise EnvError(f"task {task.name!r}: setup.turns must be a positive integer, not {turns!r}")
    try:
        return tuple(sorted(number(str(item)) for item in raw)), turns
    except ExpressionError as error:
        raise EnvError(f"task {task.name!r}: {error}") from error


def read_target(task: Task) -> Fraction:
    """Return the number that the task asks for (24 unless its setup says otherwise).

    Raises:
        EnvError: ``setup["target"]`` is not a number.
    """
    try:
        return number(str(task.setup.get("target", 24)))
    except ExpressionError as error:
        raise EnvError(f"task {task.name!r}: target: {error}") from error
