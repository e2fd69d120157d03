"""Rows and curves, from plans whose truth is known."""

from __future__ import annotations

import pytest

from armap.envs.game24.env import Game24Config
from armap.envs.game24.graded import GradedGame24
from armap.envs.game24.intents import make_task
from armap.envs.graded import make_graded_env
from armap.errors import EnvError
from armap.evaluate import Graded, Grader, curve, oracle_row, row
from armap.oracle import GradedEnvironment, Outcome
from armap.synthesize.execute import execute
from armap.types import Action, Candidate, Observation, Plan, Score, StopReason, Task, Usage
from tests.games import make_game

TASK = make_task((4, 5, 6, 10), split="test")
RIGHT = ("Answer: (10 - 4) * 5 - 6 = 24",)
WRONG = ("Answer: 4 + 5 + 6 + 10 = 25",)


def plan(*actions: tuple[str, ...], scores: tuple[float, ...], chosen: int) -> Plan:
    candidates = [
        Candidate(
            trajectory=execute(make_game, TASK, act, author="x").trajectory,
            score=Score(raw=score, calibrated=0.5),
        )
        for act, score in zip(actions, scores, strict=True)
    ]
    usage = Usage(calls=2, prompt_tokens=5, completion_tokens=1)
    return Plan(
        task=TASK, planner="best_of_n", candidates=tuple(candidates), chosen=chosen, usage=usage
    )


def graded(one: Plan) -> Graded:
    with Grader(lambda: make_graded_env(Game24Config())) as grader:
        return grader.grade(one)


def test_every_candidate_is_graded_by_acting_it_out() -> None:
    result = graded(plan(WRONG, RIGHT, scores=(2.0, 1.0), chosen=0))
    assert result.outcomes == (Outcome(score=0, success=False), Outcome(score=1, success=True))
    assert not result.success
    assert result.scores == (2.0, 1.0)


def test_one_environment_serves_all_and_equal_episodes_are_acted_out_once() -> None:
    made: list[GradedEnvironment] = []
    resets: list[str] = []

    class Watched(GradedGame24):
        def reset(self, task: Task) -> Observation:
            resets.append(task.name)
            return super().reset(task)

        def close(self) -> None:
            resets.append("closed")
            super().close()

    def make() -> GradedEnvironment:
        made.append(Watched(Game24Config()))
        return made[-1]

    several = plan(WRONG, RIGHT, WRONG, scores=(2.0, 1.0, 2.0), chosen=0)
    with Grader(make) as grader:
        assert not made, "only when it is needed"
        first, again = grader.grade(several), grader.grade(several)
    assert first == again == graded(several)
    assert len(made) == 1
    assert resets == [TASK.name] * 4 + ["closed"]


def test_an_episode_that_did_not_happen_so_is_refused() -> None:
    good = plan(RIGHT, scores=(1.0,), chosen=0)
    steps = good.candidates[0].trajectory.steps
    bent = steps[0].model_copy(
        update={"observation": steps[0].observation.model_copy(update={"text": "Left: 24"})}
    )
    trajectory = good.candidates[0].trajectory.model_copy(update={"steps": (bent,)})
    with pytest.raises(EnvError, match="diverged"):
        graded(good.model_copy(update={"candidates": (Candidate(trajectory=trajectory),)}))


def test_an_end_that_does_not_repeat_is_refused() -> None:
    good = plan(RIGHT, scores=(1.0,), chosen=0)
    trajectory = good.candidates[0].trajectory
    other = trajectory.final.model_copy(update={"text": "You lost."})
    bent = trajectory.model_copy(update={"final": other})
    with pytest.raises(EnvError, match=r"diverged at the end: 'Answer taken: 24\.', recorded 'You"):
        graded(good.model_copy(update={"candidates": (Candidate(trajectory=bent),)}))


def test_an_environment_that_dies_once_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    class Dying(GradedGame24):
        deaths = 1

        def step(self, action: Action) -> Observation:
            if Dying.deaths:
                Dying.deaths -= 1
                raise EnvError("the simulator was killed")
            return super().step(action)

    one = plan(RIGHT, scores=(1.0,), chosen=0)
    with Grader(lambda: Dying(Game24Config())) as grader:
        assert grader.grade(one) == graded(one)
    assert "again: the simulator was killed" in caplog.text
    Dying.deaths = 2
    with Grader(lambda: Dying(Game24Config())) as grader, pytest.raises(EnvError, match="killed"):
        grader.grade(one)


def test_a_failed_candidate_is_lost_not_skipped() -> None:
    one = plan(RIGHT, WRONG, scores=(1.0, 0.0), chosen=0)
    failed = one.candidates[1].trajectory.model_copy(update={"stop": StopReason.FAILED})
    one = one.model_copy(update={"candidates": (one.candidates[0], Candidate(trajectory=failed))})
    result = graded(one)
    assert result.outcomes[1] is None
    assert result.successes == (1.0, 0.0)


def test_rows() -> None:
    plans = [
        plan(RIGHT, WRONG, scores=(1.0, 0.0), chosen=0),
        plan(RIGHT, WRONG, scores=(0.0, 1.0), chosen=1),
    ]
    results = [graded(one) for one in plans]
    spent = [one.usage for one in plans]
    selected = row(results, spent, n=2, seconds=1.0)
    assert (selected.success, selected.tasks, selected.llm_calls, selected.tokens) == (
        0.5,
        2,
        4,
        12,
    )
    assert oracle_row(results, selected).success == 1.0
    sampled = [one.model_copy(update={"planner": "sampling"}) for one in results]
    assert row(sampled, spent, n=2, seconds=1.0).success == 0.5
    assert row(sampled, spent, n=2, seconds=1.0).ci == (0.5, 0.5)


def test_the_curve_joins_mean_selection_and_oracle() -> None:
    results = [
        graded(plan(RIGHT, WRONG, WRONG, scores=(1.0, 2.0, 0.0), chosen=1)),
        graded(plan(WRONG, RIGHT, RIGHT, scores=(0.0, 1.0, 2.0), chosen=2)),
    ]
    points = curve(results)
    assert [point.n for point in points] == [1, 2, 3]
    assert points[0].selected == pytest.approx(points[0].mean) == pytest.approx(0.5)
    assert points[0].oracle == pytest.approx(0.5)
    assert points[-1].oracle == 1.0
    assert points[-1].selected == 0.5
    assert all(point.selected <= point.oracle + 1e-12 for point in points)
