"""What a run may spend: caps on calls, tokens and dollars, per task and in all.

A cap on calls is never passed. What a call costs in tokens and dollars is known when it is
answered; until then it counts as the mean of those before it, so such a cap can be passed only
by what the calls in flight turn out to cost above that mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from armap.types import Record, Usage

if TYPE_CHECKING:
    from armap.errors import BudgetSpent

__all__ = ["Account", "Budget", "BudgetConfig", "Meter", "Prices"]


class Prices(Record):
    """Dollars per million tokens."""

    input: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    """For prompt tokens out of the server's prefix cache; as ``input`` when not given."""
    output: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)

    def dollars(self, usage: Usage) -> float:
        """The price of what was used.

        >>> prices = Prices(input=2.0, cached_input=0.5, output=8.0)
        >>> prices.dollars(Usage(prompt_tokens=1000, cached_tokens=600, completion_tokens=100))
        0.0019
        """
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, usage.prompt_tokens - usage.cached_tokens)
        total = fresh * self.input + usage.cached_tokens * cached
        return (total + usage.completion_tokens * self.output) / 1e6


class Budget(Record):
    """Caps; None is no cap."""

    calls: int | None = Field(default=None, gt=0)
    """Requests that were answered, one with ``n`` samples counted once."""
    tokens: int | None = Field(default=None, gt=0)
    """Prompt and completion tokens."""
    dollars: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """By ``llm.prices``."""

    @property
    def limited(self) -> bool:
        """Whether there is any cap."""
        return not (self.calls is None and self.tokens is None and self.dollars is None)

    def room(self, spent: Usage, typical: Usage) -> int | None:
        """How often ``typical`` still fits; None without caps.

        >>> Budget(calls=20).room(Usage(calls=5), Usage(calls=4))
        3
        """
        shares = [
            (cap - used) / each
            for cap, used, each in (
                (self.calls, spent.calls, typical.calls),
                (self.tokens, spent.tokens, typical.tokens),
                (self.dollars, spent.dollars, typical.dollars),
            )
            if cap is not None and each > 0
        ]
        return max(0, int(min(shares) + 1e-9)) if shares else None


class BudgetConfig(Record):
    """``budget:`` of a run. Raise a cap and run again to go on from where it stopped."""

    task: Budget = Budget()
    """For one task; planners see it and end with the best they have."""
    run: Budget = Budget()
    """For all tasks together."""


class Account:
    """Running sums of :class:`~armap.types.Usage`; cheap to add to."""

    __slots__ = ("cached", "calls", "completion", "dollars", "prompt")

    def __init__(self) -> None:
        self.calls = self.prompt = self.cached = self.completion = 0
        self.dollars = 0.0

    def add(self, usage: Usage) -> None:
        """Count what one call used."""
        self.calls += usage.calls
        self.prompt += usage.prompt_tokens
        self.cached += usage.cached_tokens
        self.completion += usage.completion_tokens
        self.dollars += usage.dollars

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion

    @property
    def usage(self) -> Usage:
        """The sums as a record."""
        return Usage(
            calls=self.calls,
            prompt_tokens=self.prompt,
            cached_tokens=self.cached,
            completion_tokens=self.completion,
            dollars=self.dollars,
        )


class Meter:
    """Holds one account against its caps, the calls in flight included.

    Args:
        cap: what it may use.
        account: what it has used, earlier sessions included; somebody else adds to it.
        error: raised when nothing is left.
        whose: for the message, e.g. ``"budget.task"``.
    """

    __slots__ = ("_account", "_cap", "_error", "_flying", "_whose")

    def __init__(self, cap: Budget, account: Account, error: type[BudgetSpent], whose: str) -> None:
        self._cap = cap
        self._account = account
        self._error = error
        self._whose = whose
        self._flying = 0

    def take_off(self) -> None:
        """A call wants to start.

        Raises:
            BudgetSpent: it would pass a cap; names it and how to go on.
        """
        cap, account = self._cap, self._account
        calls = self._flying + 1
        likely = 1 + calls / account.calls if account.calls else 1.0
        for what, limit, used in (
            ("calls", cap.calls, account.calls + calls),
            ("tokens", cap.tokens, account.tokens * likely),
            ("dollars", cap.dollars, account.dollars * likely),
        ):
            if limit is not None and used > limit * (1 + 1e-9):
                raise self._error(
                    f"{self._whose}.{what}: the cap of {limit:,} leaves no room for another call; "
                    "raise it and run again to go on"
                )
        self._flying += 1

    def land(self) -> None:
        """A call has ended, in whatever way."""
        self._flying -= 1
