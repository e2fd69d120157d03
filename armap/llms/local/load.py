"""Where a local model lies, and how it is loaded."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from armap.errors import ConfigError
from armap.types import Record

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["LocalConfig", "load_pretrained", "locate"]


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
