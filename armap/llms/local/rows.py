"""One reply in the making: its own random stream, its tokens, and why it ended.

Both ways of decoding (:mod:`~armap.llms.local.decode`, :mod:`~armap.llms.local.generate`) write
their rows here, so that a reply is drawn in the same way whatever reads the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from armap.errors import ModelError
from armap.types import TokenLogprob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from armap.types import Sampling

__all__ = ["Row", "Writer", "draw", "end_tokens", "go_on", "pad_token"]

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
    inputs: Mapping[str, torch.Tensor] | None = None
    """What the model reads, by argument, ``[1, ...]`` each, where the ids alone do not say it."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    """One per token, if ``sampling.logprobs`` asks for them."""
    finish: str = ""
    """Why it ended: ``stop`` (the end token or a stop text) or ``length``; empty before."""
    _uniforms: Any = None

    @property
    def done(self) -> bool:
        """Whether the reply is whole."""
        return bool(self.finish)

    def uniform(self) -> float:
        """The number of this row's own stream that decides its next token, in [0, 1)."""
        if self._uniforms is None:
            import numpy as np

            stream = np.random.Generator(np.random.Philox(key=self.seed))
            self._uniforms = stream.random(self.sampling.max_tokens)
        return float(self._uniforms[len(self.tokens)])


class Writer:
    """Gives every row its next token.

    Args:
        tokenizer: says when a stop text is reached.
        ends: the tokens that end a reply; they are counted in it.
        judge: reads a row alone in float64 and returns its logits ``[1, vocabulary]``, for draws
            that rounding could decide; None accepts those as they are.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        ends: frozenset[int],
        judge: Callable[[Row], torch.Tensor] | None,
    ) -> None:
        self._tokenizer = tokenizer
        self._ends = ends
        self._judge = judge

    def write(self, logits: torch.Tensor, rows: Sequence[Row]) -> None:
        """Draw one token from ``logits[i]`` for every ``rows[i]`` that is not done."""
        drawn = draw(logits, rows)
        for index, (row, (token, sure)) in enumerate(zip(rows, drawn, strict=True)):
            if row.done:
                continue
            judged = None if sure or self._judge is None else self._judge(row)
            chosen = token if judged is None else draw(judged, [row])[0][0]
            if row.sampling.logprobs is not None:
                seen = logits[index] if judged is None else judged[0]
                row.logprobs.append(self._logprob(seen, chosen, row.sampling.logprobs))
            row.tokens.append(chosen)
            row.finish = self._finish(row)

    def _finish(self, row: Row) -> str:
        if row.tokens[-1] in self._ends or self._stopped(row):
            return "stop"
        return "length" if len(row.tokens) >= row.sampling.max_tokens else ""

    def _stopped(self, row: Row) -> bool:
        if not row.sampling.stop:
            return False
        text = self._tokenizer.decode(row.tokens, skip_special_tokens=True)
        return any(stop in text for stop in row.sampling.stop)

    def _logprob(self, logits: torch.Tensor, token: int, count: int) -> TokenLogprob:
        """Of the model's own distribution: temperature 1, nothing cut off."""
        values = logits.double().log_softmax(-1)
        best = values.topk(min(count, len(values)))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return TokenLogprob(
            token=self._text(token),
            logprob=float(values[token]),
            top=tuple((self._text(other), value) for other, value in pairs),
        )

    def _text(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """What ends a reply: the tokenizer's end token and those the model was published with."""
    named = getattr(model.generation_config, "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return frozenset(end for end in (tokenizer.eos_token_id, *several) if isinstance(end, int))


def pad_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """What fills the left of a shorter prompt; masked, so that any token does."""
    pad = tokenizer.pad_token_id
    return int(pad) if isinstance(pad, int) else 0


def go_on(stopped: Callable[[], bool]) -> None:
    """Raise if nobody waits for the replies any more.

    Raises:
        ModelError: ``stopped()``.
    """
    if stopped():
        raise ModelError("stopped before the reply was whole")


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
