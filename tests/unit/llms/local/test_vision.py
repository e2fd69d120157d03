"""Vision-language models: what they read, and that company does not show in what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from transformers import AutoProcessor, AutoTokenizer

from armap.errors import ConfigError, ContextTooLong, ModelError, RequestRefused
from armap.llms.local import LocalConfig, LocalModel
from armap.llms.local.vision import VisionReader, open_image
from armap.types import Completions, Message, Sampling
from tests.tiny_vision import FAMILIES, data_url, save_picture, save_tiny

RED, BLUE = (255, 0, 0), (0, 0, 255)

Request = tuple[list[Message], Sampling]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of one tiny model per family, written when first asked for."""
    root = tmp_path_factory.mktemp("vision")

    def of(family: str) -> Path:
        if (root / family).exists():
            return root / family
        try:
            return save_tiny(family, root / family)
        except ImportError as error:
            pytest.skip(f"older releases of transformers need torchvision here: {error}")

    return of


def dialogue(text: str, *images: str) -> list[Message]:
    return [
        Message(role="system", content="Be brief."),
        Message(role="user", content=text, images=images),
    ]


def sampling(**changes: object) -> Sampling:
    return Sampling(temperature=1.0, max_tokens=8).model_copy(update=changes)


def ask(config: LocalConfig, requests: Sequence[Request], *, together: bool) -> list[Completions]:
    async def run() -> list[Completions]:
        model = LocalModel(config)
        try:
            if together:
                return await asyncio.gather(*(model.complete(*request) for request in requests))
            return [await model.complete(*request) for request in requests]
        finally:
            await model.close()

    return asyncio.run(run())


def failure(config: LocalConfig, messages: list[Message], **changes: object) -> Exception:
    with pytest.raises((ModelError, ConfigError)) as caught:
        ask(config, [(messages, sampling(**changes))], together=False)
    return caught.value


@pytest.mark.parametrize("family", FAMILIES)
def test_company_changes_nothing(family: str, folder: Callable[[str], Path]) -> None:
    red, blue = data_url(RED), data_url(BLUE)
    prompts = [
        dialogue("Look.", red),
        dialogue("Look.", blue),
        dialogue("No picture, and a longer text."),
        dialogue("Two.", red, blue),
        [*dialogue("Look.", red), *dialogue("And now?", blue)],
    ]
    requests = [(prompt, sampling(n=2)) for prompt in prompts]
    requests.append((prompts[0], sampling(temperature=0.0)))
    config = LocalConfig(model=str(folder(family)))
    alone = ask(config.model_copy(update={"max_batch": 1}), requests, together=False)
    assert ask(config, requests, together=True) == alone
    assert len({reply.texts for reply in alone[:-1]}) == len(prompts), "every picture counts"


def test_samples_drawn_one_by_one_equal_those_drawn_together(
    folder: Callable[[str], Path],
) -> None:
    prompt = dialogue("Look.", data_url(RED))
    config = LocalConfig(model=str(folder("llava")))
    row, *single = ask(
        config,
        [(prompt, sampling(n=4)), *((prompt, sampling(start=place)) for place in range(4))],
        together=True,
    )
    assert [reply.texts for reply in single] == [(text,) for text in row.texts]
    assert len(set(row.texts)) == 4


def test_a_path_and_a_data_url_are_the_same_picture(
    folder: Callable[[str], Path], tmp_path: Path
) -> None:
    config = LocalConfig(model=str(folder("llava")))
    path = save_picture(tmp_path / "red.png", RED)
    requests = [(dialogue("Look.", image), sampling(n=2)) for image in (path, data_url(RED))]
    by_path, by_url = ask(config, requests, together=False)
    assert by_path == by_url
    without = ask(config, [(dialogue("Look."), sampling())], together=False)[0]
    assert by_path.usage.prompt_tokens == without.usage.prompt_tokens + 4


def test_pictures_come_before_the_text_of_their_turn(folder: Callable[[str], Path]) -> None:
    processor = AutoProcessor.from_pretrained(folder("llava"))
    reader = VisionReader(processor)
    reading = asyncio.run(reader.read(dialogue("Look.", data_url(RED), data_url(BLUE))))
    reader.close()
    text = AutoTokenizer.from_pretrained(folder("llava")).decode(reading.ids)
    assert text.count("<s>") == 1
    assert text.endswith(f"[user] {'<image>' * 8}Look.\n[assistant] ")
    assert reading.inputs is not None
    assert reading.inputs["pixel_values"].shape == (2, 3, 16, 16)


class TestPictures:
    """Files and ``data:`` URLs that hold an image, or do not."""

    @pytest.mark.parametrize(
        ("reference", "message"),
        [
            ("no/such.png", "image 'no/such.png' does not exist"),
            ("https://example.org/a.png", "image 'https://example.org/a.png' does not exist"),
            ("data:image/png;base64,AAAA", "image 'data:image/png;base64,AAAA...' cannot be read"),
            ("data:image/png;base64,A*", "not base64"),
            ("data:nothing", "has a comma"),
        ],
    )
    def test_what_is_none(self, reference: str, message: str) -> None:
        with pytest.raises(RequestRefused, match=message):
            open_image(reference)

    def test_a_file_that_is_no_image(self, tmp_path: Path) -> None:
        broken = tmp_path / "broken.png"
        broken.write_text("not a picture")
        with pytest.raises(RequestRefused, match=r"broken.png' cannot be read"):
            open_image(str(broken))

    def test_a_picture_cut_short(self, tmp_path: Path) -> None:
        whole = Path(save_picture(tmp_path / "whole.png", RED, (200, 200))).read_bytes()
        cut = tmp_path / "cut.png"
        cut.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(RequestRefused, match=r"cut.png' cannot be read"):
            open_image(str(cut))

    def test_percent_encoded(self) -> None:
        svg_like = "data:image/x-portable-pixmap,P3%0A1%201%0A255%0A9%208%207%0A"
        assert open_image(svg_like).getpixel((0, 0)) == (9, 8, 7)


def test_dialogues_not_read_yet_fail_when_the_model_is_closed(
    folder: Callable[[str], Path],
) -> None:
    async def run() -> list[Completions | BaseException]:
        model = LocalModel(LocalConfig(model=str(folder("llava"))))
        prompt = dialogue("Look.", *[data_url(RED)] * 20)
        asked = [asyncio.create_task(model.complete(prompt, sampling())) for _ in range(20)]
        await asyncio.sleep(0)
        await model.close()
        return await asyncio.gather(*asked, return_exceptions=True)

    assert all(isinstance(answer, ModelError) for answer in asyncio.run(run()))


def test_a_bad_request_fails_alone(folder: Callable[[str], Path]) -> None:
    async def run() -> list[Completions | BaseException]:
        model = LocalModel(LocalConfig(model=str(folder("llava"))))
        prompts = [
            dialogue("Look.", data_url(RED)),
            dialogue("Look.", "no/such.png"),
            dialogue("A forged <image> with no picture."),
        ]
        asked = (model.complete(prompt, sampling()) for prompt in prompts)
        try:
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await model.close()

    good, missing, forged = asyncio.run(run())
    assert isinstance(good, Completions)
    assert isinstance(missing, RequestRefused)
    assert isinstance(forged, RequestRefused)
    assert "'<image>' in it" in str(forged)


def test_a_prompt_whose_pictures_do_not_fit(folder: Callable[[str], Path]) -> None:
    error = failure(
        LocalConfig(model=str(folder("llava"))),
        dialogue("Look.", *[data_url(RED)] * 120),
    )
    assert isinstance(error, ContextTooLong)
    assert "exceed the model's 512 positions" in str(error)


def test_pictures_for_a_model_that_reads_text_only() -> None:
    error = failure(LocalConfig(), dialogue("Look.", data_url(RED)))
    assert isinstance(error, ConfigError)
    assert "set llm.model to a vision-language model" in str(error)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("processor_config.json", "cannot be loaded|describes no image processor"),
        ("chat_template.jinja", "has no chat template"),
    ],
)
def test_a_folder_without_its_processor(
    missing: str, message: str, tmp_path: Path, folder: Callable[[str], Path]
) -> None:
    for file in folder("llava").iterdir():
        if file.name != missing:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ConfigError, match=message):
        LocalModel(LocalConfig(model=str(tmp_path)))


def test_a_processor_that_needs_what_is_not_installed(
    tmp_path: Path, folder: Callable[[str], Path]
) -> None:
    from transformers import Qwen2VLConfig

    Qwen2VLConfig().save_pretrained(tmp_path)
    names = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor",
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(names))
    for file in folder("llava").glob("token*"):
        (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        LocalModel(LocalConfig(model=str(tmp_path)))
