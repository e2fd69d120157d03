"""Games of 24 without a language model: legal moves at random, answers true or wishful."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.intents import make_task
from armap.envs.game24.puzzles import puzzles
from armap.envs.game24.rules import answer_line, combine, step_line
from armap.protocols import Environment
from armap.synthesize.execute import execute
from armap.synthesize.slips import legal_move
from armap.types import Split, Trajectory


def make_game() -> Environment:
    return Game24(Game24Config())


def random_game(numbers: tuple[int, ...], rng: Random, split: Split = "train") -> Trajectory:
    given = tuple(map(Fraction, numbers))
    left, moves, lines = given, [], []
    while (move := legal_move(left, rng)) is not None:
        lines.append(step_line(left, move))
        moves.append(move)
        left = combine(left, move)
    answer = answer_line(given, tuple(moves))
    if rng.random() < 0.3:
        answer = answer.rsplit("=", 1)[0] + "= 24"
    task = make_task(numbers, split=split)
    return execute(make_game, task, (*lines, answer), author="random").trajectory


def random_games(count: int, seed: int = 0, split: Split = "train") -> list[Trajectory]:
    rng = Random(seed)
    deals = puzzles(split)
    return [random_game(deals[index % (count // 2)], rng, split) for index in range(count)]
