from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from armap.envs.game24.intents import make_task, retarget
from armap.rewards.render import render
from armap.synthesize.execute import execute
from armap.types import StopReason, Task
from tests.games import make_game

GOLDEN = Path(__file__).parents[2] / "golden" / "reward_input.txt"
TASK = make_task((4, 5, 6, 10), split="train")
ACTIONS = ("10 - 4 = 6 (left: 5 6 6)", "6 * 5 = 31 (left: 6 31)", "Answer: (10 - 4) * 5 - 6 = 24")


def text(actions: tuple[str, ...], task: Task = TASK) -> str:
    trajectory = execute(make_game, task, actions, author="test").trajectory
    return "".join(f"[{turn.role}]\n{turn.content}\n" for turn in render(trajectory))


def test_the_reward_models_input_is_pinned() -> None:
    assert text(ACTIONS) == GOLDEN.read_text()


def test_who_and_how_do_not_show() -> None:
    trajectory = execute(make_game, TASK, ACTIONS, author="a").trajectory
    other = trajectory.model_copy(update={"policy": "b", "seed": 9, "notes": ("Failed: 1 + 1",)})
    assert render(trajectory) == render(other)


def test_the_intent_shows() -> None:
    assert text(ACTIONS) != text(ACTIONS, retarget(TASK, Fraction(25)))


def test_an_episode_that_just_stops_says_so() -> None:
    trajectory = execute(make_game, TASK, ACTIONS[:1], author="a").trajectory
    assert trajectory.stop is StopReason.QUIT
    assert render(trajectory)[-1].content == "Left: 5 6 6\nStopped: quit."
