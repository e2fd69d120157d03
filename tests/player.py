"""A chat model that plays the Game of 24 by the rules, at random: fast and deterministic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from armap.envs.game24.arithmetic import number
from armap.envs.game24.rules import Illegal, answer_line, read_step, step_line
from armap.seeding import derive
from armap.synthesize.slips import legal_move
from armap.types import Completions, Message, Sampling, Usage


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
        if self.fail_task and self.fail_task in messages[0].content:
            raise TimeoutError("no answer")
        texts = tuple(self.reply(messages, sampling, sampling.start + i) for i in range(sampling.n))
        usage = Usage(calls=1, prompt_tokens=len(messages), completion_tokens=sampling.n)
        return Completions(texts=texts, usage=usage)

    async def close(self) -> None:
        return

    def reply(self, messages: Sequence[Message], sampling: Sampling, index: int) -> str:
        greedy = sampling.temperature == 0
        seed = len(messages[0].content) if greedy else derive(sampling.seed, index)
        rng = Random(seed)
        listed = messages[0].content.splitlines()[0].split(" from ")[1].rstrip(".")
        given = tuple(sorted(map(number, listed.split())))
        left, moves = given, []
        for message in messages:
            if message.role == "assistant":
                try:
                    move, left = read_step(message.content, left)
                except Illegal:
                    continue
                moves.append(move)
        move = legal_move(left, rng)
        if move is None:
            return answer_line(given, tuple(moves))
        line = step_line(left, move)
        return line if rng.random() < 0.9 else line.replace("left:", "left: 7")
