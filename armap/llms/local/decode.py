"""Batched decoding with one random stream per reply.

Every reply samples from its own seeded stream, so it depends on its prompt and its seed and not
on who shares the batch. What a batch can still change is rounding: matrix products of another
shape round differently. Wherever a draw comes so close to the edge between two tokens that
rounding could decide it, the row is read again alone in float64 and drawn from there
(:class:`Engine`, ``judge``). So the tokens are those of a float64 decoder at the price of a
float32 one, the same in any batch and on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from armap.llms.local.prefix import Prefix, PrefixStore
from armap.llms.local.roomy import make_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from armap.types import Sampling

__all__ = ["Engine", "Row"]

_COMPACT_BELOW = 0.7
_DRAW_MARGIN = 1e-4
"""A draw this close to an edge of the cumulative distribution is judged in float64."""
_LOGIT_MARGIN = 1e-3
"""So is a greedy choice with a lead this small."""


@dataclass(slots=True)
class Row:
    """One reply in the making."""

    prompt: tuple[int, ...]
    sampling: Sampling
    seed: int
    tokens: list[int] = field(default_factory=list)
    done: bool = False
    _uniforms: Any = None

    def uniform(self) -> float:
        """The number of this row's own stream that decides its next token, in [0, 1)."""
        if self._uniforms is None:
            import numpy as np

            stream = np.random.Generator(np.random.Philox(key=self.seed))
            self._uniforms = stream.random(self.sampling.max_tokens)
        return float(self._uniforms[len(self.tokens)])


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
        model: any causal language model of transformers.
        tokenizer: its tokenizer; the end token ends a reply and is counted in it.
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
        self.tokenizer = tokenizer
        self._judge = judge
        self._store = PrefixStore(prefix_bytes if _plain_cache(model) else 0)

    def decode(self, rows: Sequence[Row]) -> None:
        """Fill in ``rows[i].tokens``; equal prompts are read once."""
        import torch

        with torch.inference_mode():
            batch = self._read(rows)
            while True:
                self._append(batch)
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

    def _append(self, batch: _Batch) -> None:
        """Draw one token for every row that is not done."""
        for row, (token, sure) in zip(batch.rows, draw(batch.logits, batch.rows), strict=True):
            if row.done:
                continue
            row.tokens.append(token if sure or self._judge is None else self._judged(row))
            ended = row.tokens[-1] == self.tokenizer.eos_token_id
            row.done = ended or len(row.tokens) >= row.sampling.max_tokens or self._stopped(row)

    def _judged(self, row: Row) -> int:
        """Read the row alone in float64 and draw again."""
        import torch

        assert self._judge is not None
        ids = torch.tensor([[*row.prompt, *row.tokens]], device=self._judge.device)
        logits = self._judge(input_ids=ids, use_cache=False, logits_to_keep=1).logits[:, -1]
        return draw(logits, [row])[0][0]

    def _stopped(self, row: Row) -> bool:
        if not row.sampling.stop:
            return False
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=True)
        return any(stop in text for stop in row.sampling.stop)

    @property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad) if isinstance(pad, int) else 0


def _plain_cache(model: PreTrainedModel) -> bool:
    """Whether every layer attends to everything, so that cached rows can be cut and joined."""
    config = model.config.get_text_config()
    return not getattr(config, "sliding_window", None) and not getattr(config, "layer_types", None)


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


def draw(logits: torch.Tensor, rows: Sequence[Row]) -> list[tuple[int, bool]]:
    """Choose a token per row, and say whether rounding could not have changed it: ``[N]``.

    Greedy at temperature 0; otherwise the inverse of the cumulative distribution at the row's
    own uniform number.
    """
    import torch

    logits = logits.double().cpu()
    best = logits.topk(2, dim=-1)
    lead = (best.values[:, 0] - best.values[:, 1]).tolist()
    tops = best.indices[:, 0].tolist()
    greedy = [(token, gap > _LOGIT_MARGIN) for token, gap in zip(tops, lead, strict=True)]
    if all(row.done or row.sampling.temperature == 0 for row in rows):
        return greedy
    heat = torch.tensor([row.sampling.temperature or 1.0 for row in rows], dtype=torch.float64)
    probabilities = torch.softmax(logits / heat[:, None], dim=-1)
    firm = _cut_tail(probabilities, rows)
    cumulative = probabilities.cumsum(-1)
    cumulative = cumulative / cumulative[:, -1:]
    marks = torch.tensor([0.5 if row.done else row.uniform() for row in rows], dtype=torch.float64)
    drawn = torch.searchsorted(cumulative, marks[:, None], right=True)
    drawn = drawn.clamp(max=logits.shape[-1] - 1)
    above = cumulative.gather(1, drawn)[:, 0] - marks
    under = cumulative.gather(1, (drawn - 1).clamp(min=0))
    below = marks - torch.where(drawn > 0, under, -1.0)[:, 0]
    clear = (above > _DRAW_MARGIN) & (below > _DRAW_MARGIN)
    sampled = zip(drawn[:, 0].tolist(), clear.tolist(), firm, strict=True)
    return [
        choice if row.sampling.temperature == 0 else (token, sure and kept)
        for row, choice, (token, sure, kept) in zip(rows, greedy, sampled, strict=True)
    ]


def _cut_tail(probabilities: torch.Tensor, rows: Sequence[Row]) -> list[bool]:
    """Nucleus sampling, in place; says per row whether the cut was clear of rounding.

    What lies beyond the smallest set of mass ``top_p`` becomes 0.
    """
    clear = [True] * len(rows)
    for index, row in enumerate(rows):
        if row.sampling.top_p < 1.0:
            ordered, order = probabilities[index].sort(descending=True, stable=True)
            before = ordered.cumsum(0) - ordered
            clear[index] = bool((before - row.sampling.top_p).abs().min() > _DRAW_MARGIN)
            probabilities[index, order[before >= row.sampling.top_p]] = 0.0
    return clear
