"""The ways in which policies really go wrong at the Game of 24.

Each slip is a function from the situation (numbers left, numbers given, the target that the
writer has in mind) to an action text that claims something false, together with the numbers
its writer now *believes* are left. Chains of slips go on from the belief, as language models
do: a wrong ``5 * 6 = 24`` is followed by a confident answer. The kinds were read off failed
trajectories of a large chat model and of the embedded one; the papers name four of them
(ARMAP, data generation stage 3: invented number, missing number, format, foreign number).

Nothing here knows a solution: a slip is false by construction or by re-execution, never by
being compared with an answer key.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.game24.arithmetic import show
from armap.envs.game24.rules import OPERATORS, Illegal, Move, Numbers, combine, listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

__all__ = ["ANSWER_SLIPS", "STEP_SLIPS", "Slip", "legal_chain", "legal_move", "write"]


class Slip(NamedTuple):
    """A false claim, and what its writer believes afterwards."""

    text: str
    believed: Numbers
    move: Move


def legal_move(numbers: Numbers, rng: Random) -> Move | None:
    """A random legal move, mostly one that stays with whole numbers; None if fewer than two."""
    if len(numbers) < 2:
        return None
    for _ in range(20):
        left, right = rng.sample(numbers, 2)
        move = Move(left, rng.choice(OPERATORS), right)
        if move.operator == "/" and (right == 0 or (left / right).denominator != 1):
            continue
        if move.operator == "-" and left < right:
            move = Move(right, "-", left)
        if abs(move.result) <= 500:
            return move
    return Move(max(numbers), "-", min(numbers))


def legal_chain(numbers: Numbers, rng: Random) -> tuple[tuple[Move, ...], Fraction]:
    """Random legal moves until one number is left; the moves and that number."""
    chain = []
    while (move := legal_move(numbers, rng)) is not None:
        chain.append(move)
        numbers = combine(numbers, move)
    return tuple(chain), numbers[0]


def write(move: Move, result: Fraction, left: Numbers) -> str:
    """A step line that claims ``result`` and ``left``, whether or not they are true."""
    return f"{move} = {show(result)} (left: {listing(left)})"


def wrong_arithmetic(
    numbers: Numbers, given: Numbers, target: Fraction, rng: Random
) -> Slip | None:
    """Right numbers, wrong result: near the true one, or straight at the target."""
    del given
    move = legal_move(numbers, rng)
    if move is None:
        return None
    near = move.result + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10))
    wish = target if len(numbers) == 2 and rng.random() < 0.8 else near
    result = near if wish == move.result else wish
    if result < 0:
        result = move.result + 1
    believed = _replace(numbers, (move.left, move.right), result)
    return Slip(write(move, result, believed), believed, move)


def invented_number(numbers: Numbers, given: Numbers, target: Fraction, rng: Random) -> Slip | None:
    """An operand out of thin air, often just the one that is missing to the target."""
    del given
    mine = rng.choice(numbers)
    move = _wishful(mine, target, rng) if rng.random() < 0.6 else None
    if move is None:
        foreign = Fraction(rng.choice([n for n in range(1, 14) if n not in numbers]))
        move = Move(mine, rng.choice("+*"), foreign)
    return _believe(numbers, move)


def used_twice(numbers: Numbers, given: Numbers, target: Fraction, rng: Random) -> Slip | None:
    """A number that has been used already comes back, or one is used with itself."""
    del target
    mine = rng.choice(numbers)
    spent = [n for n, count in Counter(given).items() if count > Counter(numbers)[n]]
    other = rng.choice(spent) if spent and rng.random() < 0.6 else mine
    move = Move(max(mine, other), rng.choice("+-*"), min(mine, other))
    return _believe(numbers, move)


def lost_number(numbers: Numbers, given: Numbers, target: Fraction, rng: Random) -> Slip | None:
    """A right step whose list of what is left forgets a number."""
    del given, target
    move = legal_move(numbers, rng)
    if move is None or len(numbers) < 3:
        return None
    after = list(combine(numbers, move))
    rest = [n for n in after if n != move.result] or after
    after.remove(rng.choice(rest))
    believed = tuple(after)
    return Slip(write(move, move.result, believed), believed, move)


def kept_number(numbers: Numbers, given: Numbers, target: Fraction, rng: Random) -> Slip | None:
    """A right step whose list of what is left still holds an operand, or a wrong number."""
    del given, target
    move = legal_move(numbers, rng)
    if move is None:
        return None
    after = combine(numbers, move)
    extra = rng.choice((move.left, move.right))
    believed = tuple(sorted((*after, extra)))
    return Slip(write(move, move.result, believed), believed, move)


STEP_SLIPS: dict[str, Callable[[Numbers, Numbers, Fraction, Random], Slip | None]] = {
    "wrong arithmetic": wrong_arithmetic,
    "invented number": invented_number,
    "number used twice": used_twice,
    "lost number": lost_number,
    "kept number": kept_number,
}
"""False steps by kind; a slip returns None where the kind cannot occur."""


def _wishful(mine: Fraction, target: Fraction, rng: Random) -> Move | None:
    """``mine`` and just the number it takes to reach the target."""
    wishes = [Move(mine, "+", target - mine), Move(mine, "-", mine - target)]
    if mine and (target / mine).denominator == 1:
        wishes.append(Move(mine, "*", target / mine))
    wishes = [move for move in wishes if move.right > 0]
    return rng.choice(wishes) if wishes else None


def _believe(numbers: Numbers, move: Move) -> Slip | None:
    """Write a step that is arithmetically right but uses numbers that are not there."""
    try:
        combine(numbers, move)
    except Illegal:
        believed = _replace(numbers, (move.left, move.right), move.result)
        return Slip(write(move, move.result, believed), believed, move)
    return None


def _replace(numbers: Numbers, operands: tuple[Fraction, Fraction], result: Fraction) -> Numbers:
    """Take out the operands that are there, put in the result."""
    rest = Counter(numbers)
    for operand in operands:
        if rest[operand] > 0:
            rest[operand] -= 1
    return tuple(sorted((*rest.elements(), result)))


_REFUSALS = (
    "None",
    "No solution.",
    "There is no way to do this.",
    "It cannot be done with these numbers.",
    "impossible",
    "not possible",
    "no solution found",
    "These numbers do not work.",
    "Invalid input",
)


def refusal(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """Giving up, in one of many wordings."""
    del expression, value, target
    return rng.choice(("Answer: ", "")) + rng.choice(_REFUSALS)


def wishful_value(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """An expression of another value, presented as the target."""
    wrong = target if target != value else value + rng.choice((-2, -1, 1, 2))
    return f"Answer: {expression} = {show(wrong)}"


def foreign_operand(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """A number nobody was given is tacked on, often so that the sum comes out."""
    gap = target - value
    if gap > 0 and rng.random() < 0.6:
        return f"Answer: {_group(expression)} + {show(gap)} = {show(target)}"
    if gap < 0 and rng.random() < 0.6:
        return f"Answer: {_group(expression)} - {show(-gap)} = {show(target)}"
    factor = rng.randint(1, 3)
    return f"Answer: {_group(expression)} * {factor} = {show(target)}"


def forgotten_operand(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """One number of the expression is left out; the claim stays."""
    del value
    tokens = expression.replace("(", "").replace(")", "").split(" ")
    if len(tokens) < 3:
        return f"Answer: {expression}"
    cut = rng.choice(range(0, len(tokens), 2))
    kept = tokens[:cut] + tokens[cut + 2 :] if cut == 0 else tokens[: cut - 1] + tokens[cut + 1 :]
    return f"Answer: {' '.join(kept)} = {show(target)}"


def swapped_operand(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """One number stands in place of another."""
    del value
    parts = expression.split(" ")
    places = [i for i, part in enumerate(parts) if part.strip("()").isdigit()]
    source, sink = rng.choice(places), rng.choice(places)
    digits = parts[source].strip("()")
    if parts[sink].strip("()") == digits:
        digits = show(Fraction(int(digits) + 1))
    parts[sink] = parts[sink].replace(parts[sink].strip("()"), digits)
    return f"Answer: {' '.join(parts)} = {show(target)}"


def rearranged(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """The right numbers in another arrangement, presented as the target.

    After steps that were right this is how a policy fails most convincingly. A rearrangement may
    happen to have the target's value; pairs are verified, so such a one is dropped.
    """
    del value
    parts = expression.split(" ")
    operands = [i for i, part in enumerate(parts) if part.strip("()").isdigit()]
    first, second = rng.sample(operands, 2) if len(operands) > 1 else (0, 0)
    one, other = parts[first].strip("()"), parts[second].strip("()")
    parts[first] = parts[first].replace(one, other)
    parts[second] = parts[second].replace(other, one)
    signs = [i for i, part in enumerate(parts) if part in OPERATORS]
    if signs and rng.random() < 0.3:
        parts[rng.choice(signs)] = rng.choice(OPERATORS)
    return f"Answer: {' '.join(parts)} = {show(target)}"


def missing_claim(expression: str, value: Fraction, target: Fraction, rng: Random) -> str:
    """The expression, but no value; or a broken one."""
    del target
    broken = (f"Answer: {expression}", f"Answer: {expression} =", f"{expression} = {show(value)}")
    return rng.choice((*broken, f"Answer: ({expression} = {show(value)}"))


ANSWER_SLIPS: dict[str, Callable[[str, Fraction, Fraction, Random], str]] = {
    "refusal": refusal,
    "wishful value": wishful_value,
    "foreign operand": foreign_operand,
    "forgotten operand": forgotten_operand,
    "swapped operand": swapped_operand,
    "rearranged": rearranged,
    "missing claim": missing_claim,
}
"""False answers by kind: (expression, its value, the target in mind, rng) to a line."""


def _group(expression: str) -> str:
    return f"({expression})" if " " in expression else expression
