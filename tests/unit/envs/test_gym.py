from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

from armap.envs import KINDS, TaskSelection
from armap.envs.game24.env import Game24Config
from armap.envs.graded import make_graded_gym
from armap.envs.gym import IDS, AnyText, TextEnv, make_gym, register
from armap.errors import ConfigError
from armap.oracle import Outcome
from armap.plugins import ImportConfig
from tests.contracts.worlds import Corridor
from tests.science import needs_java

README = Path(__file__).parents[3] / "armap" / "envs" / "README.md"
CORRIDOR = ImportConfig(target="tests.contracts.worlds:Corridor", options={"length": 2})


@pytest.fixture
def registered() -> Iterator[None]:
    register()
    yield
    for name in IDS.values():
        gymnasium.registry.pop(name, None)


_SIMULATED = pytest.param(
    "scienceworld", marks=[needs_java, pytest.mark.sim, pytest.mark.slow], id="scienceworld"
)


@pytest.mark.parametrize("kind", [*sorted(set(IDS) - {"scienceworld"}), _SIMULATED])
def test_gymnasium_accepts_every_kind(kind: str, registered: None) -> None:
    made = gymnasium.make(IDS[kind], render_mode="ansi", tasks=TaskSelection(limit=2))
    check_env(made.unwrapped)
    made.close()


def test_gymnasium_accepts_graded_and_imported_ones(registered: None) -> None:
    """Only its wish for a registered environment is left out."""
    for env in (make_graded_gym(Game24Config()), make_gym(CORRIDOR), make_graded_gym(CORRIDOR)):
        env.spec = gymnasium.spec(IDS["game24"])
        check_env(env, skip_render_check=True)


def test_every_kind_that_is_built_in_has_a_name() -> None:
    assert set(IDS) == set(KINDS)


def test_registering_twice_changes_nothing(registered: None) -> None:
    before = dict(gymnasium.registry)
    register()
    assert gymnasium.registry == before


def test_the_score_is_out_of_reach_by_default() -> None:
    env = make_gym(CORRIDOR)
    env.reset(seed=0)
    assert [env.step("right")[1:3] for _ in range(2)] == [(0.0, False), (0.0, True)]
    assert not hasattr(env._env, "outcome")


class Falling(Corridor):
    """A world whose score goes down when one walks back."""

    def outcome(self) -> Outcome:
        return Outcome(score=self.place / self.length, success=False)


@given(st.lists(st.sampled_from(["left", "right", "wait"]), max_size=8))
def test_the_return_of_a_graded_episode_is_its_score(actions: list[str]) -> None:
    world = Falling(length=4)
    env = TextEnv(world, Falling.tasks("train"), grade=lambda: world.outcome().score)
    env.reset(seed=0)
    total = 0.0
    for action in actions:
        _, reward, terminated, truncated, _ = env.step(action)
        assert not truncated
        total += reward
        if terminated:
            break
    assert total == pytest.approx(world.outcome().score)


def test_the_seed_draws_the_task_and_a_name_or_an_index_chooses_it() -> None:
    env = make_gym(kind="game24")
    first = env.reset(seed=7)
    second = env.reset()
    assert env.reset(seed=7) == first
    assert env.reset() == second
    assert len({env.reset(seed=seed)[1]["task"] for seed in range(20)}) > 10
    name = env.reset(options={"task": 3})[1]["task"]
    assert env.reset(options={"task": name})[1]["task"] == name


def test_the_first_observation_begins_with_the_instruction() -> None:
    observation, info = make_gym(kind="game24").reset(seed=0)
    assert observation.startswith(info["instruction"] + "\n")


def test_an_illegal_action_is_answered() -> None:
    env = make_gym(kind="game24")
    env.reset(seed=0)
    assert env.step("☃")[0].startswith("Illegal")


def test_a_time_limit_truncates(registered: None) -> None:
    env = gymnasium.make(IDS["game24"], turns=9, max_episode_steps=2)
    env.reset(seed=0)
    assert [env.step("x")[2:4] for _ in range(2)] == [(False, False), (False, True)]


def test_a_limit_is_no_end_in_a_shop_either(registered: None) -> None:
    pytest.importorskip("rapidfuzz")
    env = gymnasium.make(IDS["webshop"], max_episode_steps=12)
    env.reset(seed=0)
    ended = [env.step("x")[2:4] for _ in range(12)]
    assert ended == [(False, False)] * 11 + [(False, True)]


def test_tasks_by_any_whole_number() -> None:
    env = make_gym(kind="game24")
    assert env.reset(options={"task": np.int64(3)}) == env.reset(options={"task": 3})


def test_many_at_once() -> None:
    def make() -> TextEnv:
        return make_gym(kind="game24", turns=2)

    envs = SyncVectorEnv([make] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    observations, infos = envs.reset(seed=[1, 2, 1])
    assert observations[0] == observations[2] != observations[1]
    assert list(infos["task"]) == [text.splitlines()[1].split(": ")[1] for text in observations]
    ended = [list(envs.step(("a", "b", "c"))[2]) for _ in range(2)]
    assert ended == [[False] * 3, [True] * 3]
    envs.close()


def test_rendering_shows_the_last_turn() -> None:
    env = make_gym(kind="game24", render_mode="ansi")
    opening, _ = env.reset(seed=0)
    assert env.render() == opening
    answer = env.step("x")[0]
    assert env.render() == f"> x\n{answer}"
    silent = make_gym(kind="game24")
    silent.reset(seed=0)
    assert silent.render() is None


def test_stepping_without_an_episode_says_what_to_do() -> None:
    env = make_gym(CORRIDOR)
    with pytest.raises(ResetNeeded, match="reset"):
        env.step("right")
    env.reset(seed=0)
    env.step("right")
    env.step("right")
    with pytest.raises(ResetNeeded, match="reset"):
        env.step("right")


def test_bad_input_is_told_in_one_line() -> None:
    env = make_gym(kind="game24")
    for wanted in ("no such task", -1, 10**9, 2.5):
        with pytest.raises(ConfigError, match=r"give a name, .*or an index below 1162"):
            env.reset(options={"task": wanted})
    with pytest.raises(ConfigError, match="game24"):
        make_gym(kind="chess")
    with pytest.raises(ConfigError, match="turns"):
        make_gym(kind="game24", turns=0)
    with pytest.raises(ConfigError, match="render_mode 'human'"):
        make_gym(kind="game24", render_mode="human")
    with pytest.raises(ConfigError, match="at least one task"):
        TextEnv(Corridor(), [])
    with pytest.raises(ConfigError, match="nothing left"):
        make_gym(Game24Config(), TaskSelection(first=10**6))


@given(st.text(max_size=30))
def test_the_space_contains_any_text(text: str) -> None:
    assert text in AnyText(30)
    assert text + "x" * 31 not in AnyText(30)


def test_the_readme_shows_what_works(registered: None) -> None:
    section = README.read_text(encoding="utf-8").partition("## Gymnasium")[2]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
    assert isinstance(scope["env"], TextEnv)
    assert scope["observation"] == "Left: 1 2 8"
