"""Requests out, replies in."""

from __future__ import annotations

import base64
import json
import mimetypes
import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from armap.errors import ConfigError, MalformedReply
from armap.llms.openai import OpenAIConfig
from armap.llms.openai.wire import body, read
from armap.types import Completions, Message, Sampling, TokenLogprob, Usage

PROMPT = [
    Message(role="system", content="You play the Game of 24."),
    Message(role="user", content="Left: 4 4 6 6"),
]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"grade": {"type": "integer"}}}


def sent(
    sampling: Sampling | None = None, messages: list[Message] | None = None, **config: Any
) -> dict[str, Any]:
    """The request as the server reads it."""
    asked = body(
        OpenAIConfig(model="gpt", **config), messages or PROMPT, sampling or Sampling(seed=3)
    )
    read_again: dict[str, Any] = json.loads(json.dumps(asked))
    assert read_again == asked
    return read_again


class TestRequest:
    def test_a_plain_one(self) -> None:
        assert sent() == {
            "model": "gpt",
            "messages": [
                {"role": "system", "content": "You play the Game of 24."},
                {"role": "user", "content": "Left: 4 4 6 6"},
            ],
            "temperature": 0.0,
            "top_p": 1.0,
            "max_tokens": 64,
            "seed": 3,
        }

    def test_one_that_asks_for_everything(self) -> None:
        sampling = Sampling(
            temperature=0.7, top_p=0.9, max_tokens=9, stop=("\n", "END"), seed=5, n=4, logprobs=2
        )
        asked = sent(sampling.model_copy(update={"json_schema": SCHEMA}))
        assert asked["n"] == 4
        assert asked["stop"] == ["\n", "END"]
        assert (asked["logprobs"], asked["top_logprobs"]) == (True, 2)
        assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.7, 0.9, 9)
        assert asked["response_format"] == {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True},
        }

    def test_logprobs_of_the_drawn_token_only(self) -> None:
        asked = sent(Sampling(logprobs=0))
        assert (asked["logprobs"], asked["top_logprobs"]) == (True, 0)

    def test_what_is_not_asked_for_is_not_mentioned(self) -> None:
        mentioned = {"n", "stop", "logprobs", "top_logprobs", "response_format"} & set(sent())
        assert not mentioned

    def test_samples_that_begin_later_in_the_row_have_another_seed(self) -> None:
        seeds = {
            sent(Sampling(seed=seed, start=start))["seed"] for seed in (0, 1) for start in range(9)
        }
        assert len(seeds) == 18
        assert sent(Sampling(seed=1, start=4, n=1)) == sent(Sampling(seed=1, start=4, n=1))

    @pytest.mark.parametrize("sampling", [Sampling(seed=2**62 + 5), Sampling(seed=2**62, start=7)])
    def test_a_seed_fits_into_what_servers_take(self, sampling: Sampling) -> None:
        assert 0 <= sent(sampling)["seed"] < 2**31

    def test_seeds_that_differ_at_their_low_end_stay_different(self) -> None:
        assert len({sent(Sampling(seed=seed))["seed"] for seed in range(100)}) == 100

    @pytest.mark.parametrize("field", ["temperature", "top_p", "seed", "stop"])
    def test_what_a_server_does_not_know_is_left_out(self, field: str) -> None:
        asked = sent(Sampling(stop=("x",)), omit=(field,))
        assert field not in asked
        assert set(sent(Sampling(stop=("x",)))) - set(asked) == {field}

    def test_the_cap_on_a_reply_can_have_its_newer_name(self) -> None:
        asked = sent(max_tokens_field="max_completion_tokens")
        assert asked["max_completion_tokens"] == 64
        assert "max_tokens" not in asked

    def test_a_servers_own_parameters_are_added_and_have_the_last_word(self) -> None:
        asked = sent(extra_body={"min_p": 0.1, "top_p": 0.5, "nested": {"a": [1]}})
        assert (asked["min_p"], asked["top_p"], asked["nested"]) == (0.1, 0.5, {"a": [1]})

    def test_an_address_needs_a_scheme(self) -> None:
        with pytest.raises(ValidationError, match=r"must begin with http:// or https://, e\.g\."):
            OpenAIConfig(model="m", base_url="localhost:8000/v1")

    @pytest.mark.parametrize(
        "url",
        ["http://", "http:///v1", "http://[::1/v1", "http://host:80a/v1", "http://host:99999"],
    )
    def test_an_address_needs_a_host_and_a_port_that_can_be(self, url: str) -> None:
        with pytest.raises(ValidationError, match="base_url"):
            OpenAIConfig(model="m", base_url=url)


class TestImages:
    def ask(self, *images: str) -> list[dict[str, Any]]:
        asked = sent(messages=[Message(role="user", content="What is this?", images=images)])
        parts: list[dict[str, Any]] = asked["messages"][0]["content"]
        return parts

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("a.png", "png"), ("a.jpg", "jpeg"), ("b.JPEG", "jpeg"), ("a.gif", "gif")],
    )
    def test_a_file_is_sent_as_a_data_url_that_says_what_it_is(
        self, tmp_path: Path, name: str, kind: str
    ) -> None:
        image = tmp_path / name
        image.write_bytes(b"\x89\xff\x00pixels")
        url = f"data:image/{kind};base64,{base64.b64encode(image.read_bytes()).decode()}"
        assert self.ask(str(image)) == [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": "What is this?"},
        ]

    def test_a_machine_without_a_list_of_types_knows_webp(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mimetypes, "_db", mimetypes.MimeTypes())  # no /etc/mime.types
        (tmp_path / "a.webp").write_bytes(b"a")
        image, _ = self.ask(str(tmp_path / "a.webp"))
        assert image["image_url"]["url"] == "data:image/webp;base64,YQ=="

    def test_images_come_before_the_text_in_their_order_and_data_urls_as_they_are(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a.png").write_bytes(b"a")
        first, second, text = self.ask("data:image/webp;base64,AAAA", str(tmp_path / "a.png"))
        assert first["image_url"] == {"url": "data:image/webp;base64,AAAA"}
        assert second["image_url"] == {"url": "data:image/png;base64,YQ=="}
        assert text["type"] == "text"

    def test_a_file_that_changes_is_read_again(self, tmp_path: Path) -> None:
        image = tmp_path / "a.png"
        image.write_bytes(b"a")
        before = self.ask(str(image))
        image.write_bytes(b"b")
        os.utime(image, ns=(1, 1))
        assert self.ask(str(image)) != before

    def test_what_cannot_be_read_or_is_no_image_is_the_configurations_fault(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=r"image '.*a\.png' cannot be read: No such file"):
            self.ask(str(tmp_path / "a.png"))
        (tmp_path / "folder.png").mkdir()
        with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
            self.ask(str(tmp_path / "folder.png"))
        for name in ("image", "a.txt"):
            (tmp_path / name).touch()
            with pytest.raises(ConfigError, match="name does not say what kind of image it is"):
                self.ask(str(tmp_path / name))


def choice(text: str | None = "24", index: int | None = 0, **more: Any) -> dict[str, Any]:
    made = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}
    return made if index is None else {"index": index, **made}


def token(text: str, logprob: float, **top: float) -> dict[str, Any]:
    others = [{"token": other, "logprob": value, "bytes": None} for other, value in top.items()]
    return {"token": text, "logprob": logprob, "bytes": [65], "top_logprobs": others}


def reply(*choices: Any, **more: Any) -> bytes:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    return json.dumps({"id": "x", "choices": choices, "usage": usage, **more}).encode()


class TestReply:
    def test_a_plain_one(self) -> None:
        assert read(reply(choice()), Sampling()) == Completions(
            texts=("24",),
            usage=Usage(calls=1, prompt_tokens=9, completion_tokens=2),
            finish=("stop",),
        )

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_choices_are_ordered_by_their_index(self, order: tuple[int, ...]) -> None:
        shuffled = [choice(f"text {i}", i, finish_reason=f"why {i}") for i in order]
        got = read(reply(*shuffled), Sampling(n=3))
        assert got.texts == ("text 0", "text 1", "text 2")
        assert got.finish == ("why 0", "why 1", "why 2")

    def test_choices_without_index_keep_their_order(self) -> None:
        got = read(reply(choice("b", None), choice("a", None)), Sampling(n=2))
        assert got.texts == ("b", "a")

    def test_fewer_choices_are_taken_as_they_are_and_more_are_cut_off(self) -> None:
        choices = [choice(f"{i}", i) for i in range(3)]
        assert read(reply(*choices), Sampling(n=5)).texts == ("0", "1", "2")
        assert read(reply(*choices), Sampling(n=2)).texts == ("0", "1")

    @pytest.mark.parametrize(
        "silent",
        [choice(None), choice(""), choice(None, message={"content": None, "refusal": "No."})],
    )
    def test_a_model_may_say_nothing(self, silent: dict[str, Any]) -> None:
        assert read(reply(silent), Sampling()).texts == ("",)

    @pytest.mark.parametrize("why", [None, ""])
    def test_a_server_may_not_say_why_a_reply_ended(self, why: str | None) -> None:
        assert read(reply(choice(finish_reason=why)), Sampling()).finish == ("",)

    @pytest.mark.parametrize(
        ("usage", "read_as"),
        [
            (None, Usage(calls=1)),
            ({}, Usage(calls=1)),
            ({"prompt_tokens": None}, Usage(calls=1)),
            ({"prompt_tokens": 7}, Usage(calls=1, prompt_tokens=7)),
            (
                {"prompt_tokens": 7, "prompt_tokens_details": None, "completion_tokens": 1},
                Usage(calls=1, prompt_tokens=7, completion_tokens=1),
            ),
            (
                {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": None}},
                Usage(calls=1, prompt_tokens=7),
            ),
            (
                {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}},
                Usage(calls=1, prompt_tokens=7, cached_tokens=4),
            ),
        ],
    )
    def test_what_a_server_does_not_count_is_nothing(self, usage: Any, read_as: Usage) -> None:
        assert read(reply(choice(), usage=usage), Sampling()).usage == read_as

    def test_a_server_may_not_count_at_all(self) -> None:
        data = json.dumps({"choices": [choice()]}).encode()
        assert read(data, Sampling()).usage == Usage(calls=1)

    def test_any_text_is_read_as_it_is(self) -> None:
        text = 'a\nb\u2028\x00 "24" 🂡 \\'
        assert read(reply(choice(text)), Sampling()).texts == (text,)


class TestLogprobs:
    def test_they_are_read_for_every_choice(self) -> None:
        choices = [
            choice(
                "AB", 1, logprobs={"content": [token("A", -0.5, A=-0.5, B=-1.5), token("B", -2)]}
            ),
            choice("A", 0, logprobs={"content": [token("A", -0.25)]}),
        ]
        got = read(reply(*choices), Sampling(n=2, logprobs=2))
        assert got.logprobs == (
            (TokenLogprob(token="A", logprob=-0.25),),
            (
                TokenLogprob(token="A", logprob=-0.5, top=(("A", -0.5), ("B", -1.5))),
                TokenLogprob(token="B", logprob=-2.0),
            ),
        )

    @pytest.mark.parametrize("given", [{"content": None}, {"content": []}])
    def test_of_an_empty_reply_there_are_none(self, given: dict[str, Any]) -> None:
        assert read(reply(choice("", logprobs=given)), Sampling(logprobs=1)).logprobs == ((),)

    def test_nobody_who_did_not_ask_gets_them(self) -> None:
        given = choice("A", logprobs={"content": [token("A", -0.5)]})
        assert read(reply(given), Sampling()).logprobs == ()

    @pytest.mark.parametrize("given", [{}, {"logprobs": None}])
    def test_a_server_that_has_none_is_the_wrong_one(self, given: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match="asked for and the server sends none; use a server"):
            read(reply(choice("A", **given)), Sampling(logprobs=0))


class TestJson:
    ASKED = Sampling(json_schema=SCHEMA, n=2)

    def test_json_passes(self) -> None:
        got = read(reply(choice('{"grade": 3}'), choice(" [1]\n", 1)), self.ASKED)
        assert got.texts == ('{"grade": 3}', " [1]\n")

    @pytest.mark.parametrize("text", ["Sure! {}", '{"grade": ', "", '{"a": 1} {"a": 2}'])
    def test_anything_else_is_a_malformed_reply_that_shows_its_beginning(self, text: str) -> None:
        with pytest.raises(MalformedReply, match="does the server support response_format") as bad:
            read(reply(choice("{}"), choice(text, 1)), self.ASKED)
        assert repr(text) in str(bad.value)

    def test_a_reply_that_the_cap_cut_off_passes(self) -> None:
        cut = choice('{"grade": ', finish_reason="length")
        assert read(reply(cut), self.ASKED).finish == ("length",)


MALFORMED = [
    b"",
    b"<html>502</html>",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b"24",
    b'"text"',
    b'{"error": {"message": "out of memory"}}',
    b'{"choices": null}',
    b'{"choices": []}',
    b'{"choices": {}}',
    b'{"choices": "text"}',
    b'{"choices": [null]}',
    b'{"choices": [{}]}',
    b'{"choices": [{"message": null}]}',
    b'{"choices": [{"message": {}}]}',
    b'{"choices": [{"message": {"content": 24}}]}',
    b'{"choices": [{"message": {"content": [{"type": "text", "text": "24"}]}}]}',
    b'{"choices": [{"text": "24"}]}',
    b'{"choices": [{"delta": {"content": "24"}}]}',
    reply(choice(), usage=[1]),
    reply(choice(), usage={"prompt_tokens": -1}),
    reply(choice(), usage={"prompt_tokens": "many"}),
    reply(choice(), usage={"prompt_tokens_details": [1]}),
    reply(choice(finish_reason=7)),
    reply(choice(), {**choice("x"), "index": "one"}),
    reply(choice("\ud800")),
    reply(choice())[:-1],
]


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_chat_completion_is_malformed_and_shown(data: bytes) -> None:
    with pytest.raises(MalformedReply) as bad:
        read(data, Sampling(n=2))
    assert "\n" not in str(bad.value)
    assert data[:20].decode(errors="replace") in str(bad.value)


@pytest.mark.parametrize(
    "given",
    [
        [],
        "x",
        {},
        {"tokens": ["A"], "token_logprobs": [-1.0]},
        {"content": [{}]},
        {"content": [{"token": "A", "logprob": None}]},
        {"content": [{"token": "A", "logprob": -1.0, "top_logprobs": [None]}]},
    ],
)
def test_log_probabilities_of_another_shape_are_malformed(given: Any) -> None:
    with pytest.raises(MalformedReply, match="not a chat completion"):
        read(reply(choice("A", logprobs=given)), Sampling(logprobs=1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "index", "usage", "logprobs", "token"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries({"choices": st.lists(JSON, max_size=3)}, optional={"usage": JSON}) | JSON
)
def test_whatever_a_server_sends_is_read_or_refused(anything: Any) -> None:
    data = json.dumps(anything).encode()
    for sampling in (Sampling(), Sampling(n=2, logprobs=1), Sampling(json_schema={})):
        try:
            got = read(data, sampling)
        except (MalformedReply, ConfigError):
            continue
        assert 1 <= len(got.texts) <= sampling.n


@given(st.binary(max_size=40))
def test_whatever_bytes_come_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedReply):
        read(data, Sampling())
