from __future__ import annotations

import pytest

from armap.envs import make_env
from armap.envs.game24.env import Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.graded import make_graded_env
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig
from armap.oracle import GradedEnvironment
from armap.plugins import ImportConfig
from armap.protocols import Environment
from tests.contracts.environment import EnvironmentContract
from tests.contracts.worlds import Corridor
from tests.science import QUICK, needs_java
from tests.science import make_task as science_task

CORRIDOR = ImportConfig(target="tests.contracts.worlds:Corridor", options={"length": 2})


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


def test_graded_twins_can_grade() -> None:
    for config in (Game24Config(), ScienceWorldConfig(), CORRIDOR):
        assert isinstance(make_graded_env(config), GradedEnvironment)
