"""The tree searches of others on the same synthetic tree, where they are installed.

Each is run as its documentation has it, with a policy and a reward that cost nothing, and timed
by the CPU seconds of this process. ``None`` where the package is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from random import Random
from typing import Any

__all__ = ["PEERS"]


def llm_reasoners(simulations: int, width: int, depth: int) -> float:
    """RAP's MCTS of llm-reasoners, with reward and fast reward."""
    from reasoners.algorithm import MCTS

    rng = Random(0)

    class World:
        def init_state(self) -> tuple[int, ...]:
            return ()

        def step(self, state: tuple[int, ...], action: int) -> tuple[tuple[int, ...], dict]:
            return (*state, action), {}

        def is_terminal(self, state: tuple[int, ...]) -> bool:
            return len(state) >= depth

    class Config:
        def get_actions(self, state: tuple[int, ...]) -> range:  # noqa: ARG002
            return range(width)

        def fast_reward(self, state: Any, action: int) -> tuple[float, dict]:  # noqa: ARG002
            return rng.random(), {}

        def reward(self, state: Any, action: int, **_: object) -> tuple[float, dict]:  # noqa: ARG002
            return rng.random(), {}

    search = MCTS(n_iters=simulations, depth_limit=depth)
    begun = time.process_time()
    search(World(), Config())
    return time.process_time() - begun


def treequest(simulations: int, width: int, depth: int) -> float:  # noqa: ARG001
    """TreeQuest's StandardMCTS, growing its tree in place; it has no bound on depth."""
    from treequest import StandardMCTS

    rng = Random(0)
    search = StandardMCTS(samples_per_action=width)
    tree = search.init_tree()
    generate = {"go": lambda state: ((state or 0) + 1, rng.random())}
    begun = time.process_time()
    for _ in range(simulations):
        tree = search.step(tree, generate, inplace=True)
    return time.process_time() - begun


def mctx(simulations: int, width: int, depth: int) -> float:
    """Mctx's MuZero search, one tree, compiled beforehand (seconds, not counted)."""
    import jax
    import mctx as engine
    from jax import numpy as jnp

    def recurrent(params: Any, key: Any, action: Any, state: Any) -> Any:  # noqa: ARG001
        value = jax.random.uniform(key, (1,))
        output = engine.RecurrentFnOutput(
            reward=jnp.zeros(1),
            discount=jnp.ones(1),
            prior_logits=jnp.zeros((1, width)),
            value=value,
        )
        return output, state

    root = engine.RootFnOutput(
        prior_logits=jnp.zeros((1, width)), value=jnp.zeros(1), embedding=jnp.zeros((1, 1))
    )

    @jax.jit
    def run(key: Any) -> Any:
        return engine.muzero_policy(
            (), key, root, recurrent, num_simulations=simulations, max_depth=depth
        ).action

    run(jax.random.PRNGKey(0)).block_until_ready()
    begun = time.process_time()
    run(jax.random.PRNGKey(1)).block_until_ready()
    return time.process_time() - begun


Run = Callable[[int, int, int], float]


def _where_installed(package: str, run: Run) -> Run | None:
    return run if find_spec(package) else None


PEERS: dict[str, Run | None] = {
    "llm-reasoners": _where_installed("reasoners", llm_reasoners),
    "treequest": _where_installed("treequest", treequest),
    "mctx": _where_installed("mctx", mctx),
}
"""By name: ``run(simulations, width, depth)`` returns CPU seconds."""
