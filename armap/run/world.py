"""What makes two runs comparable: digests of the data behind them and of what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.envs import fingerprint
from armap.prompts import digest

if TYPE_CHECKING:
    from armap.config import CollectRun, PlanRun

__all__ = ["world_of"]


def world_of(run: CollectRun | PlanRun) -> dict[str, str]:
    """Digests by name: the environment's, and the prompt's where the policy has one.

    Raises:
        ConfigError: there is no such data or prompt.
    """
    prompt = digest(run.policy.system, choices=run.policy.choices)
    return {**fingerprint(run.env), **({"prompt": prompt} if prompt else {})}
