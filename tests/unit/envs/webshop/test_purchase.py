"""A purchase is read from pages alone, whatever they look like."""

from __future__ import annotations

import pytest

from armap.envs import TaskSelection, make_env, select_tasks
from armap.envs.webshop.config import Profile, View, WebShopConfig
from armap.envs.webshop.purchase import Purchase, product_page, purchase
from armap.synthesize.execute import execute
from armap.types import Task, Trajectory


def trip(config: WebShopConfig, *, buys: bool = True, reads: bool = False) -> Trajectory:
    task = select_tasks(config, TaskSelection(split="train", limit=8))[7]
    actions = [f"search[{task.instruction}]"]
    actions.append(acted(config, task, actions).final.choices[3])
    page = product_page(acted(config, task, actions).final)
    assert page is not None
    actions += ["click[features]", "click[< prev]"] if reads else []
    actions += [f"click[{values[-1]}]" for values in page.groups.values()]
    return acted(config, task, [*actions, *(["click[buy now]"] if buys else [])])


def acted(config: WebShopConfig, task: Task, actions: list[str]) -> Trajectory:
    return execute(lambda: make_env(config), task, actions, author="tester").trajectory


def bought(**settings: object) -> Purchase:
    found = purchase(trip(WebShopConfig(**settings)))
    assert found is not None
    return found


@pytest.mark.parametrize("profile", ["faithful", "strict"])
@pytest.mark.parametrize("view", ["text", "text_rich", "html_text"])
def test_every_view_tells_the_same(profile: Profile, view: View) -> None:
    found = bought(profile=profile, observation=view)
    assert found == bought(profile=profile)
    assert found.bought
    assert found.options
    assert {group: values[-1] for group, values in found.groups.items()} == found.options
    assert len(found.code) == 10


def test_what_was_not_bought_is_what_was_looked_at() -> None:
    config = WebShopConfig()
    looked = purchase(trip(config, buys=False))
    whole = purchase(trip(config))
    assert looked is not None
    assert whole is not None
    assert not looked.bought
    assert (looked.title, looked.options, looked.code) == (whole.title, whole.options, whole.code)


def test_what_was_read_of_the_product_is_told() -> None:
    told = purchase(trip(WebShopConfig(), reads=True))
    assert told is not None
    assert len(told.told) > 1
    assert not bought().told


def test_no_product_no_purchase() -> None:
    config = WebShopConfig()
    task = select_tasks(config, TaskSelection(split="train", limit=1))[0]
    assert purchase(acted(config, task, [])) is None
    assert purchase(acted(config, task, ["search[lamp]"])) is None
