"""The puzzles are the published ones, and the solver is right about them."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from random import Random

import pytest

from armap.envs.game24.puzzles import (
    DEV_SIZE,
    TEST_PUZZLES,
    Puzzle,
    moves,
    puzzles,
    solutions,
    solvable,
    tasks,
)
from armap.envs.game24.rules import answer_line, combine, read_answer, read_step, step_line

ALL = list(combinations_with_replacement(range(1, 14), 4))
SAMPLE = [(1, 3, 4, 6), (3, 3, 8, 8), (1, 1, 1, 1), (5, 5, 5, 5), *Random(7).sample(ALL, 12)]


def fractions(puzzle: Puzzle) -> tuple[Fraction, ...]:
    return tuple(map(Fraction, puzzle))


def test_there_are_1362() -> None:
    assert len(solvable()) == len(set(solvable())) == 1362
    assert list(solvable()) == sorted(solvable())
    assert set(solvable()) <= set(ALL)


def test_the_splits_part_the_solvable_puzzles() -> None:
    train, dev, test = (puzzles(split) for split in ("train", "dev", "test"))
    assert (len(train), len(dev), len(test)) == (1162, DEV_SIZE, 100)
    assert DEV_SIZE == 100
    together = [*train, *dev, *test]
    assert len(together) == len(set(together))
    assert set(together) == set(solvable())


def test_the_test_split_is_in_the_official_order() -> None:
    assert puzzles("test") == TEST_PUZZLES
    assert TEST_PUZZLES[0] == (4, 5, 6, 10)
    assert TEST_PUZZLES[-1] == (4, 9, 10, 13)


def test_train_and_dev_are_shuffled() -> None:
    for split in ("train", "dev"):
        assert list(puzzles(split)) != sorted(puzzles(split))


def test_tasks_are_the_puzzles_of_their_split() -> None:
    for split in ("train", "dev", "test"):
        made = tasks(split)
        assert [task.setup["numbers"] for task in made] == [
            [str(number) for number in puzzle] for puzzle in puzzles(split)
        ]
        assert {(task.split, task.setup["target"]) for task in made} == {(split, "24")}
        assert len({task.name for task in made}) == len(made)


@pytest.mark.parametrize("puzzle", [TEST_PUZZLES[0], TEST_PUZZLES[-1], (1, 3, 4, 6), (3, 3, 8, 8)])
def test_every_solution_is_legal_and_makes_24(puzzle: Puzzle) -> None:
    given = fractions(puzzle)
    found = solutions(given, Fraction(24))
    assert found
    assert len(found) == len(set(found))
    for chain in found:
        numbers = given
        for move in chain:
            _, numbers = read_step(step_line(numbers, move), numbers)
        assert numbers == (24,)
        assert read_answer(answer_line(given, chain), given) == 24


@pytest.mark.parametrize("puzzle", SAMPLE)
def test_the_two_solvers_agree(puzzle: Puzzle) -> None:
    assert bool(solutions(fractions(puzzle), Fraction(24))) == (puzzle in set(solvable()))


def test_known_verdicts() -> None:
    assert {(1, 3, 4, 6), (3, 3, 8, 8), (1, 5, 5, 5)} <= set(solvable())
    assert (1, 1, 1, 1) not in solvable()


def test_other_targets() -> None:
    assert solutions(fractions((1, 1, 1, 1)), Fraction(4))
    assert solutions((Fraction(7),), Fraction(7)) == [()]
    assert solutions((Fraction(7),), Fraction(8)) == []


def test_moves_are_distinct_legal_and_never_negative() -> None:
    for numbers in (fractions((0, 4, 4)), fractions((4, 5, 6, 10)), (Fraction(8, 3), Fraction(3))):
        found = list(moves(numbers))
        assert len(found) == len(set(found))
        for move in found:
            assert move.result >= 0
            assert len(combine(numbers, move)) == len(numbers) - 1
    assert sorted(map(str, moves(fractions((2, 3))))) == [
        "2 * 3",
        "2 + 3",
        "2 / 3",
        "3 - 2",
        "3 / 2",
    ]
