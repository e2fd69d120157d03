"""A fault of the environment costs its branch and is on record; the search goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from armap.errors import EnvError
from armap.planners import AnyPlannerConfig
from armap.planners.beam import BeamConfig
from armap.planners.best_of_n import BestOfNConfig
from armap.planners.reflexion import ReflexionConfig
from armap.planners.sampling import GreedyConfig, SamplingConfig
from armap.planners.self_consistency import SelfConsistencyConfig
from armap.types import Limits, Plan, StopReason
from tests import forks
from tests.forks import TASK, Forks, planner

KINDS: list[AnyPlannerConfig] = [
    SamplingConfig(n=12),
    BestOfNConfig(n=12),
    BestOfNConfig(n=12, adaptive=True, gain=1e-6),
    SelfConsistencyConfig(n=12),
    ReflexionConfig(trials=8, threshold=0.99),
    BeamConfig(width=4, expansions=6),
]
NAMES = [f"{config.kind}{'-adaptive' * ('gain=1e-06' in str(config))}" for config in KINDS]
every_kind = pytest.mark.parametrize("config", KINDS, ids=NAMES)


@pytest.fixture
def _gate() -> Iterator[None]:
    forks.GATE = threading.Event()
    yield
    forks.GATE.set()


def plan_of(
    config: AnyPlannerConfig, world: Callable[[], Forks], seconds: float | None = None
) -> Plan:
    made = planner(config, world=world, limits=Limits(step_seconds=seconds), warm=True)

    async def work() -> Plan:
        try:
            return await made.plan(TASK, seed=5)
        finally:
            await made.context.runner.close()  # type: ignore[attr-defined]

    return asyncio.run(asyncio.wait_for(work(), 30))


def check(plan: Plan, letter: str, message: str) -> None:
    assert plan.answer is not None
    assert plan.answer.whole
    assert letter not in plan.answer.actions
    assert {failure.kind for failure in plan.failures} == {"EnvError"}
    assert all(message in failure.message for failure in plan.failures)
    whole = [candidate for candidate in plan.candidates if candidate.trajectory.whole]
    assert len(whole) >= 2, "the other branches went on"
    for candidate in plan.candidates:
        if not candidate.trajectory.whole:
            assert candidate.score is None
            assert candidate.trajectory.stop is StopReason.FAILED


@every_kind
def test_an_environment_that_raises(config: AnyPlannerConfig) -> None:
    plan = plan_of(config, lambda: Forks(raises="d"))
    check(plan, "d", "ValueError: the bridge d is down")


@every_kind
@pytest.mark.usefixtures("_gate")
def test_an_environment_that_hangs(config: AnyPlannerConfig) -> None:
    plan = plan_of(config, lambda: Forks(hangs="d"), seconds=0.1)
    check(plan, "d", "no answer in 0.1 s")


@every_kind
def test_an_environment_that_diverges_on_replay(config: AnyPlannerConfig) -> None:
    """With one instance for all, branches have to be replayed, and whole episodes wait."""
    plan = plan_of(config, lambda: Forks(changes="d", capacity=1))
    assert plan.answer is not None
    assert bool(plan.failures) == isinstance(config, BeamConfig)
    assert all("diverged" in failure.message for failure in plan.failures)


def test_the_one_episode_of_greedy_is_all_there_is() -> None:
    with pytest.raises(EnvError, match=r"the bridge \w is down"):
        plan_of(GreedyConfig(), lambda: Forks(raises="abcd"))
