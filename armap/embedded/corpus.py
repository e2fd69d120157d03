"""The text that the embedded policy learns: dialogues of solved Games of 24.

Every dialogue is played in the real environment, so prompts, observations and error texts are
those of inference. The puzzles are the training split and random deals with other targets;
a deal that equals one of the 100 test puzzles is never used, whatever the target.

Four kinds of dialogue, all with the numbers *and the target* in the prompt:

- solve: three legal moves and the answer;
- noted: the same, after notes that list failed attempts, none of which starts like the solution
  (this is what lets a tiny model use Reflexion);
- honest: moves that miss the target, not learned, and an answer that says so, learned;
- mended: one false claim (:mod:`armap.synthesize.slips`), not learned, and a solution after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.game24.puzzles import TEST_PUZZLES, puzzles, solutions
from armap.envs.game24.rules import Illegal, Move, Numbers, answer_line, combine, step_lines
from armap.prompts import failed_attempt, first_message
from armap.synthesize.slips import STEP_SLIPS, legal_chain
from armap.types import Action, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from armap.types import Task

__all__ = ["CorpusConfig", "Dialogue", "Segment", "dialogues"]


class CorpusConfig(Record):
    """The mixture of dialogues, as shares of 1."""

    standard: float = Field(default=0.6, ge=0.0, le=1.0)
    """Share whose target is 24 (from the training puzzles); the rest are random deals."""
    noted: float = Field(default=0.12, ge=0.0, le=1.0)
    honest: float = Field(default=0.08, ge=0.0, le=1.0)
    mended: float = Field(default=0.08, ge=0.0, le=1.0)
    largest_target: int = Field(default=100, gt=0)
    notes: int = Field(default=9, gt=0)
    """At most so many failed attempts in a noted dialogue."""


class Segment(NamedTuple):
    """One chat turn and whether the model learns to write it."""

    role: str
    text: str
    learned: bool


Dialogue = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class _Deal:
    """A task together with one chain of moves that solves it."""

    task: Task
    given: Numbers
    target: Fraction
    chain: tuple[Move, ...]


@lru_cache(maxsize=1)
def _standard() -> tuple[tuple[Numbers, tuple[tuple[Move, ...], ...]], ...]:
    """Every training puzzle with all its solutions; about half a minute."""
    deals = (tuple(map(Fraction, puzzle)) for puzzle in puzzles("train"))
    return tuple((deal, tuple(solutions(deal, Fraction(24)))) for deal in deals)


def dialogues(config: CorpusConfig, rng: Random) -> Iterator[Dialogue]:
    """Yield dialogues for ever; equal generators give equal dialogues."""
    while True:
        deal = _standard_deal(rng) if rng.random() < config.standard else _any_deal(config, rng)
        kind = rng.random()
        if kind < config.noted:
            yield _play(deal, deal.chain, notes=_notes(deal, config, rng))
        elif kind < config.noted + config.honest:
            yield _honest(deal, rng)
        elif kind < config.noted + config.honest + config.mended:
            yield _mended(deal, rng)
        else:
            yield _play(deal, deal.chain)


def _standard_deal(rng: Random) -> _Deal:
    given, chains = rng.choice(_standard())
    chain = rng.choice(chains)
    return _Deal(_task(given, Fraction(24)), given, Fraction(24), chain)


def _any_deal(config: CorpusConfig, rng: Random) -> _Deal:
    """A random deal and the value that random legal moves happen to reach."""
    forbidden = set(TEST_PUZZLES)
    while True:
        a, b, c, d = sorted(rng.randint(1, 13) for _ in range(4))
        given = tuple(map(Fraction, (a, b, c, d)))
        chain, value = legal_chain(given, rng)
        whole = value.denominator == 1 and 1 <= value <= config.largest_target
        if whole and (a, b, c, d) not in forbidden:
            return _Deal(_task(given, value), given, value, chain)


def _task(given: Numbers, target: Fraction) -> Task:
    return make_task(given, split="train", target=target)


def _notes(deal: _Deal, config: CorpusConfig, rng: Random) -> tuple[str, ...]:
    """Failed attempts whose first moves differ from the solution's."""
    notes = []
    for _ in range(rng.randint(1, config.notes)):
        chain, value = legal_chain(deal.given, rng)
        if value != deal.target and str(chain[0]) != str(deal.chain[0]):
            notes.append(failed_attempt(_lines(deal.given, chain)))
    return tuple(notes)


def _honest(deal: _Deal, rng: Random) -> Dialogue:
    """Moves that miss the target; only the answer is learned, and it tells the truth."""
    chain, value = legal_chain(deal.given, rng)
    return _play(deal, chain, learn_moves=value == deal.target)


def _mended(deal: _Deal, rng: Random) -> Dialogue:
    """A false claim at a random turn; the answer then comes a move early."""
    at = rng.randrange(3)
    numbers = deal.given
    for move in deal.chain[:at]:
        numbers = combine(numbers, move)
    slip = rng.choice(list(STEP_SLIPS.values()))(numbers, deal.given, deal.target, rng)
    return _play(deal, deal.chain, slip=(at, slip.text) if slip else None)


def _lines(given: Numbers, chain: tuple[Move, ...]) -> tuple[str, ...]:
    return (*step_lines(given, chain), answer_line(given, chain))


def _play(
    deal: _Deal,
    chain: tuple[Move, ...],
    *,
    notes: tuple[str, ...] = (),
    learn_moves: bool = True,
    slip: tuple[int, str] | None = None,
) -> Dialogue:
    """Play the chain in the environment and write down both sides."""
    lines = [(line, learn_moves) for line in _lines(deal.given, chain)]
    lines[-1] = (lines[-1][0], True)
    if slip is not None:
        lines.insert(slip[0], (slip[1], False))
        del lines[-2]
    env = Game24(Game24Config())
    observation = env.reset(deal.task)
    opening = first_message(deal.task.instruction, observation.text, notes)
    turns = [Segment("user", opening, learned=False)]
    for line, learned in lines:
        turns.append(Segment("assistant", line, learned))
        observation = env.step(Action(text=line))
        if learned and observation.text.startswith("Illegal"):
            raise Illegal(f"the corpus holds a false line: {line!r}: {observation.text}")
        if not observation.terminal:
            turns.append(Segment("user", observation.text, learned=True))
    return tuple(turns)
