"""A model whose samples are known beforehand, and entries for journals."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from armap.calls.journal import Call, Journal
from armap.calls.request import Request
from armap.types import Completions, Failure, Message, Sampling, Usage

PROMPT = [
    Message(role="system", content="You play the Game of 24."),
    Message(role="user", content="Left: 4 4 6 6"),
]
GREEDY = Sampling()
COST = Usage(calls=1, prompt_tokens=100, cached_tokens=40, completion_tokens=10, dollars=0.25)


def text_at(messages: Sequence[Message], sampling: Sampling, ordinal: int) -> str:
    """The sample at one place of the row that a request defines."""
    return f"{messages[-1].content} | {sampling.seed} | {ordinal}"


def reply_to(messages: Sequence[Message], sampling: Sampling, usage: Usage = COST) -> Completions:
    ordinals = range(sampling.start, sampling.start + sampling.n)
    return Completions(
        texts=tuple(text_at(messages, sampling, ordinal) for ordinal in ordinals),
        usage=usage,
        finish=("stop",) * sampling.n,
    )


def entry(
    messages: Sequence[Message] = PROMPT,
    sampling: Sampling = GREEDY,
    *,
    reply: Completions | None = None,
    failure: Failure | None = None,
    task: str = "",
    retried: tuple[str, ...] = (),
) -> tuple[Request, Call]:
    """A request and its line in a journal; answered as :func:`reply_to` says unless it failed."""
    request = Request.of("row", messages, sampling)
    if reply is None and failure is None:
        reply = reply_to(messages, sampling)
    call = Call(
        kind="call",
        key=request.key.hex(),
        model="row",
        messages=tuple(turn.hex() for turn in request.turns),
        sampling=sampling,
        task=task,
        reply=reply,
        failure=failure,
        retried=retried,
        seconds=0.5,
        at=1000.0,
    )
    return request, call


def write(
    journal: Journal,
    messages: Sequence[Message] = PROMPT,
    sampling: Sampling = GREEDY,
    *,
    reply: Completions | None = None,
    failure: Failure | None = None,
    task: str = "",
    retried: tuple[str, ...] = (),
) -> tuple[Request, Call]:
    """Append an entry."""
    request, call = entry(
        messages, sampling, reply=reply, failure=failure, task=task, retried=retried
    )
    journal.append(request, messages, call)
    return request, call


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let the kernel write up to that size and refuse the rest, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Row:
    """Answers with the row's samples, notes what it was asked, and fails as told.

    Args:
        errors: what to raise in the first calls; None to answer.
        max_n: samples it takes in one request.
        usage: what a call costs.
    """

    name = "row"

    def __init__(
        self,
        errors: Sequence[BaseException | None] = (),
        *,
        max_n: int | None = None,
        usage: Usage = COST,
    ) -> None:
        self.max_n = max_n
        self.asked: list[Sampling] = []
        self.most = self.now = self.closed = 0
        self.hold = asyncio.Event()
        """Calls wait for it."""
        self.hold.set()
        self._errors = list(errors)
        self._usage = usage

    @property
    def places(self) -> list[tuple[int, int]]:
        """First ordinal and number of what was asked for, in order."""
        return [(sampling.start, sampling.n) for sampling in self.asked]

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        self.asked.append(sampling)
        error = self._errors.pop(0) if self._errors else None
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            await self.hold.wait()
        finally:
            self.now -= 1
        if error is not None:
            raise error
        return reply_to(messages, sampling, self._usage)

    async def close(self) -> None:
        self.closed += 1
