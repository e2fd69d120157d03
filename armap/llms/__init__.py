"""Chat models, and the table that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from armap.llms.local import LocalConfig
from armap.llms.openai import OpenAIConfig
from armap.llms.scripted import ScriptedConfig
from armap.llms.vllm_engine import VLLMConfig
from armap.plugins import ImportConfig, load

if TYPE_CHECKING:
    from armap.protocols import ChatModel

__all__ = ["LLMConfig", "make_llm"]

LLMConfig = Annotated[
    LocalConfig | OpenAIConfig | ScriptedConfig | VLLMConfig | ImportConfig,
    Field(discriminator="kind"),
]


def make_llm(
    config: LocalConfig | OpenAIConfig | ScriptedConfig | VLLMConfig | ImportConfig,
) -> ChatModel:
    """Build the chat model that ``config`` describes."""
    match config:
        case LocalConfig():
            from armap.llms.local import LocalModel

            return LocalModel(config)
        case OpenAIConfig():
            from armap.llms.openai import OpenAIModel

            return OpenAIModel(config)
        case ScriptedConfig():
            from armap.llms.scripted import Scripted

            return Scripted(config)
        case VLLMConfig():
            from armap.llms.vllm_engine import VLLMModel

            return VLLMModel(config)
        case ImportConfig():
            return cast("ChatModel", load(config.target)(**config.options))
