"""An attention cache with room to grow.

The library's dynamic cache copies everything it holds for every new token. This one writes new
tokens into spare room behind the old ones and hands out views; it copies only when the room is
used up, or when rows are picked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["make_cache"]

_ROOM = 64
"""Tokens of spare room at each allocation."""


def make_cache(model: PreTrainedModel) -> Any:
    """An empty cache for ``model``; layers that attend to everything get room to grow."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache(config=model.config)
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[index] = _layer_type()()
    return cache


@lru_cache(maxsize=1)
def _layer_type() -> Any:
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # untyped library
        """``keys`` and ``values`` are views of larger buffers, except after rows were picked."""

        keys: torch.Tensor
        values: torch.Tensor
        _buffers: tuple[torch.Tensor, torch.Tensor] | None = None

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """Append ``[N, heads, new, size]``; return all keys and values so far."""
            old = self.get_seq_length()
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            new = old + key_states.shape[-2]
            if not self._fits(new):
                self._buffers = (
                    _moved(self.keys, key_states, old, new + _ROOM),
                    _moved(self.values, value_states, old, new + _ROOM),
                )
            assert self._buffers is not None
            keys, values = self._buffers
            keys[..., old:new, :] = key_states
            values[..., old:new, :] = value_states
            self.keys, self.values = keys[..., :new, :], values[..., :new, :]
            return self.keys, self.values

        def _fits(self, new: int) -> bool:
            """Whether the buffers are those that ``keys`` views, and have room."""
            if self._buffers is None:
                return False
            same: bool = self._buffers[0].data_ptr() == self.keys.data_ptr()
            return same and self._buffers[0].shape[-2] >= new

    return RoomyLayer


def _moved(held: torch.Tensor, like: torch.Tensor, length: int, room: int) -> torch.Tensor:
    """A buffer of ``room`` tokens that begins with the ``length`` tokens held so far."""
    shape = (*like.shape[:-2], room, like.shape[-1])
    buffer = like.new_empty(shape)
    if length:
        buffer[..., :length, :] = held
    return buffer
