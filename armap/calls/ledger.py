"""What a run's calls amount to, read off its journal."""

from __future__ import annotations

from collections import Counter
from statistics import quantiles
from typing import TYPE_CHECKING

from armap.calls.budget import Account
from armap.calls.journal import JOURNAL, read_calls
from armap.types import Record, Usage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Ledger", "read_ledger"]


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
    began: float
    """When the first call began, in seconds since 1970; 0 without calls."""
    ended: float
    """When the last one ended."""

    def lines(self) -> list[tuple[str, str]]:
        """Label and value, for a table."""
        paid = self.paid
        rows = [
            ("calls answered", f"{paid.calls:,} with {self.samples:,} replies"),
            ("prompt tokens", f"{paid.prompt_tokens:,}"),
            ("completion tokens", f"{paid.completion_tokens:,}"),
        ]
        if paid.cached_tokens:
            share = paid.cached_tokens / max(paid.prompt_tokens, paid.cached_tokens)
            rows.insert(2, ("of them cached", f"{paid.cached_tokens:,} ({share:.1%})"))
        if paid.dollars:
            rows.append(("dollars", f"{paid.dollars:,.4f}"))
        if self.latency is not None:
            median, tail = self.latency
            rows.append(("seconds per call", f"median {median:.3f}, 95 % below {tail:.3f}"))
        rows.append(("tries repeated", _listed(self.retried)))
        rows.append(("calls failed", _listed(self.failed)))
        return rows


def read_ledger(run: Path) -> Ledger:
    """Sum up the journal in the folder ``run``.

    Raises:
        DataError: there is none, or it is damaged.
    """
    account, retried = Account(), Counter[str]()
    failed: dict[str, tuple[str, range]] = {}
    seconds: list[float] = []
    samples, began, ended = 0, float("inf"), 0.0
    for call, _ in read_calls(run / JOURNAL):
        retried.update(call.retried)
        began, ended = min(began, call.at - call.seconds), max(ended, call.at)
        if call.reply is not None:
            account.add(call.reply.usage)
            samples += len(call.reply.texts)
            seconds.append(call.seconds)
            _, places = failed.get(call.key, ("", ()))
            if any(drawn in places for drawn in call.sampling.ordinals):
                del failed[call.key]
        elif call.failure is not None:
            failed[call.key] = (call.failure.kind, call.sampling.ordinals)
    cuts = quantiles(seconds, n=20, method="inclusive") if len(seconds) > 1 else None
    return Ledger(
        paid=account.usage,
        samples=samples,
        retried=dict(retried.most_common()),
        failed=dict(Counter(kind for kind, _ in failed.values()).most_common()),
        latency=(cuts[9], cuts[18]) if cuts else None,
        began=began if ended else 0.0,
        ended=ended,
    )


def _listed(kinds: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds.items()) or "none"
