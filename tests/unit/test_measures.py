"""Measures are plain numbers of the record, for any episode, however it ended."""

from __future__ import annotations

import math

from armap.envs import make_measures
from armap.envs.game24.env import Game24, Game24Config
from armap.envs.game24.intents import make_task
from armap.types import Action, Step, StopReason, Trajectory, Usage


def _episode(*actions: str) -> Trajectory:
    task = make_task((4, 5, 6, 10), split="train")
    env = Game24(Game24Config())
    seen, steps = env.reset(task), []
    for text in actions:
        steps.append(Step(observation=seen, action=Action(text=text, thought="so be it")))
        seen = env.step(steps[-1].action)
    return Trajectory(
        task=task,
        steps=tuple(steps),
        final=seen,
        stop=StopReason.QUIT,
        policy="test",
        seed=0,
        usage=Usage(calls=2, prompt_tokens=7, completion_tokens=5, dollars=0.25),
    )


def test_the_measures_of_an_episode() -> None:
    measures = make_measures(Game24Config())
    episode = _episode("10 - 4 = 7 (left: 5 6 7)", "10 - 4 = 6 (left: 5 6 6)", "nonsense")
    found = {name: measure.of(episode) for name, measure in measures.items()}
    expected = {"steps": 3, "calls": 2, "tokens": 12, "dollars": 0.25, "illegal": 2}
    assert {name: found[name] for name in expected} == expected
    assert found["words"] == 3 * 3 + 9 + 9 + 1


def test_an_episode_that_never_began_has_measures_too() -> None:
    episode = _episode().model_copy(update={"stop": StopReason.FAILED})
    assert all(math.isfinite(m.of(episode)) for m in make_measures(Game24Config()).values())
