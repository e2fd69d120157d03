"""What every planner promises: same inputs, same plan, whatever else is in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from armap.calls import Journal, Recorded, task_scope
from armap.envs import make_answer, make_env, make_measures
from armap.envs.game24.env import Game24Config
from armap.envs.game24.puzzles import tasks
from armap.errors import ConfigError, ModelError, ObjectiveError
from armap.objective import Objective
from armap.planners import AnyPlannerConfig, Context, make_planner, temperature
from armap.planners.beam import BeamConfig
from armap.planners.best_of_n import BestOfNConfig
from armap.planners.mcts import MCTSConfig
from armap.planners.reflexion import ReflexionConfig
from armap.planners.sampling import GreedyConfig, SamplingConfig
from armap.planners.self_consistency import SelfConsistencyConfig
from armap.plugins import ImportConfig
from armap.policy import PolicyConfig, PromptedPolicy
from armap.protocols import ChatModel, Planner
from armap.rollout import Runner
from armap.types import (
    Candidate,
    Completions,
    Message,
    Plan,
    Sampling,
    Score,
    StopReason,
    Task,
    Trajectory,
    Usage,
)
from tests.player import Player

TASKS = tasks("dev")[:4]
KINDS: list[AnyPlannerConfig] = [
    GreedyConfig(),
    SamplingConfig(n=5),
    BestOfNConfig(n=5),
    BestOfNConfig(n=5, adaptive=True, gain=0.05, wave=2),
    SelfConsistencyConfig(n=5),
    SelfConsistencyConfig(n=5, weighted=True),
    ReflexionConfig(trials=4, threshold=0.9),
    ReflexionConfig(preset="game24", trials=4, threshold=0.9),
    BeamConfig(width=2, expansions=3),
    MCTSConfig(trajectories=6, width=4),
    MCTSConfig(trajectories=6, width=4, parallelism=4),
    ImportConfig(target="tests.contracts.test_planners:Twice", options={"tries": 2}),
]


class Near:
    """Likes answers near 24; counts what it was asked."""

    name = "near"

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def score(self, trajectories: list[Trajectory]) -> list[Score]:
        return [self.one(trajectory) for trajectory in trajectories]

    def one(self, trajectory: Trajectory) -> Score:
        self.asked.append(trajectory.actions)
        text = trajectory.final.text
        value = text.removeprefix("Answer taken: ").rstrip(".")
        near = 1 / (1 + abs(24 - int(value))) if value.lstrip("-").isdigit() else 0.0
        return Score(raw=near, calibrated=near)

    async def close(self) -> None:
        return


class Twice:
    """A planner of one's own: the better of a few tries."""

    name = "twice"

    def __init__(self, context: Context, tries: int) -> None:
        self.context = context
        self.tries = tries

    async def plan(self, task: Task, *, seed: int) -> Plan:
        episodes = [await self.context.runner.run(task, seed=seed + i) for i in range(self.tries)]
        candidates = await self.context.scored(episodes)
        best = max(range(self.tries), key=lambda i: candidates[i].score.raw)
        usage = episodes[0].usage
        return Plan(
            task=task, planner=self.name, candidates=tuple(candidates), chosen=best, usage=usage
        )


def build(
    config: AnyPlannerConfig, player: ChatModel, reward: Near | None = None, objective: str = ""
) -> Planner:
    policy = PromptedPolicy(player, PolicyConfig(), temperature(config))
    runner = Runner(lambda: make_env(Game24Config()), policy)
    aim = Objective.parse(objective, make_measures(Game24Config())) if objective else None
    answer = make_answer(Game24Config())
    return make_planner(config, Context(runner, reward or Near(), objective=aim, answer=answer))


def plans(config: AnyPlannerConfig, *, together: bool, seed: int = 1) -> list[Plan]:
    planner = build(config, Player(latency=0.002 if together else 0.0))
    assert isinstance(planner, Planner)

    async def run() -> list[Plan]:
        if together:
            return list(await asyncio.gather(*(planner.plan(task, seed=seed) for task in TASKS)))
        return [await planner.plan(task, seed=seed) for task in TASKS]

    return asyncio.run(run())


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
class TestContract:
    def test_same_plan_alone_and_in_company(self, config: AnyPlannerConfig) -> None:
        assert plans(config, together=False) == plans(config, together=True)

    def test_the_seed_matters_where_it_may(self, config: AnyPlannerConfig) -> None:
        if isinstance(config, GreedyConfig | ReflexionConfig):
            pytest.skip("temperature 0: the seed decides nothing")
        assert plans(config, together=False) != plans(config, together=False, seed=2)

    def test_the_plan_holds_its_evidence(self, config: AnyPlannerConfig) -> None:
        for plan, task in zip(plans(config, together=False), TASKS, strict=True):
            assert plan.task == task
            assert plan.candidates
            assert plan.answer is not None
            assert plan.usage.calls > 0
            assert Plan.model_validate_json(plan.model_dump_json()) == plan

    def test_its_journal_makes_the_same_plan_again(
        self, config: AnyPlannerConfig, tmp_path: Path
    ) -> None:
        journal = Journal(tmp_path / "calls.jsonl")

        async def run(model: Recorded) -> Plan:
            with task_scope(TASKS[0]):
                return await build(config, model).plan(TASKS[0], seed=1)

        player = Player()
        live = asyncio.run(run(Recorded(player, journal)))
        again = asyncio.run(run(Recorded(None, journal, name=player.name)))
        journal.close()
        assert again == live
        assert journal.paid.calls == player.calls

    def test_a_dead_model_is_a_recorded_error(self, config: AnyPlannerConfig) -> None:
        planner = build(config, Player(fail_task="Make 24"))
        with pytest.raises((ModelError, AttributeError)):
            asyncio.run(planner.plan(TASKS[0], seed=0))


def test_best_of_n_takes_the_best_and_scores_each_once() -> None:
    reward = Near()
    planner = build(BestOfNConfig(n=8), Player(), reward)
    plan = asyncio.run(planner.plan(TASKS[0], seed=0))
    raws = [candidate.score.raw for candidate in plan.candidates if candidate.score]
    assert len(reward.asked) == len(raws) == 8
    assert plan.chosen == raws.index(max(raws)), "ties go to the first"


@pytest.mark.parametrize(
    "config",
    [
        BestOfNConfig(n=8),
        BestOfNConfig(n=8, adaptive=True, gain=0.01),
        ReflexionConfig(trials=4, threshold=0.999),
        BeamConfig(width=3),
        MCTSConfig(trajectories=6),
    ],
    ids=lambda config: config.kind,
)
def test_the_answer_is_the_first_with_the_highest_utility(config: AnyPlannerConfig) -> None:
    objective = "reward - 0.5 * words / 10"
    planner = build(config, Player(), objective=objective)
    plan = asyncio.run(planner.plan(TASKS[0], seed=0))
    words = make_measures(Game24Config())["words"].of
    utilities = [candidate.utility for candidate in plan.candidates]
    assert utilities == [
        c.score.calibrated - 0.5 * words(c.trajectory) / 10 for c in plan.candidates if c.score
    ]
    assert plan.chosen == utilities.index(max(u for u in utilities if u is not None))
    assert plan.objective == objective
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_without_an_objective_there_is_no_utility() -> None:
    plan = asyncio.run(build(BestOfNConfig(n=3), Player()).plan(TASKS[0], seed=0))
    assert [candidate.utility for candidate in plan.candidates] == [None] * 3
    assert plan.objective == ""


def test_an_objective_without_a_value_ends_the_run_with_the_trajectorys_name() -> None:
    planner = build(BestOfNConfig(n=3), Player(), objective="reward / (steps - steps)")
    with pytest.raises(ObjectiveError, match=r"division by zero .* for trajectory \w{16} of task"):
        asyncio.run(planner.plan(TASKS[0], seed=0))


def test_sample_i_is_the_same_for_every_n() -> None:
    few = plans(SamplingConfig(n=2), together=False)
    many = plans(SamplingConfig(n=5), together=False)
    for a, b in zip(few, many, strict=True):
        assert [without_cost(c) for c in a.candidates] == [
            without_cost(c) for c in b.candidates[:2]
        ]


def without_cost(candidate: Candidate) -> Candidate:
    """The first sample carries the cost of the request that opened all of them."""
    free = candidate.trajectory.model_copy(update={"usage": Usage()})
    return candidate.model_copy(update={"trajectory": free})


def test_a_reward_model_is_asked_for_when_it_is_missing() -> None:
    policy = PromptedPolicy(Player(), PolicyConfig())
    planner = make_planner(
        BestOfNConfig(n=2), Context(Runner(lambda: make_env(Game24Config()), policy))
    )
    with pytest.raises(ConfigError, match="add `reward:`"):
        asyncio.run(planner.plan(TASKS[0], seed=0))


def test_stored_candidates_are_selected_among(tmp_path: Path) -> None:
    stored = plans(SamplingConfig(n=5), together=False)
    lines = [plan.model_dump_json() for plan in stored]
    (tmp_path / "plans.jsonl").write_text("\n".join(lines) + "\n")
    player = Player()
    planner = build(BestOfNConfig(n=4, candidates=str(tmp_path)), player)
    plan = asyncio.run(planner.plan(TASKS[1], seed=0))
    live = plans(BestOfNConfig(n=4), together=False)[1]
    assert player.calls == 0
    assert [without_cost(c) for c in plan.candidates] == [without_cost(c) for c in live.candidates]
    assert plan.chosen == live.chosen
    with pytest.raises(ConfigError, match="no candidates for task"):
        asyncio.run(planner.plan(tasks("test")[0], seed=0))


def test_a_folder_without_candidates(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither trajectories.jsonl nor plans.jsonl"):
        build(BestOfNConfig(candidates=str(tmp_path)), Player())


class TestReflexion:
    def plan(self, **settings: object) -> Plan:
        config = ReflexionConfig(**settings)
        return asyncio.run(build(config, Player()).plan(TASKS[2], seed=0))

    def test_every_trial_is_told_what_failed_before(self) -> None:
        plan = self.plan(trials=4, threshold=0.99)
        first, second, *rest = (candidate.trajectory for candidate in plan.candidates)
        assert first.notes == ()
        assert len(second.notes) == 1
        assert second.notes[0].startswith("Failed: ")
        assert first.actions[0].split("=")[0].strip() in second.notes[0]
        assert all(trial.notes for trial in rest)

    def test_it_stops_when_content(self) -> None:
        plan = self.plan(trials=6, threshold=0.01)
        assert plan.remark.startswith("content after")
        assert plan.chosen == len(plan.candidates) - 1
        assert len(plan.candidates) < 6

    def test_fallbacks(self) -> None:
        never = {"trials": 3, "threshold": 0.999}
        assert self.plan(**never, fallback="first").chosen == 0
        assert self.plan(**never, fallback="last").chosen == 2
        best = self.plan(**never, fallback="best")
        raws = [candidate.score.raw for candidate in best.candidates if candidate.score]
        assert best.chosen == raws.index(max(raws))

    def test_notes_are_capped(self) -> None:
        plan = self.plan(trials=5, threshold=0.999, notes=2)
        assert max(len(c.trajectory.notes) for c in plan.candidates) <= 2


class TestMCTS:
    def test_every_candidate_is_distinct_and_scored_once(self) -> None:
        reward = Near()
        planner = build(MCTSConfig(trajectories=12, width=4), Player(), reward)
        plan = asyncio.run(planner.plan(TASKS[0], seed=3))
        actions = [candidate.trajectory.actions for candidate in plan.candidates]
        assert len(actions) == len(set(actions)) == 12
        assert reward.asked == actions

    def test_terminal_trajectories_inside_the_tree_are_candidates(self) -> None:
        planner = build(MCTSConfig(trajectories=2000, width=2, patience=5), Player())
        plan = asyncio.run(planner.plan(TASKS[0], seed=3))
        assert plan.remark
        assert all(
            candidate.trajectory.stop is StopReason.TERMINAL for candidate in plan.candidates
        )
        leaves = set(range(len(plan.tree))) - {node.parent for node in plan.tree}
        assert len(leaves) > 1

    def test_visits_add_up(self) -> None:
        planner = build(MCTSConfig(trajectories=20, width=4), Player())
        plan = asyncio.run(planner.plan(TASKS[1], seed=3))
        below = dict.fromkeys(range(len(plan.tree)), 0)
        for node in plan.tree[1:]:
            assert node.parent is not None
            below[node.parent] += node.visits
        for index, node in enumerate(plan.tree):
            assert node.visits >= below[index]
        values = [node.value for node in plan.tree if node.value is not None]
        assert plan.tree[0].value == max(values)

    def test_a_failed_expansion_ends_one_branch_only(self) -> None:
        class Flaky(Player):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                if sampling.n > 1 and len(messages) > 1:
                    raise TimeoutError("too deep")
                return await super().complete(messages, sampling)

        planner = build(MCTSConfig(trajectories=30, width=3), Flaky())
        plan = asyncio.run(planner.plan(TASKS[0], seed=3))
        assert plan.candidates
        assert plan.answer is not None
        assert "branches failed, the first: asking player: TimeoutError: too deep" in plan.remark
