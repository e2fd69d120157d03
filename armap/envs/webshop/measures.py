"""What a shopping trip itself shows besides its length.

The price is read from the last item page before the purchase, as the agent saw it. In
``faithful`` a product with a price range shows only the range, while the reward uses a hidden
draw from it: then the middle of the range counts. In ``strict`` the page shows the price.
"""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING

from armap.measures import Measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armap.types import Trajectory

__all__ = ["MEASURES"]

_BOUGHT = re.compile(r"(?:<body>\n<h2>)?Thank you for shopping with us!")
_PRICE = re.compile(
    r"(?:\n|\[SEP\] |<p>)Price: \$([\d.e+]+)(?: to \$([\d.e+]+))?(?=\n| \[SEP\]|</p>)"
)


def _price(trajectory: Trajectory) -> float:
    if not (trajectory.steps and _BOUGHT.match(trajectory.final.text)):
        return 0.0
    shown = _PRICE.findall(trajectory.steps[-1].observation.text)
    return fmean(float(price) for price in shown[-1] if price) if shown else 0.0


def _idle(trajectory: Trajectory) -> float:
    seen = [*(step.observation.text for step in trajectory.steps), trajectory.final.text]
    return sum(before == after for before, after in pairwise(seen))


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "price": Measure("dollars", "price of the purchase; 0 when nothing was bought", _price),
        "idle": Measure("actions", "actions after which the page was the same", _idle),
    }
)
"""WebShop's own measures; the number of actions is ``steps``."""
