"""Exact arithmetic on text: a Pratt parser over ``+ - * /`` and parentheses.

Text that a language model wrote is never handed to ``eval`` or to a computer algebra system.
The parser reads at most :data:`MAX_LENGTH` characters, so hostile nesting cannot exhaust the
stack, and every value is a :class:`fractions.Fraction`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_LENGTH", "Expression", "ExpressionError", "canonical", "number", "parse", "show"]

MAX_LENGTH = 200
"""Longest expression the parser looks at, in characters."""

T = TypeVar("T")

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<symbol>[-+*/()]))")
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}
_NUMBER = re.compile(r"(-?\d+)(?:/(\d+)|\.(\d+))?")


class ExpressionError(ValueError):
    """The text is not an arithmetic expression, or divides by zero."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its exact value and the numbers written in it, left to right."""

    value: Fraction
    numbers: tuple[Fraction, ...]


def show(value: Fraction) -> str:
    """Write a number the way the environment does.

    >>> show(Fraction(6)), show(Fraction(8, 3)), show(Fraction(-5))
    ('6', '8/3', '-5')
    """
    return str(value)


@lru_cache(maxsize=4096)
def number(text: str) -> Fraction:
    """Read one number: ``6``, ``-5``, ``8/3`` or ``7.5`` (read exactly).

    Raises:
        ExpressionError: the text is something else.

    >>> number("7.5"), number("8/3")
    (Fraction(15, 2), Fraction(8, 3))
    """
    if len(text) > MAX_LENGTH or (match := _NUMBER.fullmatch(text)) is None:
        raise ExpressionError(f"{text[:40]!r} is not a number")
    whole, denominator, decimals = match.groups()
    if decimals is not None:
        return Fraction(f"{whole}.{decimals}")
    if denominator is not None and int(denominator) == 0:
        raise ExpressionError(f"{text!r} divides by zero")
    return Fraction(int(whole), int(denominator or 1))


def parse(text: str) -> Expression:
    """Read and evaluate an expression.

    Raises:
        ExpressionError: not an expression over ``+ - * /`` and parentheses, too long, or a
            division by zero.

    >>> parse("(10 - 4) * 5 - 6").value
    Fraction(24, 1)
    >>> parse("8 / (3 - 8 / 3)").numbers
    (Fraction(8, 1), Fraction(3, 1), Fraction(8, 1), Fraction(3, 1))
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    parser = _Parser(_tokens(text), _EXACT)
    value = parser.whole()
    return Expression(value=value, numbers=tuple(parser.numbers))


def canonical(text: str) -> str:
    """Write an expression so that those come out the same that differ in order only.

    Sums and products lose their order and needless parentheses; ``a - b`` counts as ``a + (-b)``
    and ``a / b`` as ``a * (1 / b)``. Nothing is computed or distributed: ``4 + 20`` and ``4 * 6``
    stay different answers.

    Raises:
        ExpressionError: not an expression, or too long.

    >>> canonical("(10 - 4) * 5 - 6"), canonical("5*(10-4) - 6")
    ('(((10-4)*5)-6)', '(((10-4)*5)-6)')
    >>> canonical("8 / (2 * 3)") == canonical("8 / 2 / 3") != canonical("8 / 2 * 3")
    True
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    return _Parser(_tokens(text), _ORDERLESS).whole().text


def _tokens(text: str) -> list[str]:
    spans = [match.span() for match in _TOKEN.finditer(text)]
    covered = all(left[1] == right[0] for left, right in pairwise(spans))
    end = spans[-1][1] if spans else 0
    if not spans or spans[0][0] != 0 or not covered or text[end:].strip():
        raise ExpressionError(f"{text[:60]!r} is not an arithmetic expression")
    return [text[start:stop].strip() for start, stop in spans]


class _Algebra(NamedTuple, Generic[T]):
    """What becomes of the parts of an expression."""

    number: Callable[[Fraction], T]
    negative: Callable[[T], T]
    join: Callable[[T, str, T], T]


class _Parser(Generic[T]):
    """Precedence climbing; one instance per text."""

    def __init__(self, tokens: list[str], algebra: _Algebra[T]) -> None:
        self._tokens = tokens
        self._algebra = algebra
        self._position = 0
        self.numbers: list[Fraction] = []

    def whole(self) -> T:
        value = self._expression(0)
        if self._peek():
            raise ExpressionError(f"unexpected {self._peek()!r}")
        return value

    def _expression(self, floor: int) -> T:
        left = self._operand()
        while _BINDING.get(self._peek(), 0) > floor:
            operator = self._next()
            right = self._expression(_BINDING[operator])
            left = self._algebra.join(left, operator, right)
        return left

    def _operand(self) -> T:
        token = self._next()
        if token == "-":
            return self._algebra.negative(self._operand())
        if token == "(":
            value = self._expression(0)
            if self._next() != ")":
                raise ExpressionError("a parenthesis is not closed")
            return value
        if not token or not token[0].isdigit():
            raise ExpressionError(f"expected a number, found {token or 'the end'!r}")
        self.numbers.append(Fraction(token))
        return self._algebra.number(self.numbers[-1])

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token


class _Orderless(NamedTuple):
    """A sum, a product or one number, as the multiset of its terms."""

    sign: str
    """``+``, ``*``, or empty for a number."""
    terms: tuple[tuple[bool, str], ...]
    """Whether it is taken away (or divides), and the term itself."""

    @property
    def text(self) -> str:
        if not self.sign:
            return self.terms[0][1]
        inverse = {"+": "-", "*": "/"}[self.sign]
        parts = [(inverse if taken else self.sign) + term for taken, term in sorted(self.terms)]
        return f"({''.join(parts).removeprefix(self.sign)})"

    def under(self, sign: str, *, inverted: bool) -> tuple[tuple[bool, str], ...]:
        """Its terms as part of a larger sum or product."""
        if sign != self.sign:
            return ((inverted, self.text),)
        return tuple((taken != inverted, term) for taken, term in self.terms)


def _joined(left: _Orderless, operator: str, right: _Orderless) -> _Orderless:
    sign = "+" if operator in "+-" else "*"
    terms = left.under(sign, inverted=False) + right.under(sign, inverted=operator in "-/")
    return _Orderless(sign, terms)


def apply(left: Fraction, operator: str, right: Fraction) -> Fraction:
    """Compute ``left operator right`` exactly.

    Raises:
        ExpressionError: division by zero.
    """
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        raise ExpressionError(f"{show(left)} / 0 divides by zero")
    return left / right


_EXACT: _Algebra[Fraction] = _Algebra(number=lambda n: n, negative=lambda n: -n, join=apply)
_ORDERLESS: _Algebra[_Orderless] = _Algebra(
    number=lambda n: _Orderless("", ((False, show(n)),)),
    negative=lambda inner: _Orderless("+", inner.under("+", inverted=True)),
    join=_joined,
)
