from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.config import load_run
from armap.envs.graded import make_graded_env
from armap.envs.scienceworld.expert import EXPERT, ExpertConfig, NoisyExpert, next_action
from armap.errors import ConfigError
from armap.protocols import Policy
from armap.types import Action, Situation, Step
from tests.e2e.test_runs import write
from tests.science import QUICK, make_task, needs_java

PATH = ("open door", "go to kitchen", "focus on stove", "use stove on pot", "wait")


def played(error: float, rng: Random, turns: int = 5) -> list[str]:
    done: list[str] = []
    for _ in range(turns):
        done.append(next_action(PATH, done, error, rng))
    return done


@given(st.integers())
def test_without_slips_it_follows_the_path(seed: int) -> None:
    assert tuple(played(0.0, Random(seed))) == PATH


@given(st.integers(), st.floats(0, 1))
def test_it_always_has_an_action_and_the_same_one_for_the_same_seed(
    seed: int, error: float
) -> None:
    first = played(error, Random(seed), turns=20)
    assert all(first)
    assert played(error, Random(seed), turns=20) == first


def test_it_slips_as_often_as_it_is_told() -> None:
    rng = Random(0)
    slips = sum(next_action(PATH, PATH[:2], 0.3, rng) != PATH[2] for _ in range(2000))
    assert 0.2 < slips / 2000 < 0.32  # a slip may be the right action by chance


def test_after_a_distraction_it_goes_on_where_it_was() -> None:
    assert next_action(PATH, [*PATH[:2], "look around"], 0.0, Random(0)) == PATH[2]


def test_only_scienceworld_has_an_expert(tmp_path: Path) -> None:
    config = write(tmp_path, "collect", stage="collect", out="x", env={"kind": "game24"}, expert={})
    with pytest.raises(ConfigError, match=r"knows scienceworld only, and .* is game24"):
        load_run(config, "collect")


def test_no_plan_has_an_expert(tmp_path: Path) -> None:
    config = write(
        tmp_path, "plan", stage="plan", out="x", planner={"kind": "greedy"}, expert={"error": 0}
    )
    with pytest.raises(ConfigError, match="expert: unknown key"):
        load_run(config, "plan")


@needs_java
@pytest.mark.sim
@pytest.mark.slow
def test_the_solution_solves_the_task() -> None:
    task = make_task("lifespan-longest-lived", 3)
    expert = NoisyExpert(ExpertConfig(error=0.0), QUICK)
    env = make_graded_env(QUICK)
    steps: tuple[Step, ...] = ()
    seen = env.reset(task)
    assert isinstance(expert, Policy)
    assert expert.name == f"{EXPERT}scienceworld error 0"

    async def act() -> Action:
        situation = Situation(task=task, steps=steps, observation=seen)
        first, second = (await expert.propose(situation, k=2, seed=1)).actions
        assert first == second
        assert first is not None
        return first

    while not seen.terminal:
        action = asyncio.run(act())
        steps = (*steps, Step(observation=seen, action=action))
        seen = env.step(action)
    assert env.outcome().success
    asyncio.run(expert.close())
    env.close()
