"""What pages say, in the three views."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from armap.envs.webshop.config import View
from armap.envs.webshop.env import WebShop
from armap.envs.webshop.graded import GradedWebShop
from armap.envs.webshop.tasks import tasks
from armap.types import Action, Observation
from tests.shops import shop_config

BUY = ("search[6 shoes]", "click[b000000006]", "click[black]", "click[buy now]")


def play(folder: Path, *actions: str, **settings: Any) -> Observation:
    """What is seen after some actions."""
    config = shop_config(folder, **settings)
    env = WebShop(config)
    seen = env.reset(tasks(config, "test")[0])
    for action in actions:
        seen = env.step(Action(text=action))
    return seen


def test_text_of_an_item(shop_folder: Path) -> None:
    seen = play(shop_folder, "search[7 lamps]", "click[b000000007]", "click[black]")
    instruction, *rest = seen.text.split(" [SEP] ")[1:]
    assert instruction.startswith("Find me machine washable things")
    assert rest == [
        "Back to Search", "< Prev", "color", "black", "navy | white", "red", 'c5-"grey"', "size",
        "small", "medium", "x-large", "Soft Running Lamps number 7 for Women", "Price: $1299.99",
        "Rating: N.A.", "Description", "Features", "Reviews", "Buy Now",
    ]  # fmt: skip
    assert seen.choices[:2] == ("click[back to search]", "click[< prev]")
    assert 'click[c5-"grey"]' in seen.choices


def test_rich_text_marks_what_was_chosen_except_values_with_quotes(shop_folder: Path) -> None:
    path = ("search[7 lamps]", "click[b000000007]", "click[medium]", 'click[c5-"grey"]')
    seen = play(shop_folder, *path, observation="text_rich")
    assert seen.text.startswith("You have clicked medium.\nInstruction:\n")
    assert "  [clicked button] medium [clicked button_]\n" in seen.text
    assert '  [button] c5-"grey" [button_]\n' in seen.text
    strict = play(shop_folder, *path, observation="text_rich", profile="strict")
    assert '  [clicked button] c5-"grey" [clicked button_]\n' in strict.text


def test_rich_text_marks_products_that_were_opened(shop_folder: Path) -> None:
    path = ("search[7 lamps]", "click[b000000007]", "click[< prev]")
    seen = play(shop_folder, *path, observation="text_rich")
    assert "\n[clicked button] B000000007 [clicked button_]\nSoft" in seen.text


def test_sub_pages(shop_folder: Path) -> None:
    item = ("search[7 lamps]", "click[b000000007]")
    assert play(shop_folder, *item, "click[description]").text.endswith(
        "< Prev [SEP] Very lamps & light."
    )
    # An empty bullet leaves a blank, which is an empty segment.
    features = play(shop_folder, *item, "click[features]").text
    assert features.endswith("< Prev [SEP] machine washable lamps [SEP]  [SEP] it's good")
    assert play(shop_folder, *item, "click[reviews]").text.endswith("< Prev")
    attributes = play(shop_folder, *item, "click[attributes]", show_attrs=True).text
    assert attributes.endswith("machine washable [SEP] non slip [SEP] garden [SEP] lamps [SEP] "
                               "Home › lamps › All")  # fmt: skip
    empty = play(shop_folder, "search[6 shoes]", "click[b000000006]", "click[description]")
    assert empty.text.endswith("Back to Search [SEP] < Prev")


class Reader(HTMLParser):
    """Complains about tags that do not match; keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.said.append(data.strip())


@pytest.mark.parametrize("count", range(5))
def test_html_says_what_text_says(shop_folder: Path, count: int) -> None:
    reader = Reader()
    reader.feed(play(shop_folder, *BUY[:count], observation="html_text").text)
    assert reader.open == []
    assert reader.said == play(shop_folder, *BUY[:count]).text.split(" [SEP] ")


@pytest.mark.parametrize("view", ["text", "text_rich", "html_text"])
@pytest.mark.parametrize("profile", ["faithful", "strict"])
def test_the_last_page_tells_no_reward(shop_folder: Path, view: View, profile: str) -> None:
    config = shop_config(shop_folder, observation=view, profile=profile)
    seen = []
    for task in tasks(config, "test")[:12]:
        # The same instruction under goals of other products: only the grade may differ.
        graded = GradedWebShop(config)
        graded.reset(task.model_copy(update={"instruction": "buy"}))
        shown = [graded.step(Action(text=action)) for action in BUY]
        seen.append((shown, graded.outcome().score))
    assert len({score for _, score in seen}) > 1
    assert all(shown == seen[0][0] for shown, _ in seen)


def test_the_originals_last_page_is_there_for_evaluation(shop_folder: Path) -> None:
    config = shop_config(shop_folder)
    graded = GradedWebShop(config)
    graded.reset(tasks(config, "test")[0])
    for action in BUY:
        seen = graded.step(Action(text=action))
    score = graded.outcome().score
    told = f"Your score (min 0.0, max 1.0) [SEP] {score} [SEP] Reward Details"
    assert told in graded.page()
    assert graded.page().replace(f" [SEP] {score} [SEP] Reward D", " [SEP] Reward D") == seen.text


def test_signs_of_html_in_the_receipt(shop_folder: Path) -> None:
    path = ("search[7 lamps]", "click[b000000007]", "click[small]", 'click[c5-"grey"]')
    text = play(shop_folder, *path, "click[buy now]").text
    # Sorted by group, as Flask writes JSON.
    assert '[SEP] {"color": "c5-\\"grey\\"", "size": "small"} [SEP]' in text


def test_strict_shows_the_price_that_counts_and_what_is_chosen(shop_folder: Path) -> None:
    path = ("search[5 lamps]", "click[b000000005]", "click[small]")
    assert "Price: $10.0 to $25.5 " in play(shop_folder, *path[:2]).text
    strict = play(shop_folder, *path[:2], profile="strict").text
    price = re.search(r"Price: \$(\d+\.\d+) \[SEP\]", strict)
    assert price is not None
    assert 10 <= float(price[1]) <= 25.5
    receipt = play(
        shop_folder, "search[1 lamps]", "click[b000000001]", "click[small]", "click[buy now]",
        profile="strict",
    ).text  # fmt: skip
    assert re.search(r"\[SEP\] size: small \[SEP\] Price: \$\d+\.\d+$", receipt)
