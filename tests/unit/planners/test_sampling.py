"""Independent episodes under a budget: it goes into whole ones, as many as it pays for."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.calls import Budget
from armap.planners.context import dearer, less
from armap.planners.sampling import SamplingConfig
from armap.types import Plan, Usage
from tests.forks import TASK, planner


def plan(n: int, budget: Budget) -> Plan:
    return asyncio.run(planner(SamplingConfig(n=n), budget=budget).plan(TASK, seed=1))


@settings(deadline=None, max_examples=30)
@given(calls=st.integers(3, 40), n=st.integers(1, 30))
def test_calls_go_into_whole_episodes(calls: int, n: int) -> None:
    found = plan(n, Budget(calls=calls))
    affordable = min(n, (calls - 1) // 2)
    assert len(found.candidates) == affordable
    assert found.usage.calls == 1 + 2 * affordable <= calls
    assert all(candidate.trajectory.whole for candidate in found.candidates)
    assert bool(found.remark) == (affordable < n)


@pytest.mark.parametrize("n", [10, 40])
def test_the_request_for_all_first_actions_makes_no_episode_look_dear(n: int) -> None:
    free = plan(n, Budget())
    some = plan(n, Budget(tokens=int(free.usage.tokens * 0.5)))
    assert len(some.candidates) >= 0.4 * n
    assert some.usage.tokens <= free.usage.tokens * 0.5


def test_counts_of_usages() -> None:
    a, b = Usage(calls=3, prompt_tokens=10, dollars=0.5), Usage(calls=1, completion_tokens=4)
    assert dearer(a, b) == Usage(calls=3, prompt_tokens=10, completion_tokens=4, dollars=0.5)
    assert less(a, b) == Usage(calls=2, prompt_tokens=10, dollars=0.5)
