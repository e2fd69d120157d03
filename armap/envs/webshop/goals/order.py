"""What the index of a goal means."""

from __future__ import annotations

import logging
import re
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.envs.webshop.goals.goal import Goal

__all__ = ["FEW", "FULL", "check_human", "digest", "in_index_order"]

_SHUFFLE = 233
"""The seed with which the original, and everybody who quotes an index, shuffles."""

FULL = 12_087
"""Human goals of the full catalogue."""
_FULL_ORDER = "21134014cd3a1f79975f970d244b7ad7428d5c39048d290f9fb671fe1bd53017"
"""SHA-256 of their instructions in index order, letters and digits alone."""

FEW = 500
"""The paper's test split: with fewer human goals no published protocol can be run."""

_BOUND = re.compile(r", and price lower than [\d.]+ dollars$")
_SIGNS = re.compile(r"[^a-z0-9]")
_log = logging.getLogger(__name__)


def in_index_order(goals: Sequence[Goal]) -> list[Goal]:
    """The goals in the order that indices refer to."""
    shuffled = list(goals)
    Random(_SHUFFLE).shuffle(shuffled)
    return shuffled


def digest(goals: Sequence[Goal]) -> str:
    """SHA-256 of every field of every goal, in order."""
    found = sha256()
    for goal in goals:
        found.update(repr(goal).encode())
    return found.hexdigest()


def check_human(goals: Sequence[Goal], asked: int) -> None:
    """Warn when indices do not mean what published protocols mean by them.

    Args:
        goals: in index order.
        asked: for how many products there are human instructions.
    """
    if len(goals) < FEW:
        _log.warning(
            "webshop: only %s human goals, for %s of the %s products that people asked for: the "
            "others are missing from this catalogue; published numbers use the first 500 of the "
            "full catalogue's 12,087 and cannot be compared",
            f"{len(goals):,}", f"{len({goal.asin for goal in goals}):,}", f"{asked:,}",
        )  # fmt: skip
    elif len(goals) != FULL:
        _log.warning(
            "webshop: %s human goals, not 12,087: indices mean other goals than in published "
            "protocols",
            f"{len(goals):,}",
        )
    elif order_digest(goals) != _FULL_ORDER:
        _log.warning(
            "webshop: 12,087 human goals, but not in the published order: is items_shuffle.json "
            "the original's?"
        )


def order_digest(goals: Sequence[Goal]) -> str:
    """SHA-256 of the instructions without price bounds and punctuation, in order."""
    texts = (_SIGNS.sub("", _BOUND.sub("", goal.instruction).lower()) for goal in goals)
    return sha256("\n".join(texts).encode()).hexdigest()
