"""Where a local model lies, and how it is loaded."""

from __future__ import annotations

import copy
import re
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from armap.errors import ConfigError
from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "LocalConfig",
    "enough_memory",
    "has_vision",
    "in_float64",
    "load_pretrained",
    "load_vision",
    "locate",
]


class LocalConfig(Record):
    """A causal or vision-language model with a chat template, run by transformers."""

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
    """``cpu``, ``cuda``, ``cuda:1``, ``mps``."""


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


def has_vision(config: LocalConfig) -> bool:
    """Whether the model sees: the library lists it so, and it has a part besides its text.

    Raises:
        ConfigError: torch is not installed, or the model is not there.
    """
    place = _place(config)
    with _loading(config):
        from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig

        found = AutoConfig.from_pretrained(place)
    parts = set(found.sub_configs) - {"text_config"}
    return bool(parts) and type(found) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def load_pretrained(config: LocalConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model that reads text, and its tokenizer.

    Raises:
        ConfigError: torch is not installed; the model is not there, has no chat template, or
            does not fit into the device.
    """
    place = _place(config)
    device = _device(config)
    with _loading(config):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(place)
        model = AutoModelForCausalLM.from_pretrained(place, dtype=_dtype(config)).to(device)
    if not tokenizer.chat_template:
        raise ConfigError(f"the tokenizer of {config.model!r} has no chat template")
    return model.eval(), tokenizer


def load_vision(config: LocalConfig) -> tuple[PreTrainedModel, Any]:
    """Load a model that reads text and images, and its processor.

    Raises:
        ConfigError: as :func:`load_pretrained`; or the processor needs what is not installed.
    """
    place = _place(config)
    device = _device(config)
    with _loading(config):
        import PIL  # noqa: F401  (the processors here make pixels with it)
        from transformers import AutoModelForImageTextToText, AutoProcessor

        processor = AutoProcessor.from_pretrained(place)
        model = AutoModelForImageTextToText.from_pretrained(place, dtype=_dtype(config)).to(device)
    if not hasattr(processor, "image_processor"):
        raise ConfigError(f"the folder of {config.model!r} describes no image processor")
    processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
    if not processor.chat_template:
        raise ConfigError(f"the processor of {config.model!r} has no chat template")
    return model.eval(), processor


def in_float64(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of ``model`` in float64, which experts' fused kernels cannot do."""
    exact = copy.deepcopy(model).double()
    exact.set_experts_implementation("eager")
    return exact


@contextmanager
def enough_memory(config: LocalConfig) -> Generator[None, None, None]:
    """Say what helps when torch runs out of memory in the block.

    Raises:
        ConfigError: it did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error).lower()
        if "out of memory" not in text and "allocate memory" not in text:
            raise
        raise ConfigError(
            f"{config.model!r} does not fit into the memory of {config.device!r}: lower "
            f"llm.max_batch (now {config.max_batch}) or llm.prefix_mb (now {config.prefix_mb}), "
            f"set llm.dtype=bfloat16, or choose a smaller model"
        ) from error


@contextmanager
def _loading(config: LocalConfig) -> Generator[None, None, None]:
    """Say in one line why a model cannot be loaded."""
    try:
        with enough_memory(config):
            yield
    except ConfigError:
        raise
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        first = re.split(r"\n|(?<=\.) ", str(error).strip() or type(error).__name__)[0]
        raise ConfigError(f"model {config.model!r} cannot be loaded: {first}") from error


def _place(config: LocalConfig) -> str:
    try:
        import torch  # noqa: F401  (transformers imports without it, and fails later)
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise ConfigError(
            f"llm.kind 'local' needs torch and transformers: pip install 'armap[train]' ({error})"
        ) from error
    disable_progress_bar()
    return locate(config.model)


def _device(config: LocalConfig) -> torch.device:
    import torch

    try:
        device = torch.device(config.device)
    except RuntimeError as error:
        raise ConfigError(
            f"llm.device {config.device!r} is unknown; there are 'cpu', 'cuda', 'cuda:1', 'mps'"
        ) from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(
            f"llm.device {config.device!r} is not there, torch sees {count} CUDA devices: set "
            "llm.device=cpu, or install a build of torch for CUDA"
        )
    return device


def _dtype(config: LocalConfig) -> Any:
    import torch

    return getattr(torch, config.dtype)
