"""Reflexion: thresholds on three scales, the paper's presets, reflections of the model's own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from armap.calls import BudgetConfig, Journal, Recorded, task_scope
from armap.calls.budget import Budget
from armap.config import load_run
from armap.errors import ConfigError, ModelError
from armap.llms.scripted import Scripted
from armap.planners import Context, make_planner
from armap.planners.reflection import latest, reflect
from armap.planners.reflexion import ReflexionConfig
from armap.planners.threshold import Threshold, passes
from armap.policy import PromptedPolicy
from armap.protocols import ChatModel
from armap.rewards.brevity import Brevity
from armap.rollout import Runner
from armap.types import Completions, Message, Plan, Proposal, Sampling, Situation, Usage
from tests.forks import TASK, Forks, Liking, at_random, planner, scored

HELD_OUT = (1.0, 2.0, 3.0, 4.0)


class Coach:
    """Plays at random, and writes reflections; those whose number is in ``mute`` fail."""

    name = "coach"

    def __init__(self, mute: Sequence[int] = ()) -> None:
        self.player = Scripted(reply=at_random)
        self.mute = mute
        self.asked: list[Sequence[Message]] = []
        self.played: list[Sequence[Message]] = []
        self.samplings: list[Sampling] = []

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        if messages[0].role != "system":
            self.played.append(messages)
            return await self.player.complete(messages, sampling)
        self.asked.append(messages)
        self.samplings.append(sampling)
        number = len(self.asked)
        if number in self.mute:
            raise TimeoutError("no idea")
        usage = Usage(calls=1, prompt_tokens=100, completion_tokens=7)
        return Completions(texts=(f"Lesson {number}:\n  turn left. ",), usage=usage)

    async def close(self) -> None:
        return


def plan(model: ChatModel | None = None, reward: Liking | None = None, **settings: object) -> Plan:
    config = ReflexionConfig(**{"threshold": 0.999, "trials": 4, **settings})
    made = planner(config, model=model, reward=reward, warm=True)
    return asyncio.run(made.plan(TASK, seed=2))


class TestThreshold:
    def content(self, threshold: object, reward: Liking | None = None) -> list[bool]:
        context = Context(Runner(Forks, PromptedPolicy(Scripted())), reward or Liking(HELD_OUT))
        enough = passes(Threshold.model_validate(threshold), context)
        return [enough(scored(raw)) for raw in HELD_OUT]

    def test_three_scales(self) -> None:
        assert self.content(0.5) == [False, False, True, True]
        assert self.content({"calibrated": 0.5}) == [False, False, True, True]
        assert self.content({"raw": 2.5}) == [False, False, True, True]
        assert self.content({"quantile": 0.5}) == [False, False, True, True]

    def test_above_not_at(self) -> None:
        assert self.content({"raw": 3}) == [False, False, False, True]
        assert self.content({"quantile": 0}) == [False, True, True, True]
        assert self.content({"quantile": 1}) == [False] * 4

    @given(st.lists(st.floats(0, 4), min_size=1, max_size=20), st.floats(0, 1))
    def test_the_quantile_leaves_its_share_below(self, held_out: list[float], share: float) -> None:
        reward = Liking(sorted(held_out))
        context = Context(Runner(Forks, PromptedPolicy(Scripted())), reward)
        enough = passes(Threshold(quantile=share), context)
        above = sum(enough(score) for score in reward.positives())
        assert above <= ceil((1 - share) * (len(held_out) - 1))

    @pytest.mark.parametrize(
        "wrong", [{}, {"raw": 1, "quantile": 0.5}, {"quantile": 1.5}, 1.5, True, "high"]
    )
    def test_anything_else_is_refused(self, wrong: object) -> None:
        with pytest.raises(ValidationError):
            ReflexionConfig.model_validate({"threshold": wrong})

    @pytest.mark.parametrize(
        ("threshold", "said"),
        [
            ("{quantile: 1.5}", "planner.threshold.quantile: Input should be less than or equal"),
            ("{raw: 1, quantile: 0.5}", "planner.threshold: give one: a number, {quantile: 0.5}"),
            ("{quantil: 0.5}", "planner.threshold.quantil: unknown key; did you mean 'quantile'"),
            ("high", "planner.threshold: Input should be"),
        ],
    )
    def test_a_config_is_told_in_one_line(self, threshold: str, said: str, tmp_path: Path) -> None:
        path = tmp_path / "run.yaml"
        path.write_text(f"out: x\nplanner: {{kind: reflexion, threshold: {threshold}}}\n")
        with pytest.raises(ConfigError) as caught:
            load_run(path, "plan")
        assert said in str(caught.value)

    def test_a_quantile_of_what_was_not_measured_is_refused_before_any_call(self) -> None:
        config = ReflexionConfig(threshold={"quantile": 0.5})
        for reward in (Liking(), Brevity()):
            with pytest.raises(ConfigError, match=r"holds no scores of held-out.*armap train"):
                make_planner(config, Context(Runner(Forks, PromptedPolicy(Scripted())), reward))
        with pytest.raises(ConfigError, match="add `reward:`"):
            make_planner(config, Context(Runner(Forks, PromptedPolicy(Scripted()))))

    def test_the_plan_stops_there(self) -> None:
        found = plan(threshold={"raw": 2.0}, trials=20)
        raws = [c.score.raw for c in found.candidates if c.score is not None]
        assert raws[-1] > 2.0 >= max(raws[:-1])
        assert found.chosen == len(raws) - 1


class TestPresets:
    def test_the_papers_settings(self) -> None:
        found = {
            name: ReflexionConfig(preset=name) for name in ("webshop", "scienceworld", "game24")
        }
        assert {name: config.fallback for name, config in found.items()} == {
            "webshop": "last",
            "scienceworld": "first",
            "game24": "last",
        }
        for config in found.values():
            assert (config.trials, config.reflect, config.notes) == (10, "llm", 9)
            assert config.threshold == ReflexionConfig().threshold

    def test_what_is_set_beside_it_wins_and_is_kept(self) -> None:
        config = ReflexionConfig(preset="webshop", trials=3, reflect="attempt")
        assert (config.trials, config.reflect, config.fallback) == (3, "attempt", "last")
        assert ReflexionConfig.model_validate(config.model_dump()) == config

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="preset"):
            ReflexionConfig(preset="chess")


class TestReflections:
    def test_every_failed_trial_is_reflected_on_but_the_last(self) -> None:
        coach = Coach()
        found = plan(coach, reflect="llm")
        assert len(coach.asked) == 3
        notes = [candidate.trajectory.notes for candidate in found.candidates]
        lessons = tuple(f"Lesson {n}: turn left." for n in (1, 2, 3))
        assert notes == [(), lessons[:1], lessons[:2], lessons]
        assert all(lesson in coach.played[-1][0].content for lesson in lessons)

    def test_they_are_capped(self) -> None:
        found = plan(Coach(), reflect="llm", notes=1, note_tokens=17)
        notes = [candidate.trajectory.notes for candidate in found.candidates]
        assert [len(note) for note in notes] == [0, 1, 1, 1]
        assert notes[-1] == ("Lesson 3: turn left.",)
        coach = Coach()
        plan(coach, reflect="llm", notes=0)
        assert coach.asked == []
        plan(coach, reflect="llm", note_tokens=17)
        assert {sampling.max_tokens for sampling in coach.samplings} == {17}

    def test_they_are_paid_for(self) -> None:
        found = plan(Coach(), reflect="llm")
        episodes = sum((c.trajectory.usage for c in found.candidates), Usage())
        assert found.usage == episodes + Usage(calls=3, prompt_tokens=300, completion_tokens=21)

    def test_the_attempt_is_shown_and_the_score_is_not(self) -> None:
        coach = Coach()
        found = plan(coach, reflect="llm")
        for messages, candidate in zip(coach.asked, found.candidates, strict=False):
            text = messages[1].content
            for action in candidate.trajectory.actions:
                assert f"It did: {action}" in text
            assert "Task: Find the way." in text
            assert candidate.trajectory.final.text in text
            assert candidate.score is not None
            shown = " ".join(message.content for message in messages)
            assert str(candidate.score.raw) not in shown
            assert str(candidate.score.calibrated) not in shown
        assert "Advice it had: Lesson 1: turn left." in coach.asked[1][1].content

    def test_a_failed_one_costs_the_note_only(self) -> None:
        found = plan(Coach(mute=(2,)), reflect="llm")
        notes = [candidate.trajectory.notes for candidate in found.candidates]
        assert notes[-1] == ("Lesson 1: turn left.", "Lesson 3: turn left.")
        assert notes[2] == notes[1]
        (failure,) = found.failures
        assert failure.kind == "ModelError"
        assert failure.message == "asking coach to reflect: TimeoutError: no idea"
        assert found.answer is not None

    def test_the_seed_makes_them_differ_and_repeat(self) -> None:
        first, second = Coach(), Coach()
        assert plan(first, reflect="llm") == plan(second, reflect="llm")
        seeds = [sampling.seed for sampling in first.samplings]
        assert len(set(seeds)) == 3
        assert seeds == [sampling.seed for sampling in second.samplings]

    def test_they_are_journaled_and_on_the_budget(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "calls.jsonl")
        coach = Coach()
        model = Recorded(coach, journal, budget=BudgetConfig(task=Budget(calls=7)))
        config = ReflexionConfig(threshold=0.999, trials=9, reflect="llm")
        made = planner(config, model=model, warm=True)

        async def work() -> Plan:
            with task_scope(TASK):
                return await made.plan(TASK, seed=2)

        found = asyncio.run(work())
        journal.close()
        assert found.remark == "budget spent after 2 trials"
        assert {failure.kind for failure in found.failures} == {"TaskBudgetSpent"}
        assert found.usage.calls == journal.paid.calls == 7
        assert len(coach.asked) == 1, "the second one found the budget spent"
        assert found.answer is not None

    def test_a_policy_that_cannot_is_refused(self) -> None:
        class Mute:
            name = "mute"

            async def propose(self, situation: Situation, *, k: int, seed: int) -> Proposal:
                raise NotImplementedError

        context = Context(Runner(Forks, Mute()), Liking())
        with pytest.raises(ConfigError, match=r"'mute' cannot reflect.*reflect: attempt"):
            make_planner(ReflexionConfig(reflect="llm"), context)

    def test_it_serves_other_planners_too(self) -> None:
        context = Context(Runner(Forks, PromptedPolicy(Coach())), Liking())
        episode = asyncio.run(context.runner.run(TASK, seed=1))
        note, usage = asyncio.run(reflect(context, episode, seed=1))
        assert (note, usage.calls) == ("Lesson 1: turn left.", 1)
        deaf = Context(Runner(Forks, PromptedPolicy(Coach(mute=(1,)))), Liking())
        with pytest.raises(ModelError, match="to reflect"):
            asyncio.run(reflect(deaf, episode, seed=1))


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d"])), st.integers(0, 4))
def test_the_latest_notes_are_few_different_and_not_empty(notes: list[str], most: int) -> None:
    kept = latest(notes, most)
    distinct = list(dict.fromkeys(note for note in notes if note))
    assert len(kept) == min(most, len(distinct))
    assert list(kept) == distinct[len(distinct) - len(kept) :]
