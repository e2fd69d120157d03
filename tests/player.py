"""A chat model that plays the Game of 24 by the rules, at random: fast and deterministic."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from armap.envs.game24.arithmetic import number
from armap.envs.game24.rules import (
    Illegal,
    Move,
    Numbers,
    answer_line,
    read_step,
    step_line,
)
from armap.seeding import derive
from armap.synthesize.slips import legal_move
from armap.types import Completions, Message, Sampling, Usage

_OPENING = re.compile(r"\S.* from (?P<numbers>[-\d/ ]+)\.")


class Player:
    """Legal moves and true answers; now and then a false step, by the request's seed."""

    name = "player"

    def __init__(self, latency: float = 0.0, fail_task: str = "") -> None:
        self.latency = latency
        self.fail_task = fail_task
        self.calls = 0

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        self.calls += 1
        await asyncio.sleep(self.latency * Random(sampling.seed).random())
        if self.fail_task and self.fail_task in messages[-1].content + messages[0].content:
            raise TimeoutError("no answer")
        texts = tuple(self.reply(messages, sampling, sampling.start + i) for i in range(sampling.n))
        usage = Usage(calls=1, prompt_tokens=len(messages), completion_tokens=sampling.n)
        return Completions(texts=texts, usage=usage)

    async def close(self) -> None:
        return

    def reply(self, messages: Sequence[Message], sampling: Sampling, index: int) -> str:
        if messages[0].role == "system":
            return "Begin with another pair of numbers."
        greedy = sampling.temperature == 0
        seed = len(messages[0].content) if greedy else derive(sampling.seed, index)
        said = tuple(message.content for message in messages if message.role == "assistant")
        return play(messages[0].content, said, seed)


def opening(text: str) -> re.Match[str] | None:
    """The numbers given, where ``text`` opens a game: ``Make 24 from 4 5 6 10.``"""
    return _OPENING.match(text)


def play(start: str, said: tuple[str, ...], seed: int) -> str:
    """The next line after ``said``: mostly a true one, at times a false step."""
    given, left, moves = _played(start, said)
    rng = Random(seed)
    move = legal_move(left, rng)
    if move is None:
        return answer_line(given, moves)
    line = step_line(left, move)
    return line if rng.random() < 0.9 else line.replace("left:", "left: 7")


@lru_cache(maxsize=4096)
def _played(start: str, said: tuple[str, ...]) -> tuple[Numbers, Numbers, tuple[Move, ...]]:
    """Numbers given, numbers left and the legal moves among the lines said."""
    game = opening(start)
    assert game is not None, start
    given = left = tuple(sorted(map(number, game["numbers"].split())))
    moves = []
    for line in said:
        try:
            move, left = read_step(line, left)
        except Illegal:
            continue
        moves.append(move)
    return given, left, tuple(moves)
