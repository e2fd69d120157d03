"""The arithmetic of axes: where ticks go, how they are written, where a value lands.

Lengths are in the units of the drawing's ``viewBox``; nothing here draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isclose, log, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "CHARACTER",
    "MINUS",
    "Axis",
    "amount",
    "axis_around",
    "axis_within",
    "labels",
    "per_cent",
    "ticks",
    "widen",
]

CHARACTER = 7.5
"""Width to reserve for one character: an estimate, as nothing here can measure text."""

_TINY = 1e-12
_SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


def per_cent(share: float, digits: int = 1) -> str:
    """Write a share in [0, 1] as per cent, with a no-break space.

    >>> per_cent(0.305).replace(chr(160), " ")
    '30.5 %'
    """
    return f"{100 * share:.{digits}f}{_SPACE}%"


def amount(value: float) -> str:
    """Write a number with as many decimals as show three digits, two at most.

    >>> amount(4.25), amount(387.4), amount(12345.6)
    ('4.25', '387', '12,346')
    """
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}".replace("-", MINUS)


def widen(low: float, high: float) -> tuple[float, float]:
    """Return a range that has a length, the same one where it already has.

    >>> widen(1.0, 3.0), widen(0.0, 0.0)
    ((1.0, 3.0), (-0.5, 0.5))
    """
    if high - low > max(1e-9 * max(abs(low), abs(high)), _TINY):
        return low, high
    half = 0.1 * abs(low) if abs(low) > 1000 * _TINY else 0.5
    return low - half, high + half


def ticks(low: float, high: float, *, count: int = 5, smallest: float = 0.0) -> tuple[float, ...]:
    """Round, evenly spaced numbers, increasing, the first and last of which enclose the range.

    Args:
        low: smallest value.
        high: greatest value, not below ``low``.
        count: intervals at most, one or two more where the ends are not round.
        smallest: lower bound of the distance between two ticks.

    >>> ticks(0.0, 0.83)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    low, high = widen(low, high)
    rough = max((high - low) / count, smallest)
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * m for m in (1.0, 2.0, 2.5, 5.0, 10.0) if unit * m >= rough * (1 - 1e-9))
    if smallest >= 1.0:
        step = float(ceil(step))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return tuple(float(f"{index * step:.12g}") for index in range(first, max(last, first + 1) + 1))


def labels(values: Sequence[float], *, as_percent: bool = False) -> tuple[str, ...]:
    """Write ticks with as few decimals as tell them apart: ``[len(values)]``.

    >>> labels((0.0, 2.5, 5.0)), labels((0.0, 20000.0))
    (('0.0', '2.5', '5.0'), ('0', '20,000'))
    """
    scaled = [100 * value if as_percent else value for value in values]
    unit = f"{_SPACE}%" if as_percent else ""
    if scaled and max(map(abs, scaled)) < 1e9:
        for digits in range(5):
            if all(isclose(round(v, digits), v, rel_tol=1e-9, abs_tol=1e-9) for v in scaled):
                return tuple(f"{v:,.{digits}f}{unit}".replace("-", MINUS) for v in scaled)
    return tuple(f"{v:.3g}{unit}".replace("-", MINUS) for v in scaled)


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values laid along a range of lengths."""

    low: float
    high: float
    start: float
    """Where ``low`` lands."""
    end: float
    """Where ``high`` lands; above ``start`` in a drawing means a smaller number."""
    ticks: tuple[float, ...]
    as_percent: bool = False
    log: bool = False

    def place(self, value: float) -> float:
        """Where ``value`` lands."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = log(low), log(high), log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def marks(self) -> Iterator[tuple[float, str]]:
        """Place and label of every tick."""
        yield from zip(
            map(self.place, self.ticks),
            labels(self.ticks, as_percent=self.as_percent),
            strict=True,
        )


def axis_around(
    values: Iterable[float], *, start: float, end: float, as_percent: bool = False
) -> Axis:
    """An axis that begins and ends on a tick and holds all values.

    An axis in per cent begins at 0, so that heights can be compared, unless a value is negative.
    """
    held = (*values, 0.0) if as_percent else tuple(values)
    marks = ticks(min(held), max(held))
    return Axis(marks[0], marks[-1], start, end, marks, as_percent=as_percent)


def axis_within(values: Iterable[float], *, start: float, end: float, log: bool = False) -> Axis:
    """An axis exactly as long as the values need, with as many round ticks as have room.

    Raises:
        ValueError: ``log`` and a value that is not above 0.
    """
    held = tuple(values)
    if log and min(held) <= 0:
        raise ValueError(f"a logarithmic axis cannot show {min(held)!r}; show it without log_x")
    low, high = (_widen_log if log else widen)(min(held), max(held))
    smallest = 1.0 if all(float(value).is_integer() for value in held) else 0.0
    wanted = [_decades(low, high, (1, 2, 5)), _decades(low, high, (1,))] if log else []
    wanted += [ticks(low, high, count=count, smallest=smallest) for count in (10, 6, 4, 2, 1)]
    axis = Axis(low, high, start, end, (), log=log)
    slack = 1e-9 * (low if log else high - low)
    for marks in wanted:
        inside = tuple(value for value in marks if low - slack <= value <= high + slack)
        axis = Axis(low, high, start, end, inside, log=log)
        if _room(axis) and len(inside) >= (2 if log and high > 2 * low else 1):
            break
    return axis


def _widen_log(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low * (1 + 1e-9) else (0.9 * low, 1.1 * high)


def _decades(low: float, high: float, factors: tuple[int, ...]) -> tuple[float, ...]:
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    return tuple(factor * 10.0**power for power in powers for factor in factors)


def _room(axis: Axis) -> bool:
    """Whether no label touches the next one."""
    edges = [(x - len(s) * CHARACTER / 2, x + len(s) * CHARACTER / 2) for x, s in axis.marks()]
    return all(left[1] + CHARACTER <= right[0] for left, right in pairwise(edges))
