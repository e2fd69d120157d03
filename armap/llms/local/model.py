"""Any Hugging Face causal or vision-language model, in this process, batched across callers."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from armap.batching import Batcher
from armap.errors import ConfigError, ContextTooLong, ModelError, boundary
from armap.llms.local.decode import Engine, takes
from armap.llms.local.generate import Generator
from armap.llms.local.load import (
    LocalConfig,
    enough_memory,
    has_vision,
    in_float64,
    load_pretrained,
    load_vision,
)
from armap.llms.local.rows import Row
from armap.llms.local.vision import Reading, VisionReader
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

    Raises:
        ConfigError: the model cannot be loaded, or not as configured.
    """

    def __init__(self, config: LocalConfig) -> None:
        self._config = config
        self.name = f"local/{config.model}"
        self._eyes: VisionReader | None = None
        if has_vision(config):
            model, processor = load_vision(config)
            self._tokenizer = copy.deepcopy(processor.tokenizer)
            self._eyes = VisionReader(processor)
        else:
            model, self._tokenizer = load_pretrained(config)
        self._positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        with enough_memory(config):
            self._engine = self._choose_engine(model)
        self._closed = Event()
        self._batcher: Batcher[_Request, Completions] = Batcher(
            self._answer, capacity=config.max_batch
        )

    def _choose_engine(self, model: PreTrainedModel) -> Engine | Generator:
        judge = in_float64(model) if _exact(self._config, model) else None
        if self._eyes is not None or not takes(model):
            return Generator(model, self._tokenizer, judge=judge)
        room = self._config.prefix_mb * 2**20
        return Engine(model, self._tokenizer, judge=judge, prefix_bytes=room)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Sample ``sampling.n`` replies to one prompt.

        Dialogues that have begun go before new ones: episodes end, and are on disk, as early as
        may be, and their attention caches are used while they are warm. Log-probabilities are
        those of the model at temperature 1, equal up to rounding whoever shares the batch.

        Raises:
            ConfigError: this model cannot do what is asked for, or is out of memory.
            ModelError: this prompt cannot be answered, or the model was closed.
        """
        self._check(messages, sampling)
        with boundary(ModelError, self.name):
            request = _Request(await self._read(messages), sampling)
            self._check_length(request)
            try:
                return await self._batcher.submit(request, weight=sampling.n, urgency=len(messages))
            except asyncio.CancelledError:
                request.abandoned = True
                raise

    async def close(self) -> None:
        """Stop the worker before its next token."""
        self._closed.set()
        if self._eyes is not None:
            self._eyes.close()
        await self._batcher.close()

    def _check(self, messages: Sequence[Message], sampling: Sampling) -> None:
        if sampling.json_schema is not None:
            raise ConfigError(
                f"{self.name} cannot constrain replies to a JSON schema: serve the model and "
                "use llm.kind vllm or openai"
            )
        if self._eyes is None and any(message.images for message in messages):
            raise ConfigError(
                f"{self.name} reads text only, and the prompt has images: set llm.model to a "
                "vision-language model, or leave the images out"
            )

    async def _read(self, messages: Sequence[Message]) -> Reading:
        if self._eyes is not None:
            return await self._eyes.read(messages)
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        return Reading(tuple(self._tokenizer.encode(str(text), add_special_tokens=False)))

    def _check_length(self, request: _Request) -> None:
        length, most = len(request.prompt.ids), request.sampling.max_tokens
        if self._positions is not None and length + most > self._positions:
            raise ContextTooLong(
                f"{self.name}: a prompt of {length} tokens and a reply of up to {most} exceed "
                f"the model's {self._positions} positions"
            )

    def _answer(self, requests: Sequence[_Request]) -> list[Completions]:
        def stopped() -> bool:
            return self._closed.is_set() or all(request.abandoned for request in requests)

        groups = [request.rows() for request in requests]
        with enough_memory(self._config):
            self._engine.decode([row for group in groups for row in group], stopped)
        return [self._collect(group) for group in groups]

    def _collect(self, rows: Sequence[Row]) -> Completions:
        usage = Usage(
            calls=1,
            prompt_tokens=len(rows[0].prompt),
            completion_tokens=sum(len(row.tokens) for row in rows),
        )
        asked = rows[0].sampling.logprobs is not None
        return Completions(
            texts=tuple(self._text(row) for row in rows),
            usage=usage,
            finish=tuple(row.finish for row in rows),
            logprobs=tuple(tuple(row.logprobs) for row in rows) if asked else (),
        )

    def _text(self, row: Row) -> str:
        text = str(self._tokenizer.decode(row.tokens, skip_special_tokens=True))
        cuts = [text.find(stop) for stop in row.sampling.stop if stop in text]
        return text[: min(cuts)] if cuts else text


def _exact(config: LocalConfig, model: PreTrainedModel) -> bool:
    if config.exact and config.dtype != "float32":
        raise ConfigError(f"llm.exact needs llm.dtype float32, not {config.dtype}")
    small = config.dtype == "float32" and model.num_parameters() < _SMALL
    return small if config.exact is None else config.exact


@dataclass(slots=True)
class _Request:
    prompt: Reading
    sampling: Sampling
    abandoned: bool = False
    """Its caller is gone."""

    def rows(self) -> list[Row]:
        first = self.sampling.start
        return [
            Row(
                self.prompt.ids,
                self.sampling,
                derive(self.sampling.seed, place),
                self.prompt.inputs,
            )
            for place in range(first, first + self.sampling.n)
        ]
