"""Environments with their grade: for evaluation, and for nothing that learns or plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armap.envs import TaskSelection, select_tasks
from armap.envs.game24.env import Game24Config
from armap.envs.game24.graded import GradedGame24
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.envs.scienceworld.graded import GradedScienceWorld
from armap.envs.webshop.config import WebShopConfig
from armap.errors import ConfigError
from armap.oracle import GradedEnvironment
from armap.plugins import load

if TYPE_CHECKING:
    from armap.envs import AnyEnvConfig
    from armap.envs.gym import TextEnv

__all__ = ["make_graded_env", "make_graded_gym"]


def make_graded_env(config: AnyEnvConfig) -> GradedEnvironment:
    """Build the environment that ``config`` describes, with its grade.

    Raises:
        ConfigError: an imported environment has no ``outcome()``.
    """
    if isinstance(config, Game24Config):
        return GradedGame24(config)
    if isinstance(config, WebShopConfig):
        from armap.envs.webshop.graded import GradedWebShop

        return GradedWebShop(config)
    if isinstance(config, ScienceWorldConfig):
        return GradedScienceWorld(config)
    env = load(config.target)(**config.options)
    if not isinstance(env, GradedEnvironment):
        raise ConfigError(f"{config.target}: no outcome(); it cannot be evaluated")
    return env


def make_graded_gym(
    config: AnyEnvConfig,
    tasks: TaskSelection | None = None,
    *,
    render_mode: str | None = None,
    max_length: int = 2**20,
) -> TextEnv:
    """The environment behind Gymnasium's API, its score as the reward.

    An episode's return is its score in [0, 1]. For evaluation, and for reinforcement learning
    that is to have the score; nothing in armap trains on it.

    Raises:
        ConfigError: an imported environment has no ``outcome()``, or there are no tasks.

    >>> env = make_graded_gym(Game24Config())
    >>> _ = env.reset(options={"task": "1 1 1 8"})
    >>> env.step("Answer: (1 + 1 + 1) * 8 = 24")[:3]
    ('Answer taken: 24.', 1.0, True)
    """
    from armap.envs.gym import TextEnv

    env = make_graded_env(config)
    return TextEnv(
        env,
        select_tasks(config, tasks or TaskSelection()),
        grade=lambda: env.outcome().score,
        render_mode=render_mode,
        max_length=max_length,
    )
