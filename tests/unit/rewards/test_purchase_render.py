"""What a small reward model reads of a shopping trip."""

from __future__ import annotations

import pytest

from armap.envs import TaskSelection, make_env, select_tasks
from armap.envs.game24.intents import make_task
from armap.envs.webshop.config import WebShopConfig
from armap.errors import DataError
from armap.rewards.render import RENDERERS, render, render_with
from armap.synthesize.execute import execute
from armap.types import Trajectory
from tests.games import make_game

CONFIG = WebShopConfig()
TASK = select_tasks(CONFIG, TaskSelection(split="train", limit=8))[7]


def acted(*actions: str) -> Trajectory:
    return execute(lambda: make_env(CONFIG), TASK, actions, author="tester").trajectory


def shown(*actions: str) -> list[str]:
    return [m.content for m in render_with(RENDERERS["purchase"], acted(*actions))]


def test_intent_purchase_and_pages() -> None:
    search = f"search[{TASK.instruction}]"
    opening = acted(search).final.choices[3]
    value = next(c for c in acted(search, opening).final.choices[6:])
    wish, deed, pages = shown(
        search, opening, "click[features]", "click[< prev]", value, "click[buy now]"
    )
    assert wish == TASK.instruction
    first, price, chosen, left = deed.splitlines()
    assert first.startswith("Bought: ")
    assert price.startswith("Price: $")
    assert "at most" in price
    assert value[6:-1] in chosen
    assert left.startswith("Not chosen: ")
    assert len(pages.split()) > 3


def test_what_was_not_bought_is_not_called_so() -> None:
    search = f"search[{TASK.instruction}]"
    opening = acted(search).final.choices[3]
    assert shown(search, opening)[1].startswith("Only looked at: ")
    assert shown(search)[1] == "Bought: nothing"


def test_the_dialogue_stays_what_it_was() -> None:
    trip = acted("search[lamp]")
    assert render_with(RENDERERS["dialogue"], trip) == render(trip)


def test_episodes_of_another_world_are_refused() -> None:
    episode = execute(
        make_game, make_task((4, 9, 10, 13), split="train"), (), author="x"
    ).trajectory
    with pytest.raises(DataError, match=r"'game24'.*reads episodes of webshop; train with"):
        render_with(RENDERERS["purchase"], episode)
