"""vLLM in this process: one engine, shared by all callers, started when it is first asked."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, JsonValue, ValidationError

from armap.batching import together
from armap.environment import suggest
from armap.errors import ConfigError, ContextTooLong, ModelError, RequestRefused, boundary
from armap.llms.local.load import locate
from armap.llms.turns import turn
from armap.seeding import derive
from armap.types import Completions, Record, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from armap.types import Message, Sampling

__all__ = ["VLLMConfig", "VLLMModel"]

_SUGGESTED = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # it starts in a thread, where a fork is unsafe
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # stdout belongs to the caller
    "VLLM_NO_USAGE_STATS": "1",
}
"""What vLLM is told through its environment variables, where the user has not set them."""
_SHUTDOWN = 20.0
"""Seconds that the engine has to end by itself."""


class VLLMConfig(Record):
    """A causal language model with a chat template, run by vLLM (``pip install 'armap[vllm]'``)."""

    kind: Literal["vllm"] = "vllm"
    model: str
    """A folder, the name of a model on the hub, or ``embedded:game24``."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int | None = Field(default=None, gt=0)
    """Tokens of prompt and reply together; None: as many as the model has positions."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0.0, le=1.0)
    """Share of the device's memory for weights and attention cache; on a CPU, of its memory."""
    tensor_parallel_size: int = Field(default=1, gt=0)
    """Devices that share the model."""
    enable_prefix_caching: bool = True
    """Keep the attention cache of prompts for those that begin alike, as the turns of an episode
    and the samples of one prompt do."""
    enforce_eager: bool = False
    """Skip compilation: starts sooner, runs slower."""
    seed: int = Field(default=0, ge=0)
    """The engine's own seed; replies are seeded by their request."""
    template: dict[str, JsonValue] = Field(default_factory=dict)
    """Variables for the chat template, such as ``{enable_thinking: false}``."""
    engine: dict[str, JsonValue] = Field(default_factory=dict)
    """Further arguments of vLLM's ``AsyncEngineArgs``; they go before the fields above."""


class VLLMModel:
    """A :class:`~armap.protocols.ChatModel` over vLLM's ``AsyncLLM``.

    **One engine request per sample.** Sample ``i`` of a row is seeded with
    ``derive(sampling.seed, i)``, so it is the same alone as among others, up to rounding: vLLM
    batches what is in flight, and matrix products of another shape round differently. Handing
    ``n`` to vLLM would not do: it seeds its samples ``seed``, ``seed + 1``, ..., so that
    neighbouring seeds would share them, and it refuses ``n > 1`` for greedy decoding. It would
    save nothing but a little bookkeeping: vLLM itself splits such a request into ``n``, which
    share the prompt through the prefix cache as these do.

    Only what :class:`~armap.types.Sampling` says is applied: no ``top_k`` or penalty out of the
    model's ``generation_config.json``, unlike behind vLLM's own server.

    An engine lives in the event loop of its first call, and in processes of its own: a program
    that uses it needs ``if __name__ == "__main__":`` around its start.

    Raises:
        ConfigError: vLLM is not installed, or there is no such model folder.
    """

    def __init__(self, config: VLLMConfig) -> None:
        if find_spec("vllm") is None:
            raise ConfigError("llm.kind 'vllm' needs vLLM: pip install 'armap[vllm]'")
        self._config = config
        self._place = locate(config.model)
        self.name = f"vllm/{config.model}"
        self._engine: Any = None
        self._starting: asyncio.Task[None] | None = None
        self._ordinals = count()
        self._in_flight: set[str] = set()

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Sample ``sampling.n`` replies to one prompt; cancelling aborts them in the engine.

        Raises:
            ConfigError: the engine cannot start with this configuration, or images are sent to
                a model that reads none.
            ContextTooLong: prompt and reply exceed ``max_model_len``.
            RequestRefused: vLLM says that the request is wrong.
            ModelError: the engine failed.
        """
        with boundary(ModelError, self.name):
            engine = await self._started()
            from vllm.exceptions import VLLMClientError
            from vllm.v1.engine.exceptions import EngineDeadError

            try:
                prompt = await self._prompt(engine, messages, sampling)
                replies = await self._sample(engine, prompt, sampling)
            except ConfigError:  # a ValueError, too
                raise
            except (VLLMClientError, ValueError) as error:
                raise RequestRefused(f"{self.name}: {_line(error)}") from error
            except EngineDeadError as error:
                raise ModelError(
                    f"{self.name}: the engine has died; its last words are on standard error"
                ) from error
            return _collect(prompt["prompt_token_ids"], replies, sampling)

    async def close(self) -> None:
        """Shut the engine down; calls that are still in flight fail."""
        starting, self._starting = self._starting, None
        if starting is not None and not starting.done():
            await asyncio.wait({starting})
        engine, self._engine = self._engine, None
        if engine is None:
            return
        if not engine.errored:
            await engine.abort(list(self._in_flight))
        if engine.output_handler is not None:
            engine.output_handler.cancel()  # or it would report the shutdown as a crash
        await asyncio.to_thread(engine.shutdown, timeout=_SHUTDOWN)

    async def _started(self) -> Any:
        """The engine. The first caller starts it, the others wait with it."""
        loop = asyncio.get_running_loop()
        if self._starting is None:
            self._starting = loop.create_task(self._start())
        elif self._starting.get_loop() is not loop:
            raise ModelError(f"{self.name}: in use by another event loop; close() it there first")
        await asyncio.shield(self._starting)
        if self._engine is None:
            raise ModelError(f"{self.name}: was closed")
        return self._engine

    async def _start(self) -> None:
        what = f"llm.model {self._config.model!r} cannot be used with vLLM"
        try:
            await asyncio.to_thread(self._load)
            await self._render(self._engine, [{"role": "user", "content": "Hello."}])
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(f"{what}: {_line(error)}") from error

    def _load(self) -> None:
        """Start an engine; takes from seconds to minutes."""
        for name, value in _SUGGESTED.items():
            suggest(name, value)
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
        # On a CPU, a seeded request whose prompt is read in parts kills the engine (0.31, 0.32).
        whole = {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}
        arguments = AsyncEngineArgs(**{**whole, **self._arguments(known)})
        self._engine = AsyncLLM.from_engine_args(arguments)

    def _arguments(self, known: list[str]) -> dict[str, Any]:
        """The configuration's, for an engine that takes those ``known``."""
        for name in self._config.engine:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ConfigError(f"llm.engine: vLLM has no argument {name!r}{hint}")
        named = self._config.model_dump(exclude={"kind", "model", "template", "engine"})
        return {"model": self._place, "disable_log_stats": True, **named, **self._config.engine}

    async def _prompt(self, engine: Any, messages: Sequence[Message], sampling: Sampling) -> Any:
        """The tokens of a chat, with its images, as the engine takes them."""
        images = any(message.images for message in messages)
        if images and not engine.model_config.supports_multimodal_inputs:
            raise ConfigError(f"{self.name} takes no images; choose a vision-language model")
        prompt = await self._render(engine, [turn(message) for message in messages])
        length, limit = len(prompt["prompt_token_ids"]), engine.model_config.max_model_len
        if length + sampling.max_tokens > limit:
            raise ContextTooLong(
                f"{self.name}: a prompt of {length} tokens and a reply of up to "
                f"{sampling.max_tokens} exceed the model's {limit} positions; lower "
                "policy.max_tokens or limits.max_steps, or raise llm.max_model_len"
            )
        return prompt

    async def _render(self, engine: Any, turns: list[dict[str, Any]]) -> Any:
        """Apply the model's chat template, as vLLM's own server does.

        The length is not limited here: it is checked where both numbers can be told. Nor are
        images left to the cache of what the engine has seen: a prompt that is refused or
        cancelled before it gets there would make that cache wrong.
        """
        from vllm.renderers import ChatParams

        variables = {"add_generation_prompt": True, **self._config.template}
        endless = dataclasses.replace(
            engine.renderer.default_chat_tok_params, max_total_tokens=None
        )
        _, prompts = await engine.renderer.render_chat_async(
            [turns], ChatParams(chat_template_kwargs=variables), endless, skip_mm_cache=True
        )
        return prompts[0]

    async def _sample(self, engine: Any, prompt: Any, sampling: Sampling) -> list[Any]:
        """``[n]`` outputs; when one fails or the caller is cancelled, all are aborted."""
        return await together(
            self._reply(engine, prompt, _params(sampling, index)) for index in sampling.ordinals
        )

    async def _reply(self, engine: Any, prompt: Any, params: Any) -> Any:
        request = f"armap-{next(self._ordinals)}"
        self._in_flight.add(request)
        try:
            outputs = [output async for output in engine.generate(prompt, params, request)]
        finally:
            self._in_flight.discard(request)
        reason = outputs[-1].outputs[0].finish_reason if outputs else None
        if reason not in ("stop", "length"):
            raise ModelError(f"{self.name}: the engine dropped the request ({reason})")
        return outputs[-1]


def _params(sampling: Sampling, index: int) -> Any:
    """How to draw sample ``index`` of a row."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    schema = sampling.json_schema
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        seed=derive(sampling.seed, index),
        logprobs=sampling.logprobs,
        structured_outputs=None if schema is None else StructuredOutputsParams(json=schema),
        output_kind=RequestOutputKind.FINAL_ONLY,
        skip_clone=True,  # made for one request
    )


def _collect(prompt: Sequence[int], outputs: Sequence[Any], sampling: Sampling) -> Completions:
    """Put the samples together.

    Of the prompt, what even the least lucky sample found cached had been read before: the others
    may have found what that sample had just read.
    """
    replies = [output.outputs[0] for output in outputs]
    usage = Usage(
        calls=1,
        prompt_tokens=len(prompt),
        cached_tokens=min(output.num_cached_tokens or 0 for output in outputs),
        completion_tokens=sum(len(reply.token_ids) for reply in replies),
    )
    wanted = sampling.logprobs
    return Completions(
        texts=tuple(reply.text for reply in replies),
        usage=usage,
        finish=tuple(reply.finish_reason for reply in replies),
        logprobs=() if wanted is None else tuple(_logprobs(reply, wanted) for reply in replies),
    )


def _logprobs(reply: Any, wanted: int) -> tuple[TokenLogprob, ...]:
    """Of every token drawn: the end token and those of a stop text too."""
    return tuple(
        _token_logprob(reply.token_ids[place], found, wanted)
        for place, found in enumerate(reply.logprobs)
    )


def _token_logprob(token: int, found: Mapping[int, Any], wanted: int) -> TokenLogprob:
    ranked = sorted(found.values(), key=lambda entry: entry.rank)[:wanted]
    return TokenLogprob(
        token=found[token].decoded_token or "",
        logprob=found[token].logprob,
        top=tuple((entry.decoded_token or "", entry.logprob) for entry in ranked),
    )


def _line(error: BaseException) -> str:
    """What is wrong, in one line."""
    text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return next(iter(text.strip().splitlines()), type(error).__name__)
