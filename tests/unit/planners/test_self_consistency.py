"""Votes: what counts as the same answer, who wins, and who may not vote."""

from __future__ import annotations

import asyncio
from collections import Counter
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.answers import LAST_ACTION
from armap.envs import make_answer
from armap.envs.game24.arithmetic import ExpressionError, canonical, parse
from armap.envs.game24.env import Game24Config
from armap.errors import ConfigError
from armap.llms.scripted import Scripted, ScriptedConfig
from armap.planners import Context, make_planner
from armap.planners.self_consistency import SelfConsistencyConfig, vote
from armap.plugins import ImportConfig
from armap.policy import PromptedPolicy
from armap.rollout import Runner
from armap.types import Plan, StopReason, Trajectory
from tests.contracts.worlds import Corridor
from tests.forks import TASK, Forks, planner
from tests.games import random_games

answers = st.lists(st.one_of(st.none(), st.sampled_from("xyz")), min_size=1, max_size=12)


@given(answers)
def test_the_most_frequent_wins_and_ties_go_to_the_first(given_: list[str | None]) -> None:
    won = vote(given_, [1.0] * len(given_))
    counts = Counter(answer for answer in given_ if answer is not None)
    if not counts:
        assert won is None
        return
    assert won is not None
    leaders = {answer for answer, count in counts.items() if count == max(counts.values())}
    assert won.winner == next(answer for answer in given_ if answer in leaders)
    assert won.members == tuple(i for i, a in enumerate(given_) if a == won.winner)
    assert won.share == pytest.approx(counts[won.winner] / counts.total())
    assert won.answers == len(counts)


@given(answers, st.randoms(use_true_random=False))
def test_weights_add_up(given_: list[str | None], rng: Random) -> None:
    weights = [rng.random() for _ in given_]
    won = vote(given_, weights)
    if won is None:
        return
    sums = {
        name: sum(w for a, w in zip(given_, weights, strict=True) if a == name) for name in "xyz"
    }
    assert sums[won.winner] == pytest.approx(max(sums.values()))


def test_nothing_is_a_weight_too() -> None:
    won = vote(["x", "y"], [0.0, 0.0])
    assert won is not None
    assert (won.winner, won.share) == ("x", 0.0)


def expression(rng: Random, numbers: list[str]) -> tuple[str, str]:
    """A random expression, and the same one in another order."""
    if len(numbers) == 1:
        return numbers[0], rng.choice([numbers[0], f"({numbers[0]})"])
    cut = rng.randrange(1, len(numbers))
    (a, also_a), (b, also_b) = expression(rng, numbers[:cut]), expression(rng, numbers[cut:])
    sign = rng.choice("+-*/")
    turned = f"({also_b}){sign}({also_a})" if sign in "+*" else f"({also_a}) {sign} ({also_b})"
    return f"({a}) {sign} ({b})", turned


@given(st.randoms(use_true_random=False))
def test_the_order_of_sums_and_products_does_not_matter(rng: Random) -> None:
    text, other = expression(rng, [str(rng.randint(1, 13)) for _ in range(4)])
    form = canonical(text)
    assert form == canonical(other)
    assert canonical(form) == form
    try:
        value = parse(text).value
    except ExpressionError:
        return
    assert parse(form).value == value


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("(10 - 4) * 5 - 6", "5 * (10 - 4) - 6", True),
        ("10 - (4 - 5)", "10 + 5 - 4", True),
        ("12 / (4 / 2)", "12 * 2 / 4", True),
        ("6 * 4", "20 + 4", False),
        ("6 - 4", "4 - 6", False),
        ("2 * (3 + 1)", "2 * 3 + 1", False),
    ],
)
def test_same_and_different(a: str, b: str, *, same: bool) -> None:
    assert (canonical(a) == canonical(b)) is same


def test_what_is_no_expression_is_said() -> None:
    for text in ("4 +", "(4", "a", "", "4 " * 200):
        with pytest.raises(ExpressionError):
            canonical(text)


def test_games_answer_what_the_rules_took() -> None:
    form = make_answer(Game24Config())
    assert form is not None
    taken = 0
    for game in random_games(60):
        answer = form.of(game)
        assert (answer is not None) == game.final.text.startswith("Answer taken")
        if answer is not None:
            taken += 1
            claim = Fraction(game.final.text.removeprefix("Answer taken: ").rstrip("."))
            assert parse(answer).value == claim
    assert 10 < taken < 60
    cut = random_games(2)[0].model_copy(update={"steps": ()})
    assert form.of(cut) is None
    assert LAST_ACTION.of(cut) is None


def plan(world: type[Forks] | None = None, **settings: object) -> Plan:
    config = SelfConsistencyConfig(**{"answers": "last_action", **settings})
    return asyncio.run(planner(config, world=world or Forks).plan(TASK, seed=1))


def test_the_plan_answers_with_the_first_of_the_majority() -> None:
    found = plan(n=15)
    last = [candidate.trajectory.actions[-1] for candidate in found.candidates]
    (winner, votes), *_ = Counter(last).most_common()
    assert found.chosen == last.index(winner)
    assert found.remark == f"{votes} of 15 agree, {len(set(last))} answers"
    assert all(candidate.score is None for candidate in found.candidates)


def test_weighted_votes_answer_with_the_best_of_the_winners() -> None:
    found = plan(n=15, weighted=True)
    sums: dict[str, float] = {}
    for candidate in found.candidates:
        assert candidate.score is not None
        last = candidate.trajectory.actions[-1]
        sums[last] = sums.get(last, 0.0) + candidate.score.calibrated
    winner = max(sums, key=sums.__getitem__)
    scores = {
        index: candidate.score.raw
        for index, candidate in enumerate(found.candidates)
        if candidate.score is not None and candidate.trajectory.actions[-1] == winner
    }
    assert found.chosen == max(scores, key=scores.__getitem__)


def test_who_was_cut_short_does_not_vote() -> None:
    class Broken(Forks):
        def __init__(self) -> None:
            super().__init__(raises="ab")

    found = plan(n=20, world=Broken)
    assert found.answer is not None
    assert found.answer.whole
    assert any(candidate.trajectory.stop is StopReason.FAILED for candidate in found.candidates)


def test_without_any_answer_the_first_whole_episode_is_left() -> None:
    model = Scripted(ScriptedConfig(default=("",)))
    config = SelfConsistencyConfig(n=3)
    found = asyncio.run(planner(config, model=model).plan(TASK, seed=1))
    assert found.chosen == 0
    assert found.remark == "no episode has an answer to vote with"


def test_an_environment_that_declares_none_is_refused_with_the_way_out() -> None:
    context = Context(Runner(Corridor, PromptedPolicy(Scripted())))
    with pytest.raises(ConfigError, match=r"declares no final answers.*answers: last_action"):
        make_planner(SelfConsistencyConfig(), context)
    make_planner(SelfConsistencyConfig(answers="last_action"), context)


class Declares(Corridor):
    final_answer = LAST_ACTION


class Mistaken(Corridor):
    final_answer = "the door"


def test_imported_environments_declare_theirs() -> None:
    here = "tests.unit.planners.test_self_consistency"
    assert make_answer(ImportConfig(target=f"{here}:Declares")) is LAST_ACTION
    assert make_answer(ImportConfig(target="tests.contracts.worlds:Corridor")) is None
    with pytest.raises(ConfigError, match=r"final_answer must be an armap\.answers\.FinalAnswer"):
        make_answer(ImportConfig(target=f"{here}:Mistaken"))


def test_an_answer_that_cannot_be_read_costs_its_vote_only() -> None:
    def picky(trajectory: Trajectory) -> str | None:
        last = trajectory.actions[-1]
        return str(1 / (last != "a")) if last in "ab" else last

    made = planner(SelfConsistencyConfig(n=12))
    object.__setattr__(made.context, "answer", LAST_ACTION._replace(of=picky))  # type: ignore[attr-defined]
    found = asyncio.run(made.plan(TASK, seed=0))
    last = [candidate.trajectory.actions[-1] for candidate in found.candidates]
    assert "a" in last
    assert len(found.failures) == last.count("a")
    said = "reading the final answer of 'one': ZeroDivisionError: division by zero"
    assert {failure.message for failure in found.failures} == {said}
    assert found.answer is not None
    assert found.answer.actions[-1] != "a"
