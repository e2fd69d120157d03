"""Settings that go together under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["filled"]


def filled(content: Any, presets: Mapping[str, Mapping[str, object]]) -> Any:
    """A planner's settings with those of its ``preset``; what is set beside it wins.

    What is no mapping, or names no preset, is left as it is for validation to refuse.

    >>> filled({"preset": "small", "b": 3}, {"small": {"a": 1, "b": 2}})
    {'a': 1, 'b': 3, 'preset': 'small'}
    """
    preset = content.get("preset") if isinstance(content, dict) else None
    known = presets.get(preset) if isinstance(preset, str) else None
    return {**known, **content} if known else content
