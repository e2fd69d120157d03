"""Keys and values of prompts that have been read before.

Prompts are append-only along a trajectory, so nearly all of a turn's prompt was read a turn
ago. The store keeps the attention cache of finished rows and gives back the longest prefix.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

__all__ = ["Prefix", "PrefixStore"]


class Prefix(NamedTuple):
    """The cache of some tokens: ``[2 * layers, heads, L, size]``, keys and values in turn."""

    length: int
    tensors: torch.Tensor


class PrefixStore:
    """A bounded least-recently-used store of :class:`Prefix` by token ids.

    Args:
        capacity: bytes kept at most; 0 switches the store off.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self._lengths: Counter[int] = Counter()
        self._total = 0

    @property
    def enabled(self) -> bool:
        """Whether anything can be kept."""
        return self._capacity > 0

    def longest(self, prompt: tuple[int, ...]) -> Prefix | None:
        """The longest known prefix that leaves at least one token of ``prompt`` to read."""
        for length in sorted(self._lengths, reverse=True):
            if length < len(prompt) and (key := prompt[:length]) in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        return None

    def put(self, tokens: tuple[int, ...], tensors: torch.Tensor) -> None:
        """Remember the cache of ``tokens``, at the expense of the oldest."""
        if not self.enabled or tokens in self._entries:
            return
        self._entries[tokens] = Prefix(len(tokens), tensors)
        self._lengths[len(tokens)] += 1
        self._total += tensors.nbytes
        while self._total > self._capacity:
            oldest, prefix = self._entries.popitem(last=False)
            self._total -= prefix.tensors.nbytes
            self._lengths[len(oldest)] -= 1
            if self._lengths[len(oldest)] == 0:
                del self._lengths[len(oldest)]
