"""What is on disk is found again, whatever happened while it was written."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.calls.journal import Journal, read_calls
from armap.errors import DataError
from armap.types import Completions, Failure, Message, Sampling, TokenLogprob, Usage
from tests.unit.calls.fakes import COST, PROMPT, entry, no_file_above, reply_to, write

Reopen = Callable[[], Journal]
BUSY = Failure(kind="RateLimited", message="slow down")
LATE = Failure(kind="TimedOut", message="after 30 s")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


@pytest.fixture
def reopen(path: Path) -> Iterator[Reopen]:
    """Open the journal as another session would."""
    opened: list[Journal] = []

    def reopen() -> Journal:
        opened.append(Journal(path))
        return opened[-1]

    yield reopen
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(reopen: Reopen) -> Journal:
    return reopen()


def say(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


class TestFinding:
    def test_a_call_is_found_as_it_was_written(self, journal: Journal) -> None:
        request, call = write(journal, task="game24/test/4 4 6 6", retried=("TimedOut",))
        assert journal.answers(request) == [call]
        assert len(journal) == 1

    def test_and_after_the_file_was_opened_again(self, journal: Journal, reopen: Reopen) -> None:
        request, call = write(journal, task="game24/test/4 4 6 6", retried=("TimedOut",))
        journal.close()
        again = reopen()
        assert again.answers(request) == [call]
        assert again.paid.usage == COST
        assert again.retried == Counter(TimedOut=1)

    def test_what_was_never_asked_is_not_found(self, journal: Journal) -> None:
        write(journal)
        request, _ = entry(say("Left: 1 2 3 4"))
        assert journal.answers(request) == []
        assert journal.failure(request) is None

    def test_samples_of_one_row_are_found_together_in_their_order(
        self, journal: Journal, reopen: Reopen
    ) -> None:
        parts = [Sampling(start=start, n=n) for start, n in ((0, 2), (5, 1), (2, 3))]
        calls = [write(journal, sampling=sampling)[1] for sampling in parts]
        request, _ = entry()
        assert journal.answers(request) == calls
        assert len(journal) == 1
        assert reopen().answers(request) == calls

    def test_appending_goes_on_where_an_earlier_session_ended(self, reopen: Reopen) -> None:
        written = []
        for session in range(3):
            journal = reopen()
            written += [write(journal, say(f"{session} {turn}")) for turn in range(2)]
            journal.close()
        last = reopen()
        assert [last.answers(request) for request, _ in written] == [[call] for _, call in written]

    def test_a_message_is_kept_once_however_many_prompts_it_is_part_of(
        self, journal: Journal, path: Path, reopen: Reopen
    ) -> None:
        dialogue = [*PROMPT]
        for turn in range(5):
            write(journal, dialogue)
            dialogue += [Message(role="assistant", content=f"step {turn}"), PROMPT[1]]
        journal.close()
        again = reopen()
        write(again, dialogue)
        kinds = Counter(line[:14] for line in path.read_text().splitlines())
        assert kinds == {'{"kind":"turn"': 2 + 5, '{"kind":"call"': 6}
        assert [messages for _, messages in read_calls(path)][-1] == dialogue

    def test_closing_twice_is_fine(self, journal: Journal) -> None:
        journal.close()
        journal.close()


class TestFailures:
    def test_a_failure_is_found_until_the_request_is_answered(
        self, journal: Journal, reopen: Reopen
    ) -> None:
        request, _ = write(journal, failure=BUSY)
        for opened in (journal, reopen()):
            assert opened.failure(request) == BUSY
            assert opened.failed == Counter(RateLimited=1)
            assert opened.answers(request) == []
        _, call = write(journal)
        for opened in (journal, reopen()):
            assert opened.failure(request) is None
            assert opened.failed == Counter()
            assert opened.answers(request) == [call]

    def test_a_request_can_hold_some_samples_and_fail_for_others(
        self, journal: Journal, reopen: Reopen
    ) -> None:
        request, call = write(journal)
        write(journal, sampling=Sampling(start=1, n=3), failure=LATE)
        for opened in (journal, reopen()):
            assert opened.answers(request) == [call]
            assert opened.failure(request) == LATE
            assert opened.failed == Counter(TimedOut=1)

    def test_a_failure_stands_when_only_other_samples_were_answered(
        self, journal: Journal, reopen: Reopen
    ) -> None:
        request, _ = write(journal, sampling=Sampling(start=2, n=2), failure=LATE)
        for place in (0, 4):
            write(journal, sampling=Sampling(start=place, n=2))
        for opened in (journal, reopen()):
            assert opened.failure(request) == LATE
            assert opened.failed == Counter(TimedOut=1)
        write(journal, sampling=Sampling(start=3, n=1))
        for opened in (journal, reopen()):
            assert opened.failure(request) is None

    def test_the_last_failure_counts(self, journal: Journal, reopen: Reopen) -> None:
        request, _ = write(journal, failure=BUSY)
        write(journal, failure=LATE)
        assert reopen().failure(request) == LATE
        assert reopen().failed == Counter(TimedOut=1)


class TestSums:
    def test_what_was_paid_is_summed_up_in_all_and_by_task(
        self, journal: Journal, reopen: Reopen
    ) -> None:
        for number, task in enumerate(("a", "b", "a", "")):
            write(journal, say(str(number)), task=task, retried=("TimedOut",) * number)
        write(journal, say("failed"), task="a", failure=BUSY, retried=("RateLimited",))
        for opened in (journal, reopen()):
            assert opened.paid.usage == COST + COST + COST + COST
            sums = {task: account.usage for task, account in opened.paid_by_task.items()}
            assert sums == {"a": COST + COST, "b": COST, "": COST}
            assert opened.retried == Counter(TimedOut=6, RateLimited=1)


class TestContents:
    @pytest.mark.parametrize(
        "text",
        ["", "\n", "a\r\nb\u2028c\x00d", "Zahl: 24 ≠ 25 🂡", '{"kind":"turn","id":"', "x" * 9000],
    )
    def test_any_text_comes_back(
        self, journal: Journal, path: Path, text: str, reopen: Reopen
    ) -> None:
        reply = Completions(texts=(text, "second"), usage=COST, finish=("", "stop"))
        messages = [Message(role="system", content=text), *say(text)]
        request, call = write(journal, messages, Sampling(n=2, stop=(text,)), reply=reply)
        for opened in (journal, reopen()):
            assert opened.answers(request) == [call]
        assert list(read_calls(path)) == [(call, messages)]

    @pytest.mark.parametrize("size", [(1 << 13) - 300, 1 << 13, 1 << 14, 1 << 20])
    def test_long_lines_are_read_whole(self, journal: Journal, size: int, reopen: Reopen) -> None:
        write(journal, say("before"))
        reply = Completions(texts=("7" * size,), usage=COST)
        request, call = write(journal, reply=reply)
        write(journal, say("after"))
        assert journal.answers(request) == [call]
        assert reopen().answers(request) == [call]

    def test_images_come_back(
        self, journal: Journal, path: Path, tmp_path: Path, reopen: Reopen
    ) -> None:
        image = tmp_path / "board.png"
        image.write_bytes(b"\x89PNG")
        messages = [Message(role="user", content="?", images=(str(image), "data:image/png,x"))]
        request, call = write(journal, messages)
        assert reopen().answers(request) == [call]
        assert list(read_calls(path)) == [(call, messages)]

    def test_everything_a_call_can_hold_comes_back(self, journal: Journal, reopen: Reopen) -> None:
        token = TokenLogprob(token="B", logprob=-0.1, top=(("B", -0.1), ("A", -2.5)))
        sampling = Sampling(
            temperature=0.7, top_p=0.9, n=1, logprobs=2, json_schema={"type": "object"}, seed=2**62
        )
        reply = Completions(texts=("B",), usage=COST, finish=("length",), logprobs=((token,),))
        request, call = write(journal, sampling=sampling, reply=reply)
        assert reopen().answers(request) == [call]

    def test_a_log_probability_of_minus_infinity_comes_back(
        self, journal: Journal, reopen: Reopen
    ) -> None:
        never = TokenLogprob(token="B", logprob=-inf, top=(("A", 0.0), ("B", -inf)))
        reply = Completions(texts=("B",), usage=COST, logprobs=((never,),))
        request, call = write(journal, sampling=Sampling(logprobs=2), reply=reply)
        assert journal.answers(request) == [call]
        assert reopen().answers(request) == [call]

    def test_the_kinds_of_failed_tries_are_kept_beside_the_reply_not_in_it(
        self, journal: Journal
    ) -> None:
        reply = Completions(texts=("x",), usage=COST, retried=("TimedOut",))
        request, _ = write(journal, reply=reply, retried=reply.retried)
        (call,) = journal.answers(request)
        assert call.retried == ("TimedOut",)
        assert call.reply == reply.model_copy(update={"retried": ()})


class TestTornEnds:
    def test_wherever_the_file_ends_whole_calls_are_kept_and_the_rest_is_cut_off(
        self, journal: Journal, path: Path, reopen: Reopen
    ) -> None:
        first, kept = write(journal, say("first"))
        whole = path.stat().st_size
        second, torn = write(journal, PROMPT)  # two new messages and the call: three lines
        data = path.read_bytes()
        ends = list(accumulate(map(len, data.splitlines(keepends=True))))
        for cut in {*range(whole, len(data), 7), *ends[1:-1], *(end - 1 for end in ends[2:])}:
            path.write_bytes(data[:cut])
            opened = reopen()
            assert opened.answers(first) == [kept]
            assert opened.answers(second) == []
            assert path.stat().st_size == max(end for end in ends if end <= cut)
            opened.append(second, PROMPT, torn)
            opened.close()
            assert reopen().answers(second) == [torn]
            assert [messages for _, messages in read_calls(path)] == [say("first"), PROMPT]

    def test_it_is_said(
        self,
        journal: Journal,
        path: Path,
        caplog: pytest.LogCaptureFixture,
        reopen: Reopen,
    ) -> None:
        write(journal)
        with path.open("ab") as file:
            file.write(b'{"kind":"ca')
        reopen()
        assert caplog.messages == [f"{path}: dropped a torn last line (11 bytes)"]

    def test_a_reader_leaves_the_file_as_it_is(self, journal: Journal, path: Path) -> None:
        request, call = write(journal)
        with path.open("ab") as file:
            file.write(b"torn")
        path.chmod(0o400)
        before = path.read_bytes()
        reader = Journal(path, read_only=True)
        assert reader.answers(request) == [call]
        reader.close()
        assert path.read_bytes() == before
        assert [call for call, _ in read_calls(path)] == [call]

    def test_an_empty_file_is_an_empty_journal(self, path: Path, reopen: Reopen) -> None:
        path.touch()
        assert len(reopen()) == len(Journal(path, read_only=True)) == 0
        assert list(read_calls(path)) == []

    def test_a_reader_needs_a_file(self, path: Path) -> None:
        with pytest.raises(DataError, match=r"calls\.jsonl: no such file; this run kept no"):
            Journal(path, read_only=True)
        with pytest.raises(DataError, match=r"calls\.jsonl: no such file; this run kept no"):
            list(read_calls(path))
        assert not path.exists()


def next_file() -> int:
    """The number that the next file to be opened will get."""
    file = os.open(os.devnull, os.O_RDONLY)
    os.close(file)
    return file


DAMAGED = {
    "call cut short": (3, lambda line: line[:-20], "not a Call: line: Invalid JSON"),
    "call emptied": (3, lambda line: b"", "not a Call: line: Invalid JSON"),
    "call of zeros": (3, lambda line: bytes(len(line)), "not a Call: line: Invalid JSON"),
    "call without its kind": (3, lambda line: line.replace(b'"call"', b'"cell"', 1), "kind"),
    "key": (3, lambda line: line.replace(b'"key":"', b'"key":"xy', 1), "not a Call: key: "),
    "reply": (3, lambda line: line.replace(b'"texts":[', b'"texts":[7,', 1), "reply.texts.0"),
    "digest of a message": (1, lambda line: line[:24] + b"-" + line[25:], "not a Turn: id: "),
    "digest cut short": (1, lambda line: line[:30], "not a Turn: line: Invalid JSON"),
}


class TestDamage:
    @pytest.fixture(autouse=True)
    def _three_calls(self, journal: Journal) -> None:
        for number in range(3):
            write(journal, [PROMPT[0], *say(f"{number}")])  # two turns and a call at first

    def spoil(self, path: Path, number: int, change: Callable[[bytes], bytes]) -> None:
        lines = path.read_bytes().splitlines()
        lines[number - 1] = change(lines[number - 1])
        path.write_bytes(b"\n".join(lines) + b"\n")

    @pytest.mark.parametrize(("number", "change", "said"), DAMAGED.values(), ids=DAMAGED)
    def test_a_damaged_line_is_named(
        self, path: Path, number: int, change: Callable[[bytes], bytes], said: str
    ) -> None:
        self.spoil(path, number, change)
        message = rf"calls\.jsonl:{number}: .*{said}.*; mend or remove"
        before, free = path.read_bytes(), next_file()
        openings: list[Callable[[Path], object]] = [
            Journal,
            lambda path: Journal(path, read_only=True),
            lambda path: list(read_calls(path)),
        ]
        for opening in openings:
            with pytest.raises(DataError, match=message) as refused:
                opening(path)
            assert "\n" not in str(refused.value)
        assert path.read_bytes() == before
        assert next_file() == free, "nothing stays open"

    def test_a_damaged_message_stops_only_those_who_read_messages(
        self, path: Path, reopen: Reopen
    ) -> None:
        self.spoil(path, 1, lambda line: line.replace(b'"role":"system"', b'"role":"sister"'))
        request, call = entry([PROMPT[0], *say("1")])
        assert reopen().answers(request) == [call]
        with pytest.raises(DataError, match=r"calls\.jsonl:1: not a Turn: message\.role: "):
            list(read_calls(path))

    def test_a_message_that_is_gone_is_missed(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[1:]))
        digest = lines[0].split(b'"')[7].decode()
        with pytest.raises(DataError, match=rf"calls\.jsonl:2: .*no turn {digest!r}"):
            list(read_calls(path))

    def test_a_file_that_was_cut_while_it_was_open_is_noticed(
        self, journal: Journal, path: Path
    ) -> None:
        request, _ = entry([PROMPT[0], *say("2")])
        os.truncate(path, path.stat().st_size - 10)
        with pytest.raises(DataError, match=r"calls\.jsonl: .* ends in the middle of a call"):
            journal.answers(request)


class TestShortWrites:
    def test_what_the_kernel_takes_in_pieces_is_written_whole(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch, reopen: Reopen
    ) -> None:
        write_some = os.write
        monkeypatch.setattr(os, "write", lambda file, data: write_some(file, data[:7]))
        written = [write(journal, say(f"{number}" * 20)) for number in range(3)]
        for opened in (journal, reopen()):
            for request, call in written:
                assert opened.answers(request) == [call]

    def test_a_full_disk_costs_the_call_and_nothing_else(
        self, journal: Journal, path: Path, reopen: Reopen
    ) -> None:
        first = write(journal, say("first"))
        size = path.stat().st_size
        for room in (0, 20, 150, 450):  # in the first message, the second, the call
            with no_file_above(size + room), pytest.raises(OSError, match="too large"):
                write(journal, PROMPT)
            assert path.stat().st_size == size
        assert len(journal) == 1
        second, third = write(journal, PROMPT), write(journal, [PROMPT[0], *say("third")])
        for opened in (journal, reopen()):
            for request, call in (first, second, third):
                assert opened.answers(request) == [call]
            assert opened.paid.calls == 3
        assert [messages for _, messages in read_calls(path)][1] == PROMPT


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MESSAGES = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=TEXTS),
    min_size=1,
    max_size=3,
)
SAMPLINGS = st.builds(
    Sampling,
    n=st.integers(1, 3),
    start=st.integers(0, 3),
    seed=st.integers(0, 1),
    stop=st.lists(TEXTS, max_size=1).map(tuple),
)
OUTCOMES = st.none() | st.builds(Failure, kind=st.sampled_from(["TimedOut"]), message=TEXTS)
CALLS = st.tuples(MESSAGES, SAMPLINGS, OUTCOMES, st.sampled_from(["", "a", "b"]))


@settings(max_examples=20, deadline=None)
@given(st.lists(CALLS, max_size=8), st.integers(0, 8))
def test_any_calls_are_found_again_in_any_session(
    tmp_path_factory: pytest.TempPathFactory,
    calls: list[tuple[list[Message], Sampling, Failure | None, str]],
    restart: int,
) -> None:
    path = tmp_path_factory.mktemp("journal") / "calls.jsonl"
    journal = Journal(path)
    requests = set()
    for number, (messages, sampling, failure, task) in enumerate(calls):
        if number == restart:
            journal.close()
            journal = Journal(path)
        reply = None if failure else reply_to(messages, sampling, Usage(calls=1))
        requests.add(write(journal, messages, sampling, reply=reply, failure=failure, task=task)[0])
    again, reader = Journal(path), Journal(path, read_only=True)
    for opened in (again, reader):
        for request in requests:
            assert opened.answers(request) == journal.answers(request)
            assert opened.failure(request) == journal.failure(request)
        assert opened.paid.usage == journal.paid.usage
        assert opened.failed == journal.failed
        assert len(opened) == len(journal)
    assert [messages for _, messages in read_calls(path)] == [messages for messages, *_ in calls]
    for opened in (journal, again, reader):
        opened.close()
