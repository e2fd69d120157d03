"""Any endpoint that speaks the OpenAI chat-completions wire format, through aiohttp."""

from __future__ import annotations

from armap.llms.openai.client import OpenAIModel
from armap.llms.openai.config import AdaptiveConfig, OpenAIConfig, RetryConfig
from armap.llms.openai.limiter import CapChange

__all__ = ["AdaptiveConfig", "CapChange", "OpenAIConfig", "OpenAIModel", "RetryConfig"]
