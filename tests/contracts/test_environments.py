from __future__ import annotations

from pathlib import Path

import pytest

from armap.envs import make_env
from armap.envs.game24.env import Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.graded import make_graded_env
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig
from armap.envs.webshop.config import Profile, View
from armap.envs.webshop.tasks import tasks as webshop_tasks
from armap.oracle import GradedEnvironment
from armap.plugins import ImportConfig
from armap.protocols import Environment
from benchmarks.toy_shop import Shop
from tests.contracts.environment import EnvironmentContract
from tests.contracts.worlds import Corridor
from tests.science import QUICK, needs_java
from tests.science import make_task as science_task
from tests.shops import shop_config, write_shop

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


class _WebShop(EnvironmentContract):
    """Each view and profile; the shop is written anew for each class."""

    view: View = "text"
    profile: Profile = "faithful"
    legal = (
        "search[red shoes]",
        "click[next >]",
        "click[< prev]",
        "click[b000000006]",
        "click[black]",
    )

    @pytest.fixture(autouse=True)
    def _shop(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = write_shop(tmp_path_factory.mktemp("shop"))
        self.config = shop_config(folder, observation=self.view, profile=self.profile)
        self.task = webshop_tasks(self.config, "test")[3]

    def make(self) -> Environment:
        return make_env(self.config)

    def test_says_when_it_is_over(self) -> None:
        seen = self.play(self.make(), (*self.legal, "click[buy now]"))
        assert [observation.terminal for observation in seen] == [False] * 6 + [True]


class TestWebShop(_WebShop):
    pass


class TestWebShopRich(_WebShop):
    view = "text_rich"


class TestWebShopHTML(_WebShop):
    view = "html_text"


class TestStrictWebShop(_WebShop):
    profile = "strict"


@needs_java
@pytest.mark.sim
@pytest.mark.slow
class TestScienceWorld(EnvironmentContract):
    task = science_task("find-animal", 3)
    legal = ("look around", "teleport to outside", "look around", "inventory")

    def make(self) -> Environment:
        return make_env(QUICK)

    def test_starts_no_java_before_the_first_reset(self) -> None:
        env = self.make()
        assert isinstance(env, ScienceWorld)
        assert env.pid is None

    def test_says_how_it_wants_to_be_run(self) -> None:
        env = make_env(ScienceWorldConfig(jvms=3))
        assert isinstance(env, ScienceWorld)
        assert (env.blocking, env.capacity) == (True, 3)


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


def test_graded_twins_can_grade(tmp_path: Path) -> None:
    for config in (
        Game24Config(),
        shop_config(write_shop(tmp_path)),
        CORRIDOR,
        SHOP,
        ScienceWorldConfig(),
    ):
        assert isinstance(make_graded_env(config), GradedEnvironment)
