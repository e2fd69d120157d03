"""Every call of a run, on disk before its reply is used: cache, resume, replay and ledger.

``calls.jsonl`` holds two kinds of lines. A ``turn`` line keeps one chat message under its
digest, once, however many prompts it is part of: prompts grow along a trajectory, the journal
does not grow with their square. A ``call`` line keeps one request (digests of its messages,
sampling, task, session) with its reply or its failure, what it cost and how long it took.

Calls are found by the digest of the request and the ordinal of the sample. In memory there is
one small entry a call; replies stay on disk.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic_core import to_json

from armap.calls.budget import Account
from armap.calls.request import DIGEST
from armap.errors import DataError
from armap.storage import parse_line
from armap.types import Completions, Failure, Message, Record, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from armap.calls.request import Request

__all__ = ["JOURNAL", "Call", "Journal", "read_calls"]

JOURNAL = "calls.jsonl"
"""Its name in a run folder."""

_log = logging.getLogger(__name__)
_TURN = b'{"kind":"turn","id":"'
_FAILURE = b'"failure":{'
"""In a text, the quotation marks would stand behind backslashes."""
_CHUNK = 1 << 13
_Digest = Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * DIGEST}}}$")]


class Turn(Record):
    """One chat message, kept once."""

    kind: Literal["turn"]
    id: _Digest
    message: Message


class Call(Record):
    """One request and what became of it."""

    kind: Literal["call"]
    key: _Digest
    """Digest of the request, ``n`` and ``start`` left out."""
    model: str
    messages: tuple[str, ...]
    """Digests of the chat turns; :func:`read_calls` gives the turns themselves."""
    sampling: Sampling
    task: str = ""
    session: str = ""
    reply: Completions | None = None
    failure: Failure | None = None
    retried: tuple[str, ...] = ()
    """Kinds of the failed tries before this result."""
    seconds: float = 0.0
    """From the call to its result, waiting for a free slot included."""
    at: float = 0.0
    """When it ended, in seconds since 1970."""


_DUMP = Call.__pydantic_serializer__.to_json


class Journal:
    """An open journal. One process writes to it: the run folder's lock sees to that.

    Args:
        path: the file.
        read_only: for replays and reports; the file must exist and is left as it is.

    Attributes:
        paid: what all answered calls cost, earlier sessions included.
        paid_by_task: the same for each task.
        retried: failed tries that were followed by another one, by kind.

    Raises:
        DataError: the file is missing (when ``read_only``), or a line in it is damaged.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.paid = Account()
        self.paid_by_task: defaultdict[str, Account] = defaultdict(Account)
        self.retried: Counter[str] = Counter()
        self._places: dict[bytes, int | tuple[int, ...]] = {}
        self._failures: dict[bytes, tuple[str, int, range]] = {}
        self._turns: set[bytes] = set()
        self._end = 0
        if read_only and not path.is_file():
            raise DataError(f"{path}: no such file; this run kept no journal of its calls")
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._file: int | None = os.open(path, flags, 0o644)
        try:
            self._read_all(mend=not read_only)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Requests that were answered."""
        return len(self._places)

    @property
    def failed(self) -> Counter[str]:
        """Requests whose last word was a failure, by kind."""
        return Counter(kind for kind, _, _ in self._failures.values())

    def answers(self, request: Request) -> list[Call]:
        """The calls that answered ``request``, with whichever samples each of them drew."""
        places = self._places.get(request.key)
        return [] if places is None else [self._read(place) for place in _tuple(places)]

    def failure(self, request: Request) -> Failure | None:
        """How ``request`` failed, unless some of the same samples were drawn later."""
        found = self._failures.get(request.key)
        return None if found is None else self._read(found[1]).failure

    def append(self, request: Request, messages: Sequence[Message], call: Call) -> None:
        """Hand a call to the kernel, with those of its messages that are new.

        Raises:
            OSError: the disk is full or gone; the journal is as it was before.
        """
        fresh: dict[bytes, bytes] = {}
        for turn, message in zip(request.turns, messages, strict=True):
            if turn not in self._turns:
                line = to_json({"kind": "turn", "id": turn.hex(), "message": message})
                fresh[turn] = line + b"\n"
        turns = b"".join(fresh.values())
        place = self._end + len(turns)
        self._write(turns + _DUMP(call, exclude_defaults=True) + b"\n")
        self._turns.update(fresh)
        self._note(request.key, call, place)

    def close(self) -> None:
        """Flush to the device and close. Idempotent."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _write(self, data: bytes) -> None:
        """Write all of ``data`` or nothing."""
        assert self._file is not None
        end = self._end + len(data)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.truncate(self._file, self._end)
            raise
        self._end = end

    def _note(self, key: bytes, call: Call, place: int) -> None:
        if call.retried:
            self.retried.update(call.retried)
        if call.reply is not None:
            before = self._places.get(key)
            self._places[key] = place if before is None else (*_tuple(before), place)
            failed = self._failures.get(key) if self._failures else None
            if failed is not None and any(drawn in failed[2] for drawn in call.sampling.ordinals):
                del self._failures[key]
            self.paid.add(call.reply.usage)
            self.paid_by_task[call.task].add(call.reply.usage)
        elif call.failure is not None:
            self._failures[key] = (call.failure.kind, place, call.sampling.ordinals)

    def _read(self, place: int) -> Call:
        assert self._file is not None
        line, size = os.pread(self._file, _CHUNK, place), _CHUNK
        while (end := line.find(b"\n")) < 0:
            size *= 2
            longer = os.pread(self._file, size, place)
            if len(longer) == len(line):
                raise DataError(f"{self.path}: changed by somebody; ends in the middle of a call")
            line = longer
        return Call.model_validate_json(line[:end])

    def _read_all(self, *, mend: bool) -> None:
        for number, place, line in _lines(self.path):
            if line.startswith(_TURN):
                self._turns.add(_digest(self.path, number, line))
            else:
                call = parse_line(self.path, number, line, Call)
                self._note(bytes.fromhex(call.key), call, place)
            self._end = place + len(line)
        torn = self.path.stat().st_size - self._end
        if torn:
            _log.warning("%s: dropped a torn last line (%d bytes)", self.path, torn)
        if torn and mend:
            assert self._file is not None
            os.truncate(self._file, self._end)


def any_failure(path: Path) -> bool:
    """Whether a journal holds a failure at all; looks for the word and reads nothing.

    Raises:
        DataError: there is no journal.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; this run kept no journal of its calls")
    return any(_FAILURE in line for _, _, line in _lines(path))


def read_calls(path: Path) -> Iterator[tuple[Call, list[Message]]]:
    """Yield every call of a journal with its whole prompt, in the order in which they ended.

    Raises:
        DataError: the file is missing or damaged.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; this run kept no journal of its calls")
    turns: dict[str, Message] = {}
    for number, _, line in _lines(path):
        if line.startswith(_TURN):
            turn = parse_line(path, number, line, Turn)
            turns[turn.id] = turn.message
        else:
            call = parse_line(path, number, line, Call)
            for digest in call.messages:
                if digest not in turns:
                    raise DataError(f"{path}:{number}: there is no turn {digest!r} before it")
            yield call, [turns[digest] for digest in call.messages]


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and content of every whole line."""
    place = 0
    with path.open("rb", buffering=1 << 20) as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            yield number, place, line
            place += len(line)


def _tuple(places: int | tuple[int, ...]) -> tuple[int, ...]:
    return (places,) if isinstance(places, int) else places


def _digest(path: Path, number: int, line: bytes) -> bytes:
    """The digest in a turn's line; the message is not looked at."""
    start, end = len(_TURN), len(_TURN) + 2 * DIGEST
    try:
        if line.startswith(b'",', end):
            return bytes.fromhex(line[start:end].decode())
    except ValueError:
        pass
    return bytes.fromhex(parse_line(path, number, line, Turn).id)
