"""Adaptive Best-of-N: it stops when another sample is not worth it, and says what that saved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.calls import Budget
from armap.planners.best_of_n import BestOfNConfig
from armap.planners.stopping import expected_gain
from armap.types import Candidate, Plan, Usage
from tests.forks import TASK, Forks, Liking, at_random, planner, scored

GOOD = (2.8, 3.3, 3.9)
values = st.floats(0, 1)


def plan(n: int = 20, held_out: Sequence[float] = GOOD, objective: str = "", **how: object) -> Plan:
    config = BestOfNConfig(n=n, **how)
    made = planner(config, reward=Liking(held_out), objective=objective)
    return asyncio.run(made.plan(TASK, seed=how.get("seed", 0)))


def ways(plan: Plan) -> list[tuple[str, ...]]:
    return [candidate.trajectory.actions for candidate in plan.candidates]


@given(values, st.lists(values, min_size=1), st.integers(1, 100))
def test_the_gain_falls_with_the_best_and_with_every_miss(
    best: float, good: list[float], drawn: int
) -> None:
    gain = expected_gain(best, good, drawn)
    assert 0.0 <= gain <= 1.0 / (drawn + 1)
    assert expected_gain(best + 0.1, good, drawn) <= gain
    assert expected_gain(best, good, drawn + 1) <= gain
    assert expected_gain(max(good), good, drawn) == 0.0


@settings(deadline=None, max_examples=30)
@given(
    gain=st.floats(1e-4, 0.2),
    fewest=st.integers(1, 6),
    wave=st.integers(1, 5),
    n=st.integers(1, 20),
)
def test_what_is_drawn_is_the_beginning_of_the_plain_plan(
    gain: float, fewest: int, wave: int, n: int
) -> None:
    full = plan(n=20)
    some = plan(n=n, adaptive=True, gain=gain, fewest=fewest, wave=wave)
    count = len(some.candidates)
    assert ways(some) == ways(full)[:count]
    assert min(n, fewest) <= count <= n
    assert some.saved == n - count
    assert ("stopped after" in some.remark) == (some.saved > 0)
    raws = [c.score.raw for c in some.candidates if c.score is not None]
    assert some.chosen == raws.index(max(raws))


@settings(deadline=None, max_examples=20)
@given(gain=st.floats(1e-3, 0.1), wave=st.integers(2, 8))
def test_waves_draw_at_most_their_own_size_in_vain(gain: float, wave: int) -> None:
    one = len(plan(adaptive=True, gain=gain).candidates)
    many = len(plan(adaptive=True, gain=gain, wave=wave).candidates)
    assert one <= many < one + wave


def test_it_stops_as_soon_as_the_rule_says() -> None:
    some = plan(adaptive=True, gain=0.01, fewest=1)
    good = [scored(raw).calibrated for raw in GOOD]
    best = [c.score.calibrated for c in some.candidates if c.score is not None]
    gains = [expected_gain(max(best[: k + 1]), good, k + 1) for k in range(len(best))]
    assert all(gain >= 0.01 for gain in gains[:-1])
    assert gains[-1] < 0.01
    assert 1 < len(best) < 20
    assert some.remark.endswith(f"another is expected to add {gains[-1]:.4f}")


def test_without_held_out_scores_every_score_is_as_likely() -> None:
    some = plan(adaptive=True, gain=0.005, held_out=())
    best = max(c.score.calibrated for c in some.candidates if c.score is not None)
    expected = (1 - best) ** 2 / 2 / (len(some.candidates) + 1)
    assert some.saved > 0
    assert float(some.remark.rpartition(" ")[2]) == pytest.approx(expected, abs=1e-4)


def test_what_it_saves_is_not_paid() -> None:
    some, full = plan(adaptive=True, gain=0.01), plan()
    assert some.usage.calls == 1 + 2 * len(some.candidates)
    assert full.usage.calls == 1 + 2 * 20
    assert some.usage == sum((c.trajectory.usage for c in some.candidates), Usage())


def test_the_objective_decides_when_there_is_one() -> None:
    some = plan(adaptive=True, gain=0.02, objective="reward - 0.5 * last")
    assert some.saved > 0
    utilities = [
        candidate.utility for candidate in some.candidates if candidate.utility is not None
    ]
    assert some.chosen == utilities.index(max(utilities))
    other = plan(adaptive=True, gain=0.02)
    assert len(other.candidates) != len(some.candidates), "another scale, another moment"


def test_an_objective_that_has_no_value_for_some_good_scores_still_stops() -> None:
    some = plan(adaptive=True, gain=0.001, objective="log(2 - reward)", held_out=(0.1, 3.9))
    assert some.saved > 0


def test_stored_candidates_are_looked_at_one_by_one(tmp_path: Path) -> None:
    full = plan()
    bare = [Candidate(trajectory=candidate.trajectory) for candidate in full.candidates]
    stored = full.model_copy(update={"candidates": tuple(bare), "chosen": 0})
    (tmp_path / "plans.jsonl").write_text(stored.model_dump_json() + "\n")
    live = plan(adaptive=True, gain=0.01)
    read = plan(adaptive=True, gain=0.01, candidates=str(tmp_path))
    assert ways(read) == ways(live)
    assert (read.chosen, read.saved, read.remark) == (live.chosen, live.saved, live.remark)


def test_episodes_that_failed_are_no_reason_to_stop() -> None:
    made = planner(
        BestOfNConfig(n=30, adaptive=True, gain=0.5, fewest=1),
        world=lambda: Forks(raises="ab"),
        reward=Liking(GOOD),
    )
    found = asyncio.run(made.plan(TASK, seed=3))
    whole = [candidate.trajectory.whole for candidate in found.candidates]
    assert len(whole) > 2
    assert whole.index(True) == len(whole) - 1 == found.chosen
    assert found.saved == 30 - len(whole)


def test_the_budget_ends_it_too() -> None:
    config = BestOfNConfig(n=20, adaptive=True, gain=1e-9)
    made = planner(config, reward=Liking(GOOD), budget=Budget(calls=9))
    found = asyncio.run(made.plan(TASK, seed=0))
    assert found.remark.startswith("the budget leaves room for")
    assert found.usage.calls <= 9
    assert found.saved == 0
    assert found.failures[-1].kind == "TaskBudgetSpent"


@pytest.mark.parametrize("seed", range(3))
def test_the_model_is_not_asked_more_than_that(seed: int) -> None:
    from armap.llms.scripted import Scripted

    model = Scripted(reply=at_random)
    made = planner(BestOfNConfig(n=20, adaptive=True, gain=0.02), model=model, reward=Liking(GOOD))
    found = asyncio.run(made.plan(TASK, seed=seed))
    assert model.calls == found.usage.calls
