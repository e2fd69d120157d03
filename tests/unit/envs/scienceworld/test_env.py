"""The environment against the real simulator."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from pydantic import ValidationError

from armap.envs import make_env, make_measures, select_tasks
from armap.envs.graded import make_graded_env
from armap.envs.scienceworld.env import ScienceWorld, ScienceWorldConfig
from armap.envs.scienceworld.graded import GradedScienceWorld
from armap.envs.scienceworld.rules import UNKNOWN, UNREADABLE
from armap.errors import EnvError
from armap.synthesize.execute import act_out
from armap.types import Action, Observation, Task
from tests.science import QUICK, make_task, needs_java

pytestmark = [needs_java, pytest.mark.sim, pytest.mark.slow]


@pytest.fixture(scope="module")
def graded() -> Iterator[GradedScienceWorld]:
    env = GradedScienceWorld(QUICK)
    yield env
    env.close()


def act(env: ScienceWorld | GradedScienceWorld, *texts: str) -> list[Observation]:
    return [env.step(Action(text=text)) for text in texts]


@pytest.mark.parametrize(
    "text", ["reset task", " Reset  the TASK ", "reset\ta task", "reset task\0"]
)
def test_starting_over_is_not_available(graded: GradedScienceWorld, text: str) -> None:
    graded.reset(make_task("find-animal", 0))
    act(graded, "teleport to outside", "focus on dove egg")
    before = graded.raw_score
    (seen,) = act(graded, text)
    assert seen.text == UNKNOWN
    assert graded.raw_score == before


def test_a_wrong_focus_ends_the_episode(graded: GradedScienceWorld) -> None:
    graded.reset(make_task("find-animal", 0))
    act(graded, "teleport to kitchen", "look around")
    reached = graded.raw_score
    assert 0 < reached < 1
    (last,) = act(graded, "focus on stove")
    assert last.terminal
    assert graded.raw_score == -1.0
    assert graded.outcome().score == reached
    assert not graded.outcome().success


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_action_does_not_reach_the_simulator(
    graded: GradedScienceWorld, text: str
) -> None:
    graded.reset(make_task("find-animal", 0))
    before = graded.steps_taken
    (seen,) = act(graded, text)
    assert seen == Observation(text=UNREADABLE)
    assert graded.steps_taken == before


@pytest.mark.parametrize("text", ["\ud800", "\\n", "漢字 🙂", "9" * 40, "x" * 9000])
def test_any_text_is_answered(graded: GradedScienceWorld, text: str) -> None:
    graded.reset(make_task("boil", 0))
    assert act(graded, text)[0].text == UNKNOWN
    assert act(graded, "look around")[0].text.startswith("This room is called")


def test_the_caps_of_task_config_and_protocol() -> None:
    def turns(config: ScienceWorldConfig, task: Task) -> int:
        env = make_env(config)
        try:
            return len(act_out(env, task, ["look around", "inventory"] * 30, author="test").steps)
        finally:
            env.close()

    capped = ScienceWorldConfig(protocol="eto")
    assert turns(capped, make_task("lifespan-longest-lived", 1)) == 10
    assert turns(capped, make_task("lifespan-longest-lived", 1, turns=3)) == 3
    assert turns(ScienceWorldConfig(protocol="eto", turns=5), make_task("boil", 1)) == 5
    assert turns(QUICK, make_task("lifespan-longest-lived", 1)) == 60


def test_the_clock_runs_out() -> None:
    env = make_env(ScienceWorldConfig(protocol="native", ticks=25))
    seen = act_out(env, make_task("boil", 2), ["wait"] * 9, author="test")
    env.close()
    assert len(seen.steps) == 3
    assert seen.final.terminal


def test_listing_changes_nothing() -> None:
    """A world in which every valid action is listed after every step is the same world."""
    free, listed = make_env(QUICK), make_env(QUICK.model_copy(update={"actions": "listed"}))
    rng = Random(3)
    try:
        for task in (make_task("grow-fruit", 3), make_task("boil", 5)):
            texts = [free.reset(task).text]
            seen = listed.reset(task)
            shown = [seen.text]
            for _ in range(15):
                assert seen.choices
                assert not [choice for choice in seen.choices if "reset" in choice]
                choice = rng.choice([c for c in seen.choices if not c.startswith("focus")])
                seen = listed.step(Action(text=choice))
                shown.append(seen.text)
                texts.append(free.step(Action(text=choice)).text)
            assert shown == texts
    finally:
        free.close()
        listed.close()


def test_after_an_ambiguous_request_the_numbers_are_the_valid_actions() -> None:
    env = ScienceWorld(ScienceWorldConfig(protocol="native", simplification="", actions="listed"))
    env.reset(make_task("boil", 21))
    *_, asked = act(env, "open door to kitchen", "go to kitchen", "open door")
    (done,) = act(env, "0")
    env.close()
    assert asked.text.startswith("Ambiguous request")
    assert asked.choices == ("0", "1", "2")
    assert done.text == "The door is now open."


def test_simplifications() -> None:
    env = ScienceWorld(ScienceWorldConfig(simplification="openDoors,noElectricalAction"))
    with pytest.raises(EnvError, match="about electricity"):
        env.reset(make_task("test-conductivity", 0))
    assert env.pid is None
    with pytest.raises(ValidationError, match="no simplification 'easier'"):
        ScienceWorldConfig(simplification="easier")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"env": "game24"}, "has no setup.task"),
        ({"setup": {}}, "has no setup.task"),
        ({"setup": {"task": "boil"}}, "whole number, not None"),
        ({"setup": {"task": "boil", "variation": True}}, "whole number, not True"),
        ({"setup": {"task": "boil", "variation": 99}}, "0 to 29"),
        ({"setup": {"task": "broil", "variation": 0}}, "did you mean 'boil'"),
        ({"setup": {"task": "boil", "variation": 0, "turns": 0}}, "positive integer"),
    ],
)
def test_a_task_that_is_none_is_refused(change: dict[str, object], message: str) -> None:
    env = ScienceWorld(QUICK)
    with pytest.raises(EnvError) as caught:
        env.reset(make_task("boil", 0).model_copy(update=change))
    assert message in str(caught.value)
    with pytest.raises(EnvError, match="reset"):
        env.step(Action(text="look around"))


def test_an_old_or_heavy_simulator_is_replaced() -> None:
    for config in (
        QUICK.model_copy(update={"episodes": 1}),
        QUICK.model_copy(update={"memory_mb": 1}),
    ):
        env = ScienceWorld(config)
        first = env.reset(make_task("boil", 0))
        pid = env.pid
        assert env.reset(make_task("boil", 0)) == first
        assert env.pid != pid
        env.close()
        assert env.pid is None


def test_tasks_are_described_by_the_simulator() -> None:
    from armap.envs import TaskSelection

    config = ScienceWorldConfig()
    tasks = select_tasks(config, TaskSelection(split="test", first=9, limit=2))
    assert [task.name for task in tasks] == [
        "change-the-state-of-matter-of/21",
        "change-the-state-of-matter-of/22",
    ]
    assert all("state of matter" in task.instruction for task in tasks)


def test_the_measures_count_what_the_episode_shows(graded: GradedScienceWorld) -> None:
    actions = ("fly", "", "wait1", "teleport to kitchen", "focus on stove")
    played = act_out(graded, make_task("find-animal", 0), actions, author="test")
    measures = make_measures(QUICK)
    found = {
        name: measures[name].of(played) for name in ("refused", "ambiguous", "focuses", "waits")
    }
    assert found == {"refused": 2, "ambiguous": 0, "focuses": 1, "waits": 1}


def test_a_grade_needs_an_episode() -> None:
    env = make_graded_env(QUICK)
    with pytest.raises(EnvError, match="no episode to grade"):
        env.outcome()
