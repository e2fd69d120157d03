"""WebShop does what the original did, episode by episode, field by field.

The recordings were made with ``random.seed(N)`` before the original loads its 1,000 products,
with the noun tagger ``stub`` and thefuzz 0.22.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from armap.envs.webshop.config import View, WebShopConfig
from armap.envs.webshop.goals.order import FULL, order_digest
from armap.envs.webshop.graded import GradedWebShop
from armap.envs.webshop.search.analyser import analyse
from armap.envs.webshop.search.bm25 import Bm25
from armap.envs.webshop.tasks import make_task
from armap.envs.webshop.world import World, open_world
from armap.types import Action

ALLOWED: dict[str, str] = {}
"""Mismatches that are known and tolerated: what differs (see ``differing``), and why.

Nothing at present. What could stand here: another version of thefuzz than 0.22 decides some
option pairs otherwise, and later versions of Unicode make other signs pictographs.
"""

IGNORED = {"action", "html_sha1"}
"""What is recorded and cannot differ (the input), or is not remade (the markup)."""

VIEWS: tuple[View, ...] = ("text", "text_rich")


def lines(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def recorded(goldens: Path, pattern: str) -> list[Path]:
    found = sorted((goldens / "webshop").glob(pattern))
    assert found, f"{goldens}/webshop holds no {pattern}"
    return found


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)  # 13 human goals in the small catalogue


def config(data: Path, recording: Path, view: View = "text") -> WebShopConfig:
    """The configuration that the name of a recording speaks of."""
    kind, seed = re.search(r"_1k_(human|synthetic)_seed(\d+)\.", recording.name).groups()  # type: ignore[union-attr]
    return WebShopConfig(
        data=str(data / "webshop"),
        size="small",
        goals=kind,
        seed=int(seed),
        observation=view,
        max_steps=None,
        nouns="stub",
    )


def session(world: World, env: GradedWebShop) -> dict[str, Any]:
    state = env.snapshot().state
    asins = [world.shop.product(row).asin for row in state.opened]
    return {
        "asin": None if state.product is None else world.shop.product(state.product).asin,
        "options": dict(state.options),
        "page": state.number,
        "keywords": None if state.keywords is None else list(state.keywords),
        "asins": sorted(asins),
        "actions": dict(state.counts),
    }


def shown(world: World, envs: dict[View, GradedWebShop]) -> dict[str, Any]:
    """Every field of a recorded step, as it is here."""
    env = envs["text"]
    state = env.snapshot().state
    rules, _ = world.parts(show_attrs=False)
    reward = env.reward()
    return {
        "url": rules.url(state),
        "text": env.page(),
        "text_rich": envs["text_rich"].page(),
        "clickables": list(rules.clickables(state)),
        "has_search_bar": rules.has_search_bar(state),
        "session": session(world, env),
        "reward": reward.total if reward else 0,
        "done": state.kind == "done",
    }


def play(episode: dict[str, Any], world: World, envs: dict[View, GradedWebShop]) -> list[Any]:
    """Act an episode out; every field of every step, as it is here."""
    task = make_task(world, episode["goal_index"], split="test")
    seen = []
    for step in episode["steps"]:
        for env in envs.values():
            if step["action"] is None:
                env.reset(task)
            else:
                env.step(Action(text=step["action"]))
        seen.append(shown(world, envs))
    return seen


def differing(
    episode: dict[str, Any], world: World, envs: dict[View, GradedWebShop]
) -> Iterator[str]:
    """Names of what differs: ``episode 3 step 2 url`` and the like."""
    name = f"episode {episode['ep']}"
    if f"Instruction: {world.goals[episode['goal_index']].instruction}" != episode["instruction"]:
        yield f"{name} instruction"
    for number, have in enumerate(play(episode, world, envs)):
        want = episode["steps"][number]
        assert set(want) - IGNORED == set(have)
        yield from (f"{name} step {number} {key}" for key in have if have[key] != want[key])
    reward = envs["text"].reward()
    assert (reward is not None) == ("verbose_info" in episode)
    parts = episode.get("verbose_info", {})
    yield from (f"{name} reward {key}" for key in parts if getattr(reward, key) != parts[key])


def test_every_recorded_episode(goldens: Path, official_data: Path) -> None:
    steps = 0
    for recording in recorded(goldens, "transcripts_1k_*_seed*.jsonl.gz"):
        world = open_world(config(official_data, recording))
        envs = {view: GradedWebShop(config(official_data, recording, view)) for view in VIEWS}
        for episode in lines(recording):
            found = [f"{recording.name} {name}" for name in differing(episode, world, envs)]
            assert not [name for name in found if name not in ALLOWED]
            steps += len(episode["steps"])
    assert steps >= 50


def test_every_goal_and_price(goldens: Path, official_data: Path) -> None:
    for recording in recorded(goldens, "goals_1k_*_seed*.json.gz"):
        world = open_world(config(official_data, recording))
        with gzip.open(recording, "rt", encoding="utf-8") as stream:
            want = json.load(stream)
        assert len(want) == len(world.goals) >= 10
        for goal, entry in zip(world.goals, want, strict=True):
            wished = entry["goal_options"]
            pairs = wished.items() if isinstance(wished, dict) else wished
            assert goal.options == tuple(pairs)
            assert list(goal.attributes) == entry["attributes"]
            assert goal.instruction == entry["instruction_text"]
            for field in ("asin", "category", "query", "name", "product_category"):
                assert getattr(goal, field) == entry[field]
            assert (goal.price_upper, goal.weight) == (entry["price_upper"], entry["weight"])
    for recording in recorded(goldens, "product_prices_1k_*_seed*.json"):
        world = open_world(config(official_data, recording))
        prices = dict(
            zip(
                world.shop.catalogue.columns.asins.tolist(), world.shop.prices.tolist(), strict=True
            )
        )
        assert prices == json.loads(recording.read_text())


def test_lucenes_fifty_best(goldens: Path, official_data: Path) -> None:
    (recording,) = recorded(goldens, "lucene_top50_1k.jsonl.gz")
    catalogue = open_world(
        WebShopConfig(data=str(official_data / "webshop"), goals="synthetic")
    ).shop.catalogue
    engine = Bm25(catalogue.postings)
    count = 0
    for entry in lines(recording):
        hits = engine.search(entry["query"])
        found = [catalogue.products[hit.row].asin for hit in hits]
        assert found == [asin for asin, _ in entry["hits"]], entry["query"]
        for hit, (_, score) in zip(hits, entry["hits"], strict=True):
            assert hit.score == pytest.approx(score, abs=1e-3)
        count += 1
    assert count >= 1000


def test_lucenes_tokens(goldens: Path) -> None:
    (recording,) = recorded(goldens, "lucene_tokens_queries.jsonl.gz")
    entries = list(lines(recording))
    assert len(entries) >= 1000
    for entry in entries:
        assert analyse(entry["text"]) == entry["tokens"]


def test_the_order_of_the_twelve_thousand(official_data: Path) -> None:
    """The digest in the code is that of the index order which everybody quotes."""
    from armap.envs.webshop.goals.goal import Goal
    from armap.envs.webshop.goals.order import _FULL_ORDER

    entries = json.loads((official_data / "webshop/human_goals_index_order.json").read_text())
    goals = [
        Goal("", "", "", "", "", entry["instruction"] + bound, (), 0.0, (), 1)
        for entry in entries
        for bound in [", and price lower than 40.00 dollars"]
    ]
    assert len(goals) == FULL
    assert order_digest(goals) == _FULL_ORDER
