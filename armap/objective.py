"""Objectives: what an answer is to maximise besides the reward, as one small expression.

ARMAP section 4.3 (controllable generation) plans for ``reward - number of actions`` and for
``reward - price``, without saying how the two are scaled. Here the weights are written out, and
``reward`` is the calibrated score, so that they carry over between reward models:

    reward - 0.02 * steps - 0.001 * price

An expression has numbers, names, ``+ - * /``, parentheses and the functions of
:data:`FUNCTIONS`. Its names are ``reward`` and the environment's measures, see
:mod:`armap.measures`. Nothing in it is ever executed as Python.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Self

from armap.errors import EnvError, ObjectiveError, boundary

if TYPE_CHECKING:
    from armap.measures import Measure
    from armap.types import Score, Trajectory

__all__ = ["FUNCTIONS", "REWARD", "Objective", "named", "taken"]

REWARD = "reward"
"""The name of the calibrated score, in [0, 1]."""

LONGEST = 1000
"""Characters of an expression at most, as given and in its canonical form."""
DEEPEST = 64
"""Operations inside of one another at most."""
LARGEST = 1e100
"""Numbers in an expression are smaller."""

_Term = Callable[[Mapping[str, float]], float]
"""What computes a part of an expression from the values of its names."""


class Function(NamedTuple):
    """A function of expressions."""

    of: Callable[..., float]
    fewest: int
    most: float
    """Arguments."""
    form: str


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "abs": Function(abs, 1, 1, "abs(x)"),
        "clip": Function(lambda x, low, high: min(max(x, low), high), 3, 3, "clip(x, low, high)"),
        "log": Function(math.log, 1, 1, "log(x)"),
        "max": Function(max, 2, math.inf, "max(x, y, ...)"),
        "min": Function(min, 2, math.inf, "min(x, y, ...)"),
    }
)
"""What an expression may call."""

_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }
)
_UNARY: Mapping[type[ast.unaryop], Callable[[float], float]] = MappingProxyType(
    {ast.UAdd: operator.pos, ast.USub: operator.neg}
)
_STRANGE = re.compile(r"[^\w\s.+\-*/(),]")


@dataclass(frozen=True, slots=True)
class Objective:
    """An expression over the reward and the measures of a trajectory."""

    text: str
    """In its canonical form, which reads as the same objective."""
    names: tuple[str, ...]
    """What it depends on, sorted: ``reward`` and names of measures."""
    _measures: Mapping[str, Measure] = field(repr=False, compare=False)
    _term: _Term = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, measures: Mapping[str, Measure]) -> Self:
        """Read an expression.

        Args:
            text: the expression.
            measures: those of the environment, by name.

        Raises:
            ObjectiveError: it is no such expression, or has a name that is no measure.

        >>> from armap.measures import COMMON
        >>> Objective.parse("reward-.10*(steps)", COMMON).text
        'reward - 0.1 * steps'
        """
        try:
            _refuse_long(text)
            tree = _parsed(text)
            names: set[str] = set()
            term = _term(tree, names)
            _refuse_unknown(sorted(names), measures)
            canonical = ast.unparse(tree)
            _refuse_long(canonical)
        except ObjectiveError as error:
            raise ObjectiveError(f"{text!r:.80}: {error}") from error
        used = {name: measures[name] for name in sorted(names - {REWARD})}
        return cls(canonical, tuple(sorted(names)), used, term)

    def utility(self, trajectory: Trajectory, score: Score) -> float:
        """What the objective makes of a scored trajectory; finite, the more the better.

        Raises:
            ObjectiveError: it divides by zero there, or the result is not finite.
            EnvError: a measure failed.
        """
        values = taken(self._measures, trajectory) | {REWARD: score.calibrated}
        return self.value(values, named(trajectory))

    def value(self, values: Mapping[str, float], of: str = "") -> float:
        """The expression's value where its names have these values.

        Args:
            values: of every name in ``names``; others may be there.
            of: what has these values, for messages.

        Raises:
            ObjectiveError: it divides by zero, or the result is not finite.
        """
        try:
            found = self._term(values)
        except (ArithmeticError, ValueError) as error:
            raise self._without_value(str(error), values, of) from error
        if not math.isfinite(found):
            raise self._without_value(str(found), values, of)
        return found

    def _without_value(self, why: str, values: Mapping[str, float], of: str) -> ObjectiveError:
        where = ", ".join(f"{name} = {values[name]:g}" for name in self.names)
        return ObjectiveError(f"objective {self.text!r}: {why} at {where}" + (of and f", for {of}"))


def taken(measures: Mapping[str, Measure], trajectory: Trajectory) -> dict[str, float]:
    """The measures of one trajectory by name, all finite.

    Raises:
        EnvError: one of them failed, or is not finite.
    """
    values = {}
    for name, measure in measures.items():
        with boundary(EnvError, f"measure {name!r} of {named(trajectory)}"):
            value = float(measure.of(trajectory))
            if not math.isfinite(value):
                raise ValueError(f"{value} is not finite")
            values[name] = value
    return values


def named(trajectory: Trajectory) -> str:
    """How a message names a trajectory."""
    return f"trajectory {trajectory.key} of task {trajectory.task.name!r}"


def _parsed(text: str) -> ast.expr:
    """The syntax tree of the text, whatever is in it."""
    if strange := _STRANGE.search(text):
        raise ObjectiveError(f"{strange.group()!r} has no meaning here; {_grammar()}")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ObjectiveError(f"is no expression; {_grammar()}") from error
    if _depth(tree) > DEEPEST:
        raise ObjectiveError(f"nested more than {DEEPEST} deep; a sum counts its terms")
    return tree


def _depth(tree: ast.AST) -> int:
    """Levels of a tree; without recursion, for it guards what recurs."""
    level, depth = [tree], 0
    while level:
        level = [below for node in level for below in ast.iter_child_nodes(node)]
        depth += 1
    return depth


def _term(tree: ast.expr, names: set[str]) -> _Term:
    """What computes the tree; the names in it are added to ``names``.

    Raises:
        ObjectiveError: it has something that an objective has not.
    """
    match tree:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _constant(number)
        case ast.Name(id=name):
            names.add(name)
            return lambda values: values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            both, a, b = _BINARY[type(op)], _term(left, names), _term(right, names)
            return lambda values: both(a(values), b(values))
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            one, inner = _UNARY[type(sign)], _term(operand, names)
            return lambda values: one(inner(values))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, [_term(argument, names) for argument in arguments])
        case _:
            raise ObjectiveError(f"{ast.unparse(tree):.40} has no meaning here; {_grammar()}")


def _constant(number: float) -> _Term:
    if not abs(number) < LARGEST:
        raise ObjectiveError(f"numbers end at {LARGEST:g}")
    exact = float(number)
    return lambda _: exact


def _call(name: str, arguments: list[_Term]) -> _Term:
    function = FUNCTIONS.get(name)
    if function is None:
        raise ObjectiveError(f"no function {name!r}; {_grammar()}")
    if not function.fewest <= len(arguments) <= function.most:
        raise ObjectiveError(f"write {function.form}")
    return lambda values: function.of(*(argument(values) for argument in arguments))


def _refuse_long(text: str) -> None:
    if len(text) > LONGEST:
        raise ObjectiveError(f"longer than {LONGEST} characters")


def _refuse_unknown(names: list[str], measures: Mapping[str, Measure]) -> None:
    if REWARD in measures:
        raise ObjectiveError(f"the environment has a measure {REWARD!r}: give it another name")
    for name in names:
        if name != REWARD and name not in measures:
            close = get_close_matches(name, [REWARD, *measures], n=2)
            hint = f"did you mean {' or '.join(map(repr, close))}? There" if close else "there"
            known = ", ".join(f"{key} ({measure.unit})" for key, measure in measures.items())
            raise ObjectiveError(f"no measure {name!r}; {hint} is reward (0 to 1), {known}")


def _grammar() -> str:
    functions = ", ".join(function.form for function in FUNCTIONS.values())
    return f"write e.g. 'reward - 0.02 * steps', with + - * / ( ) and {functions}"
