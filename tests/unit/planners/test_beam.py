"""Beam search: what goes on, what is a candidate, what it costs, and what a fault costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.calls import Budget
from armap.errors import EnvError, ModelError
from armap.llms.scripted import Scripted
from armap.planners.beam import BeamConfig
from armap.protocols import Environment
from armap.types import Completions, Limits, Message, Plan, Sampling, StopReason
from tests.forks import (
    LETTERS,
    TASK,
    Crossroads,
    Forks,
    Liking,
    at_random,
    in_turn,
    planner,
    worth,
)


class Watched(Scripted):
    """Counts how many calls are in flight together, level by level."""

    def __init__(self, reply: Callable[[Sequence[Message], int], str] = at_random) -> None:
        super().__init__(reply=reply)
        self.flying = 0
        self.together: list[int] = []
        self.prompts: list[str] = []

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        self.flying += 1
        self.prompts.append(" ".join(m.content for m in messages if m.role == "assistant"))
        await asyncio.sleep(0.001)
        self.together.append(self.flying)
        await asyncio.sleep(0.001)
        self.flying -= 1
        return await super().complete(messages, sampling)


def plan(
    model: Scripted | None = None,
    *,
    world: Callable[[], Environment] = Forks,
    reward: Liking | None = None,
    limits: Limits = Limits(),
    budget: Budget | None = None,
    seed: int = 1,
    **how: object,
) -> Plan:
    made = planner(
        BeamConfig(**how),
        model=model,
        world=world,
        reward=reward,
        limits=limits,
        budget=budget or Budget(),
    )
    return asyncio.run(made.plan(TASK, seed=seed))


def ways(found: Plan) -> list[tuple[str, ...]]:
    return [candidate.trajectory.actions for candidate in found.candidates]


@settings(deadline=None, max_examples=40)
@given(
    width=st.integers(1, 6),
    expansions=st.integers(1, 6),
    seed=st.integers(0, 99),
    capped=st.booleans(),
)
def test_every_finished_episode_is_a_candidate_once(
    width: int, expansions: int, seed: int, *, capped: bool
) -> None:
    reward = Liking()
    limits = Limits(max_steps=2 if capped else 10)
    found = plan(width=width, expansions=expansions, seed=seed, reward=reward, limits=limits)
    assert len(ways(found)) == len(set(ways(found)))
    ends = StopReason.MAX_STEPS if capped else StopReason.TERMINAL
    assert {candidate.trajectory.stop for candidate in found.candidates} == {ends}
    assert {len(way) for way in ways(found)} == {2 if capped else 3}
    asked = [trajectory.actions for trajectory in reward.asked]
    assert len(asked) == len(set(asked)), "nothing is scored twice"
    raws = [candidate.score.raw for candidate in found.candidates if candidate.score]
    assert found.chosen == raws.index(max(raws))
    assert found.usage.calls <= 1 + width * (1 if capped else 2)
    assert sum(c.trajectory.usage.calls for c in found.candidates) <= found.usage.calls
    assert found == plan(width=width, expansions=expansions, seed=seed, limits=limits)


@settings(deadline=None, max_examples=20)
@given(width=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_tree_is_what_was_reached(width: int, seed: int) -> None:
    tree = plan(width=width, seed=seed).tree
    below = [0] * len(tree)
    for index, node in enumerate(tree[1:], start=1):
        assert node.parent is not None
        assert node.parent < index
        below[node.parent] += node.visits
        assert 0 < node.prior <= 1
    assert [node.visits for node in tree] == [1 + count for count in below]
    assert tree[0].visits == len(tree)
    assert tree[0].value == max(node.value for node in tree[1:] if node.value is not None)


def test_wide_enough_it_is_exhaustive() -> None:
    found = plan(Scripted(reply=in_turn()), width=16, expansions=4)
    assert sorted(ways(found)) == sorted(product(LETTERS, repeat=3))
    assert found.answer is not None
    assert found.answer.actions == max(product(LETTERS, repeat=3), key=worth)


def test_the_best_prefixes_go_on() -> None:
    model = Watched(in_turn())
    plan(model, width=2, expansions=4)
    assert model.prompts == ["", "d", "c", "d d", "d c"]


def test_a_level_is_asked_all_at_once() -> None:
    model = Watched(in_turn())
    plan(model, width=4, expansions=4)
    assert max(model.together) == 4
    assert model.calls == 9


def test_prefixes_are_scored_as_episodes_that_stopped_there() -> None:
    reward = Liking()
    plan(reward=reward, width=2)
    prefixes = [trajectory for trajectory in reward.asked if len(trajectory.steps) < 3]
    assert prefixes
    for prefix in prefixes:
        assert prefix.stop is StopReason.QUIT
        assert not prefix.final.terminal
        assert prefix.final.text == "Way: " + "".join(prefix.actions)


def test_an_objective_ranks_prefixes_and_candidates() -> None:
    made = planner(
        BeamConfig(width=1, expansions=4), objective="0 - last", model=Scripted(reply=in_turn())
    )
    found = asyncio.run(made.plan(TASK, seed=1))
    assert found.answer is not None
    assert found.answer.actions == ("a", "a", "a")
    assert all(candidate.utility is not None for candidate in found.candidates)


class TestMerging:
    def firsts(self, *, merge: bool, world: Callable[[], Environment] = Crossroads) -> list[str]:
        model = Watched(in_turn())
        plan(model, world=world, width=6, expansions=4, merge=merge)
        return model.prompts[5:]

    def test_equal_states_go_on_once(self) -> None:
        merged = self.firsts(merge=True)
        assert merged[0] == "d d"
        assert len({"".join(sorted(prompt)) for prompt in merged}) == len(merged) == 6
        assert "c d" not in merged, "d c is the better way there"

    def test_they_need_not(self) -> None:
        apart = self.firsts(merge=False)
        assert len({"".join(sorted(prompt)) for prompt in apart}) < len(apart)

    def test_without_snapshots_nothing_is_merged(self) -> None:
        assert self.firsts(merge=True, world=Forks) == self.firsts(merge=False, world=Forks)


class TestFaults:
    def test_a_failed_request_costs_its_branch(self) -> None:
        class Flaky(Watched):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                if any(message.content == "d" for message in messages):
                    raise TimeoutError("too far")
                return await super().complete(messages, sampling)

        found = plan(Flaky(in_turn()), width=3, expansions=4)
        assert all(way[0] != "d" for way in ways(found))
        assert found.answer is not None
        assert {failure.kind for failure in found.failures} == {"ModelError"}
        assert "failed, the first: asking scripted: TimeoutError: too far" in found.remark

    def test_failures_are_told_in_the_order_of_the_branches(self) -> None:
        class Uneven(Scripted):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                way = "".join(m.content for m in messages if m.role == "assistant")
                if len(way) == 1:
                    await asyncio.sleep(0.02 * LETTERS.index(way))
                    raise TimeoutError(way)
                return await super().complete(messages, sampling)

        # d is the best prefix, so the first branch, and the last to fail
        with pytest.raises(ModelError, match="TimeoutError: d"):
            plan(Uneven(reply=in_turn()), width=3, expansions=4)

    def test_a_task_that_does_not_begin_raises(self) -> None:
        class Shut(Forks):
            def reset(self, task: object) -> object:  # type: ignore[override]
                raise OSError("shut")

        with pytest.raises(EnvError, match="shut"):
            plan(world=Shut)

        class Dead(Scripted):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                raise TimeoutError("dead")

        with pytest.raises(ModelError, match="dead"):
            plan(Dead())

    def test_where_every_way_is_barred_the_first_reason_is_given(self) -> None:
        with pytest.raises(EnvError, match=r"the bridge \w is down"):
            plan(world=lambda: Forks(raises=LETTERS))

    def test_replies_without_an_action_end_the_branch(self) -> None:
        with pytest.raises(ModelError, match="no episode could be run"):
            plan(Scripted(reply=lambda messages, seed: ""))


class TestBudget:
    @settings(deadline=None, max_examples=40)
    @given(calls=st.integers(1, 30), width=st.integers(1, 8), seed=st.integers(0, 9))
    def test_it_is_kept_and_an_episode_is_finished_if_it_allows(
        self, calls: int, width: int, seed: int
    ) -> None:
        found = plan(width=width, seed=seed, budget=Budget(calls=calls), limits=Limits(max_steps=5))
        assert found.usage.calls <= calls
        assert (found.answer is not None) == (calls >= 3)
        if found.answer is None:
            assert "budget spent" in found.remark
            assert found.failures[-1].kind == "TaskBudgetSpent"

    def test_tokens_narrow_the_beam_too(self) -> None:
        free = plan(width=6)
        half = free.usage.tokens // 2
        found = plan(width=6, budget=Budget(tokens=half), limits=Limits(max_steps=3))
        assert found.answer is not None
        assert found.usage.tokens <= half

    def test_an_episode_that_is_over_at_once_is_a_candidate(self) -> None:
        class Over(Forks):
            def reset(self, task: object) -> object:  # type: ignore[override]
                return super().reset(task).model_copy(update={"terminal": True})  # type: ignore[arg-type]

        found = plan(world=Over)
        assert ways(found) == [()]
        assert found.usage.calls == 0
