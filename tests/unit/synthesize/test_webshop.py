"""Every pair can be acted out again, misses what it says, and tells nothing by its length."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import lru_cache

import pytest

from armap.envs import TaskSelection, learnable, make_env, reserved, select_tasks
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.env import WebShop
from armap.envs.webshop.purchase import Purchase, purchase
from armap.envs.webshop.world import open_world
from armap.errors import DataError
from armap.llms.shopper import Shopper
from armap.policy import PolicyConfig, PromptedPolicy
from armap.rollout import Runner
from armap.synthesize import (
    ContrastConfig,
    WebShopHindsightConfig,
    contrast,
    webshop_hindsight,
)
from armap.synthesize.execute import execute
from armap.synthesize.webshop.wishes import Wish, misses
from armap.types import Preference, Split, Task, Trajectory

CONFIG = WebShopConfig()
LAMP = Purchase(
    title="Acme Desk Lamp, USB Port, Easy Clean",
    price=(30.0, 45.0),
    groups={"color": ("red", "blue")},
    options={"color": "red"},
    bought=True,
)


def fresh() -> WebShop:
    return WebShop(CONFIG)


def episodes(split: Split, count: int = 40) -> list[Trajectory]:
    runner = Runner(
        lambda: make_env(CONFIG),
        PromptedPolicy(Shopper(), PolicyConfig(system="webshop", parser="react")),
    )
    tasks = select_tasks(CONFIG, TaskSelection(split=split, limit=count))

    async def play() -> list[Trajectory]:
        return [await runner.run(task, seed=seed) for task in tasks for seed in (0, 1)]

    return asyncio.run(play())


def made(**settings: object) -> list[Preference]:
    config = WebShopHindsightConfig(**settings)
    played = _played()
    return list(webshop_hindsight(config, played, fresh, seed=0, reserved=reserved(CONFIG)))


@lru_cache(maxsize=1)
def _played() -> tuple[Trajectory, ...]:
    return tuple(episodes("train"))


def test_pairs_are_true_and_the_same_again() -> None:
    found = made(pairs=300)
    assert len(found) > 200
    assert [pair.model_dump() for pair in made(pairs=300)] == [p.model_dump() for p in found]
    for pair in found[::10]:
        for side in (pair.chosen, pair.rejected):
            again = execute(fresh, pair.task, side.actions, author=side.policy).trajectory
            assert again == side


def test_a_pair_knows_no_goal_and_says_where_it_comes_from() -> None:
    keys = {trajectory.key for trajectory in _played()}
    for pair in made(pairs=200):
        assert "goal" not in pair.task.setup
        assert pair.task.split == "train"
        assert not pair.provenance.ground_truth
        assert set(pair.provenance.sources) <= keys
        assert pair.provenance.sources


def test_rivals_are_of_many_kinds_and_intents_in_many_words() -> None:
    found = made(pairs=400)
    assert len({pair.provenance.rival for pair in found}) >= 7
    openings = {pair.task.instruction.split()[0] for pair in found}
    assert len(openings) > 12


def test_neither_side_is_told_by_its_length_or_its_ending() -> None:
    found = made(pairs=600)
    longer = Counter(
        (len(pair.chosen.steps) > len(pair.rejected.steps))
        - (len(pair.chosen.steps) < len(pair.rejected.steps))
        for pair in found
    )
    # Who goes by the length alone, ties at random, is right hardly more often than a coin.
    best = (max(longer[1], longer[-1]) + longer[0] / 2) / len(found)
    assert best < 0.62
    alike = sum(p.chosen.final.terminal == p.rejected.final.terminal for p in found)
    assert alike / len(found) > 0.85


def test_products_that_are_measured_on_stay_out() -> None:
    kept_away = reserved(CONFIG)
    assert len(kept_away) > 200
    for pair in made(pairs=300):
        for side in (pair.chosen, pair.rejected):
            bought = purchase(side)
            assert bought is None or not bought.bought or bought.code not in kept_away


def test_contrast_stays_out_of_them_too() -> None:
    config = CONFIG.model_copy(update={"protocol": "agentbench", "goals": "synthetic"})
    allowed, kept_away = learnable(config), reserved(config)
    goals = open_world(config).goals
    tasks = select_tasks(config, TaskSelection(split="train"))
    shared = [t for t in tasks if goals[int(t.name)].asin.lower() in kept_away]
    apart = [t for t in tasks if t not in shared]
    assert shared, "goals of one product lie on both sides of the indices"

    def trip(task: Task, asin: str) -> Trajectory:
        title = next(p for p in open_world(config).shop.catalogue.products if p.asin == asin).title
        actions = (f"search[{title}]", f"click[{asin.lower()}]", "click[buy now]")
        return execute(lambda: make_env(config), task, actions, author="x").trajectory

    free, held = (goals[int(task.name)].asin for task in (apart[0], shared[0]))
    other = goals[int(apart[-1].name)].asin
    clean, wished = trip(apart[0], free), trip(shared[0], free)
    strayed, worse = trip(apart[0], held), trip(apart[0], other)
    assert [allowed(t) for t in (clean, wished, strayed, worse)] == [True, False, False, True]
    settings = ContrastConfig(made=0, foreign=0, cut=0.0)
    found = contrast(
        settings,
        [clean, wished],
        [strayed, worse],
        lambda: make_env(config),
        seed=0,
        learnable=allowed,
    )
    assert [(pair.chosen, pair.rejected) for pair in found] == [(clean, worse)]
    with pytest.raises(DataError, match="all 1 trajectories are about things that test or dev"):
        list(contrast(settings, [wished], [], fresh, seed=0, learnable=allowed))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_episodes_of_other_splits_are_refused(split: Split) -> None:
    with pytest.raises(DataError, match=f"is of the {split} split"):
        list(webshop_hindsight(WebShopHindsightConfig(), episodes(split, 1), fresh, seed=0))


def test_episodes_of_other_environments_are_refused() -> None:
    episode = episodes("train", 1)[0]
    foreign = episode.model_copy(update={"task": episode.task.model_copy(update={"env": "game24"})})
    with pytest.raises(DataError, match="knows webshop only, not 'game24'"):
        list(webshop_hindsight(WebShopHindsightConfig(), [foreign], fresh, seed=0))


@pytest.mark.parametrize(
    ("wish", "missed"),
    [
        (Wish(("desk", "lamp"), ("usb port",), (("color", "red"),), 50.0), set()),
        (Wish(("floor", "vase")), {"type"}),
        (Wish(("lamp",), ("water proof",)), {"attribute: water proof"}),
        (Wish(("lamp",), options=(("color", "blue"),)), {"option: color"}),
        (Wish(("lamp",), bound=40.0), {"price"}),
    ],
)
def test_what_a_purchase_misses(wish: Wish, missed: set[str]) -> None:
    assert misses(wish, LAMP) == missed


def test_nothing_bought_misses_everything() -> None:
    wish = Wish(("lamp",), ("usb port",), (("color", "red"),), 50.0)
    everything = {"purchase", "type", "attribute: usb port", "option: color", "price"}
    assert misses(wish, None) == everything
