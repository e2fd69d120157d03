"""References of images travel as they are; whoever is asked sees the images."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from armap.calls import Journal, Recorded
from armap.calls.request import Request
from armap.llms.illustrated import Illustrated
from armap.types import Completions, Message, Sampling, Usage

ASKED = [
    Message(role="system", content="Shop."),
    Message(role="user", content="a page", images=("webshop:start",)),
]


class Seeing:
    name = "seeing"
    max_n = 2

    def __init__(self) -> None:
        self.seen: list[list[Message]] = []
        self.closed = False

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        self.seen.append(list(messages))
        return Completions(texts=("click",) * sampling.n, usage=Usage(calls=1))

    async def close(self) -> None:
        self.closed = True


def draw(reference: str) -> str:
    return f"data:image/png;base64,{reference}"


def test_the_model_sees_images_and_the_journal_references(tmp_path: Path) -> None:
    async def ask() -> int:
        inner = Seeing()
        model = Recorded(Illustrated(inner, draw), Journal(tmp_path / "calls"))
        for _ in range(2):
            await model.complete(ASKED, Sampling())
        await model.close()
        assert inner.closed
        assert [message.images for message in inner.seen[0]] == [(), (draw("webshop:start"),)]
        assert len(inner.seen) == 1
        return model.hits

    assert asyncio.run(ask()) == 1


def test_name_and_limits_are_the_models() -> None:
    model = Illustrated(Seeing(), draw)
    assert (model.name, model.max_n) == ("seeing", 2)


def test_a_reference_is_its_own_content_and_a_path_is_not(tmp_path: Path) -> None:
    def key(image: str) -> bytes:
        message = Message(role="user", content="", images=(image,))
        return Request.of("m", [message], Sampling()).key

    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert key(str(one)) == key(str(two))
    assert key("webshop:start") != key("webshop:item/X0")
