"""The rules of the Game of 24: what a step is, when it is legal, what is left after it.

A step is written as in the papers (Tree of Thoughts, ARMAP): ``10 - 4 = 6 (left: 5 6 6)``.
The last turn is the answer line: ``Answer: (10 - 4) * 5 - 6 = 24``. An action is a *claim*,
and it is legal when all of the claim is true: the numbers are there, the arithmetic is right
and the numbers listed as left are those that remain. Legality knows nothing of the target:
``Answer: 4 + 5 + 6 + 10 = 25`` is legal, and does not fulfil the intent to make 24.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from armap.envs.game24.arithmetic import ExpressionError, apply, number, parse, show

__all__ = [
    "OPERATORS",
    "Illegal",
    "Move",
    "Numbers",
    "answer_line",
    "combine",
    "instruction",
    "join",
    "listing",
    "read_answer",
    "read_step",
    "respace",
    "step_line",
    "step_lines",
]

OPERATORS = ("+", "-", "*", "/")

Numbers = tuple[Fraction, ...]
"""A multiset of numbers, ascending."""

_STEP = re.compile(
    r"(?P<left>\S+) (?P<operator>[-+*/]) (?P<right>\S+) = (?P<result>\S+) "
    r"\(left: (?P<rest>[^()]*)\)"
)
_ANSWER = re.compile(r"answer:\s*(?P<expression>[^=]*)=\s*(?P<value>\S+)", re.IGNORECASE)


class Illegal(ValueError):  # noqa: N818  (its text is an observation, not a fault)
    """A claim that does not hold; the text says why, without a full stop."""


@dataclass(frozen=True, slots=True)
class Move:
    """``left operator right``, to be applied to two of the numbers left."""

    left: Fraction
    operator: str
    right: Fraction

    @property
    def result(self) -> Fraction:
        """The value the move makes.

        Raises:
            ExpressionError: division by zero.
        """
        return apply(self.left, self.operator, self.right)

    def __str__(self) -> str:
        return f"{show(self.left)} {self.operator} {show(self.right)}"


def listing(numbers: Numbers) -> str:
    """``(4, 5, 6)`` as ``4 5 6``."""
    return " ".join(map(show, numbers))


def instruction(numbers: Numbers, target: Fraction) -> str:
    """The intent in words.

    >>> instruction((Fraction(4), Fraction(5), Fraction(6), Fraction(10)), Fraction(24))
    'Make 24 from 4 5 6 10.'
    """
    return f"Make {show(target)} from {listing(numbers)}."


def combine(numbers: Numbers, move: Move) -> Numbers:
    """Apply a move.

    Raises:
        Illegal: a number is not there, or the move divides by zero.
    """
    rest = list(numbers)
    for operand in (move.left, move.right):
        if operand not in rest:
            raise Illegal(f"{show(operand)} is not left")
        rest.remove(operand)
    try:
        result = move.result
    except ExpressionError as error:
        raise Illegal(str(error)) from error
    return tuple(sorted([*rest, result]))


def step_line(numbers: Numbers, move: Move) -> str:
    """Write a legal move as an action.

    >>> four = tuple(map(Fraction, (4, 5, 6, 10)))
    >>> step_line(four, Move(Fraction(10), "-", Fraction(4)))
    '10 - 4 = 6 (left: 5 6 6)'
    """
    return f"{move} = {show(move.result)} (left: {listing(combine(numbers, move))})"


@lru_cache(maxsize=16384)  # searches act the same prefixes out again and again
def read_step(text: str, numbers: Numbers) -> tuple[Move, Numbers]:
    """Check a step against the numbers left; return the move and what is left after it.

    Raises:
        Illegal: the text is no step, or a claim in it is wrong.
    """
    match = _STEP.fullmatch(text)
    if match is None:
        raise Illegal("that is neither a step nor an answer")
    try:
        move = Move(number(match["left"]), match["operator"], number(match["right"]))
        claimed = number(match["result"])
        listed = tuple(sorted(map(number, match["rest"].split())))
    except ExpressionError as error:
        raise Illegal(str(error)) from error
    after = combine(numbers, move)
    if claimed != move.result:
        raise Illegal(f"{move} is {show(move.result)}, not {show(claimed)}")
    if listed != after:
        raise Illegal(f"{listing(after)} would be left, not {listing(listed) or 'nothing'}")
    return move, after


def read_answer(text: str, given: Numbers) -> Fraction | None:
    """Check an answer line against the numbers given; return the value that it claims.

    Returns None when ``text`` is not an answer line at all.

    Raises:
        Illegal: the expression is unreadable, does not use every given number exactly once,
            or does not have the value claimed.
    """
    if not text.lower().startswith("answer:"):
        return None
    match = _ANSWER.fullmatch(text)
    if match is None:
        raise Illegal("that is not an answer of the form expression = value")
    try:
        expression = parse(match["expression"].strip())
        claimed = number(match["value"])
    except ExpressionError as error:
        raise Illegal(str(error)) from error
    used = tuple(sorted(expression.numbers))
    if used != given:
        raise Illegal(f"the answer uses {listing(used)}, not {listing(given)}")
    if expression.value != claimed:
        raise Illegal(f"the answer is {show(expression.value)}, not {show(claimed)}")
    return claimed


def respace(expression: str) -> str:
    """Write an expression with single blanks around its operators.

    >>> respace("(10-4)*5 -6")
    '(10 - 4) * 5 - 6'
    """
    spaced = re.sub(r"\s*([-+*/])\s*", r" \1 ", expression.strip())
    return re.sub(r"\s*\)", ")", re.sub(r"\(\s*", "(", spaced)).strip()


def join(left: str, operator: str, right: str) -> str:
    """Write ``left operator right`` with few parentheses.

    The right operand keeps its own where it binds no tighter, except after ``+``.

    >>> join("10 - 4", "*", "5"), join("6", "-", "3 + 1"), join("2 * 3", "+", "1")
    ('(10 - 4) * 5', '6 - (3 + 1)', '2 * 3 + 1')
    """
    return f"{_wrap(left, operator, right=False)} {operator} {_wrap(right, operator, right=True)}"


def _wrap(text: str, operator: str, *, right: bool) -> str:
    outer = _outermost(text)
    if not outer:
        return text
    weaker = outer in "+-" and operator in "*/"
    regroups = right and outer in ("+-" if operator in "+-" else "*/") and operator != "+"
    return f"({text})" if weaker or regroups else text


def _outermost(text: str) -> str:
    """The loosest operator outside parentheses; empty for a single number or a group."""
    depth, found = 0, ""
    for character, following in zip(text, [*text[1:], ""], strict=True):
        depth += (character == "(") - (character == ")")
        if depth == 0 and following == " " and character in OPERATORS:
            found = character if character in "+-" or not found else found
    return found


def step_lines(given: Numbers, moves: tuple[Move, ...]) -> tuple[str, ...]:
    """Write a chain of legal moves as actions.

    Raises:
        Illegal: a move does not apply.
    """
    lines, numbers = [], given
    for move in moves:
        lines.append(step_line(numbers, move))
        numbers = combine(numbers, move)
    return tuple(lines)


def answer_line(given: Numbers, moves: tuple[Move, ...]) -> str:
    """Write the answer that a chain of legal moves amounts to.

    Where two equal numbers are left, a move takes the one that was made last.

    >>> four = tuple(map(Fraction, (4, 5, 6, 10)))
    >>> chain = (Move(four[3], "-", four[0]), Move(four[2], "*", four[1]))
    >>> answer_line(four, (*chain, Move(Fraction(30), "-", Fraction(6))))
    'Answer: (10 - 4) * 5 - 6 = 24'

    Raises:
        Illegal: the moves do not apply, or leave more than one number.
    """
    texts = [(value, show(value)) for value in given]
    for move in moves:
        left = _take(texts, move.left)
        right = _take(texts, move.right)
        texts.append((move.result, join(left, move.operator, right)))
    if len(texts) != 1:
        raise Illegal(f"{len(texts)} numbers are left, not one")
    value, expression = texts[0]
    return f"Answer: {expression} = {show(value)}"


def _take(texts: list[tuple[Fraction, str]], value: Fraction) -> str:
    for index in range(len(texts) - 1, -1, -1):
        if texts[index][0] == value:
            return texts.pop(index)[1]
    raise Illegal(f"{show(value)} is not left")
