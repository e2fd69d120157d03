"""The parser is exact, total, and reads what an independent writer writes."""

from __future__ import annotations

import contextlib
import operator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.envs.game24.arithmetic import (
    MAX_LENGTH,
    Expression,
    ExpressionError,
    apply,
    number,
    parse,
    show,
)

Tree = tuple[object, ...]

LEAVES = (st.integers(0, 99).map(str) | st.sampled_from(("0.5", "7.5", "12.25"))).map(
    lambda text: ("number", text)
)
TREES = st.recursive(
    LEAVES,
    lambda trees: (
        st.tuples(st.sampled_from("+-*/"), trees, trees) | st.tuples(st.just("negate"), trees)
    ),
    max_leaves=8,
)
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "number": 3}


OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def reference(tree: Tree) -> Fraction:
    """Value of a tree, without text; ZeroDivisionError where there is none."""
    if tree[0] == "number":
        return Fraction(tree[1])
    if tree[0] == "negate":
        return -reference(tree[1])
    return OPERATIONS[tree[0]](reference(tree[1]), reference(tree[2]))


def leaves(tree: Tree) -> list[Fraction]:
    if tree[0] == "number":
        return [Fraction(tree[1])]
    return [leaf for branch in tree[1:] for leaf in leaves(branch)]


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Tree]:
    """A tree and one way to write it: blanks and redundant parentheses at will."""
    tree = draw(TREES)
    lavish = draw(st.booleans())

    def write(part: Tree, floor: int) -> str:
        own = PRECEDENCE[part[0]]
        if part[0] == "number":
            text = str(part[1])
        elif part[0] == "negate":
            text = f"-{write(part[1], 3)}"
        else:
            blank = draw(st.sampled_from(("", " ", "  ")))
            text = f"{write(part[1], own)}{blank}{part[0]}{blank}{write(part[2], own + 1)}"
        redundant = lavish and draw(st.booleans())
        return f"({text})" if own < floor or redundant else text

    return write(tree, 0), tree


@given(written())
@settings(deadline=None, max_examples=100)
def test_value_and_numbers_are_those_of_an_independent_evaluation(case: tuple[str, Tree]) -> None:
    text, tree = case
    try:
        expected = Expression(reference(tree), tuple(leaves(tree)))
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="divides by zero"):
            parse(text)
    else:
        if len(text) <= MAX_LENGTH:
            assert parse(text) == expected


@given(st.text(max_size=250) | st.text("0123456789.+-*/() \t", max_size=250))
@settings(deadline=None, max_examples=100)
def test_any_text_parses_or_raises_its_own_error(text: str) -> None:
    for read in (parse, number):
        with contextlib.suppress(ExpressionError):
            read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an arithmetic expression"),
        ("   ", "not an arithmetic expression"),
        ("(", "expected a number, found 'the end'"),
        (")", r"expected a number, found '\)'"),
        ("()", r"expected a number, found '\)'"),
        ("(1", "not closed"),
        ("1)", r"unexpected '\)'"),
        ("1 2", "unexpected '2'"),
        ("1 +", "expected a number, found 'the end'"),
        ("+ 1", r"expected a number, found '\+'"),
        ("2 ** 3", r"expected a number, found '\*'"),
        ("1.5.2", "not an arithmetic expression"),
        ("1 x", "not an arithmetic expression"),
        ("x 1", "not an arithmetic expression"),
        ("1, 2", "not an arithmetic expression"),
        ("²", "not an arithmetic expression"),
        ("½ + 1", "not an arithmetic expression"),
        ("1 / 0", "1 / 0 divides by zero"),
        ("8 / (3 - 3.0)", "8 / 0 divides by zero"),
        ("(" * MAX_LENGTH, "expected a number"),
        ("(" * (MAX_LENGTH - 1) + "1", "not closed"),
        ("-" * MAX_LENGTH, "expected a number"),
        ("1" * 5000, "longer than 200"),
        ("(" * 100_000, "longer than 200"),
        ("__import__('os')", "not an arithmetic expression"),
    ],
)
def test_what_is_no_expression_says_why(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("--3", 3),
        ("---3", -3),
        ("-2 * 3", -6),
        ("2 * -3", -6),
        ("10 - 4 - 3", 3),
        ("24 / 4 / 2", 3),
        ("24 / 4 * 2", 12),
        ("2 + 3 * 4", 14),
        ("(" * 99 + "7" + ")" * 99, 7),
        ("1" * MAX_LENGTH, int("1" * MAX_LENGTH)),
        ("-" * (MAX_LENGTH - 1) + "1", -1),
        ("  (1\t+\n2)  ", 3),
    ],
)
def test_edges_that_do_parse(text: str, value: int) -> None:
    assert parse(text).value == value


def test_a_digit_of_another_script_is_its_value() -> None:
    assert parse("٣ + 1").value == 4
    assert number("٣") == 3


def test_numbers_are_listed_as_written_and_without_their_sign() -> None:
    assert parse("-3 + 2 * (1.5 - 2)").numbers == (3, 2, Fraction(3, 2), 2)


@given(st.fractions(max_denominator=10**6))
@settings(deadline=None, max_examples=100)
def test_a_shown_number_reads_back(value: Fraction) -> None:
    assert number(show(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6", Fraction(6)),
        ("-5", Fraction(-5)),
        ("8/3", Fraction(8, 3)),
        ("-8/6", Fraction(-4, 3)),
        ("7.5", Fraction(15, 2)),
        ("-0.5", Fraction(-1, 2)),
        ("007", Fraction(7)),
        ("9" * MAX_LENGTH, Fraction(int("9" * MAX_LENGTH))),
    ],
)
def test_number(text: str, value: Fraction) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " 6", "6 ", "+6", "--6", "6.", ".5", "8/-3", "1/2/3", "1e3", "0x10", "1_0", "²"),
        *("inf", "nan", "six", "6\n", "9" * (MAX_LENGTH + 1), "9" * 5000),
    ],
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ExpressionError, match="is not a number"):
        number(text)


@pytest.mark.parametrize("text", ["1/0", "0/0", "-1/00"])
def test_a_number_does_not_divide_by_zero(text: str) -> None:
    with pytest.raises(ExpressionError, match="divides by zero"):
        number(text)


def test_a_long_wrong_text_is_cut_in_the_message() -> None:
    with pytest.raises(ExpressionError) as caught:
        number("x" * 5000)
    assert len(str(caught.value)) < 80


@given(st.fractions(), st.sampled_from("+-*/"), st.fractions())
@settings(deadline=None, max_examples=50)
def test_apply_is_the_operator(left: Fraction, sign: str, right: Fraction) -> None:
    if sign == "/" and right == 0:
        with pytest.raises(ExpressionError, match="/ 0 divides by zero"):
            apply(left, sign, right)
    else:
        assert apply(left, sign, right) == OPERATIONS[sign](left, right)
