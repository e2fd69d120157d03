"""Choosing anew among stored candidates: by brute force, and along a front."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.errors import DataError
from armap.evaluate import Graded
from armap.measures import COMMON, Measure
from armap.objective import Objective
from armap.oracle import Outcome
from armap.tradeoff import Option, Pool, Stored, penalised
from tests.unit.report.folders import graded, plan

MEASURES = {"price": Measure("dollars", "paid", lambda _: 0.0)}

shares = st.integers(0, 20).map(lambda i: i / 20)
options = st.builds(
    lambda reward, price, won: Option(
        {"reward": reward, "price": float(price)},
        "a trajectory",
        Outcome(score=float(won), success=won),
    ),
    shares,
    st.integers(0, 12),
    st.booleans(),
)
pools = st.lists(st.lists(options, min_size=1, max_size=6), min_size=1, max_size=5).map(
    lambda tasks: Pool(
        tuple(Stored(str(i), tuple(found), 0) for i, found in enumerate(tasks)),
        "",
        MEASURES,
        graded=True,
    )
)


def objective(text: str) -> Objective:
    return Objective.parse(text, MEASURES)


def brute_force(pool: Pool, weight: float) -> list[int]:
    chosen = []
    for stored in pool.tasks:
        utilities = [o.values["reward"] - weight * o.values["price"] for o in stored.options]
        chosen.append(utilities.index(max(utilities)))
    return chosen


@given(pools, st.integers(0, 40).map(lambda i: i / 200))
def test_the_answers_are_the_first_of_the_best(pool: Pool, weight: float) -> None:
    assert pool.answers(objective(f"reward - {weight} * price")) == brute_force(pool, weight)


@given(pools)
@settings(deadline=None)
def test_along_a_front_the_measure_and_the_reward_fall(pool: Pool) -> None:
    weights = pool.weights(objective("reward"), "price", most=1000)
    assert weights[0] == 0.0
    assert weights == sorted(set(weights))
    found = [pool.means(brute_force(pool, weight), "", weight) for weight in weights]
    for before, after in pairwise(found):
        assert after.measures["price"] <= before.measures["price"]
        assert after.reward <= before.reward + 1e-12
    cheapest = [min(o.values["price"] for o in stored.options) for stored in pool.tasks]
    assert found[-1].measures["price"] == pytest.approx(sum(cheapest) / len(cheapest))


@given(pools, st.integers(1, 396).map(lambda i: i / 397))
@settings(deadline=None)
def test_a_front_leaves_out_no_stretch(pool: Pool, weight: float) -> None:
    """What any weight leads to is on the front. 397 is prime: no answer moves at such a weight."""
    weights = pool.weights(objective("reward"), "price", most=1000)
    known = {round(pool.means(brute_force(pool, w), "").measures["price"], 9) for w in weights}
    assert round(pool.means(brute_force(pool, weight), "").measures["price"], 9) in known


def test_ties_are_left_at_once() -> None:
    stored = Stored(
        "t", tuple(Option({"reward": 0.5, "price": p}, "it", None) for p in (3.0, 2.0)), 0
    )
    pool = Pool((stored,), "", MEASURES, graded=False)
    assert pool.weights(objective("reward"), "price", most=9) == [0.0, 1.0]


@given(pools, st.integers(2, 6))
def test_a_front_is_thinned_to_what_is_asked_for(pool: Pool, most: int) -> None:
    every = pool.weights(objective("reward"), "price", most=1000)
    few = pool.weights(objective("reward"), "price", most=most)
    assert len(few) == min(most, len(every))
    assert set(few) <= set(every)
    assert (few[0], few[-1]) == (every[0], every[-1])


def test_the_stretches_of_one_task() -> None:
    """Worked by hand: 0.9 at 10 dollars, 0.8 at 5, 0.2 at 1; 0.5 at 9 is never best."""
    values = [(0.9, 10.0), (0.5, 9.0), (0.8, 5.0), (0.2, 1.0)]
    stored = Stored("t", tuple(Option({"reward": r, "price": p}, "it", None) for r, p in values), 0)
    pool = Pool((stored,), "", MEASURES, graded=False)
    # The answer moves at (0.9 - 0.8) / 5 = 0.02 and at (0.8 - 0.2) / 4 = 0.15.
    assert pool.weights(objective("reward"), "price", most=9) == [0.0, 0.085, 0.188]
    assert pool.answers(objective("reward - 0.0199 * price")) == [0]
    assert pool.answers(objective("reward - 0.0201 * price")) == [2]
    assert pool.answers(objective("reward - 0.1501 * price")) == [3]
    means = pool.means([2], "x")
    assert (means.score, means.success, means.ci) == (None, None, None)
    assert pool.change([0], [2]).success is None


def test_plans_in_numbers() -> None:
    made = [plan("a", whole=2), plan("b", "TimedOut", whole=1), plan("c", "TimedOut", whole=0)]
    pool = Pool.of([(one, graded(one)) for one in made], COMMON)
    assert pool.graded
    assert pool.scored
    assert pool.planned() == [0, 0, None]
    assert pool.varying == ()
    answers = pool.answers(Objective.parse("reward - steps", COMMON))
    assert answers == [0, 0, None], "what a failure ended has no score"
    means = pool.means(answers, "reward - steps")
    assert (means.tasks, means.answered) == (3, 2)
    assert means.success == pytest.approx(2 / 3), "no answer counts as lost"
    assert means.measures["steps"] == 1.0, "over the answers"
    assert means.reward == 0.5


def test_plans_and_grades_that_do_not_fit() -> None:
    made = plan("a", whole=2)
    wrong = Graded(task="a", planner="best_of_n", outcomes=(None,), chosen=0, scores=(None,))
    with pytest.raises(DataError, match="task 'a': 2 candidates and 1 grades"):
        Pool.of([(made, wrong)], COMMON)


def test_the_change_is_paired() -> None:
    won, lost = Outcome(score=1.0, success=True), Outcome(score=0.0, success=False)
    good = Option({"reward": 0.9, "price": 10.0}, "good", won)
    cheap = Option({"reward": 0.1, "price": 4.0}, "cheap", lost)
    pool = Pool(
        tuple(Stored(str(i), (good, cheap), 0) for i in range(10)), "", MEASURES, graded=True
    )
    change = pool.change([0] * 10, [1] + [0] * 9)
    assert change.success is not None
    delta, low, high = change.success
    assert (delta, low < delta < high) == (pytest.approx(-0.1), True)
    assert change.measures["price"][0] == pytest.approx(-0.6)
    nothing = pool.change([0] * 10, [0] * 10)
    assert nothing.success is not None
    assert nothing.success[0] == 0.0
    assert nothing.success[1] < 0 < nothing.success[2], "ten tasks prove little"


def test_penalties_as_text() -> None:
    assert penalised("reward - 0.1 * steps", "price", 0.25) == "reward - 0.1 * steps - 0.25 * price"
    assert penalised("reward", "price", -0.25) == "reward + 0.25 * price"
    assert penalised("reward", "price", 0.0) == "reward"
