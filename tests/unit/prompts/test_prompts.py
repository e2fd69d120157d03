"""Prompts grow at their end only; parsers take any text."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.errors import ConfigError
from armap.prompts import PARSERS, digest, failed_attempt, first_message, parse, render
from armap.prompts.dialogue import template
from armap.types import Action, Observation, Situation, Step, Task

TASK = Task(env="toy", name="t", split="train", instruction="Reach the end.")
TEMPLATES = sorted(
    entry.name.removesuffix(".md")
    for entry in files("armap.prompts").iterdir()
    if entry.name.endswith(".md")
)


def situation(*turns: tuple[str, str], seen: str, notes: tuple[str, ...] = ()) -> Situation:
    steps = tuple(
        Step(observation=Observation(text=saw), action=Action(text=did)) for saw, did in turns
    )
    return Situation(task=TASK, steps=steps, observation=Observation(text=seen), notes=notes)


def turns(scene: Situation, **settings: str) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in render(scene, **settings)]


def test_the_first_turn_holds_intent_notes_and_what_is_seen() -> None:
    scene = situation(seen="A door.", notes=("Failed: left", "Failed: right"))
    assert turns(scene) == [("user", "Reach the end.\nFailed: left\nFailed: right\nA door.")]


def test_later_turns_follow() -> None:
    scene = situation(("A door.", "open"), ("A hall.", "run"), seen="The end.", notes=("Hint",))
    assert turns(scene) == [
        ("user", "Reach the end.\nHint\nA door."),
        ("assistant", "open"),
        ("user", "A hall."),
        ("assistant", "run"),
        ("user", "The end."),
    ]


def test_a_thought_is_shown_with_its_action_and_reads_back() -> None:
    action = Action(text="open", thought="It is closed.")
    scene = Situation(
        task=TASK,
        steps=(Step(observation=Observation(text="A door."), action=action),),
        observation=Observation(text="A hall."),
    )
    assert turns(scene)[1] == ("assistant", "Thought: It is closed.\nAction: open")
    assert parse("react", turns(scene)[1][1]) == action


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5), st.text())
@settings(deadline=None, max_examples=50)
def test_a_prompt_is_append_only(past: list[tuple[str, str]], seen: str) -> None:
    earlier = situation(*past[:-1], seen=past[-1][0])
    later = situation(*past, seen=seen)
    assert turns(later)[: len(turns(earlier))] == turns(earlier)
    assert turns(later)[len(turns(earlier)) :] == [("assistant", past[-1][1]), ("user", seen)]


def test_templates_open_the_dialogue() -> None:
    scene = situation(seen="A door.")
    for name in TEMPLATES:
        assert template(name)
        assert template(name) == template(name).strip()
        assert turns(scene, system=name) == [("system", template(name)), *turns(scene)]


@pytest.mark.parametrize("name", ["absent", "parsing.py", "../prompts/absent"])
def test_an_unknown_template_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match="no prompt template") as caught:
        render(situation(seen=""), system=name)
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in TEMPLATES)


@given(st.text(), st.text(), st.lists(st.text()))
@settings(deadline=None, max_examples=50)
def test_first_message_keeps_every_part(instruction: str, seen: str, notes: list[str]) -> None:
    message = first_message(instruction, seen, notes)
    assert message == "\n".join([instruction, *notes, seen])


@pytest.mark.parametrize(
    ("actions", "note"),
    [
        (["10 - 6 = 4 (left: 4 4 5)", "4 * 4 = 16 (left: 5 16)"], "Failed: 10 - 6, 4 * 4"),
        (["10 - 6 = 4 (left: 4 4 5)", "Answer: 10 - 6 = 24"], "Failed: 10 - 6"),
        (["Answer: 4 + 5 = 24"], "Failed: Answer: 4 + 5"),
        (["ANSWER: 9 = 24", "answer: 8 = 24"], "Failed: ANSWER: 9, answer: 8"),
        (["look", "go = far = away"], "Failed: look, go"),
        ([], "Failed: "),
    ],
)
def test_failed_attempt(actions: list[str], note: str) -> None:
    assert failed_attempt(actions) == note


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("go", "go"),
        ("\n\n  go  \nstay", "go"),
        ("\r\ngo\r\n", "go"),
        ("Action: go", "Action: go"),
        ("", None),
        (" \n\t\n", None),
    ],
)
def test_line(reply: str, text: str | None) -> None:
    assert parse("line", reply) == (None if text is None else Action(text=text))


@pytest.mark.parametrize(
    ("reply", "text", "thought"),
    [
        ("Thought: hm.\nAction: go", "go", "hm."),
        ("hm.\nAction: go", "go", "hm."),
        ("Action: go", "go", ""),
        ("  Action:   go  \nAction: stay", "go", ""),
        ("Thought: one\nand two\n\nAction: go\n", "go", "one\nand two"),
        ("Thought: hm.\nAction:\ngo", "go", "hm."),
        ("Thought: hm.\nAction: go\nObservation: made up", "go", "hm."),
        ("Thought: the Action: is clear\nAction: go", "go", "the Action: is clear"),
    ],
)
def test_react(reply: str, text: str, thought: str) -> None:
    assert parse("react", reply) == Action(text=text, thought=thought)


@pytest.mark.parametrize("reply", ["", "go", "Thought: go", "Action:", "Action: \n ", "action: go"])
def test_react_without_an_action_is_none(reply: str) -> None:
    assert parse("react", reply) is None


@pytest.mark.parametrize(
    ("reply", "text", "thought"),
    [
        ("Thought: hm.\nAction: go\nnow", "go\nnow", "hm."),
        ("Action: go", "go", ""),
        ("go", "", "go"),
        ("", "", ""),
    ],
)
def test_eto_never_gives_up_on_a_reply(reply: str, text: str, thought: str) -> None:
    assert parse("eto", reply) == Action(text=text, thought=thought)


@pytest.mark.parametrize("name", PARSERS)
@given(reply=st.text() | st.text("Action:Thought: \n\r\t=x"))
@settings(deadline=None, max_examples=100)
def test_any_reply_is_an_action_or_none(name: str, reply: str) -> None:
    action = parse(name, reply)
    if action is not None:
        assert action.text or name == "eto"
        assert action.text == action.text.strip()
        assert action.text in reply
        assert action.thought == action.thought.strip()


def test_an_unknown_parser_is_named() -> None:
    with pytest.raises(ConfigError, match="no parser 'json'; there are eto, line, react"):
        parse("json", "{}")


def test_the_actions_on_offer_are_listed_where_the_template_says_so() -> None:
    page = Observation(text="A shop. ", choices=("search[...]", "click[buy now]"))
    scene = Situation(task=TASK, observation=page)
    listed = "Reach the end.\nA shop.\nAvailable actions:\n- search[...]\n- click[buy now]"
    assert turns(scene, system="webshop")[-1] == ("user", listed)
    assert turns(scene)[-1] == turns(scene, system="game24")[-1]
    assert turns(scene)[-1] == ("user", "Reach the end.\nA shop. ")
    assert render(scene, choices=True)[-1].content == listed
    assert "Available" not in render(scene, system="webshop", choices=False)[-1].content


def test_a_prompts_digest_changes_with_all_that_the_model_reads() -> None:
    assert digest("") == ""
    known = {digest("webshop"), digest("game24"), digest("webshop", choices=False)}
    assert len(known) == 3
    assert digest("webshop") == digest("webshop", choices=True)


@pytest.mark.parametrize(
    "reply",
    [
        "Thought: fine.\nAction: click[a]",
        "**Thought:** fine.\n**Action:** `click[a]`",
        "Thought 1: fine.\nAction 1: click[a]",
        "Thought: fine.\nAction:\nclick[a]\nObservation: none\nAction: click[b]",
        "fine.\nclick[a]",
    ],
)
def test_react_bears_what_models_write(reply: str) -> None:
    assert parse("react", reply) == Action(text="click[a]", thought="fine.")
