"""Any Hugging Face causal language model, in this process, batched across all callers."""

from __future__ import annotations

from armap.llms.local.load import LocalConfig, load_pretrained, locate
from armap.llms.local.model import LocalModel

__all__ = ["LocalConfig", "LocalModel", "load_pretrained", "locate"]
