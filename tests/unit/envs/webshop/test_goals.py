"""Goals, prices, task lists and measures."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from armap.envs import TaskSelection as Selection
from armap.envs import fingerprint, make_env, make_measures, select_tasks
from armap.envs.graded import make_graded_env
from armap.envs.webshop.catalogue.product import describe
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.goals.goal import Goal
from armap.envs.webshop.graded.english import english_words
from armap.envs.webshop.graded.nouns import Rule, Stub, make_nouns
from armap.envs.webshop.graded.reward import Purchase, colour, grade
from armap.envs.webshop.tasks import make_task, reserved_products, tasks
from armap.envs.webshop.world import open_world
from armap.errors import ConfigError, EnvError
from armap.types import Action, Observation, Step, StopReason, Task, Trajectory
from tests.shops import shop_config, write_shop


def test_one_row_of_random_numbers_as_in_the_original(shop_folder: Path) -> None:
    world = open_world(shop_config(shop_folder, seed=5))
    random = Random(5)
    columns = world.shop.catalogue.columns
    for row, price in enumerate(world.shop.prices.tolist()):
        low, high = float(columns.low[row]), float(columns.high[row])
        assert price == (random.uniform(low, high) if low < high else low)
    first = world.shop.catalogue.products[0]
    bounds = sorted(random.sample([20.0, 30.0, 40.0, 50.0], 2))
    mine = [goal for goal in world.goals if goal.asin == first.asin]
    assert {goal.price_upper for goal in mine} == {bounds[1]}
    assert mine[0].instruction.endswith(f", and price lower than {bounds[1]:.2f} dollars")


def test_strict_goals_do_not_depend_on_the_rest_of_the_catalogue(shop_folder: Path) -> None:
    whole = open_world(shop_config(shop_folder, profile="strict"))
    part = open_world(shop_config(shop_folder, profile="strict", num_products=20))
    texts = {goal.instruction for goal in whole.goals}
    assert {goal.instruction for goal in part.goals} <= texts
    assert whole.shop.prices[:20].tolist() == part.shop.prices.tolist()


def test_synthetic_goals_are_all_combinations(shop_folder: Path) -> None:
    goals = [g for g in open_world(shop_config(shop_folder)).goals if g.asin == "B000000006"]
    assert {goal.options for goal in goals} == {
        (("color", colour_), ("size", size))
        for colour_ in ("black", "navy | white", "red")
        for size in ("small", "medium", "x-large")
    }


def test_a_seed_changes_the_world_and_its_name(shop_folder: Path) -> None:
    one, other = (open_world(shop_config(shop_folder, seed=seed)) for seed in (0, 1))
    assert one.fingerprint["catalogue"] == other.fingerprint["catalogue"]
    assert one.fingerprint["goals"] != other.fingerprint["goals"]
    assert one.name != other.name
    config = shop_config(shop_folder)
    assert fingerprint(config) == {**one.fingerprint, "splits": "agentbench"}
    seen = config.model_copy(update={"observation": "text_rich", "max_steps": 3})
    assert open_world(seen) is one


def test_published_lists(shop_folder: Path) -> None:
    config = shop_config(shop_folder)
    count = len(open_world(config).goals)
    assert 200 < count < 280
    indices = {split: [task.setup["goal"] for task in tasks(config, split)] for split in
               ("train", "dev", "test")}  # fmt: skip
    assert indices["test"] == list(range(200))
    assert indices["dev"] == list(range(200, count))
    assert indices["train"] == []
    paper = shop_config(shop_folder, protocol="paper")
    assert [len(tasks(paper, split)) for split in ("test", "dev")] == [count, 0]
    with pytest.raises(ConfigError, match="nothing left of 0 tasks"):
        select_tasks(config, Selection(split="train"))


def test_lists_from_a_file(shop_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "ids.json"
    config = shop_config(shop_folder, protocol="ids", ids=str(path))
    path.write_text('["webshop_5", 3]')
    assert [task.name for task in tasks(config, "test")] == ["5", "3"]
    with pytest.raises(ConfigError, match="no 'train' list"):
        tasks(config, "train")
    path.write_text(json.dumps({"train": [1, 2], "test": [99_999]}))
    assert [task.name for task in tasks(config, "train")] == ["1", "2"]
    with pytest.raises(ConfigError, match="99999 is no index of the"):
        tasks(config, "test")
    path.write_text("[")
    with pytest.raises(ConfigError, match="is not JSON"):
        tasks(config, "test")
    path.write_text('["x_²"]')
    with pytest.raises(ConfigError, match="'x_²' is no index of the"):
        tasks(config, "test")
    path.unlink()
    with pytest.raises(ConfigError, match=r"env\.ids: no file"):
        tasks(config, "test")
    path.mkdir()
    with pytest.raises(ConfigError, match=r"env\.ids: .*ids\.json is a folder; name a JSON file"):
        tasks(config, "test")


@pytest.mark.parametrize("damaged", ['{"test": [0, 99999], "train": [1]}', "7", "["])
def test_a_damaged_list_does_not_let_test_products_into_pairs(
    shop_folder: Path, tmp_path: Path, damaged: str
) -> None:
    path = tmp_path / "ids.json"
    config = shop_config(shop_folder, protocol="ids", ids=str(path))
    path.write_text('{"test": [0], "train": [1]}')
    goals = open_world(config).goals
    assert reserved_products(config) == {goals[0].asin.lower()}
    path.write_text(damaged)
    with pytest.raises(ConfigError, match=r"env\.ids"):
        reserved_products(config)


def test_ids_need_their_protocol() -> None:
    with pytest.raises(ValueError, match="belong together"):
        WebShopConfig(protocol="ids")


def test_tasks_of_another_world_or_without_a_goal(shop_folder: Path) -> None:
    config = shop_config(shop_folder)
    world = open_world(config)
    task = make_task(world, 3, split="test")
    with pytest.raises(ConfigError, match="past the end"):
        make_task(world, 99_999, split="test")
    env = make_env(config)
    for setup, said in [
        ({"goal": 99_999}, "99,999 is past the end of"),
        ({"goal": "x"}, "must be a goal's index"),
        ({"goal": 3, "world": "000"}, "was made in world 000"),
    ]:
        with pytest.raises(EnvError, match=said):
            env.reset(task.model_copy(update={"setup": setup}))
    with pytest.raises(EnvError, match="not of webshop"):
        env.reset(task.model_copy(update={"env": "game24"}))
    intent = Task(env="webshop", name="mine", split="train", instruction="find a lamp")
    assert "find a lamp" in env.reset(intent).text
    graded = make_graded_env(config)
    graded.reset(intent)
    with pytest.raises(EnvError, match="names no goal"):
        graded.outcome()


def test_the_end_after_so_many_actions(shop_folder: Path) -> None:
    config = shop_config(shop_folder, max_steps=2)
    env = make_env(config)
    env.reset(tasks(config, "test")[0])
    ended = [env.step(Action(text="?")).terminal for _ in range(4)]
    assert ended == [False, True, True, True], "who steps on past the end sees no life"


NOUNS = Stub()
LAMP = describe(
    title="Brass Desk Lamp", query="lamps", product_category="Home › Light › Lamps",
    attributes=("easy clean", "high quality"), bullets=("with USB port",), description="Warm light",
)  # fmt: skip


def goal(**fields: object) -> Goal:
    """A goal that the lamp meets."""
    base: dict[str, object] = {
        "asin": "", "category": "", "query": "lamps", "name": "Brass Desk Lamp",
        "product_category": "Home › Light › Lamps", "instruction": "",
        "attributes": ("easy clean",), "price_upper": 30.0, "options": ("red",), "weight": 1,
    }  # fmt: skip
    return Goal(**{**base, **fields})  # type: ignore[arg-type]


def total(
    wanted: Goal, *options: tuple[str, str], price: float = 20.0, strict: bool = False
) -> float:
    """The reward for buying the lamp."""
    bought = Purchase(LAMP, options, price)
    return grade(bought, wanted, NOUNS, "strict" if strict else "faithful").total


def test_everything_met() -> None:
    assert total(goal(), ("color", "red")) == 1.0


def test_every_part_counts_the_same() -> None:
    assert total(goal(), ("color", "green")) == pytest.approx(2 / 3)
    assert total(goal(), ("color", "red"), price=30.01) == pytest.approx(2 / 3)
    assert total(goal(attributes=("easy clean", "no such"))) == pytest.approx(2 / 4)
    assert total(goal(options=())) == 1.0


def test_attributes_are_also_looked_for_in_the_texts() -> None:
    for wanted in ("clean easy", "usb port", "warm light", "desk lamp"):
        assert total(goal(attributes=(wanted,)), ("color", "red")) == 1.0


def test_colours_are_found_anywhere_in_human_options() -> None:
    assert [colour(value) for value in ("steelivy fuchsia", "standard", "dark blue")] == [
        "fuchsia", "tan", "blue",
    ]  # fmt: skip
    assert total(goal(options=("bright red",)), ("color", "tired")) == 1.0  # tired has red in it
    assert total(goal(options=("bright red",)), ("color", "tired"), strict=True) < 1


def test_synthetic_options_are_pairs_turned_to_text() -> None:
    assert colour(("color", "red")) == "red"
    assert colour(("color", "dark red")) == "('color', 'dark red')"
    wanted = goal(options=(("size", "xl"),))
    assert total(wanted, ("size", "xl")) == 1.0  # "size xl" holds "xl" whole
    assert total(wanted, ("fit", "xl")) == 1.0
    assert total(wanted, ("size", "xl"), strict=True) == 1.0
    assert total(wanted, ("fit", "xl"), strict=True) < 1


def test_titles_without_a_common_noun_give_nothing_in_faithful() -> None:
    wanted = goal(name="Shiny Thing")
    assert total(wanted, ("color", "red")) == 0.0
    assert total(wanted, ("color", "red"), strict=True) == 1.0
    other = goal(name="Shiny Thing", query="x", product_category="y")
    assert total(other, ("color", "red"), strict=True) == 0.0


def test_kinds() -> None:
    far = {"query": "x", "product_category": "Home"}
    long = "Lamp " + " ".join(f"thing{letter}" for letter in "abcdefgh")
    parts = grade(Purchase(LAMP, (), 1.0), goal(name=long, **far), NOUNS, "faithful")
    assert (parts.r_type, parts.query_match, parts.category_match) == (0.5, False, False)
    assert parts.title_score == pytest.approx(1 / 9)
    longer = f"{long} {long.replace('Lamp', 'x')} extra"
    assert grade(Purchase(LAMP, (), 1.0), goal(name=longer, **far), NOUNS, "faithful").r_type == 0.1
    nothing = grade(Purchase(LAMP, (), 1.0), goal(name="2 & 3", **far), NOUNS, "faithful")
    assert (nothing.title_score, nothing.r_type) == (0.2, 0.5)


def test_outcomes_name_their_tagger_and_parts(shop_folder: Path) -> None:
    config = shop_config(shop_folder, nouns="stub")
    env = make_graded_env(config)
    env.reset(tasks(config, "test")[0])
    assert env.outcome().detail == {"nouns": "stub"}
    assert (env.outcome().score, env.outcome().success) == (0.0, False)
    for action in ("search[6 shoes]", "click[b000000006]", "click[buy now]"):
        env.step(Action(text=action))
    detail = env.outcome().detail
    assert detail["nouns"] == "stub"
    assert detail["w_att"] + detail["w_option"] + detail["w_price"] == pytest.approx(1)  # type: ignore[operator]


def test_the_goals_own_product_with_its_options_wins(shop_folder: Path) -> None:
    config = shop_config(shop_folder, profile="strict")
    world = open_world(config)
    env = make_graded_env(config)
    for task in tasks(config, "test")[:25]:
        goal_ = world.goals[int(task.name)]
        env.reset(task)
        env.step(Action(text=f"search[{int(goal_.asin[1:])}]"))
        env.step(Action(text=f"click[{goal_.asin.lower()}]"))
        for option in goal_.options:
            env.step(Action(text=f"click[{option[1]}]"))
        env.step(Action(text="click[buy now]"))
        assert env.outcome().success, task


def test_taggers() -> None:
    title = "Men's Soft Cotton T-Shirt, 10cm (Pack of 2)"
    words = ["Men", "'s", "Soft", "Cotton", "T", "-", "Shirt", ",", "10", "cm", "(", "Pack", "of",
             "2", ")"]  # fmt: skip
    assert english_words(title) == words
    assert Stub().of(title) == ("men", "soft", "cotton", "t", "shirt", "cm", "pack")
    assert Rule().of(title) == ("men", "cotton", "shirt", "pack")
    with pytest.raises(ConfigError, match=r"spacy is not installed|is not installed; python"):
        make_nouns("spacy", "no_such_model")


@pytest.mark.parametrize("view", ["text", "text_rich", "html_text"])
@pytest.mark.parametrize("profile", ["faithful", "strict"])
def test_price_of_the_purchase(shop_folder: Path, view: str, profile: str) -> None:
    config = shop_config(shop_folder, observation=view, profile=profile)
    measures = make_measures(config)
    assert {"price", "idle", "steps"} <= set(measures)
    shop = open_world(config).shop

    def trip(*actions: str) -> Trajectory:
        env, task = make_env(config), tasks(config, "test")[0]
        seen: list[Observation] = [env.reset(task)]
        seen += [env.step(Action(text=action)) for action in actions]
        steps = tuple(
            Step(observation=before, action=Action(text=text))
            for before, text in zip(seen, actions, strict=False)
        )
        return Trajectory(
            task=task, steps=steps, final=seen[-1], stop=StopReason.TERMINAL, policy="p", seed=0
        )

    for number, shown in ((4, 12.5), (5, 17.75), (7, 1299.99), (6, 100.0)):
        item = (f"search[number {number}]", f"click[b00000000{number}]")
        price = shop.price(number) if profile == "strict" else shown
        assert measures["price"].of(trip(*item, "click[buy now]")) == pytest.approx(price)
        assert measures["price"].of(trip(*item)) == 0.0
    assert measures["price"].of(trip()) == 0.0
    assert measures["idle"].of(trip("?", "search[6]", "?")) == 2


def test_human_goals_leave_out_what_has_no_attributes(tmp_path: Path) -> None:
    world = open_world(shop_config(write_shop(tmp_path), goals="human"))
    assert len(world.goals) == 45
    assert all(goal_.options == ("black",) for goal_ in world.goals)
    assert not any("black., and" in goal_.instruction for goal_ in world.goals)
