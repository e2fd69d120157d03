"""Pictures in episodes: what the environment refers to is what its page shows."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from armap.envs import TaskSelection, make_env, make_pictures, select_tasks
from armap.envs.game24.env import Game24Config
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.env import WebShop
from armap.envs.webshop.images.canvas import Canvas
from armap.envs.webshop.images.layout import draw
from armap.envs.webshop.images.pictures import open_pictures
from armap.envs.webshop.images.reference import read
from armap.errors import ConfigError
from armap.llms.illustrated import Illustrated
from armap.types import Action, Completions, Message, Observation, Sampling
from tests.shops import shop_config

FAITHFUL = WebShopConfig(images="page", max_steps=None, show_attrs=True)
STRICT = FAITHFUL.model_copy(update={"profile": "strict"})
BOTH = pytest.mark.parametrize("config", [FAITHFUL, STRICT], ids=["faithful", "strict"])


def wander(config: WebShopConfig, *, episodes: int = 6) -> list[Observation]:
    """What a shopper sees who clicks at random."""
    random = Random(0)
    tasks = select_tasks(config, TaskSelection(split="test", limit=episodes))
    env = make_env(config)
    seen = []
    for task in tasks:
        observation = env.reset(task)
        seen.append(observation)
        for _ in range(40):
            if observation.terminal:
                break
            text = random.choice(observation.choices)
            search = f"search[{' '.join(task.instruction.split()[4:8])}]"
            observation = env.step(Action(text=search if text == "search[...]" else text))
            seen.append(observation)
    return seen


@BOTH
def test_every_page_of_an_episode_has_its_picture(config: WebShopConfig) -> None:
    picture = make_pictures(config)
    assert picture is not None
    seen = wander(config)
    kinds = {read(observation.images[0]).kind for observation in seen}
    assert kinds == {"start", "results", "item", "sub", "done"}
    for observation in seen:
        url = picture(observation.images[0])
        image = Image.open(BytesIO(b64decode(url.partition("base64,")[2])))
        assert image.width == 720


@BOTH
def test_what_a_page_offers_is_written_in_its_picture(
    config: WebShopConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every click, every product and every price of the text is drawn."""
    written: list[str] = []
    line = Canvas.line

    def listening(self: Canvas, left: int, top: int, text: str, size: int, ink: int) -> int:
        written.append(text)
        return line(self, left, top, text, size, ink)  # type: ignore[arg-type]

    monkeypatch.setattr(Canvas, "line", listening)
    look = open_pictures(config)._look
    for observation in wander(config):
        written.clear()
        view = read(observation.images[0])
        draw(view, look)
        shown = {text.lower() for text in written}
        for choice in observation.choices:
            label = choice.removeprefix("click[").removesuffix("]")
            assert label.replace("search[...", "search") in shown, observation
        if view.kind == "results":
            assert ("next >" in shown) == ("click[next >]" in observation.choices)
        for price in (text for text in observation.text.split(" [SEP] ") if text[:1] == "$"):
            assert price in shown


@BOTH
def test_no_picture_tells_the_score_or_the_instruction(config: WebShopConfig) -> None:
    for observation in wander(config, episodes=3):
        for secret in ("score", "reward", "instruction", "goal"):
            assert secret not in observation.images[0]


def test_a_snapshot_leads_to_the_same_picture() -> None:
    env = make_env(FAITHFUL)
    assert isinstance(env, WebShop)
    task = select_tasks(FAITHFUL, TaskSelection(limit=1))[0]
    env.reset(task)
    shown = env.step(Action(text="search[lamp]"))
    token = env.snapshot()
    opened = env.step(Action(text=shown.choices[2]))
    env.restore(token)
    assert env.step(Action(text=shown.choices[2])) == opened
    back = env.step(Action(text="click[< prev]"))
    assert len(read(back.images[0]).opened) == 1
    assert read(shown.images[0])._replace(opened=read(back.images[0]).opened) == read(
        back.images[0]
    )


def test_the_users_own_data_is_drawn_too(shop_folder: Path) -> None:
    config = shop_config(shop_folder, images="page", protocol="paper")
    pictures = open_pictures(config)
    env = make_env(config)
    seen = env.reset(select_tasks(config, TaskSelection(split="test"))[0])
    for action in (
        "search[shoes]",
        "click[b0",
        "click[features]",
        "click[< prev]",
        "click[buy now]",
    ):
        text = next((choice for choice in seen.choices if choice.startswith(action)), action)
        seen = env.step(Action(text=text))
        assert pictures.image(seen.images[0]).height > 60
    assert seen.terminal


def test_off_means_off() -> None:
    off = FAITHFUL.model_copy(update={"images": "off"})
    assert make_pictures(off) is None
    assert make_pictures(Game24Config()) is None
    assert not any(observation.images for observation in wander(off, episodes=1))


def test_what_is_no_page_is_left_alone() -> None:
    picture = make_pictures(FAITHFUL)
    assert picture is not None
    assert picture("board.png") == "board.png"


def test_missing_folders_are_told_before_anything_is_drawn() -> None:
    with pytest.raises(ConfigError, match="no such folder is no folder"):
        make_pictures(FAITHFUL.model_copy(update={"pictures": "no such folder"}))
    with pytest.raises(ConfigError, match=r"none.ttf does not exist"):
        make_pictures(FAITHFUL.model_copy(update={"typeface": "none.ttf"}))


def test_pillow_loads_only_where_pictures_are_made() -> None:
    code = (
        "import sys\n"
        "from armap.envs import make_env\n"
        "from armap.envs.webshop.config import WebShopConfig\n"
        "make_env(WebShopConfig(images='page'))\n"
        "print('PIL' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_a_model_that_sees_is_shown_a_page(tmp_path: Path) -> None:
    from armap.llms.local import LocalConfig, LocalModel
    from tests.tiny_vision import save_tiny

    picture = make_pictures(FAITHFUL)
    assert picture is not None
    asked = [Message(role="user", content="What now?", images=("webshop:start",))]

    async def ask() -> Completions:
        inner = LocalModel(LocalConfig(model=str(save_tiny("llava", tmp_path))))
        model = Illustrated(inner, picture)
        replies = await model.complete(asked, Sampling(max_tokens=4))
        await model.close()
        return replies

    assert asyncio.run(ask()).usage.prompt_tokens > len("What now?")


@pytest.mark.slow
def test_a_run_keeps_references_and_no_pictures(tmp_path: Path) -> None:
    config = tmp_path / "collect.yaml"
    config.write_text(
        f"stage: collect\nout: {tmp_path / 'run'}\n"
        "env: {kind: webshop, images: page, max_steps: 3}\n"
        "tasks: {limit: 2}\n"
        "llm: {kind: scripted, default: ['search[lamp]']}\n"
    )
    command = [sys.executable, "-m", "armap.cli.main", "collect", "--config", str(config)]
    subprocess.run(command, capture_output=True, check=True)
    stored = "".join(path.read_text() for path in (tmp_path / "run").glob("*.jsonl"))
    assert "webshop:results?q=lamp" in stored
    assert "base64" not in stored
