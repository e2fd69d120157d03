"""Any Hugging Face causal language model, in this process, batched across all callers."""

from __future__ import annotations

import copy
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from armap.batching import Batcher
from armap.errors import ConfigError, ModelError, boundary
from armap.llms.decode import Engine, Row
from armap.seeding import derive
from armap.types import Completions, Record, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from armap.types import Message, Sampling

__all__ = ["LocalConfig", "LocalModel", "load_pretrained", "locate"]


_SMALL = 50_000_000


class LocalConfig(Record):
    """A causal language model with a chat template, run by transformers."""

    kind: Literal["local"] = "local"
    model: str = "embedded:game24"
    """``embedded:game24``, a folder, or the name of a model on the hub."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    exact: bool | None = None
    """Keep a float64 copy that decides the draws which rounding could decide: replies are then
    the same in any batch. Needs float32. None: for models below 50 million parameters."""
    max_batch: int = Field(default=256, gt=0)
    """Replies decoded together."""
    prefix_mb: int = Field(default=2048, ge=0)
    """Megabytes of attention cache that are kept for later turns; 0 switches that off."""
    device: str = "cpu"


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
            raise ModelError(
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
            for index in range(self.sampling.n)
        ]


def locate(name: str) -> str:
    """Turn ``embedded:NAME`` into the folder inside the package; leave other names alone.

    Raises:
        ConfigError: no such embedded model, or something like a path that does not exist.
    """
    if name.startswith("embedded:"):
        folder = files("armap.embedded").joinpath(name.removeprefix("embedded:"))
        if not folder.joinpath("config.json").is_file():
            raise ConfigError(f"no embedded model {name!r}; there is 'embedded:game24'")
        return str(folder)
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > 1
    path = Path(name).expanduser()
    if looks_like_path and not path.is_dir():
        raise ConfigError(f"model folder {name!r} does not exist")
    return str(path) if path.is_dir() else name


def load_pretrained(config: LocalConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load model and tokenizer.

    Raises:
        ConfigError: torch is not installed, the model is not there, or has no chat template.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise ConfigError(
            f"llm.kind 'local' needs torch and transformers: pip install 'armap[train]' ({error})"
        ) from error
    disable_progress_bar()
    place = locate(config.model)
    dtype: Any = getattr(torch, config.dtype)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(f"model {config.model!r} cannot be loaded: {first}") from error
    if not tokenizer.chat_template:
        raise ConfigError(f"the tokenizer of {config.model!r} has no chat template")
    return model.to(config.device).eval(), tokenizer
