"""Decoding with the library's own ``generate``, which knows every architecture.

It prepares each model's inputs, caches and positions; only the choice of the next token is ours:
a logits processor draws it from the row's own stream and leaves nothing else to choose. No
prefixes are kept, and a prompt is read once per reply.
"""

from __future__ import annotations

import inspect
from itertools import groupby
from typing import TYPE_CHECKING, Any

from armap.llms.local.rows import Row, Writer, end_tokens, go_on, pad_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Generator"]

_TOLERANCE = 0.1
"""Share of the logits' spread by which company may change them before padding is blamed."""


class Generator:
    """Decodes batches of rows with any model that ``generate`` can run.

    Rows whose inputs have the same shapes but for their lengths share a batch, padded on the
    left. Whether the model hides the padding, and keeps rows apart at all, is tried out once; if
    not, it gets rows of one length, or each row alone.

    Args:
        model: a model with ``generate``; its generation settings are replaced by plain ones.
        tokenizer: its tokenizer.
        judge: the same model in float64, for draws that rounding could decide; None accepts
            those draws as they are.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        judge: PreTrainedModel | None = None,
    ) -> None:
        self._model = model
        self._judge = judge
        self._pad = pad_token(tokenizer)
        self._proven: dict[bool, bool] = {}
        self._writer = Writer(
            tokenizer, end_tokens(model, tokenizer), None if judge is None else self._judged
        )
        for each in (model, judge):
            if each is not None:
                each.generation_config = _plain_settings(each)

    def decode(self, rows: Sequence[Row], stopped: Callable[[], bool] = lambda: False) -> None:
        """Write ``rows[i].tokens`` to their ends.

        Raises:
            ModelError: ``stopped()``, which is asked before every token.
        """
        import torch

        with torch.inference_mode():
            for group in self._groups(rows):
                go_on(stopped)
                most = max(row.sampling.max_tokens for row in group)
                self._generate(self._model, group, _Hand(self._writer, group, stopped), most)

    def _generate(
        self, model: PreTrainedModel, rows: Sequence[Row], hand: _Hand | _Replay, most: int
    ) -> None:
        """Let ``hand`` choose up to ``most`` tokens for every row."""
        from transformers import LogitsProcessorList, StoppingCriteriaList

        model.generate(
            **_collated(rows, self._pad, model),
            max_new_tokens=most,
            logits_processor=LogitsProcessorList([hand]),
            stopping_criteria=StoppingCriteriaList([_AllDone(rows)]),
        )

    def _judged(self, row: Row) -> torch.Tensor:
        """Write the row again, alone in float64, up to the token in doubt."""
        assert self._judge is not None
        return self._next(self._judge, [row], [row.tokens])

    def _next(
        self, model: PreTrainedModel, rows: Sequence[Row], tokens: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """The logits ``[N, vocabulary]`` that come after the prompts and ``tokens``, ``[N][L]``."""
        replay = _Replay(tokens)
        self._generate(model, rows, replay, len(tokens[0]) + 1)
        assert replay.logits is not None
        return replay.logits

    def _groups(self, rows: Sequence[Row]) -> Iterable[list[Row]]:
        """Rows that can share a batch."""
        for alike in _grouped(rows, _shapes):
            short, long = min(alike, key=_length), max(alike, key=_length)
            if _length(short) < _length(long) and self._apart(short, long):
                yield alike
                continue
            for group in _grouped(alike, _length):
                if len(group) == 1 or self._apart(group[0], group[1]):
                    yield group
                else:
                    yield from ([row] for row in group)

    def _apart(self, one: Row, other: Row) -> bool:
        """Whether the model reads ``one`` alone as it does beside ``other``.

        Found out once for prompts of equal length, and once for others.
        """
        padded = _length(one) != _length(other)
        if padded not in self._proven:
            tokens = [one.prompt[-1:], other.prompt[:1]]
            alone = self._next(self._model, [one], tokens[:1])[0].float()
            beside = self._next(self._model, [one, other], tokens)[0].float()
            self._proven[padded] = bool((alone - beside).abs().max() < _TOLERANCE * alone.std())
        return self._proven[padded]


class _Hand:
    """A logits processor that draws every row's token itself."""

    def __init__(self, writer: Writer, rows: Sequence[Row], stopped: Callable[[], bool]) -> None:
        self._writer = writer
        self._rows = rows
        self._stopped = stopped

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002  (the library's signature)
        go_on(self._stopped)
        self._writer.write(scores, self._rows)
        return _forced(scores, [row.tokens[-1] for row in self._rows])


class _Replay:
    """A logits processor that repeats known tokens ``[N][L]`` and shows what comes next."""

    def __init__(self, tokens: Sequence[Sequence[int]]) -> None:
        self._tokens = list(zip(*tokens, strict=True))
        self._step = 0
        self.logits: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002  (the library's signature)
        if self._step == len(self._tokens):
            self.logits = scores
            return scores
        self._step += 1
        return _forced(scores, self._tokens[self._step - 1])


class _AllDone:
    """A stopping criterion: each row ends when its reply does."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(
        self,
        input_ids: torch.Tensor,
        scores: Any,  # noqa: ARG002  (the library's signature)
    ) -> torch.Tensor:
        import torch

        return torch.tensor([row.done for row in self._rows], device=input_ids.device)


def _forced(scores: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    """Scores that leave one choice per row."""
    import torch

    chosen = torch.tensor(tokens, device=scores.device)[:, None]
    return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> list[list[Row]]:
    """Rows of equal keys, in their order."""
    ordered = sorted(rows, key=key)
    return [list(group) for _, group in groupby(ordered, key)]


def _plain_settings(model: PreTrainedModel) -> Any:
    """Greedy, and no processors of the library's own: what it was published with does not count."""
    from transformers import GenerationConfig

    published = model.generation_config
    return GenerationConfig(
        do_sample=False,
        bos_token_id=published.bos_token_id,
        pad_token_id=published.pad_token_id,
        decoder_start_token_id=published.decoder_start_token_id,
    )


def _inputs(row: Row) -> Mapping[str, torch.Tensor]:
    """What the model reads of one row, ``[1, ...]`` each."""
    import torch

    if row.inputs is not None:
        return row.inputs
    ids = torch.tensor([row.prompt], dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _length(row: Row) -> int:
    return len(row.prompt)


def _along(row: Row, tensor: torch.Tensor) -> bool:
    """Whether the tensor has one number per token of the prompt."""
    return tuple(tensor.shape) == (1, len(row.prompt))


def _shapes(row: Row) -> list[tuple[str, tuple[int, ...]]]:
    """What rows must have in common to share a batch."""
    return sorted(
        (name, () if _along(row, tensor) else tuple(tensor.shape[1:]))
        for name, tensor in _inputs(row).items()
    )


def _collated(rows: Sequence[Row], pad: int, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The inputs of all rows: what runs along the prompt padded on the left, the rest joined."""
    import torch
    from torch.nn.functional import pad as padded

    known = set(inspect.signature(model.forward).parameters) | {"input_ids"}
    longest = max(len(row.prompt) for row in rows)
    joined: dict[str, list[torch.Tensor]] = {}
    for row in rows:
        for name, tensor in _inputs(row).items():
            if name not in known:
                continue
            if _along(row, tensor):
                blank = pad if name == "input_ids" else 0
                tensor = padded(tensor, (longest - len(row.prompt), 0), value=blank)
            joined.setdefault(name, []).append(tensor)
    moved = {name: torch.cat(parts).to(model.device) for name, parts in joined.items()}
    return {
        name: tensor.to(model.dtype) if tensor.is_floating_point() else tensor
        for name, tensor in moved.items()
    }
