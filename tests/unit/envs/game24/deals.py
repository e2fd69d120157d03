"""Hypothesis strategies of deals and of chains of legal moves."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from armap.envs.game24.rules import OPERATORS, Move, Numbers, combine

targets = st.integers(min_value=1, max_value=200).map(Fraction)


@st.composite
def deals(draw: st.DrawFn, *, smallest: int = 1, largest: int = 4) -> Numbers:
    """Ascending numbers from 1 to 13."""
    numbers = draw(st.lists(st.integers(1, 13), min_size=smallest, max_size=largest))
    return tuple(sorted(map(Fraction, numbers)))


@st.composite
def moves(draw: st.DrawFn, numbers: Numbers) -> Move:
    """Any legal move over at least two numbers, negative and fractional results included."""
    places = draw(st.permutations(range(len(numbers))))
    left, right = (numbers[place] for place in places[:2])
    operator = draw(st.sampled_from(OPERATORS[: 3 if right == 0 else 4]))
    return Move(left, operator, right)


@st.composite
def chains(draw: st.DrawFn, *, smallest: int = 1) -> tuple[Numbers, tuple[Move, ...]]:
    """A deal, and legal moves that leave one number of it."""
    given = draw(deals(smallest=smallest))
    numbers, chain = given, []
    while len(numbers) > 1:
        chain.append(draw(moves(numbers)))
        numbers = combine(numbers, chain[-1])
    return given, tuple(chain)


def left_after(given: Numbers, chain: tuple[Move, ...]) -> Numbers:
    """What a chain leaves."""
    for move in chain:
        given = combine(given, move)
    return given
