"""The base of every record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Record"]


class Record(BaseModel):
    """Base of everything that is stored, sent or configured."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")
