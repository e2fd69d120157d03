"""Grading of WebShop: ground truth, out of reach of everything that learns or plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from armap.envs.webshop.env import WebShop, goal_index
from armap.envs.webshop.graded.nouns import make_nouns
from armap.envs.webshop.graded.reward import Purchase, Reward, grade
from armap.envs.webshop.views import render
from armap.envs.webshop.world import open_world
from armap.errors import EnvError
from armap.oracle import Outcome

if TYPE_CHECKING:
    from armap.envs.webshop.config import WebShopConfig
    from armap.envs.webshop.goals.goal import Goal
    from armap.envs.webshop.state import State
    from armap.types import Action, Observation, Task

__all__ = ["GradedWebShop"]


class GradedState(NamedTuple):
    """A snapshot that can be graded."""

    state: State
    goal: int | None


class GradedWebShop:
    """A :class:`WebShop` together with its grade; what it shows is the same."""

    def __init__(self, config: WebShopConfig) -> None:
        self._world = open_world(config)
        self._env = WebShop(config)
        self._view = config.observation
        self._profile = config.profile
        self._nouns = make_nouns(config.nouns, config.spacy_model)
        _, self._pages = self._world.parts(show_attrs=config.show_attrs)
        self._goal: int | None = None

    def reset(self, task: Task) -> Observation:
        """Open the start page and remember the goal."""
        seen = self._env.reset(task)
        self._goal = goal_index(task)
        return seen

    def step(self, action: Action) -> Observation:
        """Act."""
        return self._env.step(action)

    def snapshot(self) -> GradedState:
        """The state of the episode, with what its grade depends on."""
        return GradedState(self._env.snapshot(), self._goal)

    def restore(self, token: GradedState) -> None:
        """Continue from ``token``."""
        self._env.restore(token.state)
        self._goal = token.goal

    def close(self) -> None:
        """Nothing to free."""

    def outcome(self) -> Outcome:
        """The reward of the purchase; 0 when nothing was bought. Success is a reward of 1."""
        reward = self.reward()
        if reward is None:
            return Outcome(score=0.0, success=False, detail={"nouns": self._nouns.name})
        parts = reward._asdict()
        detail = {key: value for key, value in parts.items() if key != "total"}
        return Outcome(
            score=reward.total,
            success=reward.total == 1.0,
            detail={**detail, "nouns": self._nouns.name},
        )

    def reward(self) -> Reward | None:
        """The reward with its components; None as long as nothing was bought.

        Raises:
            EnvError: the task is an intent without a goal, so nobody knows its reward.
        """
        state, goal = self._env.snapshot(), self._wanted()
        if state.kind != "done":
            return None
        assert state.product is not None
        shop = self._world.shop
        product = shop.product(state.product)
        bought = Purchase(product, state.options, shop.price(state.product))
        return grade(bought, goal, self._nouns, self._profile)

    def page(self) -> str:
        """The page as the original shows it: at the end with the reward on it."""
        state = self._env.snapshot()
        reward = self.reward()
        score = None if reward is None else reward.total
        return render(self._pages.nodes(state, score=score), self._view)

    def _wanted(self) -> Goal:
        if self._goal is None:
            raise EnvError("webshop: this task names no goal (setup.goal), so it has no reward")
        return self._world.goals[self._goal]
