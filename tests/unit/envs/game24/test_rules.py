"""A claim is legal when all of it is true, and a false one is told what is wrong with it."""

from __future__ import annotations

import contextlib
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.envs.game24.arithmetic import ExpressionError, apply, parse
from armap.envs.game24.rules import (
    OPERATORS,
    Illegal,
    Move,
    Numbers,
    answer_line,
    combine,
    instruction,
    join,
    listing,
    read_answer,
    read_step,
    step_line,
)
from tests.unit.envs.game24.deals import chains, left_after

FOUR = tuple(map(Fraction, (4, 5, 6, 10)))


def move(left: int, operator: str, right: int) -> Move:
    return Move(Fraction(left), operator, Fraction(right))


@given(chains(smallest=2))
@settings(deadline=None, max_examples=100)
def test_every_legal_step_reads_back(case: tuple[Numbers, tuple[Move, ...]]) -> None:
    numbers, chain = case
    for made in chain:
        after = combine(numbers, made)
        assert read_step(step_line(numbers, made), numbers) == (made, after)
        numbers = after


@given(chains(smallest=2))
@settings(deadline=None, max_examples=100)
def test_combine_takes_two_and_adds_the_result(case: tuple[Numbers, tuple[Move, ...]]) -> None:
    numbers, chain = case
    for made in chain:
        after = combine(numbers, made)
        assert after == tuple(sorted(after))
        assert Counter((*after, made.left, made.right)) == Counter((*numbers, made.result))
        numbers = after


@pytest.mark.parametrize(
    ("numbers", "made", "message"),
    [
        (FOUR, move(7, "+", 4), "7 is not left"),
        (FOUR, move(4, "+", 7), "7 is not left"),
        (FOUR, move(5, "*", 5), "5 is not left"),
        (tuple(map(Fraction, (0, 8))), move(8, "/", 0), "8 / 0 divides by zero"),
    ],
)
def test_combine_refuses(numbers: Numbers, made: Move, message: str) -> None:
    with pytest.raises(Illegal, match=f"^{message}$"):
        combine(numbers, made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "that is neither a step nor an answer"),
        ("I give up", "that is neither a step nor an answer"),
        ("10 - 4 = 6", "that is neither a step nor an answer"),
        ("10-4=6 (left: 5 6 6)", "that is neither a step nor an answer"),
        ("10 - 4 = 6 (left: 5 6 6) ok", "that is neither a step nor an answer"),
        ("10 ^ 4 = 6 (left: 5 6 6)", "that is neither a step nor an answer"),
        ("ten - 4 = 6 (left: 5 6 6)", "'ten' is not a number"),
        ("10 - four = 6 (left: 5 6 6)", "'four' is not a number"),
        ("10 - 4 = six (left: 5 6 6)", "'six' is not a number"),
        ("10 - 4 = 6 (left: 5, 6, 6)", "'5,' is not a number"),
        ("10 - 1/0 = 6 (left: 5 6 6)", "'1/0' divides by zero"),
        ("11 - 4 = 7 (left: 5 6 7)", "11 is not left"),
        ("5 + 5 = 10 (left: 4 6 10)", "5 is not left"),
        ("10 - 4 = 7 (left: 5 6 7)", "10 - 4 is 6, not 7"),
        ("4 / 6 = 0.67 (left: 0.67 5 10)", "4 / 6 is 2/3, not 67/100"),
        ("10 - 4 = 6 (left: 5 6)", "5 6 6 would be left, not 5 6"),
        ("10 - 4 = 6 (left: 5 6 6 10)", "5 6 6 would be left, not 5 6 6 10"),
        ("10 - 4 = 6 (left: )", "5 6 6 would be left, not nothing"),
    ],
)
def test_each_false_step_has_its_own_message(text: str, message: str) -> None:
    with pytest.raises(Illegal) as caught:
        read_step(text, FOUR)
    assert str(caught.value) == message


def test_a_step_that_divides_by_zero() -> None:
    with pytest.raises(Illegal, match=r"^8 / 0 divides by zero$"):
        read_step("8 / 0 = 0 (left: 0)", tuple(map(Fraction, (0, 8))))


@pytest.mark.parametrize(
    "text",
    [
        "10 - 4 = 6 (left: 5 6 6)",
        "10 - 4 = 6 (left: 6 5 6)",
        "10.0 - 8/2 = 6.0 (left: 5 6 12/2)",
    ],
)
def test_a_step_may_be_written_in_other_ways(text: str) -> None:
    expected = (move(10, "-", 4), tuple(map(Fraction, (5, 6, 6))))
    assert read_step(text, FOUR) == expected


@given(st.text() | st.from_regex(r"(answer:)?[-+*/()=0-9. a-f:]{0,60}", fullmatch=True))
@settings(deadline=None, max_examples=100)
def test_any_text_is_read_or_illegal(text: str) -> None:
    for read in (read_step, read_answer):
        with contextlib.suppress(Illegal):
            read(text, FOUR)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Answer:", "that is not an answer of the form expression = value"),
        ("Answer: impossible", "that is not an answer of the form expression = value"),
        ("Answer: (10 - 4) * 5 - 6", "that is not an answer of the form expression = value"),
        ("Answer: (10 - 4) * 5 - 6 =", "that is not an answer of the form expression = value"),
        ("Answer: 10 - 4 = 6 = 6", "that is not an answer of the form expression = value"),
        ("Answer: (10 - 4 * 5 - 6 = 24", "a parenthesis is not closed"),
        ("Answer: (10 - 4) * 5 - 6 = x", "'x' is not a number"),
        ("Answer: 4 * 5 / (10 - 6 - 4) = 24", "20 / 0 divides by zero"),
        ("Answer: (10 - 4) * 4 = 24", "the answer uses 4 4 10, not 4 5 6 10"),
        ("Answer: 4 + 5 + 6 + 10 + 0 = 25", "the answer uses 0 4 5 6 10, not 4 5 6 10"),
        ("Answer: 4 + 5 + 6 + 11 = 26", "the answer uses 4 5 6 11, not 4 5 6 10"),
        ("Answer: 4 + 5 + 6 + 10 = 24", "the answer is 25, not 24"),
    ],
)
def test_each_false_answer_has_its_own_message(text: str, message: str) -> None:
    with pytest.raises(Illegal) as caught:
        read_answer(text, FOUR)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Answer: (10 - 4) * 5 - 6 = 24", 24),
        ("answer: (10-4)*5-6=24", 24),
        ("ANSWER:4 + 5 + 6 + 10 = 25", 25),
        ("Answer: 4 + 5 + 6 + 10 = 25.0", 25),
        ("Answer: 4 / 6 * 5 / 10 = 1/3", Fraction(1, 3)),
        ("Answer: -4 + 5 - 6 + 10 = 5", 5),
    ],
)
def test_a_true_answer_is_its_value(text: str, value: Fraction) -> None:
    assert read_answer(text, FOUR) == value


@pytest.mark.parametrize(
    "text", ["", "10 - 4 = 6 (left: 5 6 6)", "(10 - 4) * 5 - 6 = 24", " Answer: 4 = 4"]
)
def test_what_is_no_answer_line_is_none(text: str) -> None:
    assert read_answer(text, FOUR) is None


@given(chains())
@settings(deadline=None, max_examples=100)
def test_an_answer_line_says_what_the_chain_makes(case: tuple[Numbers, tuple[Move, ...]]) -> None:
    dealt, chain = case
    line = answer_line(dealt, chain)
    (value,) = left_after(dealt, chain)
    expression = parse(line.removeprefix("Answer: ").rpartition(" = ")[0])
    assert expression.value == value
    assert sorted(expression.numbers) == list(dealt)
    assert read_answer(line, dealt) == value


def test_an_answer_line_needs_all_numbers() -> None:
    with pytest.raises(Illegal, match=r"^3 numbers are left, not one$"):
        answer_line(FOUR, (move(10, "-", 4),))
    with pytest.raises(Illegal, match=r"^7 is not left$"):
        answer_line(FOUR, (move(7, "-", 4),))


def test_of_two_equal_numbers_the_one_made_last_is_taken() -> None:
    chain = (move(10, "-", 4), move(6, "*", 5), move(30, "-", 6))
    assert answer_line(FOUR, chain) == "Answer: (10 - 4) * 5 - 6 = 24"


Shape = tuple[object, ...] | int


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """A binary tree over the places 0, 1, 2, ... in order."""
    parts: list[Shape] = list(range(draw(st.integers(1, 5))))
    while len(parts) > 1:
        at = draw(st.integers(0, len(parts) - 2))
        parts[at : at + 2] = [(draw(st.sampled_from(OPERATORS)), parts[at], parts[at + 1])]
    return parts[0]


def joined(shape: Shape, leaves: tuple[int, ...]) -> str:
    if isinstance(shape, int):
        return str(leaves[shape])
    operator, left, right = shape
    return join(joined(left, leaves), operator, joined(right, leaves))


def evaluated(shape: Shape, leaves: tuple[int, ...]) -> Fraction:
    if isinstance(shape, int):
        return Fraction(leaves[shape])
    operator, left, right = shape
    return apply(evaluated(left, leaves), operator, evaluated(right, leaves))


@given(shapes(), st.tuples(*[st.integers(0, 13)] * 5))
@settings(deadline=None, max_examples=100)
def test_join_keeps_the_value(shape: Shape, leaves: tuple[int, ...]) -> None:
    try:
        expected = evaluated(shape, leaves)
    except ExpressionError:
        with pytest.raises(ExpressionError):
            parse(joined(shape, leaves))
    else:
        assert parse(joined(shape, leaves)).value == expected


def without_a_pair(text: str) -> list[tuple[str, str]]:
    """The text before each parenthesis that opens, and the whole without that pair."""
    found, opened = [], []
    for index, character in enumerate(text):
        if character == "(":
            opened.append(index)
        elif character == ")":
            start = opened.pop()
            rest = text[:start] + text[start + 1 : index] + text[index + 1 :]
            found.append((text[:start], rest))
    return found


@given(shapes())
@settings(deadline=None, max_examples=100)
def test_join_writes_no_parentheses_that_could_go(shape: Shape) -> None:
    """Except around a product on the right of ``*``, which keeps the order of the steps."""
    some, others = (2, 31, 503, 7001, 90001), (90007, 3, 7013, 37, 509)
    pairs = zip(
        without_a_pair(joined(shape, some)), without_a_pair(joined(shape, others)), strict=True
    )
    for (before, first), (_, second) in pairs:
        same = True
        for text, leaves in ((first, some), (second, others)):
            same &= parse(text).value == evaluated(shape, leaves)
        assert not same or before.endswith("* ")


@pytest.mark.parametrize(
    ("left", "operator", "right", "text"),
    [
        ("6", "+", "5 - 4", "6 + 5 - 4"),
        ("6", "-", "5 - 4", "6 - (5 - 4)"),
        ("6 - 5", "-", "4", "6 - 5 - 4"),
        ("6", "/", "5 * 4", "6 / (5 * 4)"),
        ("6 / 5", "*", "4", "6 / 5 * 4"),
        ("6 + 5", "/", "4 - 3", "(6 + 5) / (4 - 3)"),
        ("(6 + 5) * 2", "+", "(4 - 3) * 7", "(6 + 5) * 2 + (4 - 3) * 7"),
        ("6 - 5 * 4", "*", "3", "(6 - 5 * 4) * 3"),
    ],
)
def test_join(left: str, operator: str, right: str, text: str) -> None:
    assert join(left, operator, right) == text


def test_wording() -> None:
    assert listing((Fraction(-2), Fraction(8, 3), Fraction(6))) == "-2 8/3 6"
    assert instruction(FOUR, Fraction(8, 3)) == "Make 8/3 from 4 5 6 10."
    assert str(Move(Fraction(8, 3), "*", Fraction(-3))) == "8/3 * -3"
