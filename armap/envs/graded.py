"""Environments with their grade: for evaluation, and for nothing that learns or plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.envs.game24.env import Game24Config
from armap.envs.game24.graded import GradedGame24
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.envs.scienceworld.graded import GradedScienceWorld
from armap.errors import ConfigError
from armap.oracle import GradedEnvironment
from armap.plugins import load

if TYPE_CHECKING:
    from armap.envs import AnyEnvConfig

__all__ = ["make_graded_env"]


def make_graded_env(config: AnyEnvConfig) -> GradedEnvironment:
    """Build the environment that ``config`` describes, with its grade.

    Raises:
        ConfigError: an imported environment has no ``outcome()``.
    """
    if isinstance(config, Game24Config):
        return GradedGame24(config)
    if isinstance(config, ScienceWorldConfig):
        return GradedScienceWorld(config)
    env = load(config.target)(**config.options)
    if not isinstance(env, GradedEnvironment):
        raise ConfigError(f"{config.target}: no outcome(); it cannot be evaluated")
    return env
