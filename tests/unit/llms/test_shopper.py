"""The shopper reads prompts as they are rendered, and shops as well as its skills say."""

from __future__ import annotations

import asyncio
from statistics import fmean

import pytest

from armap.envs import TaskSelection, make_env, select_tasks
from armap.envs.graded import make_graded_env
from armap.envs.webshop.config import View, WebShopConfig
from armap.llms.shopper import Shopper, ShopperConfig
from armap.llms.shopper.reading import read
from armap.policy import PolicyConfig, PromptedPolicy
from armap.prompts import render
from armap.rollout import Runner
from armap.types import Action, Situation, Step, Task, Trajectory

PERFECT = ShopperConfig(query=1.0, matching=1.0, options=1.0, price=1.0, reading=0.0, slips=0.0)
CARELESS = ShopperConfig(query=0.3, matching=0.0, options=0.1, price=0.0, slips=0.2)
REACT = PolicyConfig(system="webshop", parser="react")
TASKS = select_tasks(WebShopConfig(), TaskSelection(split="dev", limit=25))


def trips(config: ShopperConfig, view: View = "text", *, seed: int = 0) -> list[Trajectory]:
    env = WebShopConfig(observation=view)
    policy = PromptedPolicy(Shopper(config), REACT)
    runner = Runner(lambda: make_env(env), policy)

    async def all_of() -> list[Trajectory]:
        return [await runner.run(task, seed=seed) for task in TASKS]

    return asyncio.run(all_of())


def earned(found: list[Trajectory]) -> float:
    marks = []
    for trip in found:
        env = make_graded_env(WebShopConfig())
        env.reset(trip.task)
        for step in trip.steps:
            env.step(step.action)
        marks.append(env.outcome().score)
    return fmean(marks)


def scene_after(task: Task, *actions: str, view: View = "text") -> Situation:
    env = make_env(WebShopConfig(observation=view))
    observation, steps = env.reset(task), []
    for text in actions:
        steps.append(Step(observation=observation, action=Action(text=text, thought="So.")))
        observation = env.step(steps[-1].action)
    return Situation(task=task, steps=tuple(steps), observation=observation)


def test_skill_is_worth_something() -> None:
    assert earned(trips(PERFECT)) > earned(trips(ShopperConfig())) > earned(trips(CARELESS))


def test_samples_differ_and_seeds_repeat() -> None:
    first = trips(ShopperConfig())
    assert [t.actions for t in first] == [t.actions for t in trips(ShopperConfig())]
    other = trips(ShopperConfig(), seed=1)
    assert sum(a.actions != b.actions for a, b in zip(first, other, strict=True)) > 15


@pytest.mark.parametrize("view", ["text", "text_rich"])
def test_it_reads_every_view_alike(view: View) -> None:
    search = f"search[{TASKS[0].instruction}]"
    plain = scene_after(TASKS[0], search)
    opening = plain.observation.choices[2]
    scene = scene_after(TASKS[0], search, opening, view=view)
    told = read(render(scene, system="webshop"))
    expected = read(render(scene_after(TASKS[0], search, opening), system="webshop"))
    assert told.groups == expected.groups
    assert told.price == expected.price
    assert told.wish == expected.wish
    assert told.visit == ()
    assert told.tried == {opening[6:-1]}
    rows = read(render(scene_after(TASKS[0], search, view=view), system="webshop")).offers
    assert len(rows) == 10


def test_an_option_that_looks_like_a_products_code_is_none() -> None:
    page = (
        "Instruction: [SEP] tea, and price lower than 40.00 dollars [SEP] Back to Search [SEP] "
        "< Prev [SEP] flavor [SEP] peppermint [SEP] Mint Tea [SEP] Price: $9.5 [SEP] Buy Now"
    )
    choices = ("click[< prev]", "click[buy now]", "click[peppermint]")
    scene = scene_after(TASKS[0])
    scene = scene.model_copy(
        update={
            "observation": scene.observation.model_copy(update={"text": page, "choices": choices})
        }
    )
    told = read(render(scene, system="webshop"))
    assert told.offers == ()
    assert [group.values for group in told.groups] == [("peppermint",)]


def test_it_avoids_what_a_note_says_has_failed() -> None:
    search = f"search[{TASKS[0].instruction}]"
    scene = scene_after(TASKS[0], search)
    shown = [choice for choice in scene.observation.choices if len(choice) == 17]
    note = f"Failed: {search}, {', '.join(shown[:9])}, click[buy now]"
    warned = scene.model_copy(update={"notes": (note,)})
    policy = PromptedPolicy(Shopper(PERFECT), REACT)
    proposal = asyncio.run(policy.propose(warned, k=5, seed=0))
    taken = {action.text for action in proposal.actions if action}
    assert taken <= {shown[9], "click[next >]"}


def test_every_view_tells_it_the_same() -> None:
    telling = 0
    for task in TASKS:
        search = f"search[{task.instruction}]"
        opening = scene_after(task, search).observation.choices[3]
        for actions in ((), (search,), (search, opening)):
            scenes = [
                read(render(scene_after(task, *actions, view=view), system="webshop"))
                for view in ("text", "text_rich", "html_text")
            ]
            telling += bool(scenes[0].groups) + bool(scenes[0].offers)
            assert all(scene._replace(done=()) == scenes[0]._replace(done=()) for scene in scenes)
    assert telling > len(TASKS)
