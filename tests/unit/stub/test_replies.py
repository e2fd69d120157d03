"""What the stub says."""

from __future__ import annotations

import json
import math
from typing import Any

import aiohttp
import pytest

from armap.envs.game24.arithmetic import number
from armap.envs.game24.rules import Illegal, read_answer, read_step
from tests.stub import Settings, StubServer
from tests.unit.stub.client import ask, body, talk

GIVEN = "4 5 6 10"
PLAYER = Settings(replies="game24")
OPENING = f"Make 24 from {GIVEN}.\nLeft: {GIVEN}"


def texts(reply: Any) -> list[str]:
    return [choice["message"]["content"] for choice in reply["choices"]]


@pytest.mark.parametrize("replies", ["echo", "letter", "game24"])
def test_replies_depend_on_messages_seed_and_ordinal_only(replies: str) -> None:
    settings = Settings(replies=replies)
    _, eight = ask(body(OPENING, n=8, max_tokens=64), settings)
    _, two = ask(body(OPENING, n=2, temperature=0.3), settings)
    assert texts(two) == texts(eight)[:2]
    assert len(set(texts(eight))) > 1
    others = (body(OPENING, n=8, seed=1), body(f"{OPENING} ", n=8))
    assert all(texts(ask(other, settings)[1]) != texts(eight) for other in others)


def test_without_a_seed_every_attempt_draws_anew() -> None:
    async def twice(session: aiohttp.ClientSession, stub: StubServer) -> list[str]:
        asked = {"messages": body()["messages"]}
        drawn = []
        for _ in range(2):
            async with session.post("/v1/chat/completions", json=asked) as response:
                drawn += texts(await response.json())
        return drawn

    first, second = talk(Settings(), twice)
    assert first != second


def test_usage_and_form() -> None:
    messages = [
        {"role": "system", "content": "Be brief." * 10},
        {"role": "user", "content": "Hello."},
    ]
    _, reply = ask({"model": "m", "messages": messages, "n": 3, "seed": 0})
    usage = reply["usage"]
    assert usage["prompt_tokens"] == 27
    assert usage["prompt_tokens_details"]["cached_tokens"] == 24
    assert usage["completion_tokens"] == sum(len(text) // 4 + 1 for text in texts(reply))
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert reply["model"] == "m"
    assert reply["object"] == "chat.completion"
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]
    assert {choice["finish_reason"] for choice in reply["choices"]} == {"stop"}
    assert ask(body())[1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


def test_a_reply_is_cut_at_its_limit() -> None:
    (choice,) = ask(body(max_tokens=2))[1]["choices"]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"]) == 8


@pytest.mark.parametrize("top", [0, 1, 5, 20])
def test_logprobs(top: int) -> None:
    asked = body(logprobs=True, top_logprobs=top)
    for replies in ("letter", "echo"):
        (choice,) = ask(asked, Settings(replies=replies))[1]["choices"]
        tokens = choice["logprobs"]["content"]
        assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
        for token in tokens:
            best = token["top_logprobs"]
            assert len(best) == top
            assert [entry["logprob"] for entry in best] == sorted(
                (entry["logprob"] for entry in best), reverse=True
            )
            assert sum(math.exp(entry["logprob"]) for entry in best) <= 1
            assert len({entry["token"] for entry in best}) == top
            assert bytes(token["bytes"]).decode() == token["token"]
    assert ask(body())[1]["choices"][0]["logprobs"] is None


def test_a_reply_by_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "verdict": {"enum": ["yes", "no"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "sure": {"type": ["boolean", "null"]},
            "why": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "steps": {"type": "array", "items": {"const": "x"}, "minItems": 2},
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "judge", "schema": schema}}
    made = [json.loads(text) for text in texts(ask(body(response_format=form, n=9))[1])]
    assert {value["verdict"] for value in made} == {"yes", "no"}
    assert {value["score"] for value in made} <= {1, 2, 3, 4, 5}
    assert all(0 <= value["share"] <= 1 for value in made)
    assert all(isinstance(value["sure"], bool) for value in made)
    assert all(isinstance(value["why"], str) for value in made)
    assert all(value["steps"] == ["x", "x"] for value in made)
    (loose,) = texts(ask(body(response_format={"type": "json_object"}))[1])
    assert set(json.loads(loose)) == {"reply"}


def test_unknown_replies() -> None:
    with pytest.raises(ValueError, match="echo, game24, letter"):
        StubServer(Settings(replies="opera"))


def test_a_game_is_played_by_the_rules_to_its_end() -> None:
    messages = [{"role": "system", "content": "Play."}, {"role": "user", "content": OPENING}]
    given = left = tuple(sorted(map(number, GIVEN.split())))
    false = 0
    while not (line := texts(ask({"messages": messages, "seed": 5}, PLAYER)[1])[0]).startswith("A"):
        try:
            _, left = read_step(line, left)
        except Illegal:
            false += 1
        messages += [{"role": "assistant", "content": line}, {"role": "user", "content": "Go on."}]
    assert read_answer(line, given) == left[0]
    assert len(messages) == 2 + 2 * (3 + false)


def test_where_there_is_no_game_the_player_echoes() -> None:
    assert ask(body(), PLAYER) == ask(body())
