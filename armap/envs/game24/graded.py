"""Grading of the Game of 24: ground truth, out of reach of everything that learns or plans.

Two profiles judge the final action:

``strict`` (ours): the environment took the answer (it uses every number exactly once and has
    the value that it claims) and that value is the target.
``tot``: Tree of Thoughts' grader. Of the last line, lower-cased, with ``"answer: "`` removed,
    it takes the text left of the first ``=``; the integers written there must be the puzzle's,
    and its value must be the target. It therefore takes an answer without a claim or with a
    wrong one, an expression without the word ``Answer``, and also ``**``, ``^`` and ``!``. It does
    not take decimals (``10.0`` reads as the integers 10 and 0), which ``strict`` does.

The original computes with sympy on model text; here an own parser does, with these limits:
no symbols, no functions, powers only where the result is rational, texts up to 200 characters.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import factorial
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.game24.arithmetic import MAX_LENGTH, ExpressionError, apply
from armap.envs.game24.env import Game24, State, read_target
from armap.oracle import Outcome

if TYPE_CHECKING:
    from armap.envs.game24.env import Game24Config
    from armap.envs.game24.rules import Numbers
    from armap.types import Action, Observation, Task

__all__ = ["GradedGame24", "tot_verdict"]

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+\.\d*|\.\d+|\d+)|(?P<symbol>\*\*|[-+*/()^!]))")
_LARGEST_POWER = 64
_DEEPEST = 40
_LARGEST_BASE = 10**6


class GradedState(NamedTuple):
    """A snapshot that can be graded."""

    state: State
    target: Fraction
    last: str


class GradedGame24:
    """A :class:`Game24` together with its grade; the game itself stays without one."""

    def __init__(self, config: Game24Config) -> None:
        self._game = Game24(config)
        self._profile = config.grading
        self._target = Fraction(24)
        self._last = ""

    def reset(self, task: Task) -> Observation:
        """Deal the numbers and remember the target."""
        self._target, self._last = read_target(task), ""
        return self._game.reset(task)

    def step(self, action: Action) -> Observation:
        """Act, and remember the last action."""
        self._last = action.text
        return self._game.step(action)

    def snapshot(self) -> GradedState:
        """The state of the episode, with what its grade depends on."""
        return GradedState(self._game.snapshot(), self._target, self._last)

    def restore(self, token: GradedState) -> None:
        """Continue from ``token``."""
        self._game.restore(token.state)
        self._target, self._last = token.target, token.last

    def close(self) -> None:
        """Nothing to free."""

    def outcome(self) -> Outcome:
        """1 when the target was reached under the configured profile, else 0."""
        state = self._game.snapshot()
        if self._profile == "tot":
            won = tot_verdict(self._last, state.given, self._target)
        else:
            won = state.answer == self._target
        return Outcome(score=float(won), success=won)


def tot_verdict(output: str, numbers: Numbers, target: Fraction = Fraction(24)) -> bool:
    """Judge a whole output by its last line, as Tree of Thoughts does.

    >>> four = tuple(map(Fraction, (4, 5, 6, 10)))
    >>> tot_verdict("Answer: (10 - 4) * 5 - 6 = 23", four)  # the claim is not looked at
    True
    >>> tot_verdict("Answer: (10 - 4) * (5 - 6) = 24", four)
    False
    """
    line = output.strip().split("\n")[-1].lower().replace("answer: ", "")
    expression = line.split("=")[0]
    written = sorted(re.findall(r"\d+", expression))
    if written != sorted(str(number) for number in numbers):
        return False
    try:
        return _Reader(expression).value() == target
    except ExpressionError:
        return False


class _Reader:
    """Sympy's arithmetic as far as the grader meets it: adds powers and factorials."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH or text.count("(") > _DEEPEST:
            raise ExpressionError("too long or too deep")
        self._tokens = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f"unexpected {text[position:][:10]!r}")
            self._tokens.append(match.group().strip().replace("^", "**"))
            position = match.end()
        self._position = 0

    def value(self) -> Fraction:
        result = self._sum()
        if self._peek():
            raise ExpressionError(f"unexpected {self._peek()!r}")
        return result

    def _sum(self) -> Fraction:
        left = self._product()
        while self._peek() in {"+", "-"}:
            left = apply(left, self._next(), self._product())
        return left

    def _product(self) -> Fraction:
        left = self._signed()
        while self._peek() in {"*", "/"}:
            left = apply(left, self._next(), self._signed())
        return left

    def _signed(self) -> Fraction:
        if self._peek() in {"+", "-"}:
            return self._signed() if self._next() == "+" else -self._signed()
        return self._power()

    def _power(self) -> Fraction:
        base = self._factorial()
        if self._peek() != "**":
            return base
        self._next()
        return power(base, self._signed())

    def _factorial(self) -> Fraction:
        value = self._atom()
        while self._peek() == "!":
            self._next()
            if value.denominator != 1 or not 0 <= value <= 20:
                raise ExpressionError("factorial of something else than 0 to 20")
            value = Fraction(factorial(value.numerator))
        return value

    def _atom(self) -> Fraction:
        token = self._next()
        if token == "(":
            value = self._sum()
            if self._next() != ")":
                raise ExpressionError("a parenthesis is not closed")
            return value
        if not token or token[0] not in "0123456789.":
            raise ExpressionError(f"expected a number, found {token!r}")
        return Fraction(token)

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """``base ** exponent`` where that is a rational number of sane size.

    Raises:
        ExpressionError: it is irrational, infinite or huge.

    >>> power(Fraction(4), Fraction(1, 2)), power(Fraction(2), Fraction(-1))
    (Fraction(2, 1), Fraction(1, 2))
    """
    parts = abs(base.numerator), base.denominator
    if abs(exponent) > _LARGEST_POWER or max(parts) > _LARGEST_BASE:
        raise ExpressionError("the power is too large")
    if base == 0 and exponent < 0:
        raise ExpressionError("division by zero")
    if exponent.denominator == 1:
        return base**exponent.numerator
    if base < 0:
        raise ExpressionError("a root of a negative number")
    return (
        Fraction(
            _root(base.numerator, exponent.denominator),
            _root(base.denominator, exponent.denominator),
        )
        ** exponent.numerator
    )


def _root(value: int, degree: int) -> int:
    found: int = round(float(value) ** (1 / degree))
    if found**degree != value:
        raise ExpressionError("an irrational root")
    return found
