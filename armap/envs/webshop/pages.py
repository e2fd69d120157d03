"""A state as a page: the strings on it, in order, each with the part that it plays."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from armap.envs.webshop.actions import Rules
    from armap.envs.webshop.shop import Shop
    from armap.envs.webshop.state import State

__all__ = ["Node", "Pages", "Part"]


class Part(StrEnum):
    """What a string on a page is."""

    TEXT = "text"
    HEADING = "heading"
    BUTTON = "button"
    OPTION = "option"
    LINK = "link"


class Node(NamedTuple):
    """One string on a page, as a browser would have it."""

    part: Part
    text: str
    chosen: bool = False
    """A chosen option, or a product that was opened before."""


_BACK = Node(Part.BUTTON, "Back to Search")
_PREV = Node(Part.BUTTON, "< Prev")
_NEXT = Node(Part.BUTTON, "Next >")
_SPACES = " \n\t\f\r"

_NONE = "None"
_RECEIPT = (
    "attrs", _NONE, "category", _NONE, "query", _NONE, "product category", _NONE,
    "Target", "asin", "options", "attrs", "price upper", "instuction text", "category",
    "product category", "query", "Goal ", _NONE,
)  # fmt: skip
"""What the original's last page has below the purchase: fields it never fills in."""


class Pages:
    """Makes pages of states.

    Args:
        shop: where the products are.
        rules: what can be clicked.
    """

    def __init__(self, shop: Shop, rules: Rules) -> None:
        self._shop = shop
        self._rules = rules
        self._strict = shop.profile == "strict"

    def nodes(self, state: State, *, score: float | None = None) -> list[Node]:
        """The strings of a page, in order.

        Args:
            state: of the episode.
            score: what the original shows on its last page: the reward. Evaluation alone has
                it; without, that line is left out.
        """
        return list(_parsed(self._found(state, score)))

    def _found(self, state: State, score: float | None) -> Iterator[Node]:
        match state.kind:
            case "start":
                return self._start(state)
            case "results":
                return self._results(state)
            case "item":
                return self._item(state)
            case "sub":
                return self._sub(state)
            case "done":
                return self._receipt(state, score)

    def _receipt(self, state: State, score: float | None) -> Iterator[Node]:
        assert state.product is not None
        asin = self._shop.product(state.product).asin
        yield Node(Part.HEADING, "Thank you for shopping with us!")
        if self._strict:
            yield from _texts("Purchased", asin, *self._bill(state))
            return
        yield from _texts("Your code: ", _NONE, " (Paste it in your MTurk interface.)")
        yield from _texts("Purchased", "asin", asin, "options", _embedded(dict(state.options)))
        yield from _texts(*_RECEIPT)
        yield from _texts("Reward", "Your score (min 0.0, max 1.0)")
        if score is not None:
            yield Node(Part.TEXT, str(score))
        yield from _texts("Reward Details ", _NONE)

    def _bill(self, state: State) -> Iterator[str]:
        assert state.product is not None
        yield self._shop.product(state.product).title
        yield from (f"{group}: {value}" for group, value in state.options)
        yield f"Price: {self._shop.tag(state.product)}"

    def _start(self, state: State) -> Iterator[Node]:
        yield Node(Part.HEADING, "WebShop")
        yield from _texts("Instruction: ", state.instruction)
        yield Node(Part.BUTTON, "Search")

    def _results(self, state: State) -> Iterator[Node]:
        yield from self._head(state)
        total = len(self._shop.results(state))
        yield Node(Part.TEXT, f"Page {state.number} (Total results: {total})")
        buttons = self._rules.turns(state)
        if "< prev" in buttons:
            yield _PREV
        if "next >" in buttons:
            yield _NEXT
        for row in self._shop.page(state):
            product = self._shop.product(row)
            yield Node(Part.LINK, product.asin, row in state.opened)
            yield from _texts(product.title, self._shop.tag(row))

    def _item(self, state: State) -> Iterator[Node]:
        assert state.product is not None
        product = self._shop.product(state.product)
        yield from self._head(state)
        yield _PREV
        yield from self._options(state)
        yield Node(Part.HEADING, product.title)
        yield from _texts(f"Price: {self._shop.tag(state.product)}", "Rating: N.A.")
        if self._strict and state.options:
            chosen = ", ".join(f"{group}: {value}" for group, value in state.options)
            yield Node(Part.TEXT, f"Chosen: {chosen}")
        for name in self._rules.subs:
            yield Node(Part.BUTTON, name)
        yield Node(Part.BUTTON, "Buy Now")

    def _options(self, state: State) -> Iterator[Node]:
        assert state.product is not None
        if self._strict:
            yield from self._labels(state)
            return
        url = self._rules.url(state)
        for group, values in self._shop.product(state.product).options:
            yield Node(Part.TEXT, group)
            # The original looks for the quoted value anywhere in the address.
            yield from (Node(Part.OPTION, value, f'"{value}"' in url) for value in values)

    def _labels(self, state: State) -> Iterator[Node]:
        shown = ""
        for label, (group, value) in self._rules.options(state).items():
            if group != shown:
                yield Node(Part.TEXT, group)
                shown = group
            yield Node(Part.OPTION, label, (group, value) in state.options)

    def _sub(self, state: State) -> Iterator[Node]:
        assert state.product is not None
        product = self._shop.product(state.product)
        yield from self._head(state)
        yield _PREV
        match state.sub:
            case "Description":
                yield Node(Part.TEXT, product.description)
            case "Features":
                yield from _texts(*(f" {bullet}" for bullet in product.bullets))
            case "Attributes":
                yield from _texts(*product.attributes, product.category)
                yield from _texts(product.query, product.product_category)
            case _:  # nobody has loaded reviews since the original was published
                return

    def _head(self, state: State) -> Iterator[Node]:
        yield from _texts("Instruction:", state.instruction)
        yield _BACK


def _texts(*texts: str) -> Iterator[Node]:
    return (Node(Part.TEXT, text) for text in texts)


def _parsed(nodes: Iterable[Node]) -> Iterator[Node]:
    """What an HTML parser keeps: no empty strings, of pure white space one blank or nothing."""
    for node in nodes:
        if node.text.strip(_SPACES):
            yield node
        elif node.text and "\n" not in node.text:
            yield node._replace(text=" ")


def _embedded(options: dict[str, str]) -> str:
    """Options as Flask writes JSON into a page: sorted, with signs of HTML escaped."""
    text = json.dumps(options, sort_keys=True)
    for sign in "<>&'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
