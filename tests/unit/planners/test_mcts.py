"""ARMAP-M in its loop: parallel and sequential, on time and late, with faults and caps."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from random import Random

import pytest

from armap.calls import Budget
from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.puzzles import tasks
from armap.errors import ConfigError, TaskBudgetSpent
from armap.measures import COMMON
from armap.objective import Objective
from armap.planners import Context
from armap.planners.mcts import MCTS, MCTSConfig
from armap.policy import PolicyConfig, PromptedPolicy
from armap.protocols import Environment
from armap.rollout import Runner
from armap.seeding import derive
from armap.types import (
    Action,
    Completions,
    Limits,
    Message,
    Observation,
    Plan,
    Proposal,
    Sampling,
    Score,
    Situation,
    StopReason,
    Trajectory,
    Usage,
)
from tests.contracts.test_planners import Near
from tests.contracts.worlds import Corridor
from tests.player import Player

TASK = tasks("dev")[2]


class Plain:
    """The Game of 24 without snapshots."""

    blocking = False

    def __init__(self) -> None:
        self.game = Game24(Game24Config())

    def reset(self, task: object) -> Observation:
        return self.game.reset(task)  # type: ignore[arg-type]

    def step(self, action: Action) -> Observation:
        return self.game.step(action)

    def close(self) -> None:
        self.game.close()


def plan(
    config: MCTSConfig,
    *,
    player: Player | None = None,
    make: type[Environment] | None = None,
    seed: int = 3,
    **context: object,
) -> Plan:
    policy = PromptedPolicy(player or Player(), PolicyConfig())
    limits = Limits(step_seconds=0.2)
    runner = Runner(make or (lambda: Game24(Game24Config())), policy, limits)
    whole = Context(runner, Near(), **context)  # type: ignore[arg-type]

    async def work() -> Plan:
        try:
            return await MCTS(config, whole).plan(TASK, seed=seed)
        finally:
            await runner.close()

    return asyncio.run(work())


@pytest.mark.parametrize("parallelism", [1, 3, 16])
@pytest.mark.parametrize("flight", ["virtual_loss", "wu_uct"])
def test_timing_decides_nothing(parallelism: int, flight: str) -> None:
    config = MCTSConfig(trajectories=20, width=4, parallelism=parallelism, flight=flight)
    at_once = plan(config)
    assert plan(config, player=Player(latency=0.01)) == at_once
    assert plan(config, make=Plain, player=Player(latency=0.004)) == at_once
    assert len(at_once.candidates) == 20


def test_equal_actions_with_other_thoughts_are_judged_apart() -> None:
    """Whichever of them is first to be done."""

    class Thinker:
        """Left or right, each time for another reason; answers at its own pace."""

        name = "thinker"

        def __init__(self, pace: int) -> None:
            self.pace = Random(pace)

        async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
            await asyncio.sleep(self.pace.random() * 0.003)
            texts = [Random(derive(seed, n)).choice(("left", "right")) for n in range(k)]
            return Proposal(
                actions=tuple(Action(text=text, thought=f"{seed}") for text in texts), usage=Usage()
            )

        async def close(self) -> None:
            return

    class Reader:
        """Likes some thoughts better."""

        name = "reader"

        async def score(self, trajectories: Sequence[Trajectory]) -> list[Score]:
            told = [[step.action.thought for step in t.steps] for t in trajectories]
            drawn = [Random(derive(0, *thoughts)).random() for thoughts in told]
            await asyncio.sleep(0.001)
            return [Score(raw=value, calibrated=value) for value in drawn]

        async def close(self) -> None:
            return

    def planned(seed: int, pace: int) -> Plan:
        runner = Runner(lambda: Corridor(length=9), Thinker(pace), Limits(max_steps=4))
        config = MCTSConfig(trajectories=12, width=2, depth=2, parallelism=6, patience=30)
        task = Corridor.tasks("dev")[0]
        return asyncio.run(MCTS(config, Context(runner, Reader())).plan(task, seed=seed))

    for seed in range(12):
        first = planned(seed, pace=0)
        assert all(planned(seed, pace) == first for pace in (1, 2, 3))


def test_no_call_is_discarded() -> None:
    player = Player()
    result = plan(MCTSConfig(trajectories=30, width=4, parallelism=16), player=player)
    assert result.usage.calls == player.calls
    below = sum(c.trajectory.usage.calls for c in result.candidates)
    expansions = sum(1 for _ in {node.parent for node in result.tree}) - 1
    assert player.calls >= below + expansions


def test_calls_in_one_tree_overlap_up_to_the_parallelism() -> None:
    class Counting(Player):
        flying = most = 0

        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
            self.flying += 1
            self.most = max(self.most, self.flying)
            try:
                return await super().complete(messages, sampling)
            finally:
                self.flying -= 1

    player = Counting(latency=0.005)
    plan(MCTSConfig(trajectories=40, width=6, parallelism=5), player=player)
    assert player.most == 5


@pytest.mark.parametrize("parallelism", [1, 8])
def test_merging_equal_states_asks_less_and_keeps_histories_true(parallelism: int) -> None:
    config = MCTSConfig(trajectories=40, width=8, parallelism=parallelism)
    merged = plan(config.model_copy(update={"merge": True}))
    apart = plan(config)
    assert len(merged.candidates) == len(apart.candidates) == 40
    assert any(node.same is not None for node in merged.tree)
    assert not any(node.same is not None for node in apart.tree)
    for candidate in merged.candidates:
        env = Game24(Game24Config())
        seen = env.reset(TASK)
        for step in candidate.trajectory.steps:
            assert step.observation == seen
            seen = env.step(step.action)
        assert candidate.trajectory.final == seen


def test_where_instances_are_few_no_more_episodes_are_begun_than_calls_in_flight() -> None:
    class Few(Plain):
        capacity = 4

    def steps(window: int | None) -> int:
        runner = Runner(Few, PromptedPolicy(Player(latency=0.002), PolicyConfig()))
        config = MCTSConfig(trajectories=30, width=3, parallelism=4, window=window)
        asyncio.run(MCTS(config, Context(runner, Near())).plan(TASK, seed=0))
        return runner.counts.steps

    assert steps(None) <= 30 * 4, "a trajectory costs its four turns at most"
    assert steps(16) > 30 * 4, "with more episodes than instances each takes another's"


def test_merging_needs_snapshots() -> None:
    with pytest.raises(ConfigError, match=r"planner.merge: 'game24' has no snapshots"):
        plan(MCTSConfig(trajectories=5, width=4, merge=True), make=Plain)


class Faulty(Plain):
    """Raises, hangs or changes its mind below one of the first moves each."""

    blocking = True
    hangs = threading.Event()

    def reset(self, task: object) -> Observation:
        self.trail: list[str] = []
        return super().reset(task)

    def step(self, action: Action) -> Observation:
        self.trail.append(action.text)
        seen = super().step(action)
        kind = sum(map(ord, self.trail[0])) % 4
        if len(self.trail) == 2 and kind == 0:
            raise ValueError("the board fell")
        if len(self.trail) == 2 and kind == 1:
            self.hangs.wait(30)
        if len(self.trail) == 2 and kind == 2:
            return seen.model_copy(update={"text": f"{seen.text} at {time.monotonic_ns()}"})
        return seen


@pytest.mark.parametrize("parallelism", [1, 6])
def test_an_environment_that_fails_costs_the_branch(parallelism: int) -> None:
    Faulty.hangs.clear()
    try:
        config = MCTSConfig(trajectories=25, width=8, parallelism=parallelism, patience=60)
        result = plan(config, make=Faulty)
    finally:
        Faulty.hangs.set()
    assert result.answer is not None
    assert result.answer.whole
    messages = " ".join(failure.message for failure in result.failures)
    assert "the board fell" in messages
    assert "no answer in 0.2 s" in messages
    assert "branches failed, the first:" in result.remark
    whole = [c for c in result.candidates if c.trajectory.whole]
    assert whole
    assert all(c.score is not None for c in whole)


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_spent_budget_ends_the_search_with_the_best_so_far(parallelism: int) -> None:
    class Capped(Player):
        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
            if self.calls >= 25:
                raise TaskBudgetSpent("no more")
            return await super().complete(messages, sampling)

    player = Capped()
    config = MCTSConfig(trajectories=50, width=4, parallelism=parallelism)
    result = plan(config, player=player, budget=Budget(calls=25))
    assert result.answer is not None
    assert result.answer.whole
    assert "budget spent after" in result.remark
    assert result.usage.calls == player.calls == 25
    assert [failure.kind for failure in result.failures] == ["TaskBudgetSpent"]
    stops = {c.trajectory.stop for c in result.candidates}
    assert stops <= {StopReason.TERMINAL, StopReason.BUDGET}


def test_an_objective_is_what_is_searched_for() -> None:
    few_words = Objective.parse("reward - 0.2 * words", COMMON)
    result = plan(MCTSConfig(trajectories=20, width=6), objective=few_words)
    assert result.objective == few_words.text
    utilities = [c.utility for c in result.candidates]
    assert result.chosen == utilities.index(max(u for u in utilities if u is not None))
    assert result.tree[0].value == max(u for u in utilities if u is not None)


def test_presets_set_what_they_say_and_no_more() -> None:
    repo = MCTSConfig(preset="repo", exploration=2.0)
    assert (repo.rule, repo.exploration, repo.discount, repo.values) == (
        "released",
        2.0,
        0.9,
        "raw",
    )
    assert MCTSConfig.model_validate_json(repo.model_dump_json()) == repo
    paper = MCTSConfig(preset="paper")
    assert (paper.value, paper.width, paper.depth, paper.trajectories) == ("max", 10, 10, 10)


@pytest.mark.parametrize("preset", ["paper", "repo"])
def test_presets_search(preset: str) -> None:
    result = plan(MCTSConfig(preset=preset, trajectories=12))
    assert result.answer is not None
    assert len({c.trajectory.actions for c in result.candidates}) == len(result.candidates)


@pytest.mark.parametrize("parallelism", [1, 6])
def test_poor_trajectories_leave_notes_for_later_ones(parallelism: int) -> None:
    config = MCTSConfig(
        trajectories=20, width=4, parallelism=parallelism, reflect="attempt", notes=2
    )
    result = plan(config)
    assert plan(config, player=Player(latency=0.005)) == result
    told = [c.trajectory.notes for c in result.candidates]
    assert told[0] == ()
    assert max(map(len, told)) == 2
    assert any(note.startswith("Failed: ") for notes in told for note in notes)
    assert plan(config.model_copy(update={"reflect_below": 0.0})) == plan(
        config.model_copy(update={"reflect": None})
    )


def test_a_model_that_reflects_is_paid_for_and_may_fail() -> None:
    asked: list[str] = []

    class Critic(Player):
        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
            if messages[0].content.startswith("Make 24"):
                return await super().complete(messages, sampling)
            self.calls += 1
            asked.append(messages[-1].content)
            if len(asked) == 2:
                raise TimeoutError("no advice")
            usage = Usage(calls=1, completion_tokens=5)
            return Completions(texts=("Begin with the tens.",), usage=usage)

    player = Critic()
    result = plan(MCTSConfig(trajectories=12, width=4, reflect="llm"), player=player)
    assert result.usage.calls + 1 == player.calls, "the one that failed cost nothing"
    assert [f.kind for f in result.failures] == ["ModelError"]
    assert any(c.trajectory.notes == ("Begin with the tens.",) for c in result.candidates)
