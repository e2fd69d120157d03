"""What a run's calls amount to, read off its journal."""

from __future__ import annotations

from contextlib import closing
from statistics import quantiles
from typing import TYPE_CHECKING

from armap.calls.journal import JOURNAL, Journal, any_failure, read_calls
from armap.types import Record, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Ledger", "counted", "failed_calls", "read_ledger"]

_PAUSE = 60.0
"""Seconds without any call that part two stretches of a run."""


class Ledger(Record):
    """The sums of one journal, all sessions together."""

    paid: Usage
    """What the answered calls cost."""
    samples: int
    """Replies in them: more than calls where one call drew several."""
    retried: dict[str, int]
    """Failed tries that were followed by another one, by kind, most frequent first."""
    failed: dict[str, int]
    """Requests that stayed without an answer, by kind, most frequent first."""
    latency: tuple[float, float] | None
    """Median and 95th percentile of the seconds from call to reply, waiting for a slot
    included; None below two calls."""
    stretches: tuple[tuple[float, float], ...]
    """Begin and end, in seconds since 1970, of the times in which calls were made. A pause of
    more than a minute parts two: a run that was stopped and continued later has several."""

    @property
    def seconds(self) -> float:
        """The length of all stretches together."""
        return sum(end - begin for begin, end in self.stretches)

    @property
    def rate(self) -> float | None:
        """Calls answered per second, pauses left out; None where there is no time to divide by."""
        return self.paid.calls / self.seconds if self.seconds > 0 else None

    def elapsed(self, at: float) -> float:
        """Seconds of the run's stretches before ``at``, in seconds since 1970."""
        return sum(max(0.0, min(at, end) - begin) for begin, end in self.stretches)

    def lines(self) -> list[tuple[str, str]]:
        """Label and value, for a table."""
        paid = self.paid
        rows = [
            ("calls answered", f"{paid.calls:,} with {self.samples:,} replies"),
            ("prompt tokens", f"{paid.prompt_tokens:,}"),
            ("completion tokens", f"{paid.completion_tokens:,}"),
        ]
        if paid.cached_tokens:
            cached = f"{paid.cached_tokens:,} ({paid.cached_share:.1%})"
            rows.insert(2, ("of them cached", cached))
        if paid.dollars:
            rows.append(("dollars", f"{paid.dollars:,.4f}"))
        if self.latency is not None:
            median, tail = self.latency
            rows.append(("seconds per call", f"median {median:.3f}, 95 % below {tail:.3f}"))
        if self.rate is not None:
            rows.append(("calls per second", f"{self.rate:,.1f}"))
        rows.append(("tries repeated", counted(self.retried) or "none"))
        rows.append(("calls failed", counted(self.failed) or "none"))
        return rows


def read_ledger(run: Path) -> Ledger:
    """Sum up the journal in the folder ``run``.

    Raises:
        DataError: there is none, or it is damaged.
    """
    seconds: list[float] = []
    stretches: list[tuple[float, float]] = []
    samples = 0
    for call, _ in read_calls(run / JOURNAL):
        _stretch(stretches, call.at - call.seconds, call.at)
        if call.reply is not None:
            samples += len(call.reply.texts)
            seconds.append(call.seconds)
    cuts = quantiles(seconds, n=20, method="inclusive") if len(seconds) > 1 else None
    with closing(Journal(run / JOURNAL, read_only=True)) as journal:
        return Ledger(
            paid=journal.paid.usage,
            samples=samples,
            retried=dict(journal.retried.most_common()),
            failed=dict(journal.failed.most_common()),
            latency=(cuts[9], cuts[18]) if cuts else None,
            stretches=tuple(stretches),
        )


def failed_calls(run: Path) -> dict[str, int]:
    """``Ledger.failed`` of the run in the folder ``run``, without the rest.

    Raises:
        DataError: there is no journal, or it is damaged.
    """
    if not any_failure(run / JOURNAL):  # most often
        return {}
    with closing(Journal(run / JOURNAL, read_only=True)) as journal:
        return dict(journal.failed.most_common())


def _stretch(stretches: list[tuple[float, float]], begin: float, end: float) -> None:
    """Add a call to stretches that are in order; calls come in the order in which they end."""
    while stretches and begin <= stretches[-1][1] + _PAUSE:
        before = stretches.pop()
        begin, end = min(begin, before[0]), max(end, before[1])
    stretches.append((begin, end))


def counted(kinds: Mapping[str, int]) -> str:
    """Kinds with their numbers.

    >>> counted({"TimedOut": 1200, "ServerFailed": 1})
    'TimedOut 1,200, ServerFailed 1'
    """
    return ", ".join(f"{kind} {number:,}" for kind, number in kinds.items())
