"""A small encoder that sees which words of one turn come back in another.

A transformer encoder, with two things added for comparing an intent with a deed: a token that
another turn has too carries a learned mark, and each layer shows it what those equal tokens have
become. (Exact-match signals are old in retrieval: DRMM, Guo et al. 2016.) Neighbours are seen
through a convolution; beyond them the order of words does not count.
What equal words mean for the score is learned; that they are equal need not be, so a model that
was trained on a few thousand words also compares words that it has never met.

Loaded only where a model is used: it imports torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel
from transformers import PretrainedConfig as HubConfig
from transformers.modeling_outputs import SequenceClassifierOutput

__all__ = ["Matcher", "MatcherConfig", "register"]

_TURNS = 8
"""Turns that have marks of their own; later ones share the last."""


class MatcherConfig(HubConfig):  # type: ignore[misc]  # untyped library
    """Sizes, and the tokens that begin a turn."""

    model_type = "armap_matcher"

    def __init__(  # noqa: PLR0913  (the library makes one of a file's entries)
        self,
        vocab_size: int = 5000,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        roles: tuple[int, ...] = (),
        max_position_embeddings: int = 512,
        **others: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.width = width
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
        self.roles = list(roles)
        self.max_position_embeddings = max_position_embeddings
        super().__init__(**{"num_labels": 1, **others})


class _Layer(nn.Module):  # type: ignore[misc]  # torch is not followed
    """What the equal words elsewhere are like, what stands beside, all else; then think."""

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.before = nn.LayerNorm(width)
        self.beside = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(3 * width, width)
        self.after = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        self.dropout = config.dropout

    def forward(self, x: Tensor, equal: Tensor, seen: Tensor) -> Tensor:
        """``[N, L, W]`` to the same; ``equal``: ``[N, L, L]``, ``seen``: ``[N, 1, 1, L]``."""
        count, length, width = x.shape
        shape = (count, length, 3, self.heads, width // self.heads)
        y = self.before(x)
        query, key, value = self.mixed(y).view(shape).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=seen)
        mixed = mixed.transpose(1, 2).reshape(count, length, width)
        # What pads a row must look like its end.
        kept = y * seen[:, 0, 0, :, None]
        near = self.beside(kept.transpose(1, 2)).transpose(1, 2)
        mixed = self.out(torch.cat([mixed, near, equal.to(y.dtype) @ y], 2))
        x = x + dropout(mixed, self.dropout, self.training)
        inner = self.outer(nn.functional.gelu(self.inner(self.after(x))))
        return x + dropout(inner, self.dropout, self.training)


class Matcher(PreTrainedModel):  # type: ignore[misc]  # untyped library
    """``[N, L]`` token ids to ``[N, 1]`` scores."""

    config_class = MatcherConfig

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.turns = nn.Embedding(_TURNS, config.width)
        self.found = nn.Embedding(2, config.width)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.summed = nn.Linear(3 * config.width, config.width)
        self.score = nn.Linear(config.width, 1, bias=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.3)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> SequenceClassifierOutput:
        """Scores as ``logits``, ``[N, 1]``."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        real = mask.bool()
        begins = torch.isin(input_ids, torch.tensor(self.config.roles, device=input_ids.device))
        turn = begins.cumsum(1)
        alike = input_ids[:, :, None] == input_ids[:, None, :]
        elsewhere = turn[:, :, None] != turn[:, None, :]
        plain = real & ~begins
        equal = alike & elsewhere & plain[:, :, None] & plain[:, None, :]
        x = self.words(input_ids) + self.turns(turn.clamp(max=_TURNS - 1))
        x = x + self.found(equal.any(2).long())
        shares = equal / equal.sum(2, keepdim=True).clamp(min=1)
        for layer in self.layers:
            x = layer(x, shares, real[:, None, None, :])
        logits = self.score(torch.tanh(self.summed(_pooled(self.norm(x), turn, real))))
        return SequenceClassifierOutput(logits=logits)


def _pooled(x: Tensor, turn: Tensor, real: Tensor) -> Tensor:
    """Means over the first turn and over the rest, and the first turn's largest: ``[N, 3 W]``."""
    first = ((turn <= 1) & real)[:, :, None]
    rest = ((turn > 1) & real)[:, :, None]
    means = [(x * part).sum(1) / part.sum(1).clamp(min=1) for part in (first, rest)]
    largest = x.masked_fill(~first, float("-inf")).amax(1)
    return torch.cat([*means, largest], 1)


def register() -> None:
    """Make the library's loaders know the model."""
    AutoConfig.register(MatcherConfig.model_type, MatcherConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(MatcherConfig, Matcher, exist_ok=True)
