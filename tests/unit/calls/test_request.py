"""What makes two requests the same, and what must not."""

from __future__ import annotations

import base64
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armap.calls.request import DIGEST, Request
from armap.errors import ConfigError, ModelError
from armap.types import Message, Sampling

PROMPT = [Message(role="system", content="Play."), Message(role="user", content="4 4 6 6")]

VARIED: dict[str, tuple[Any, ...]] = {
    "temperature": (0.5, 1.0, 0.05),
    "top_p": (0.5, 0.05),
    "max_tokens": (1, 65),
    "stop": (("",), ("\n",), ("a", "b"), ("a', 'b",), ("a|0|None",)),
    "seed": (1, 2**62),
    "logprobs": (0, 5),
    "json_schema": ({}, {"type": "object"}, {"type": "object", "x": None}),
}
"""Other values than the default for every field that changes what is drawn."""

PLACE = {"n": 7, "start": 3}
"""Fields that say which samples of a row are meant, not which row."""


def key(messages: list[Message] = PROMPT, model: str = "openai/gpt", **sampling: Any) -> bytes:
    return Request.of(model, messages, Sampling(**sampling)).key


def test_the_digest_of_a_known_request_is_pinned_since_journals_rely_on_it() -> None:
    sampling = Sampling(
        temperature=0.7, stop=("\n",), seed=3, n=4, logprobs=2, json_schema={"b": 1, "a": [2]}
    )
    request = Request.of("openai/gpt", PROMPT, sampling)
    assert request.key.hex() == "2a9de49da00e3ecc03ad539f2d241fbe"
    assert [turn.hex() for turn in request.turns] == [
        "0575f1f6bcf19bf96cf75a02b2fe4896",
        "52f85b0d36c0db2ec2940784fb216378",
    ]
    assert {len(request.key), *map(len, request.turns)} == {DIGEST}


def test_every_field_of_sampling_is_either_part_of_the_key_or_says_which_samples_are_meant() -> (
    None
):
    assert set(Sampling.model_fields) == {*VARIED, *PLACE}


def test_every_value_of_every_field_gives_another_key() -> None:
    settings = [{}, *({field: value} for field, values in VARIED.items() for value in values)]
    keys = {key(**setting) for setting in settings}
    assert len(keys) == len(settings)


@pytest.mark.parametrize("field", PLACE)
def test_which_samples_are_meant_does_not_change_the_key(field: str) -> None:
    placed = Sampling.model_validate({field: PLACE[field]})
    assert Request.of("m", PROMPT, placed) == Request.of("m", PROMPT, Sampling())


def test_the_order_of_a_schemas_keys_does_not_change_the_key() -> None:
    assert key(json_schema={"a": 1, "b": {"c": 2, "d": 3}}) == key(
        json_schema={"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_the_models_name_is_part_of_the_key() -> None:
    assert key(model="openai/gpt") != key(model="openai/gpt-2")


def says(*turns: tuple[str, str]) -> list[Message]:
    return [Message.model_validate({"role": role, "content": content}) for role, content in turns]


def test_no_two_of_many_ways_to_cut_the_same_characters_are_confused() -> None:
    cut = [
        says(("user", "ab")),
        says(("user", "a"), ("user", "b")),
        says(("user", ""), ("user", "ab")),
        says(("user", "ab"), ("user", "")),
        says(("system", "ab")),
        says(("user", "a"), ("system", "b")),
        says(("user", "a\0b")),
        says(("user", "a\0user\0b")),
        says(("user", "auser\0b")),
        says(("user", "")),
        says(("user", "\0ab")),
        [],
        [Message(role="user", content="ab", images=("data:,x",))],
        [Message(role="user", content="ab\0data:,x")],
        [Message(role="user", content="ab", images=("data:,x", "data:,y"))],
        [Message(role="user", content="ab", images=("data:,y", "data:,x"))],
        [Message(role="user", content="ab", images=("data:,x\0data:,y",))],
        [Message(role="user", content="ab\0data:,x", images=("data:,y",))],
        [Message(role="user", content="ab", images=("data:,x", "data:,x"))],
    ]
    same = [(a, b) for a, b in combinations(cut, 2) if key(a) == key(b)]
    assert not same


TURNS = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant"]),
        content=st.text("a\0:,dt", max_size=4),
        images=st.lists(st.sampled_from(["data:", "data:\0data:", "data:a"]), max_size=2).map(
            tuple
        ),
    ),
    max_size=3,
)


@given(TURNS, TURNS)
def test_requests_share_a_key_only_if_they_are_equal(a: list[Message], b: list[Message]) -> None:
    assert (key(a) == key(b)) == (a == b)
    assert (Request.of("m", a, Sampling()).turns == Request.of("m", b, Sampling()).turns) == (
        a == b
    )


class TestImages:
    def with_image(self, image: Path | str) -> list[Message]:
        return [Message(role="user", content="What is this?", images=(str(image),))]

    def test_a_file_counts_by_its_content_not_by_its_name(self, tmp_path: Path) -> None:
        one, copy, other = (tmp_path / name for name in ("one.png", "copy.png", "other.png"))
        one.write_bytes(b"\x89PNG 1")
        copy.write_bytes(b"\x89PNG 1")
        other.write_bytes(b"\x89PNG 2")
        assert key(self.with_image(one)) == key(self.with_image(copy))
        assert key(self.with_image(one)) != key(self.with_image(other))
        before = key(self.with_image(one))
        one.write_bytes(b"\x89PNG 3")
        assert key(self.with_image(one)) != before

    def test_a_data_url_counts_by_its_text(self) -> None:
        data = base64.b64encode(b"\x89PNG").decode()
        png, gif = (f"data:image/{kind};base64,{data}" for kind in ("png", "gif"))
        assert key(self.with_image(png)) != key(self.with_image(gif)) != key(self.with_image(png))

    def test_an_image_that_is_not_there_is_the_configurations_fault(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"image '.*no\.png' cannot be read: No such file"):
            key(self.with_image(tmp_path / "no.png"))
        with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
            key(self.with_image(tmp_path))


def test_half_a_character_cannot_be_sent_and_says_so() -> None:
    with pytest.raises(ModelError, match=r"cannot be sent: .*'\\ud83d' in position 5: surrogates"):
        key([*PROMPT, Message(role="user", content="\ud83d is half an emoji")])
