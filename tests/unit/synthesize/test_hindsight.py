"""Every pair can be acted out again, and says truly how it came about."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.game24.rules import Move, Numbers, answer_line, combine, step_line
from armap.errors import DataError, EnvError
from armap.synthesize import HindsightConfig, hindsight
from armap.synthesize.execute import execute
from armap.types import Observation, Preference, StopReason, Task, Trajectory
from tests.games import make_game, random_games
from tests.unit.envs.game24.deals import chains

PUZZLE = (4, 5, 6, 10)
STEPS = ("10 - 4 = 6 (left: 5 6 6)", "6 * 5 = 30 (left: 6 30)", "30 - 6 = 24 (left: 24)")
WIN = (*STEPS, "Answer: (10 - 4) * 5 - 6 = 24")
TO_25 = (
    "4 + 5 = 9 (left: 6 9 10)",
    "6 + 9 = 15 (left: 10 15)",
    "10 + 15 = 25 (left: 25)",
    "Answer: 4 + 5 + 6 + 10 = 25",
)
FALSE_ANSWER = (*TO_25[:3], "Answer: 4 + 5 + 6 + 10 = 24")
NOTHING = ("I give up.", "Answer: none")
HALF_WAY = STEPS[:2]
FRACTION = ("Answer: 10 / 4 + 5 + 6 = 27/2",)
TOO_LARGE = ("Answer: 4 * 5 * 6 * 10 = 1200",)


def make_env() -> Game24:
    return Game24(Game24Config())


def episode(
    *actions: str, numbers: Numbers | tuple[int, ...] = PUZZLE, author: str = "tester"
) -> Trajectory:
    return execute(make_env, make_task(numbers, split="train"), actions, author=author).trajectory


EPISODES = [
    episode(*WIN),
    episode(*TO_25),
    episode(*FALSE_ANSWER),
    episode(*STEPS),
    episode(*NOTHING),
    episode(*HALF_WAY),
    episode("6 - 4 = 2 (left: 2 8 8)", "8 + 8 = 16 (left: 2 16)", numbers=(4, 6, 8, 8)),
    episode("Answer: 4 + 6 + 8 + 8 = 26", numbers=(4, 6, 8, 8)),
]


def pairs(episodes: list[Trajectory], *, seed: int = 0, **settings: object) -> list[Preference]:
    return list(hindsight(HindsightConfig(**settings), episodes, make_env, seed=seed))


def act_out(task: Task, side: Trajectory) -> list[Observation]:
    done = execute(make_env, task, side.actions, author="again").trajectory
    assert done.actions == side.actions
    return [step.observation for step in done.steps] + [done.final]


def check(made: list[Preference], episodes: list[Trajectory]) -> None:
    """What holds of every pair, whatever it was made of."""
    keys = {trajectory.key for trajectory in episodes}
    for pair in made:
        taken = f"Answer taken: {pair.task.setup['target']}."
        assert pair.task == pair.chosen.task == pair.rejected.task
        for side in (pair.chosen, pair.rejected):
            seen = [step.observation for step in side.steps] + [side.final]
            assert seen == act_out(pair.task, side)
        assert pair.chosen.final.text == taken
        assert pair.chosen.stop is StopReason.TERMINAL
        assert pair.rejected.final.text != taken
        assert pair.provenance.strategy == "hindsight"
        assert pair.provenance.positive
        assert pair.provenance.rival
        assert pair.provenance.ground_truth is False
        assert pair.provenance.sources
        assert set(pair.provenance.sources) <= keys
        assert pair.chosen.policy == f"hindsight: {pair.provenance.positive}"
        assert pair.rejected.policy == f"hindsight: {pair.provenance.rival}"
    tellings = [(p.task.name, p.chosen.actions, p.rejected.actions) for p in made]
    assert len(set(tellings)) == len(tellings)


@pytest.mark.parametrize("seed", range(8))
def test_every_pair_verifies(seed: int) -> None:
    made = pairs(EPISODES, seed=seed, collected=3, made=8, variants=0.5)
    assert len(made) > 20
    check(made, EPISODES)


@given(st.lists(chains(smallest=2), min_size=1, max_size=3), st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_every_pair_of_random_episodes_verifies(
    cases: list[tuple[Numbers, tuple[Move, ...]]], seed: int
) -> None:
    episodes = []
    for dealt, chain in cases:
        numbers, lines = dealt, []
        for move in chain:
            lines.append(step_line(numbers, move))
            numbers = combine(numbers, move)
        episodes.append(episode(*lines, answer_line(dealt, chain), numbers=dealt))
    check(pairs(episodes, seed=seed, variants=0.5), episodes)


def test_the_same_input_and_seed_make_the_same_pairs() -> None:
    assert pairs(EPISODES, seed=3) == pairs(EPISODES, seed=3)
    assert pairs(EPISODES, seed=3) != pairs(EPISODES, seed=4)


@pytest.mark.parametrize("wanted", [1, 2, 7])
def test_it_stops_after_so_many_pairs(wanted: int) -> None:
    made = pairs(EPISODES, pairs=wanted)
    assert len(made) == wanted
    assert made == pairs(EPISODES)[:wanted]


def test_the_intent_becomes_what_was_achieved() -> None:
    made = pairs([episode(*TO_25)], turns=9)
    assert made
    for pair in made:
        assert pair.task.instruction == "Make 25 from 4 5 6 10."
        assert pair.task.setup == {"numbers": ["4", "5", "6", "10"], "target": "25", "turns": 9}
        assert pair.task.split == "train"


def test_a_positive_as_the_policy_left_it_says_so() -> None:
    made = pairs([episode(*TO_25)], variants=0.0)
    assert made
    assert {p.provenance.positive for p in made} == {"policy"}
    assert {p.chosen.actions for p in made} == {TO_25}


@pytest.mark.parametrize("actions", [TO_25[:3], FALSE_ANSWER, ("what?", *TO_25[:3])])
def test_a_positive_whose_answer_was_completed_says_so(actions: tuple[str, ...]) -> None:
    made = pairs([episode(*actions)], variants=0.0)
    assert made
    assert {p.provenance.positive for p in made} == {"policy, answer completed"}
    assert {p.chosen.actions for p in made} == {(*TO_25[:3], "Answer: 10 + 6 + 4 + 5 = 25")}


def test_variants_write_the_positive_in_other_ways() -> None:
    made = [
        pair for seed in range(10) for pair in pairs([episode(*TO_25)], seed=seed, variants=1.0)
    ]
    ways = {p.provenance.positive for p in made}
    assert "answer alone" in ways
    assert any(way.endswith(", answer right") for way in ways)
    assert "policy" not in ways


@pytest.mark.parametrize("actions", [(), NOTHING, HALF_WAY, FRACTION, TOO_LARGE])
def test_an_episode_that_achieved_nothing_nameable_yields_nothing(actions: tuple[str, ...]) -> None:
    assert pairs([episode(*actions)]) == []
    assert pairs([]) == []


def test_rivals_among_the_collected_episodes() -> None:
    other = episode("Answer: 4 + 6 + 8 + 8 = 26", numbers=(4, 6, 8, 8))
    won, lost = episode(*WIN), episode(*NOTHING)
    (pair,) = pairs([won, lost, other], collected=9, made=0, variants=0.0)
    assert pair.rejected.actions == NOTHING
    assert pair.provenance.rival == "same numbers, another episode"
    assert pair.provenance.sources == (won.key, lost.key)


def test_without_rivals_there_is_no_pair() -> None:
    assert pairs(EPISODES, collected=0, made=0) == []


def test_the_same_episode_twice_makes_no_pair_twice() -> None:
    check(pairs([episode(*WIN)] * 3, made=8), [episode(*WIN)])


def test_a_chosen_side_that_needs_more_turns_than_allowed_is_not_used_as_it_is() -> None:
    slow = execute(
        make_env,
        make_task(PUZZLE, split="train", turns=9),
        ["hm"] * 4 + list(WIN),
        author="slow",
    ).trajectory
    assert slow.final.text == "Answer taken: 24."
    made = pairs([slow], turns=7, variants=0.0)
    assert made
    assert all(p.chosen.actions != slow.actions for p in made)
    check(made, [slow])


def test_foreign_episodes_are_refused() -> None:
    won = episode(*WIN)
    foreign = won.model_copy(update={"task": won.task.model_copy(update={"env": "webshop"})})
    with pytest.raises(DataError, match="game24 only, not 'webshop'"):
        pairs([won, foreign])


def test_execute_records_what_was_done() -> None:
    done = execute(make_env, make_task(PUZZLE, split="train"), [*WIN, "more"], author="me")
    assert done.trajectory.actions == WIN
    assert done.trajectory.stop is StopReason.TERMINAL
    assert done.trajectory.policy == "me"
    assert done.state.answer == Fraction(24)
    assert episode(*HALF_WAY).stop is StopReason.QUIT


def test_execute_needs_snapshots() -> None:
    class Plain:
        def reset(self, task: Task) -> Observation:
            return Observation(text=task.name)

        def step(self, action: object) -> Observation:
            return Observation(text="")

        def close(self) -> None:
            pass

    with pytest.raises(EnvError, match=r"Plain has no snapshot\(\)"):
        execute(Plain, make_task(PUZZLE, split="train"), [], author="me")


def test_test_puzzles_never_become_pairs() -> None:
    games = random_games(4, split="test")
    with pytest.raises(DataError, match="of the test split and may not become a training pair"):
        list(hindsight(HindsightConfig(), games, make_game, seed=0))


def open_endings(share: float) -> list[bool]:
    """Of the rivals that end falsely, no sooner than their positives: whether they end open."""
    made = pairs(EPISODES, tight=share, collected=4, made=8)
    return [
        pair.rejected.stop is StopReason.QUIT
        for pair in made
        if len(pair.rejected.steps) >= len(pair.chosen.steps)
        and pair.rejected.final.text.startswith("Illegal")
    ]


def test_turns_that_just_suffice_make_a_false_last_line_the_end() -> None:
    assert not any(open_endings(1.0))
    assert all(open_endings(0.0))
    assert 0 < sum(open_endings(0.5)) < len(open_endings(0.5))
