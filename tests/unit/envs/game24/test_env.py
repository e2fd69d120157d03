"""The environment judges legality; only its graded sister knows the target."""

from __future__ import annotations

from fractions import Fraction
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.envs.game24.arithmetic import ExpressionError
from armap.envs.game24.env import Game24, Game24Config, State, read_setup, read_target
from armap.envs.game24.graded import GradedGame24, power, tot_verdict
from armap.envs.game24.intents import make_task, retarget
from armap.envs.game24.rules import Numbers, answer_line, combine, step_line
from armap.errors import EnvError
from armap.oracle import GradedEnvironment
from armap.protocols import SnapshotEnvironment
from armap.types import Action, Observation, Task
from tests.unit.envs.game24.deals import chains, targets

PUZZLE = (4, 5, 6, 10)
WIN = "Answer: (10 - 4) * 5 - 6 = 24"
STEPS = ("10 - 4 = 6 (left: 5 6 6)", "6 * 5 = 30 (left: 6 30)", "30 - 6 = 24 (left: 24)")
LEGAL_LOSS = "Answer: 4 + 5 + 6 + 10 = 25"
TASK = make_task(PUZZLE, split="test")


def started(task: Task = TASK, **settings: object) -> Game24:
    env = Game24(Game24Config(**settings))
    env.reset(task)
    return env


def act(env: Game24, *texts: str) -> list[Observation]:
    return [env.step(Action(text=text)) for text in texts]


def foreign(**changes: object) -> Task:
    fields = {"env": "game24", "name": "x", "split": "train", "instruction": ""}
    return Task(**{**fields, "setup": {"numbers": ["4", "5"]}, **changes})


def test_an_episode_of_steps_and_an_answer() -> None:
    env = started()
    seen = act(env, *STEPS, WIN)
    assert [o.text for o in seen] == [
        "Left: 5 6 6",
        "Left: 6 30",
        "Left: 24",
        "Answer taken: 24.",
    ]
    assert [o.terminal for o in seen] == [False, False, False, True]


def test_an_illegal_move_costs_its_turn_and_nothing_else() -> None:
    env = started()
    (step,) = act(env, STEPS[0])
    before = env.snapshot()
    (seen,) = act(env, "10 - 4 = 6 (left: 5 6 6)")
    assert not step.terminal
    assert seen.text == "Illegal: 10 is not left. Left: 5 6 6"
    assert env.snapshot() == before._replace(turns=before.turns - 1)


@pytest.mark.parametrize("turns", [1, 2, 4, 7])
def test_the_last_turn_ends_the_episode_whatever_it_holds(turns: int) -> None:
    for text in ("no", STEPS[0]):
        seen = act(started(turns=turns), *[text] * turns)
        assert [o.terminal for o in seen] == [False] * (turns - 1) + [True]


def test_a_legal_answer_ends_the_episode_even_beside_the_target() -> None:
    (seen,) = act(started(), LEGAL_LOSS)
    assert seen.terminal
    assert seen.text == "Answer taken: 25."


def test_an_illegal_answer_does_not_end_the_episode() -> None:
    seen = act(started(), "Answer: 4 + 5 + 6 + 10 = 24", WIN)
    assert seen[0].text == "Illegal: the answer is 25, not 24. Left: 4 5 6 10"
    assert [o.terminal for o in seen] == [False, True]


def test_the_answer_is_about_the_numbers_given_not_those_left() -> None:
    seen = act(started(), STEPS[0], LEGAL_LOSS)
    assert seen[1].text == "Answer taken: 25."


def test_the_setup_overrides_the_turns_of_the_config() -> None:
    seen = act(started(make_task(PUZZLE, split="train", turns=2), turns=9), "no", "no")
    assert [o.terminal for o in seen] == [False, True]


def test_reset_starts_afresh() -> None:
    env = started()
    act(env, *STEPS)
    assert env.reset(TASK).text == "Left: 4 5 6 10"
    assert env.snapshot() == started().snapshot()


def test_nothing_happens_before_reset() -> None:
    env = Game24(Game24Config())
    with pytest.raises(EnvError, match="before reset"):
        env.step(Action(text=WIN))
    with pytest.raises(EnvError, match="before reset"):
        env.snapshot()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": "webshop"}, "'x' of 'webshop' has no numbers"),
        ({"setup": {}}, "has no numbers"),
        ({"setup": {"numbers": []}}, "has no numbers"),
        ({"setup": {"numbers": "4 5"}}, "has no numbers"),
        ({"setup": {"numbers": ["four"]}}, "'four' is not a number"),
        ({"setup": {"numbers": ["4"], "turns": 0}}, "positive integer, not 0"),
        ({"setup": {"numbers": ["4"], "turns": "7"}}, "positive integer, not '7'"),
    ],
)
def test_a_task_of_another_kind_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(EnvError, match=message):
        Game24(Game24Config()).reset(foreign(**changes))


def test_numbers_of_a_task_may_be_json_numbers_in_any_order() -> None:
    task = foreign(setup={"numbers": [10, 4, "8/3"]})
    assert read_setup(task) == ((Fraction(8, 3), 4, 10), 4)


def test_targets() -> None:
    assert read_target(foreign()) == 24
    assert read_target(make_task(PUZZLE, split="dev", target=Fraction(8, 3))) == Fraction(8, 3)
    with pytest.raises(EnvError, match="'x': target: 'many' is not a number"):
        read_target(foreign(setup={"numbers": ["4"], "target": "many"}))


def test_retarget_keeps_all_but_the_intent() -> None:
    task = make_task(PUZZLE, split="dev", turns=7)
    other = retarget(task, Fraction(25))
    assert other == make_task(PUZZLE, split="dev", target=25, turns=7)
    assert retarget(other, Fraction(24)) == task
    assert "turns" not in retarget(TASK, Fraction(25)).setup
    with pytest.raises(EnvError):
        retarget(foreign(env="webshop"), Fraction(25))


def test_equal_situations_are_equal_and_hash_alike() -> None:
    one, other = started(), started(make_task(reversed(PUZZLE), split="train", target=7))
    act(one, "nonsense")
    act(other, "other nonsense")
    assert one.snapshot() == other.snapshot()
    assert hash(one.snapshot()) == hash(other.snapshot())


@pytest.mark.parametrize("texts", [(), ("no",), STEPS[:1], (LEGAL_LOSS,), (WIN,)])
def test_different_situations_differ(texts: tuple[str, ...]) -> None:
    env, others = started(), []
    act(env, *texts)
    for action in ("no", STEPS[0], STEPS[1], WIN, LEGAL_LOSS):
        other = started()
        act(other, *texts, action)
        others.append(other.snapshot())
    assert env.snapshot() not in others


@st.composite
def action_lists(draw: st.DrawFn) -> tuple[Numbers, list[str]]:
    """A deal and true steps, false ones, answers and nonsense in any order."""
    dealt, chain = draw(chains(smallest=2))
    texts, numbers = [answer_line(dealt, chain), "Answer: none", "", "give up"], dealt
    for move in chain:
        texts += [step_line(numbers, move), f"{move} = 24 (left: 24)"]
        numbers = combine(numbers, move)
    wild = st.sampled_from(texts) | st.text(max_size=20)
    return dealt, draw(st.lists(wild, max_size=7))


@given(action_lists(), targets, targets)
@settings(deadline=None, max_examples=100)
def test_observations_do_not_depend_on_the_target(
    case: tuple[Numbers, list[str]], one: Fraction, other: Fraction
) -> None:
    dealt, texts = case
    envs = (Game24(Game24Config()), Game24(Game24Config()), GradedGame24(Game24Config()))
    seen = []
    for env, target in zip(envs, (one, other, other), strict=True):
        first = env.reset(make_task(dealt, split="train", target=target, turns=8))
        seen.append([first, *act(env, *texts)])
    assert seen[0] == seen[1] == seen[2]


@given(action_lists(), st.integers(0, 7))
@settings(deadline=None, max_examples=100)
def test_a_snapshot_goes_on_elsewhere_as_it_would_have_here(
    case: tuple[Numbers, list[str]], cut: int
) -> None:
    dealt, texts = case
    task = make_task(dealt, split="train", turns=8)
    env, other = started(task), started()
    act(env, *texts[:cut])
    token = env.snapshot()
    expected = act(env, *texts[cut:])
    other.restore(token)
    assert act(other, *texts[cut:]) == expected
    assert other.snapshot() == env.snapshot()
    assert isinstance(token, State)


def test_only_the_graded_environment_has_an_outcome() -> None:
    plain, graded = Game24(Game24Config()), GradedGame24(Game24Config())
    assert not hasattr(plain, "outcome")
    assert not isinstance(plain, GradedEnvironment)
    assert isinstance(plain, SnapshotEnvironment)
    assert isinstance(graded, GradedEnvironment)
    with pytest.raises(EnvError, match="before reset"):
        graded.outcome()


def grades(numbers: tuple[int, ...], *texts: str, target: int = 24) -> tuple[bool, bool]:
    """What (strict, tot) say of an episode."""
    found = []
    for profile in ("strict", "tot"):
        env = GradedGame24(Game24Config(grading=profile))
        env.reset(make_task(numbers, split="test", target=target))
        act(env, *texts)
        outcome = env.outcome()
        assert outcome.score == float(outcome.success)
        found.append(outcome.success)
    return found[0], found[1]


@pytest.mark.parametrize(
    ("numbers", "text", "strict", "tot"),
    [
        (PUZZLE, WIN, True, True),
        (PUZZLE, "ANSWER: (10 - 4) * 5 - 6 = 24", True, True),
        (PUZZLE, "Answer: (10-4)*5-6=24", True, True),
        # tot does not look at the claim
        (PUZZLE, "Answer: (10 - 4) * 5 - 6 = 23", False, True),
        (PUZZLE, "Answer: (10 - 4) * 5 - 6", False, True),
        (PUZZLE, "Answer: (10 - 4) * 5 - 6 = 24 = 1", False, True),
        # nor for the word
        (PUZZLE, "(10 - 4) * 5 - 6 = 24", False, True),
        (PUZZLE, "(10 - 4) * 5 - 6", False, True),
        # it looks at the last line only
        (PUZZLE, f"Let me think.\n{WIN}", False, True),
        (PUZZLE, f"{WIN}\nThat is it.", False, False),
        # and it knows more arithmetic
        ((1, 2, 2, 3), "Answer: 2 ** 3 * (2 + 1) = 24", False, True),
        ((1, 2, 2, 3), "Answer: 2 ^ 3 * (2 + 1) = 24", False, True),
        ((1, 1, 1, 4), "Answer: 4! * 1 * 1 * 1 = 24", False, True),
        ((1, 2, 4, 12), "Answer: 4 ** (1 / 2) * 12 = 24", False, True),
        (PUZZLE, "Answer: +(10 - 4) * 5 - 6 = 24", False, True),
        # decimals are other numbers to tot
        (PUZZLE, "Answer: (10.0 - 4) * 5 - 6 = 24", True, False),
        # both refuse
        (PUZZLE, LEGAL_LOSS, False, False),
        (PUZZLE, "Answer: (10 - 4) * (5 - 6) = 24", False, False),
        (PUZZLE, "Answer: (10 - 4) * 4 = 24", False, False),
        (PUZZLE, "Answer: 24 = 24", False, False),
        (PUZZLE, "Answer: impossible", False, False),
        (PUZZLE, "", False, False),
        (PUZZLE, "Answer: 4 * 5 / (10 - 6 - 4) = 24", False, False),
        (PUZZLE, "Answer: sqrt(4) * 5 + 6 + 10 = 24", False, False),
    ],
)
def test_the_two_gradings(numbers: tuple[int, ...], text: str, strict: bool, tot: bool) -> None:  # noqa: FBT001  (a table)
    assert grades(numbers, text) == (strict, tot)


def test_grades_of_whole_episodes() -> None:
    assert grades(PUZZLE, *STEPS, WIN) == (True, True)
    assert grades(PUZZLE, *STEPS) == (False, False)
    assert grades(PUZZLE) == (False, False)


def test_grades_ask_for_the_target_of_the_task() -> None:
    assert grades(PUZZLE, LEGAL_LOSS, target=25) == (True, True)
    assert grades(PUZZLE, WIN, target=25) == (False, False)


def test_a_graded_environment_forgets_at_reset() -> None:
    for profile in ("strict", "tot"):
        env = GradedGame24(Game24Config(grading=profile))
        env.reset(TASK)
        act(env, WIN)
        env.reset(TASK)
        assert not env.outcome().success


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((9, 9, 9, 9), "9 ** 9 ** 9 ** 9"),
        ((9, 9, 9, 9), "((9 ** 9) ** 9) ** 9"),
        ((9, 9, 9, 9), "9 ** -(9 ** 9) * 9"),
        ((9, 9, 9, 9), "9!! * 9 * 9 * 9"),
        ((9, 9, 9, 9), "((9 ** -9) ** 9) ** (9 / 9)"),
        ((4, 4, 5, 9), "((9 ** -4!) ** 4!) ** .5"),
        ((2, 3, 4, 64), "(3 ** -64) ** (4 / 2)"),
    ],
)
def test_a_huge_power_is_refused_at_once(numbers: tuple[int, ...], text: str) -> None:
    started_at = perf_counter()
    assert not tot_verdict(text, tuple(map(Fraction, numbers)))
    assert perf_counter() - started_at < 0.5


def test_a_text_beyond_two_hundred_characters_is_no_expression() -> None:
    four = tuple(map(Fraction, PUZZLE))
    assert tot_verdict("(10 - 4) * 5" + " " * 180 + "- 6", four)
    assert not tot_verdict("(10 - 4) * 5" + " " * 200 + "- 6", four)


@given(st.text(max_size=60) | st.text("0123456789.+-*/()^! =", max_size=60))
@settings(deadline=None, max_examples=100)
def test_tot_has_a_verdict_on_any_text(text: str) -> None:
    assert tot_verdict(text, tuple(map(Fraction, PUZZLE))) in {True, False}
    assert not tot_verdict(f"4 5 6 10 {text}", tuple(map(Fraction, PUZZLE)), Fraction(1, 7919))


@pytest.mark.parametrize(
    ("base", "exponent", "value"),
    [
        (2, 3, 8),
        (2, -1, Fraction(1, 2)),
        (0, 0, 1),
        (-2, 3, -8),
        (9, Fraction(1, 2), 3),
        (Fraction(4, 9), Fraction(-3, 2), Fraction(27, 8)),
    ],
)
def test_power(base: Fraction, exponent: Fraction, value: Fraction) -> None:
    assert power(Fraction(base), Fraction(exponent)) == value


@pytest.mark.parametrize(
    ("base", "exponent"),
    [(0, -1), (-4, Fraction(1, 2)), (2, Fraction(1, 2)), (2, 65), (10**7, 2), (2, -65)],
)
def test_power_refuses(base: int, exponent: Fraction) -> None:
    with pytest.raises(ExpressionError):
        power(Fraction(base), Fraction(exponent))
