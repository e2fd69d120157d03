"""Which four numbers can make 24: generated, except for the official test list.

All 1,362 solvable puzzles come out of a search here. Their official *order* (by human solving
time, 4nums.com) cannot be computed, so the 100 test puzzles, rows 900 to 999 of that order, are
kept as numbers. Training and development puzzles come from the other 1,262.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement, permutations
from random import Random
from typing import TYPE_CHECKING

from armap.envs.game24.intents import make_task
from armap.envs.game24.rules import OPERATORS, Move, Numbers, combine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armap.types import Split, Task

__all__ = ["DEV_SIZE", "TEST_PUZZLES", "Puzzle", "puzzles", "solutions", "solvable", "tasks"]

Puzzle = tuple[int, int, int, int]
"""Four numbers from 1 to 13, ascending."""

DEV_SIZE = 100
"""Puzzles set aside from training for development."""

_TEST = """
4 5 6 10, 1 2 4 7, 2 5 8 11, 3 4 4 13, 6 7 8 9, 1 11 11 13,
1 8 10 11, 2 3 6 9, 1 3 5 9, 3 3 7 12, 4 5 7 9, 1 2 8 13,
4 6 6 9, 1 4 4 8, 1 5 10 11, 3 4 6 11, 2 4 8 9, 1 4 5 13,
2 2 7 12, 3 3 6 7, 1 5 9 13, 5 6 7 13, 5 5 8 10, 2 4 6 12,
6 7 8 11, 7 9 9 13, 3 6 9 12, 6 9 12 13, 4 7 9 13, 5 6 8 12,
2 4 6 7, 2 5 10 10, 6 6 7 12, 6 9 9 11, 5 8 11 12, 5 6 8 10,
6 11 12 13, 2 2 8 8, 2 7 12 13, 2 6 8 12, 3 4 9 13, 4 5 10 12,
1 2 7 11, 4 5 6 8, 6 10 12 13, 1 3 9 9, 1 4 4 11, 2 3 9 10,
1 2 3 13, 1 6 6 6, 1 2 2 9, 1 3 6 11, 5 10 12 13, 2 3 6 6,
6 7 10 12, 7 8 8 12, 3 4 6 8, 1 7 9 11, 2 3 6 13, 2 2 5 12,
2 6 8 13, 8 8 10 12, 1 3 8 13, 4 4 7 10, 1 7 10 13, 1 9 10 13,
3 3 4 11, 2 5 7 7, 3 9 10 13, 2 3 4 7, 4 4 8 12, 1 2 6 10,
1 5 12 12, 5 6 6 8, 7 7 8 11, 1 3 7 10, 3 3 9 12, 3 5 7 10,
4 10 12 13, 2 3 10 12, 3 4 6 6, 5 8 8 8, 6 8 8 12, 2 3 4 9,
2 6 7 11, 5 9 12 12, 1 2 7 12, 2 4 5 6, 5 5 8 13, 2 3 3 10,
3 4 8 12, 2 4 6 11, 2 2 8 9, 1 5 6 7, 5 8 10 11, 4 4 9 12,
2 5 6 6, 2 4 9 12, 4 8 11 13, 4 9 10 13
"""

TEST_PUZZLES: tuple[Puzzle, ...] = tuple(
    (a, b, c, d) for a, b, c, d in (map(int, row.split()) for row in _TEST.split(","))
)
"""Rows 900 to 999 (0-based) of the official order, the test split of both papers."""


def moves(numbers: Numbers) -> Iterator[Move]:
    """Every distinct legal move that does not make a negative number."""
    seen: set[Move] = set()
    for left, right in permutations(numbers, 2):
        for operator in OPERATORS:
            move = Move(left, operator, right)
            mirrored = operator in "+*" and left > right
            useless = (operator == "/" and right == 0) or (operator == "-" and left < right)
            if not (mirrored or useless or move in seen):
                seen.add(move)
                yield move


def solutions(numbers: Numbers, target: Fraction) -> list[tuple[Move, ...]]:
    """Every chain of non-negative moves from ``numbers`` to ``target`` alone.

    A solver: it serves the making of puzzles and of the embedded model's own training text.
    Synthesis, reward models and planners may not import this module (an import contract).
    """
    if len(numbers) == 1:
        return [()] if numbers[0] == target else []
    return [
        (move, *rest)
        for move in moves(numbers)
        for rest in solutions(combine(numbers, move), target)
    ]


@lru_cache(maxsize=1)
def solvable() -> tuple[Puzzle, ...]:
    """All 1,362 puzzles that can make 24, in lexicographic order."""
    memo: dict[tuple[tuple[int, int], ...], bool] = {}
    deals = combinations_with_replacement(range(1, 14), 4)
    return tuple(deal for deal in deals if _reaches(tuple((n, 1) for n in deal), memo))


def _reaches(
    numbers: tuple[tuple[int, int], ...], memo: dict[tuple[tuple[int, int], ...], bool]
) -> bool:
    """Whether fractions (numerator, denominator) can make 24; plain integers, for speed."""
    if len(numbers) == 1:
        return numbers[0][1] != 0 and numbers[0][0] == 24 * numbers[0][1]
    if numbers not in memo:
        memo[numbers] = any(
            _reaches(tuple(sorted((*rest, made))), memo) for rest, made in _reductions(numbers)
        )
    return memo[numbers]


def _reductions(
    numbers: tuple[tuple[int, int], ...],
) -> Iterator[tuple[list[tuple[int, int]], tuple[int, int]]]:
    for i, (a, b) in enumerate(numbers):
        for j, (c, d) in enumerate(numbers):
            if i == j:
                continue
            rest = [number for k, number in enumerate(numbers) if k not in (i, j)]
            if i < j:
                yield rest, _lowest(a * d + c * b, b * d)
                yield rest, _lowest(a * c, b * d)
            if a * d >= c * b:
                yield rest, _lowest(a * d - c * b, b * d)
            if c:
                yield rest, _lowest(a * d, b * c)


def _lowest(numerator: int, denominator: int) -> tuple[int, int]:
    value = Fraction(numerator, denominator)
    return value.numerator, value.denominator


@lru_cache(maxsize=3)
def puzzles(split: Split) -> tuple[Puzzle, ...]:
    """The puzzles of a split: ``test`` in official order, ``train`` and ``dev`` shuffled once.

    The three splits are disjoint and together hold every solvable puzzle.
    """
    if split == "test":
        return TEST_PUZZLES
    rest = sorted(set(solvable()) - set(TEST_PUZZLES))
    Random(24).shuffle(rest)
    return tuple(rest[:DEV_SIZE]) if split == "dev" else tuple(rest[DEV_SIZE:])


def tasks(split: Split) -> list[Task]:
    """The tasks of a split, all with target 24."""
    return [make_task(puzzle, split=split) for puzzle in puzzles(split)]
