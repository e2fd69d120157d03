"""What an agent may write, in both profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.envs.webshop.actions import Rules, parse
from armap.envs.webshop.state import State
from armap.envs.webshop.world import World, open_world
from tests.shops import shop_config, write_shop


class Walk:
    """A state that actions change."""

    def __init__(self, world: World, **more: Any) -> None:
        self.world = world
        self.rules: Rules = world.parts(**{"show_attrs": False, **more})[0]
        self.state = State(session="7", instruction="buy shoes")

    def __call__(self, *actions: str) -> Walk:
        for action in actions:
            self.state = self.rules.act(self.state, action)
        return self

    @property
    def url(self) -> str:
        return self.rules.url(self.state)

    @property
    def offered(self) -> tuple[str, ...]:
        return self.rules.clickables(self.state)


@pytest.fixture
def walk(shop_folder: Path) -> Walk:
    return Walk(open_world(shop_config(shop_folder)))


@pytest.fixture
def strict(shop_folder: Path) -> Walk:
    return Walk(open_world(shop_config(shop_folder, profile="strict")))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("search[a] more", ("search", "a")),
        ("search[]]", ("search", "]")),
        ("search[]", None),
        ("a search[b]", ("a search", "b")),
        ("search[a\nb]", None),
        ("search[a] [b]", ("search[a] ", "b")),
        ("click", None),
        ("\nsearch[a]", None),
    ],
)
def test_the_faithful_grammar(text: str, command: tuple[str, str] | None) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (" Search[a [b]] ", ("search", "a [b]")),
        ("search[a] more", None),
        ("think[a]", None),
        ("search[a\nb]", ("search", "a\nb")),
    ],
)
def test_the_strict_grammar(text: str, command: tuple[str, str] | None) -> None:
    assert parse(text, whole=True) == command


def test_search_works_everywhere_and_keeps_what_was_opened(walk: Walk) -> None:
    walk("search[red  shoes]", "click[b000000006]", "click[black]", "search[lamps]")
    assert walk.url == "http://127.0.0.1:3000/search_results/7/lamps/1"
    assert walk.state.options == ()
    assert walk.state.product is None
    assert walk.state.opened == {6}
    assert dict(walk.state.counts) == {"search": 2, "asin": 1, "options": 1}


@pytest.mark.parametrize(
    "action",
    ["Search[shoes]", "search[]", "click[search]", "click[buy now]", "think[x]", "search[<a> x]",
     "search[<c>]"],
)  # fmt: skip
def test_what_does_nothing_on_the_start_page(walk: Walk, action: str) -> None:
    before = walk.state
    assert walk(action).state == before._replace(steps=1)


def test_pages_past_the_end_are_empty_and_lead_on(walk: Walk) -> None:
    walk("search[shoes]", *["click[next >]"] * 9)
    assert walk.state.number == 10
    assert walk.offered == ("back to search", "< prev", "next >")


def test_empty_words_stay_in_the_address(walk: Walk) -> None:
    assert walk("search[red  shoes]").url.endswith("/search_results/7/red++shoes/1")


def test_prefixes(walk: Walk) -> None:
    assert len(walk("search[<c> garden]").rules._shop.results(walk.state)) == 30
    assert len(walk("search[<q> shoes]").rules._shop.results(walk.state)) == 30
    assert walk("search[<c> ]").offered == ("back to search", "next >")
    drawn = walk("search[<r>]").rules._shop.results(walk.state)
    assert len(set(drawn)) == 50
    assert walk("click[next >]").rules._shop.results(walk.state) != drawn


def test_going_back_from_an_item_drops_its_options(walk: Walk) -> None:
    walk("search[6 shoes]", "click[b000000006]", "click[black]", "click[description]")
    assert walk.url.endswith("/1/Description/{'color': 'black'}")
    walk("click[< prev]")
    assert walk.url.endswith('/1/{"color": "black"}')
    walk("click[< prev]", "click[b000000006]")
    assert walk.state.options == ()


def test_names_of_pages_in_the_search_words_mislead_the_way_back(walk: Walk) -> None:
    walk("search[search_results 6]", "click[b000000006]", "click[< prev]")
    assert walk.url.endswith("/search_results/7/search_results+6/0")
    assert walk.offered == ("back to search", "next >")
    walk("search[item_page 6]", "click[b000000006]", "click[features]", "click[< prev]")
    assert walk.state.kind == "results"


def test_an_option_can_be_changed_but_not_unset(walk: Walk) -> None:
    walk("search[6 shoes]", "click[b000000006]", "click[black]", "click[small]", "click[black]")
    assert walk.state.options == (("color", "black"), ("size", "small"))
    walk("click[navy | white]")
    assert walk.state.options == (("color", "navy | white"), ("size", "small"))


def test_back_to_search_forgets_all_but_the_goal(walk: Walk) -> None:
    walk("search[6 shoes]", "click[b000000006]", "click[BACK TO SEARCH]")
    assert walk.state == State(session="7", instruction="buy shoes", steps=3)


def test_attributes_only_where_they_are_shown(walk: Walk, shop_folder: Path) -> None:
    assert "attributes" not in walk("search[6 shoes]", "click[b000000006]").offered
    shown = Walk(open_world(shop_config(shop_folder)), show_attrs=True)
    assert "attributes" in shown("search[6 shoes]", "click[b000000006]").offered
    assert shown("click[attributes]").state.sub == "Attributes"


def test_strict_searches_only_where_there_is_a_bar(strict: Walk) -> None:
    strict("search[shoes]", "search[lamps]")
    assert strict.state.keywords == ("shoes",)


def test_strict_ends_with_the_last_page(strict: Walk) -> None:
    strict("search[shoes]", *["click[next >]"] * 9)
    assert strict.offered[:2] == ("back to search", "< prev")
    assert "next >" not in strict.offered
    assert len(strict.offered) > 2


def test_strict_keeps_options_and_unsets_them(strict: Walk) -> None:
    strict("search[6 shoes]", "click[b000000006]", "click[black]", "click[small]")
    strict("click[< prev]", "click[b000000006]")
    assert strict.state.options == (("color", "black"), ("size", "small"))
    assert strict("click[black]").state.options == (("size", "small"),)


def test_strict_can_click_all_it_offers(tmp_path: Path) -> None:
    write_shop(tmp_path)
    listed = json.loads((tmp_path / "items_shuffle.json").read_text())
    listed[6]["customization_options"] = {"Color": [{"value": "/Red"}, {"value": "blue/"}]}
    (tmp_path / "items_shuffle.json").write_text(json.dumps(listed))
    walk = Walk(open_world(shop_config(tmp_path, profile="strict")))
    walk("search[6 shoes]", "click[b000000006]", "click[| red]")
    assert {"| red", "blue |"} <= set(walk.offered)
    assert walk.state.options == (("color", " | red"),)
    assert walk("click[blue |]").state.options == (("color", "blue | "),)


def test_strict_knows_no_prefixes(strict: Walk) -> None:
    assert strict("search[<c> garden]").state.keywords == ("<c>", "garden")
    assert strict.offered == ("back to search",)


COMMON = """
search[shoes]|search[<r>]|search[<q> lamps]|search[ ]|search[item_page 6]|search[6]|click[< prev]
click[next >]|click[back to search]|click[b000000006]|click[b000000001]|click[small]
click[features]|click[description]|click[buy now]
"""
ACTIONS = st.one_of(
    st.sampled_from(COMMON.strip().replace("\n", "|").split("|")),
    st.text(max_size=12),
    st.text(max_size=8).map(lambda text: f"click[{text}]"),
    st.text(max_size=8).map(lambda text: f"search[{text}]"),
)


@pytest.mark.parametrize("profile", ["faithful", "strict"])
@settings(max_examples=150, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=12))
def test_every_action_is_answered(shop_folder: Path, profile: str, actions: list[str]) -> None:
    world = open_world(shop_config(shop_folder, profile=profile))
    rules, pages = world.parts(show_attrs=False)
    state = State(session="7", instruction="buy shoes")
    for count, action in enumerate(actions, start=1):
        before = state
        state = rules.act(state, action)
        assert state.steps == count
        assert hash(state) == hash(rules.act(before, action))
        assert (state.product is not None) == (state.kind in ("item", "sub", "done"))
        assert (state.keywords is None) == (state.kind == "start")
        assert pages.nodes(state)
        assert rules.url(state).startswith("http://127.0.0.1:3000/")
        assert len(set(rules.clickables(state))) == len(rules.clickables(state))
