"""Chat models, and the table that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from armap.llms.local import LocalConfig
from armap.llms.openai import CapChange, OpenAIConfig, OpenAIModel
from armap.llms.scripted import Scripted, ScriptedConfig
from armap.llms.shopper import Shopper, ShopperConfig
from armap.llms.vllm_engine import VLLMConfig, VLLMModel
from armap.plugins import ImportConfig, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from armap.protocols import ChatModel

__all__ = ["AnyLLMConfig", "LLMConfig", "make_llm", "name_of"]

AnyLLMConfig = (
    LocalConfig | OpenAIConfig | ScriptedConfig | ShopperConfig | VLLMConfig | ImportConfig
)
LLMConfig = Annotated[AnyLLMConfig, Field(discriminator="kind")]


def make_llm(  # noqa: PLR0911  (one for each kind)
    config: AnyLLMConfig, *, told: Callable[[CapChange], None] = lambda _: None
) -> ChatModel:
    """Build the chat model that ``config`` describes.

    Args:
        config: which, and how.
        told: called with every change of an adaptive cap.
    """
    match config:
        case LocalConfig():
            from armap.llms.local import LocalModel

            return LocalModel(config)
        case OpenAIConfig():
            return OpenAIModel(config, told=told)
        case ScriptedConfig():
            return Scripted(config)
        case ShopperConfig():
            return Shopper(config)
        case VLLMConfig():
            return VLLMModel(config)
        case ImportConfig():
            return cast("ChatModel", load(config.target)(**config.options))


def name_of(config: AnyLLMConfig) -> str:
    """The name under which the model's calls are recorded, without loading weights."""
    match config:
        case LocalConfig():
            return f"local/{config.model}"
        case VLLMConfig():
            return f"vllm/{config.model}"
        case OpenAIConfig() | ScriptedConfig() | ShopperConfig() | ImportConfig():
            return make_llm(config).name
