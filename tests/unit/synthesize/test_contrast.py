from __future__ import annotations

from collections.abc import Container
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.envs import make_env
from armap.errors import DataError, EnvError
from armap.plugins import ImportConfig
from armap.protocols import Environment
from armap.synthesize import ContrastConfig, contrast
from armap.synthesize.changes import CHANGES
from armap.synthesize.execute import act_out
from armap.types import Action, Observation, Preference, StopReason, Task, Trajectory
from tests.contracts.worlds import Corridor

CORRIDOR = ImportConfig(target="tests.contracts.worlds:Corridor", options={"length": 4})


def world() -> Environment:
    return make_env(CORRIDOR)


def walk(task: Task, *texts: str, policy: str = "good") -> Trajectory:
    return act_out(world(), task, texts, author=policy)


TASKS = Corridor.tasks("train")
GOOD = [walk(task, "right", "look", "right", "right", "right") for task in TASKS]
BAD = [walk(task, "right", "left", "right", policy="bad") for task in TASKS]


def pairs(seed: int = 0, **changes: object) -> list[Preference]:
    config = ContrastConfig(**{"cut": 0.0, **changes})
    return list(contrast(config, GOOD, BAD, world, seed=seed))


def test_the_worse_policy_is_the_rejected_side_of_the_same_task() -> None:
    found = pairs(made=0, foreign=0)
    assert len(found) == 3
    for pair in found:
        assert pair.chosen.policy == pair.provenance.positive == "good"
        assert pair.provenance.rival == "worse policy: bad"
        assert pair.rejected in BAD
        assert pair.provenance.ground_truth is False
        assert pair.provenance.sources == (pair.chosen.key, pair.rejected.key)


def test_made_rivals_are_acted_out() -> None:
    found = pairs(collected=0, foreign=0, made=8)
    assert len({pair.provenance.rival for pair in found}) >= 2
    for pair in found:
        assert pair.rejected.stop in (StopReason.TERMINAL, StopReason.MAX_STEPS)
        again = walk(pair.task, *pair.rejected.actions)
        assert (again.steps, again.final) == (pair.rejected.steps, pair.rejected.final)


def test_a_change_without_consequence_is_no_pair() -> None:
    """Leaving out the glance leads to the same door."""
    for pair in pairs(collected=0, foreign=0, made=20):
        assert pair.rejected.final != pair.chosen.final
        assert pair.rejected.actions != ("right", "right", "right", "right")


@given(st.integers(0, 1000))
def test_cut_sides_end_after_they_part(seed: int) -> None:
    for pair in pairs(seed, cut=1.0):
        ours, theirs = pair.chosen.actions, pair.rejected.actions
        assert ours != theirs
        assert pair.chosen.final != pair.rejected.final


def test_long_sides_are_cut_and_late_partings_left_out() -> None:
    found = pairs(steps=2)
    assert found
    assert all(len(side.steps) <= 2 for pair in found for side in (pair.chosen, pair.rejected))
    assert not pairs(steps=1, made=0, foreign=0)


def test_same_seed_same_pairs_and_no_more_than_asked_for() -> None:
    assert pairs(3, made=5) == pairs(3, made=5)
    assert len(pairs(made=5, pairs=4)) == 4


def test_test_tasks_are_refused() -> None:
    tested = [walk(task, "right") for task in Corridor.tasks("test")]
    for better, worse in ((tested, []), (GOOD, tested)):
        with pytest.raises(DataError, match="of the test split"):
            next(contrast(ContrastConfig(), better, worse, world, seed=0))


def test_the_environment_is_closed_at_the_end() -> None:
    class Counted(Corridor):
        closed = 0

        def close(self) -> None:
            Counted.closed += 1

    assert list(contrast(ContrastConfig(pairs=1), GOOD, BAD, Counted, seed=0))
    assert Counted.closed == 1


@given(
    st.lists(
        st.sampled_from(
            ["focus on red box", "open door", "wait", "pour jug in bowl", "look around"]
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(sorted(CHANGES)),
    st.integers(),
)
def test_every_change_of_every_episode_is_a_list_of_actions(
    actions: list[str], kind: str, seed: int
) -> None:
    changed = CHANGES[kind](actions, Random(seed))
    assert all(Action(text=text).text for text in changed)
    assert len(changed) <= len(actions) + 1
    assert changed or len(actions) < 2


def test_no_side_is_without_steps() -> None:
    idle = [walk(task, policy="idle") for task in TASKS]
    short = [walk(task, "right") for task in TASKS]
    config = ContrastConfig(collected=3, made=20, foreign=2)
    found = [
        *contrast(config, GOOD, [*BAD, *idle], world, seed=1),
        *contrast(config, short, idle, world, seed=1),
    ]
    assert found
    assert all(side.steps for pair in found for side in (pair.chosen, pair.rejected))


class Fragile(Corridor):
    """Fails at some of its episodes, counted over all instances."""

    failing: Container[int] = ()
    begun = 0

    def reset(self, task: Task) -> Observation:
        Fragile.begun += 1
        if Fragile.begun in Fragile.failing:
            raise EnvError("the simulator closed the connection")
        return super().reset(task)


def fragile_pairs(failing: Container[int], made: int = 5) -> list[Preference]:
    Fragile.failing, Fragile.begun = failing, 0
    config = ContrastConfig(collected=0, made=made, foreign=0)
    return list(contrast(config, GOOD, BAD, Fragile, seed=3))


def test_a_world_that_failed_once_makes_the_same_pairs(caplog: pytest.LogCaptureFixture) -> None:
    whole = fragile_pairs(())
    assert fragile_pairs({1, 4, 9, Fragile.begun}) == whole
    assert len(caplog.records) == 4
    assert "closed the connection" in caplog.text


def test_a_rival_that_the_world_fails_at_twice_is_left_out() -> None:
    first, _, third = fragile_pairs((), made=1)
    assert fragile_pairs({2, 3}, made=1) == [first, third]


def test_a_world_that_fails_again_and_again_ends_it() -> None:
    with pytest.raises(EnvError, match="closed the connection"):
        fragile_pairs(range(3, 1000))
    assert Fragile.begun == 7
