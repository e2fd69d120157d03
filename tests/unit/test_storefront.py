"""Pages read back: the same in every view, also where a product lacks what others have."""

from __future__ import annotations

from typing import get_args

import pytest

from armap.envs.webshop.config import View
from armap.envs.webshop.pages import Node, Part
from armap.envs.webshop.views import render
from armap.storefront import Offer, item, offers, strings

VIEWS = get_args(View)
ASIN, OTHER = "B0000000A1", "B0000000A2"


def item_page(title: str, *options: Node) -> list[Node]:
    """As the environment lays it out; empty strings are never on a page."""
    titled = [Node(Part.HEADING, title)] if title else []
    buttons = [Node(Part.BUTTON, name) for name in ("Description", "Buy Now")]
    back = [Node(Part.BUTTON, "Back to Search"), Node(Part.BUTTON, "< Prev")]
    price = [Node(Part.TEXT, "Price: $16.05 to $40.98"), Node(Part.TEXT, "Rating: N.A.")]
    wish = [Node(Part.TEXT, "Instruction:"), Node(Part.TEXT, "i want salt & pepper")]
    return [*wish, *back, *options, *titled, *price, *buttons]


OPTIONS = (
    Node(Part.TEXT, "flavor"),
    Node(Part.OPTION, "salt & vinegar"),
    Node(Part.OPTION, "<plain>", chosen=True),
)
LABELS = {"back to search", "< prev", "description", "buy now", "salt & vinegar", "<plain>"}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("title", ["Chips < 100 kcal & more", ""])
@pytest.mark.parametrize("options", [OPTIONS, ()])
def test_an_item_page(view: View, title: str, options: tuple[Node, ...]) -> None:
    shown = item(strings(render(item_page(title, *options), view)), LABELS)
    assert shown is not None
    assert shown.title == title
    assert shown.price == (16.05, 40.98)
    assert shown.groups == ({"flavor": ("salt & vinegar", "<plain>")} if options else {})


@pytest.mark.parametrize("view", VIEWS)
def test_a_results_page_and_what_stands_before_it(view: View) -> None:
    rows = [
        *(Node(Part.LINK, ASIN), Node(Part.TEXT, "$9.5")),
        *(Node(Part.LINK, OTHER), Node(Part.TEXT, "Salt & Co"), Node(Part.TEXT, "$1.0 to $2.5")),
    ]
    page = render([Node(Part.BUTTON, "Back to Search"), *rows], view)
    clickable = {"back to search", ASIN.lower(), OTHER.lower()}
    expected = (Offer(ASIN.lower(), "", 9.5), Offer(OTHER.lower(), "Salt & Co", 2.5))
    assert offers(strings(page), clickable) == expected
    assert offers(strings(f"i want salt\nFailed: click[x]\n{page}"), clickable) == expected
    assert item(strings(page), clickable) is None


def test_an_item_page_has_no_offers() -> None:
    found = strings(render(item_page(ASIN, *OPTIONS), "text"))
    assert offers(found, {*LABELS, ASIN.lower()}) == ()
