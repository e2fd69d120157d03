"""The finding in a few words and numbers, read off the result table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armap.report.axes import per_cent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.evaluate import Row

__all__ = ["Headline", "above_oracle", "display_name", "dollars", "headline"]

_NAMES = {
    "greedy": "Greedy",
    "sampling": "Sampling (mean)",
    "reflexion": "ARMAP-R",
    "self_consistency": "Self-consistency",
    "best_of_n": "ARMAP-B",
    "beam": "Beam search",
    "mcts": "ARMAP-M",
    "oracle": "Oracle",
}
_SUBJECTS = ("best_of_n", "mcts", "reflexion")
"""Whom the headline is about: the first that was run."""
_BASELINES = ("greedy", "sampling")


@dataclass(frozen=True, slots=True)
class Headline:
    """What a reader should take away."""

    figures: tuple[tuple[str, str], ...]
    """Large numbers: value, and what it is."""
    sentence: str
    """The same in words, with what qualifies it."""


def display_name(planner: str) -> str:
    """The name of a planner in the paper's terms; a name we do not know stays as it is.

    >>> display_name("best_of_n"), display_name("mine")
    ('ARMAP-B', 'mine')
    """
    return _NAMES.get(planner, planner)


def dollars(amount: float) -> str:
    """An amount with as many decimals as matter.

    >>> dollars(0.0227), dollars(1234.5)
    ('0.0227', '1,234.50')
    """
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def headline(rows: Sequence[Row]) -> Headline | None:
    """Compare the leading planner with the plain agent and with perfect selection.

    None when no row belongs to a planner. The share of the oracle is given for Best-of-N only,
    and only against an oracle over as many candidates: it chooses among the same ones.
    """
    subject = _first(rows, _SUBJECTS) or max(
        (row for row in rows if row.planner != "oracle"), key=lambda row: row.success, default=None
    )
    if subject is None:
        return None
    name = display_name(subject.planner)
    figures = [(per_cent(subject.success), f"of {subject.tasks:,} tasks solved by {name}")]
    words = [f"{name} solves {per_cent(subject.success)} of {subject.tasks:,} tasks."]
    baseline = _first(rows, _BASELINES)
    if baseline is not None and baseline is not subject:
        figures.append(
            (_points(subject, baseline), f"points over {display_name(baseline.planner)}")
        )
        words.append(_comparison(subject, baseline))
    if subject.partial:
        words.append(_partial(subject, baseline))
    oracle = next((row for row in rows if row.planner == "oracle" and row.n == subject.n), None)
    if oracle is not None and oracle.success > 0 and subject.planner == "best_of_n":
        share = per_cent(subject.success / oracle.success)
        figures.append((share, "of what perfect selection would solve"))
        words.append(
            f"Choosing among the same {subject.n} candidates with the truth in hand would solve "
            f"{per_cent(oracle.success)}; the reward model reaches {share} of that."
        )
    return Headline(tuple(figures), " ".join(words))


def _partial(subject: Row, baseline: Row | None) -> str:
    """The mean scores, where what is achieved in part counts too."""
    told = f"What is achieved in part included, its mean score is {subject.score:.3f}"
    if baseline is None or baseline is subject or baseline.score is None:
        return f"{told}."
    return f"{told}, {display_name(baseline.planner)}'s {baseline.score:.3f}."


def above_oracle(rows: Sequence[Row]) -> tuple[str, ...]:
    """Display names of the planners that beat the oracle row, which needs a word of explanation."""
    bounds = [row.success for row in rows if row.planner == "oracle"]
    return tuple(
        display_name(row.planner)
        for row in rows
        if row.planner != "oracle" and bounds and row.success > max(bounds)
    )


def _first(rows: Sequence[Row], names: Sequence[str]) -> Row | None:
    """The row of the first name that has one, with the largest budget."""
    for name in names:
        found = [row for row in rows if row.planner == name]
        if found:
            return max(found, key=lambda row: row.n)
    return None


def _points(left: Row, right: Row) -> str:
    return f"{100 * (left.success - right.success):+.1f}".replace("-", "\N{MINUS SIGN}")


def _comparison(subject: Row, baseline: Row) -> str:
    gap = round(100 * (subject.success - baseline.success), 1)
    more = f"{abs(gap):.1f} points {'more' if gap > 0 else 'fewer'}" if gap else "just as many"
    name = display_name(baseline.planner)
    of = f" of {baseline.tasks:,}" if baseline.tasks != subject.tasks else ""
    overlap = max(subject.ci[0], baseline.ci[0]) <= min(subject.ci[1], baseline.ci[1])
    return (
        f"That is {more}{' than' if gap else ' as'} {name} ({per_cent(baseline.success)}{of}); "
        f"the two 95 % intervals {'overlap' if overlap else 'do not overlap'}."
    )
