"""Batched decoding with one random stream per reply.

Every reply samples from its own seeded stream, so it depends on its prompt and its seed and not
on who shares the batch. What a batch can still change is rounding: matrix products of another
shape round differently. Wherever a draw comes so close to the edge between two tokens that
rounding could decide it, the row is read again alone in float64 and drawn from there
(:class:`Engine`, ``judge``). So the tokens are those of a float64 decoder at the price of a
float32 one, the same in any batch and on any machine.

The loop here is fast because it knows its models: keys and values of plain attention that can be
cut, joined and kept. What it does not know (:func:`takes`) is decoded by
:mod:`~armap.llms.local.generate`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from armap.llms.local.prefix import Prefix, PrefixStore
from armap.llms.local.roomy import make_cache
from armap.llms.local.rows import Row, Writer, draw, end_tokens, go_on, pad_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Engine", "Row", "draw", "takes"]

_COMPACT_BELOW = 0.7
_ARGUMENTS = {
    "input_ids", "attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"
}  # fmt: skip


@dataclass(slots=True)
class _Batch:
    """Rows that are decoded together; index ``i`` of every tensor belongs to ``rows[i]``."""

    rows: list[Row]
    cache: Any
    mask: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor


class Engine:
    """Decodes batches of rows with one model.

    Args:
        model: a causal language model that :func:`takes` accepts.
        tokenizer: its tokenizer.
        judge: the same model in float64, for draws that rounding could decide; None accepts
            those draws as they are (large models on an accelerator).
        prefix_bytes: size of the prefix store; 0 reads every prompt anew.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        judge: PreTrainedModel | None = None,
        prefix_bytes: int = 0,
    ) -> None:
        self.model = model
        self._judge = judge
        self._pad = pad_token(tokenizer)
        self._store = PrefixStore(prefix_bytes if prefix_bytes and _plain_cache(model) else 0)
        self._writer = Writer(
            tokenizer, end_tokens(model, tokenizer), None if judge is None else self._judged
        )

    def decode(self, rows: Sequence[Row], stopped: Callable[[], bool] = lambda: False) -> None:
        """Write ``rows[i].tokens`` to their ends; equal prompts are read once.

        Raises:
            ModelError: ``stopped()``, which is asked before every token.
        """
        import torch

        with torch.inference_mode():
            batch = self._read(rows)
            while True:
                go_on(stopped)
                self._writer.write(batch.logits, batch.rows)
                if all(row.done for row in batch.rows):
                    self._keep(batch, range(len(batch.rows)))
                    return
                self._compact(batch)
                self._advance(batch)

    def _read(self, rows: Sequence[Row]) -> _Batch:
        """Read what is new in the prompts, behind the prefixes that are known."""
        import torch

        prompts = list(dict.fromkeys(row.prompt for row in rows))
        cache, known = self._recall(prompts)
        fresh = [prompt[length:] for prompt, length in zip(prompts, known, strict=True)]
        ids, new = _left_padded(fresh, self._pad, self.model.device)
        _, old = _left_padded([(0,) * length for length in known], 0, self.model.device)
        offsets = torch.tensor(known, device=self.model.device)[:, None]
        mask = torch.cat((old, new), dim=-1)
        logits = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=offsets + (new.cumsum(-1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        where = {prompt: index for index, prompt in enumerate(prompts)}
        order = torch.tensor([where[row.prompt] for row in rows], device=self.model.device)
        if len(prompts) != len(rows):
            cache.batch_select_indices(order)
        mask = mask[order]
        return _Batch(list(rows), cache, mask, mask.sum(-1, keepdim=True), logits[order, -1])

    def _recall(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Any, list[int]]:
        """A cache ``[N, ...]`` of the longest known prefixes, padded left, and their lengths."""
        import torch

        cache = make_cache(self.model)
        found = self._prefixes(prompts)
        lengths = [prefix.length if prefix else 0 for prefix in found]
        sample = next((prefix.tensors for prefix in found if prefix), None)
        if sample is None:
            return cache, lengths
        parts, heads, _, size = sample.shape
        shape = (parts, len(prompts), heads, max(lengths), size)
        stacked = torch.zeros(shape, dtype=sample.dtype, device=sample.device)
        for index, prefix in enumerate(found):
            if prefix is not None:
                stacked[:, index, :, max(lengths) - prefix.length :] = prefix.tensors
        for layer in range(parts // 2):
            cache.update(stacked[2 * layer], stacked[2 * layer + 1], layer)
        return cache, lengths

    def _prefixes(self, prompts: Sequence[tuple[int, ...]]) -> list[Prefix | None]:
        """The longest known prefix of each prompt.

        A few prompts with much to read would pad all others: those are read ahead, alone.
        """
        found = [self._store.longest(prompt) for prompt in prompts]
        fresh = [
            len(prompt) - (prefix.length if prefix else 0)
            for prompt, prefix in zip(prompts, found, strict=True)
        ]
        long = 2 * sorted(fresh)[len(fresh) // 2] + 8
        late = [index for index, count in enumerate(fresh) if count > long]
        if not late or not self._store.enabled:
            return found
        ahead = [prompts[index][:-1] for index in late]
        ids, mask = _left_padded(ahead, self._pad, self.model.device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = make_cache(self.model)
        self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache
        )
        for row, index in enumerate(late):
            found[index] = Prefix(len(ahead[row]), _row_cache(cache, row, mask[row].bool()))
        return found

    def _keep(self, batch: _Batch, indices: Sequence[int]) -> None:
        """Store the caches of finished rows for the turns that follow them."""
        if not self._store.enabled:
            return
        for index in indices:
            row = batch.rows[index]
            tokens = (*row.prompt, *row.tokens[:-1])
            real = batch.mask[index].nonzero()[: len(tokens), 0]
            self._store.put(tokens, _row_cache(batch.cache, index, real))

    def _compact(self, batch: _Batch) -> None:
        """Leave finished rows behind once they are many."""
        import torch

        done = [row.done for row in batch.rows]
        alive = [index for index, finished in enumerate(done) if not finished]
        if len(alive) > _COMPACT_BELOW * len(done):
            return
        self._keep(batch, [index for index, finished in enumerate(done) if finished])
        keep = torch.tensor(alive, device=batch.mask.device)
        batch.rows = [batch.rows[index] for index in alive]
        batch.cache.batch_select_indices(keep)
        batch.mask, batch.positions = batch.mask[keep], batch.positions[keep]

    def _advance(self, batch: _Batch) -> None:
        """Read the token that each row wrote last."""
        import torch

        latest = torch.tensor([[row.tokens[-1]] for row in batch.rows], device=batch.mask.device)
        batch.mask = torch.cat((batch.mask, batch.mask.new_ones((len(batch.rows), 1))), dim=-1)
        batch.logits = self.model(
            input_ids=latest,
            attention_mask=batch.mask,
            position_ids=batch.positions,
            past_key_values=batch.cache,
            use_cache=True,
        ).logits[:, -1]
        batch.positions = batch.positions + 1

    def _judged(self, row: Row) -> torch.Tensor:
        """Read the row alone in float64."""
        import torch

        assert self._judge is not None
        ids = torch.tensor([[*row.prompt, *row.tokens]], device=self._judge.device)
        logits: torch.Tensor = self._judge(input_ids=ids, use_cache=False, logits_to_keep=1).logits[
            :, -1
        ]
        return logits


def takes(model: PreTrainedModel) -> bool:
    """Whether the loop here can run ``model``: attention caches, and its way to hand them over."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    if model.config.is_encoder_decoder or getattr(model, "_is_stateful", False):
        return False
    if not _ARGUMENTS.issubset(inspect.signature(model.forward).parameters):
        return False
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _plain_cache(model: PreTrainedModel) -> bool:
    """Whether every layer attends to everything, so that cached rows can be cut and joined.

    One token is read to see whether keys and values have the same shape in every layer.
    """
    import torch
    from transformers.cache_utils import DynamicCache, DynamicLayer

    if any(type(layer) is not DynamicLayer for layer in DynamicCache(config=model.config).layers):
        return False
    cache = make_cache(model)
    with torch.inference_mode():
        token = torch.zeros((1, 1), dtype=torch.long, device=model.device)
        model(input_ids=token, past_key_values=cache, use_cache=True)
    shapes = {tensor.shape for layer in cache.layers for tensor in (layer.keys, layer.values)}
    return len(shapes) == 1


def _row_cache(cache: Any, row: int, where: torch.Tensor) -> torch.Tensor:
    """One row's keys and values at the positions ``where``: ``[2 * layers, heads, L, size]``."""
    import torch

    tensors = (tensor for layer in cache.layers for tensor in (layer.keys, layer.values))
    return torch.stack([tensor[row][:, where] for tensor in tensors])


def _left_padded(
    sequences: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, both ``[N, longest]``."""
    import torch

    longest = max(map(len, sequences))
    rows = [[pad] * (longest - len(row)) + list(row) for row in sequences]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in sequences]
    shape = (len(rows), longest)
    ids = torch.tensor(rows, dtype=torch.long, device=device).reshape(shape)
    return ids, torch.tensor(mask, dtype=torch.long, device=device).reshape(shape)
