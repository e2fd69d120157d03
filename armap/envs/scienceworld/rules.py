"""The protocols as data, and what they make of an episode: when it ends, what it is worth.

The simulator itself ends nothing: it goes on after a wrong ``focus`` (score -1) and after the
task is done. Pure arithmetic over its replies; no JVM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from armap.envs.scienceworld.simulator import Reply

__all__ = ["AMBIGUOUS", "PROTOCOLS", "UNKNOWN", "UNREADABLE", "Episode", "Protocol", "Rules"]

Protocol = Literal["armap", "eto", "native"]

UNKNOWN = "No known action matches that input."
"""The simulator's answer to what it does not understand; costs no time."""
AMBIGUOUS = "Ambiguous request"
"""How the simulator begins when it asks which of several was meant, by number."""
UNREADABLE = "Your reply holds no action. End it with one line of the form: Action: look around"
"""Our answer to an empty action, which stands for a reply without any."""


class Rules(NamedTuple):
    """One protocol."""

    eto: bool
    """Whether ETO's lists of tasks and its caps on turns hold; else the simulator's own splits."""
    ticks: int
    """The episode ends when the simulator's clock is past this."""
    unreadable_ends: bool
    """An action that cannot be read ends the episode; else it costs a turn."""
    unreadable_zeroes: bool
    """... and sets what was reached so far to 0, until the next action that can be read."""
    unknown_ends: bool
    """An action that the simulator does not know ends the episode."""
    repeats: int | None
    """So many equal observations in a row end the episode."""


PROTOCOLS: dict[Protocol, Rules] = {
    "armap": Rules(
        eto=True,
        ticks=200,
        unreadable_ends=True,
        unreadable_zeroes=False,
        unknown_ends=True,
        repeats=4,
    ),
    "eto": Rules(
        eto=True,
        ticks=200,
        unreadable_ends=False,
        unreadable_zeroes=True,
        unknown_ends=False,
        repeats=None,
    ),
    "native": Rules(
        eto=False,
        ticks=100,
        unreadable_ends=False,
        unreadable_zeroes=False,
        unknown_ends=False,
        repeats=None,
    ),
}
"""``armap``: ARMAP's evaluation. ``eto``: ETO's. ``native``: the simulator's official wrapper."""


@dataclass(slots=True)
class Episode:
    """What a protocol keeps about one episode."""

    rules: Rules
    turns: int | None
    """Cap on the agent's turns; None for none."""
    ticks: int
    taken: int = 0
    """Turns so far."""
    raw: float = 0.0
    """The simulator's score now, in [-1, 1]."""
    best: float = 0.0
    """What the protocol counts: the running maximum of the score, in [0, 1]."""
    over: bool = False
    _last: str = ""
    _equal: int = 0

    def read(self, reply: Reply) -> None:
        """Take note of the simulator's answer to an action."""
        self.taken += 1
        self.raw = reply.score
        self.best = max(self.best, min(reply.score, 1.0))
        self._equal = self._equal + 1 if self._equal and reply.text == self._last else 1
        self._last = reply.text
        self.over = (
            reply.completed
            or reply.score < 0
            or reply.moves > self.ticks
            or self._spent
            or (self.rules.unknown_ends and reply.text == UNKNOWN)
            or self._equal == self.rules.repeats
        )

    def unreadable(self) -> None:
        """Take note of an action that could not be read; the simulator was not asked."""
        self.taken += 1
        self._equal = 0
        if self.rules.unreadable_zeroes:
            self.best = 0.0
        self.over = self._spent or self.rules.unreadable_ends

    @property
    def _spent(self) -> bool:
        return self.turns is not None and self.taken >= self.turns
