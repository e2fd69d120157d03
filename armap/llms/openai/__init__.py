"""Any endpoint that speaks the OpenAI chat-completions wire format."""

from __future__ import annotations

from armap.llms.openai.client import OpenAIConfig, OpenAIModel

__all__ = ["OpenAIConfig", "OpenAIModel"]
