"""Objectives read what people write, refuse the rest in one line, and agree with arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.envs import make_measures
from armap.envs.game24.env import Game24Config
from armap.errors import ConfigError, EnvError, ObjectiveError
from armap.measures import Measure
from armap.objective import DEEPEST, LONGEST, Objective
from armap.types import Action, Observation, Score, Step, StopReason, Task, Trajectory, Usage

MEASURES = make_measures(Game24Config())
VALUES = {"reward": 0.5, "steps": 4.0, "illegal": 0.0, "tokens": 12.0}
NAMES = ("reward", "steps", "tokens", "illegal")


def parse(text: str) -> Objective:
    return Objective.parse(text, MEASURES)


def episode(*actions: str) -> Trajectory:
    seen = Observation(text="Numbers: 1 2 3 4")
    return Trajectory(
        task=Task(env="game24", name="1 2 3 4", split="test", instruction="Make 24"),
        steps=tuple(Step(observation=seen, action=Action(text=text)) for text in actions),
        final=seen,
        stop=StopReason.TERMINAL,
        policy="test",
        seed=0,
        usage=Usage(calls=2, prompt_tokens=9, completion_tokens=1),
    )


numbers = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0, 1e6, allow_nan=False, allow_infinity=False).map(repr),
)


def operations(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("({0[0]}) {0[1]} ({0[2]})".format),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("{0[0]}{0[1]}{0[2]}".format),
        inner.map("-({})".format),
        inner.map("-{}".format),
        inner.map("abs({})".format),
        inner.map("log({})".format),
        pair.map("max({0[0]}, {0[1]})".format),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: f"min({', '.join(parts)})"),
        st.tuples(inner, inner, inner).map("clip({0[0]}, {0[1]}, {0[2]})".format),
    )


expressions = st.recursive(
    st.one_of(numbers, st.sampled_from(NAMES)), operations, max_leaves=12
).filter(lambda text: len(text) <= LONGEST // 3)


def python_says(text: str) -> float | None:
    """What Python makes of the expression; None where it has no finite value."""
    functions = {
        "abs": abs,
        "log": math.log,
        "max": max,
        "min": min,
        "clip": lambda x, low, high: min(max(x, low), high),
    }
    try:
        found = float(eval(text, {"__builtins__": {}}, {**functions, **VALUES}))
    except (ArithmeticError, ValueError):
        return None
    return found if math.isfinite(found) else None


@given(expressions)
def test_it_agrees_with_pythons_arithmetic(text: str) -> None:
    expected = python_says(text)
    if expected is None:
        with pytest.raises(ObjectiveError):
            parse(text).value(VALUES)
    else:
        assert parse(text).value(VALUES) == pytest.approx(expected, rel=1e-12)


@given(expressions)
def test_the_canonical_text_reads_as_the_same_objective(text: str) -> None:
    once = parse(text)
    again = parse(once.text)
    assert again == once
    assert again.text == once.text
    assert set(once.names) == {name for name in NAMES if name in text}


@given(st.text(max_size=60))
def test_whatever_is_written_is_an_objective_or_one_line(text: str) -> None:
    try:
        objective = parse(text)
    except ObjectiveError as error:
        lines = str(error).splitlines()
        assert len(lines) == 1
        return
    assert parse(objective.text) == objective


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("reward - 0.1 * stepz", "no measure 'stepz'; did you mean 'steps'?"),
        ("reward - price", r"no measure 'price'; there is reward \(0 to 1\), steps \(actions\)"),
        ("success", "no measure 'success'"),
        ("reward ** 2", r"reward \*\* 2 has no meaning here; write e.g."),
        ("reward // steps", "has no meaning here"),
        ("reward ^ 2", r"'\^' has no meaning here"),
        ("reward > 0.5", "'>' has no meaning here"),
        ("reward # the score", "'#' has no meaning here"),
        ("reward if steps else 1", "has no meaning here"),
        ("reward.real", "has no meaning here"),
        ("__import__('os')", "has no meaning here"),
        ("exec(reward)", "no function 'exec'"),
        ("abs(reward, steps)", r"write abs\(x\)"),
        ("min(reward)", r"write min\(x, y, ...\)"),
        ("clip(reward, 1)", r"write clip\(x, low, high\)"),
        ("min(*reward, 1)", "has no meaning here"),
        ("True + reward", "has no meaning here"),
        ("1j * reward", "has no meaning here"),
        ("reward -", "is no expression"),
        ("reward steps", "is no expression"),
        ("", "is no expression"),
        ("   ", "is no expression"),
        ("1e999 * reward", "numbers end at"),
        ("9" * 300, "numbers end at"),
        ("reward" + " " * LONGEST, "longer than 1000 characters"),
        ("-" * 900 + "reward", "nested|is no expression"),
        ("+".join(["1"] * (DEEPEST + 5)), "nested more than 64 deep"),
        ("(" * 400 + "reward" + ")" * 400, "is no expression"),
    ],
)
def test_what_is_no_objective_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ObjectiveError, match=complaint) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConfigError), "the user's mistake"


def test_text_and_names() -> None:
    objective = parse("reward-.10*(steps)\n - max(tokens,  1)/1e3")
    assert objective.text == "reward - 0.1 * steps - max(tokens, 1) / 1000.0"
    assert objective.names == ("reward", "steps", "tokens")
    assert repr(objective).startswith("Objective(text='reward - 0.1 * steps")


def test_a_function_may_share_its_name_with_a_measure() -> None:
    measures = {"min": Measure("minutes", "how long", lambda _: 3.0)}
    assert Objective.parse("min(min, 5)", measures).value({"min": 3.0}) == 3.0


def test_the_utility_of_a_trajectory() -> None:
    score = Score(raw=7.0, calibrated=0.75)
    assert parse("reward - 0.125 * steps").utility(episode("a", "b"), score) == 0.5
    assert parse("reward").utility(episode(), score) == 0.75
    assert parse("-tokens").utility(episode(), score) == -10.0


def test_only_the_measures_it_names_are_taken() -> None:
    def never(_: Trajectory) -> float:
        raise AssertionError

    measures = {**MEASURES, "dear": Measure("seconds", "slow to take", never)}
    Objective.parse("reward - steps", measures).utility(episode(), Score(raw=0.0, calibrated=0.5))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("reward / illegal", "division by zero at illegal = 0, reward = 0.5, for trajectory"),
        ("log(illegal)", "math domain error at illegal = 0"),
        ("1e99 * 1e99 * 1e99 * 1e99", "inf"),
    ],
)
def test_a_trajectory_without_a_value_is_named(text: str, complaint: str) -> None:
    trajectory = episode("a")
    with pytest.raises(ObjectiveError, match=complaint) as caught:
        parse(text).utility(trajectory, Score(raw=0.0, calibrated=0.5))
    assert f"trajectory {trajectory.key} of task '1 2 3 4'" in str(caught.value)


def test_a_measure_that_fails_is_the_environments_failure() -> None:
    def broken(_: Trajectory) -> float:
        raise KeyError("price")

    objective = Objective.parse("reward - price", {"price": Measure("dollars", "paid", broken)})
    with pytest.raises(EnvError, match=r"measure 'price' of trajectory .* KeyError"):
        objective.utility(episode(), Score(raw=0.0, calibrated=0.5))


def test_a_measure_that_is_not_finite_is_refused() -> None:
    measures = {"price": Measure("dollars", "paid", lambda _: math.nan)}
    with pytest.raises(EnvError, match=r"measure 'price' of trajectory .* nan is not finite"):
        Objective.parse("reward - price", measures).utility(
            episode(), Score(raw=0.0, calibrated=0.5)
        )


def test_the_reward_cannot_be_hidden_by_a_measure() -> None:
    with pytest.raises(ObjectiveError, match="give it another name"):
        Objective.parse("reward", {"reward": Measure("points", "no", lambda _: 0.0)})
