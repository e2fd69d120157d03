"""Hindsight for the Game of 24: what was achieved, and how the same could have gone wrong.

No language model, no solver, no ground truth. An episode that ended at 20 fulfils the intent to
make 20; everything that does not end at 20 is a possible rival. Each side of a pair is acted out
again in the environment, and a pair is kept only when the chosen side's answer is taken with the
intent's value and the rejected side's is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.game24.arithmetic import show
from armap.envs.game24.env import State, read_setup, read_target
from armap.envs.game24.intents import retarget
from armap.envs.game24.rules import (
    Illegal,
    Move,
    Numbers,
    answer_line,
    combine,
    read_answer,
    read_step,
    respace,
    step_line,
    step_lines,
)
from armap.synthesize.slips import ANSWER_SLIPS, STEP_SLIPS, legal_chain, legal_move, write

if TYPE_CHECKING:
    from fractions import Fraction
    from random import Random

    from armap.types import Task, Trajectory

__all__ = ["Achieved", "Draft", "achieved", "fulfils", "rivals", "variants"]

_LARGEST_INTENT = 200


class Draft(NamedTuple):
    """Actions yet to be acted out, and how they came about."""

    actions: tuple[str, ...]
    how: str


@dataclass(frozen=True, slots=True)
class Achieved:
    """What an episode amounts to in hindsight."""

    task: Task
    """The same numbers with the refined intent."""
    given: Numbers
    value: Fraction
    moves: tuple[Move, ...]
    """The legal moves that lead there; empty when the answer came without them."""
    answer: str
    """The true answer line."""
    draft: Draft
    """The episode as a positive, ended by that line."""

    @property
    def expression(self) -> str:
        """The right-hand side of the answer without its claim."""
        return self.answer.removeprefix("Answer: ").split(" = ")[0]


def achieved(trajectory: Trajectory) -> Achieved | None:
    """Refine the intent to what the episode did; None when it achieved nothing nameable.

    An episode counts as far as its legal claims go. Where one number is left and the answer is
    false or missing, the true answer is put in its place (and the provenance says so).
    """
    given, _ = read_setup(trajectory.task)
    left, moves, legal, answer = given, [], [], ""
    for text in trajectory.actions:
        try:
            if read_answer(text, given) is not None:
                answer = text
                break
            move, left = read_step(text, left)
        except Illegal:
            continue
        moves.append(move)
        legal.append(text)
    if answer:
        draft = Draft(trajectory.actions, "policy")
        return _achieved(trajectory, given, _canonical(answer), tuple(moves), draft)
    if len(left) != 1 or not moves:
        return None
    answer = answer_line(given, tuple(moves))
    draft = Draft((*legal, answer), "policy, answer completed")
    return _achieved(trajectory, given, answer, tuple(moves), draft)


def _achieved(
    trajectory: Trajectory, given: Numbers, answer: str, moves: tuple[Move, ...], draft: Draft
) -> Achieved | None:
    value = read_answer(answer, given)
    if value is None or value.denominator != 1 or not 1 <= value <= _LARGEST_INTENT:
        return None
    if "." in answer:
        return None  # decimals are legal, but the slips are written for whole numbers
    whole = moves if len(moves) == len(given) - 1 else ()
    return Achieved(retarget(trajectory.task, value), given, value, whole, answer, draft)


def _canonical(answer: str) -> str:
    """The same answer as a policy of ours would write it."""
    expression, _, value = answer.partition(":")[2].partition("=")
    return f"Answer: {respace(expression)} = {value.strip()}"


def fulfils(state: object, task: Task) -> bool:
    """Whether an acted-out episode ended in an answer with the intent's own value."""
    return isinstance(state, State) and state.answer == read_target(task)


def variants(positive: Achieved, rng: Random) -> list[Draft]:
    """Other ways to write the same success: the answer alone, or after a slip.

    What counts is the answer, so a reward model must not learn to insist on clean steps.
    """
    drafts = [Draft((positive.answer,), "answer alone")]
    if positive.moves:
        lines = step_lines(positive.given, positive.moves)
        cut = rng.randrange(len(lines))
        slipped = _slip_chain(positive, cut, rng)
        if slipped is not None:
            kept = slipped.actions[: len(lines)]
            drafts.append(Draft((*kept, positive.answer), f"{slipped.how}, answer right"))
    return drafts


def rivals(positive: Achieved, rng: Random) -> list[Draft]:
    """Ways in which the positive could have failed, one of each kind that applies."""
    value = positive.value
    lines = step_lines(positive.given, positive.moves) if positive.moves else ()
    drafts = [
        Draft((*lines, slip(positive.expression, value, value, rng)), f"answer: {kind}")
        for kind, slip in ANSWER_SLIPS.items()
    ]
    again = ANSWER_SLIPS["rearranged"](positive.expression, value, value, rng)
    drafts.append(Draft((*lines, again), "answer: rearranged"))
    drafts.append(_only_answer(positive, rng))
    if not positive.moves:
        return drafts
    drafts += [_changed_action(positive, rng), _changed_action(positive, rng, wishful=True)]
    for cut in range(len(lines) + 1):
        slipped = _slip_chain(positive, cut, rng)
        if slipped is not None:
            drafts.append(slipped)
    return drafts


def _only_answer(positive: Achieved, rng: Random) -> Draft:
    kind, slip = rng.choice(list(ANSWER_SLIPS.items()))
    line = slip(positive.expression, positive.value, positive.value, rng)
    return Draft((line,), f"answer alone: {kind}")


def _changed_action(positive: Achieved, rng: Random, *, wishful: bool = False) -> Draft:
    """Change one action of the positive and go on from there with legal moves.

    ``wishful`` ends with the intent's value as the claim, though the moves lead elsewhere.
    """
    cut = rng.randrange(len(positive.moves))
    numbers = positive.given
    for move in positive.moves[:cut]:
        numbers = combine(numbers, move)
    chain, _ = legal_chain(numbers, rng)
    moves = (*positive.moves[:cut], *chain)
    answer = answer_line(positive.given, moves)
    if wishful:
        answer = answer.rsplit(" = ", 1)[0] + f" = {show(positive.value)}"
    how = f"action {cut + 1} changed" + (", claim kept" if wishful else "")
    return Draft((*step_lines(positive.given, moves), answer), how)


def _slip_chain(positive: Achieved, cut: int, rng: Random) -> Draft | None:
    """Make a false step at turn ``cut`` and go on from what its writer now believes."""
    numbers = positive.given
    lines: list[str] = []
    for move in positive.moves[:cut]:
        lines.append(step_line(numbers, move))
        numbers = combine(numbers, move)
    kinds = list(STEP_SLIPS.items())
    rng.shuffle(kinds)
    for kind, make in kinds:
        slip = make(numbers, positive.given, positive.value, rng)
        if slip is not None:
            lines.append(slip.text)
            lines += _go_on(slip.believed, positive.value, rng)
            ending = _ending(positive, slip.move, rng)
            return Draft((*lines, ending), f"{kind} at step {cut + 1}")
    return None


def _go_on(believed: Numbers, target: Fraction, rng: Random) -> list[str]:
    """Steps that would be right if the belief were; the last one tends to hit the target."""
    lines = []
    while (move := legal_move(believed, rng)) is not None:
        result = move.result
        after = combine(believed, move)
        if len(after) == 1 and rng.random() < 0.5:
            result, after = target, (target,)
        lines.append(write(move, result, after))
        believed = after
    return lines


def _ending(positive: Achieved, slip: Move, rng: Random) -> str:
    """The false answer that follows a false chain."""
    kinds = list(ANSWER_SLIPS.values())
    if rng.random() < 0.3:
        return f"Answer: {slip} = {show(positive.value)}"
    return rng.choice(kinds)(positive.expression, positive.value, positive.value, rng)
