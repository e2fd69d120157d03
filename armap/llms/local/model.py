"""Any Hugging Face causal language model, in this process, batched across all callers."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from armap.batching import Batcher
from armap.errors import ConfigError, ContextTooLong, ModelError, boundary
from armap.llms.local.decode import Engine, Row
from armap.llms.local.load import LocalConfig, load_pretrained
from armap.seeding import derive
from armap.types import Completions, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from armap.types import Message, Sampling

__all__ = ["LocalModel"]

_SMALL = 50_000_000


class LocalModel:
    """A :class:`~armap.protocols.ChatModel` over ``transformers``.

    Requests of all callers in flight are decoded together. Each reply has its own random
    stream, derived from its request's seed, whoever shares the batch.
    """

    def __init__(self, config: LocalConfig) -> None:
        self._config = config
        self.name = f"local/{config.model}"
        model, self._tokenizer = load_pretrained(config)
        self._positions = getattr(model.config, "max_position_embeddings", None)
        judge = copy.deepcopy(model).double() if _exact(config, model) else None
        self._engine = Engine(
            model, self._tokenizer, judge=judge, prefix_bytes=config.prefix_mb * 2**20
        )
        self._batcher: Batcher[_Request, Completions] = Batcher(
            self._answer, capacity=config.max_batch
        )

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Sample ``sampling.n`` replies to one prompt.

        Dialogues that have begun go before new ones: episodes end, and are on disk, as early as
        may be, and their attention caches are used while they are warm.
        """
        request = _Request(self._encode(messages, sampling), sampling)
        with boundary(ModelError, self.name):
            return await self._batcher.submit(request, weight=sampling.n, urgency=len(messages))

    async def close(self) -> None:
        """Stop the worker thread."""
        await self._batcher.close()

    def _encode(self, messages: Sequence[Message], sampling: Sampling) -> tuple[int, ...]:
        turns = [message.model_dump() for message in messages]
        text = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        ids = tuple(self._tokenizer.encode(str(text), add_special_tokens=False))
        limit = self._positions
        if limit is not None and len(ids) + sampling.max_tokens > limit:
            raise ContextTooLong(
                f"{self.name}: a prompt of {len(ids)} tokens and a reply of up to "
                f"{sampling.max_tokens} exceed the model's {limit} positions"
            )
        return ids

    def _answer(self, requests: Sequence[_Request]) -> list[Completions]:
        groups = [request.rows() for request in requests]
        self._engine.decode([row for group in groups for row in group])
        return [self._collect(group) for group in groups]

    def _collect(self, rows: Sequence[Row]) -> Completions:
        usage = Usage(
            calls=1,
            prompt_tokens=len(rows[0].prompt),
            completion_tokens=sum(len(row.tokens) for row in rows),
        )
        return Completions(texts=tuple(self._text(row) for row in rows), usage=usage)

    def _text(self, row: Row) -> str:
        text = str(self._tokenizer.decode(row.tokens, skip_special_tokens=True))
        cuts = [text.find(stop) for stop in row.sampling.stop if stop in text]
        return text[: min(cuts)] if cuts else text


def _exact(config: LocalConfig, model: PreTrainedModel) -> bool:
    if config.exact and config.dtype != "float32":
        raise ConfigError(f"llm.exact needs llm.dtype float32, not {config.dtype}")
    small = config.dtype == "float32" and model.num_parameters() < _SMALL
    return small if config.exact is None else config.exact


class _Request:
    __slots__ = ("prompt", "sampling")

    def __init__(self, prompt: tuple[int, ...], sampling: Sampling) -> None:
        self.prompt = prompt
        self.sampling = sampling

    def rows(self) -> list[Row]:
        return [
            Row(self.prompt, self.sampling, derive(self.sampling.seed, index))
            for index in range(self.sampling.start, self.sampling.start + self.sampling.n)
        ]
