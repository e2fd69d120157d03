from __future__ import annotations

from armap.envs import make_env
from armap.envs.game24.env import Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.graded import make_graded_env
from armap.oracle import GradedEnvironment
from armap.plugins import ImportConfig
from armap.protocols import Environment
from benchmarks.toy_shop import Shop
from tests.contracts.environment import EnvironmentContract
from tests.contracts.worlds import Corridor

CORRIDOR = ImportConfig(target="tests.contracts.worlds:Corridor", options={"length": 2})
SHOP = ImportConfig(target="benchmarks.toy_shop:Shop")


class TestGame24(EnvironmentContract):
    task = make_task((4, 5, 6, 10), split="train")
    legal = (
        "10 - 4 = 6 (left: 5 6 6)",
        "5 * 6 = 30 (left: 6 30)",
        "30 - 6 = 24 (left: 24)",
        "Answer: 5 * (10 - 4) - 6 = 24",
    )

    def make(self) -> Environment:
        return make_env(Game24Config())


class TestImported(EnvironmentContract):
    task = Corridor.tasks("train")[0]
    legal = ("right", "right")

    def make(self) -> Environment:
        return make_env(CORRIDOR)


class TestToyShop(EnvironmentContract):
    task = Shop.tasks("train")[0]
    legal = ("look 3", "look 1", "buy")

    def make(self) -> Environment:
        return make_env(SHOP)


def test_graded_twins_can_grade() -> None:
    for config in (Game24Config(), CORRIDOR, SHOP):
        assert isinstance(make_graded_env(config), GradedEnvironment)
