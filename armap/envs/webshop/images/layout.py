"""Where things stand on a page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.webshop.images.canvas import WIDTH, Canvas, Ink, advance, line_height, wrap
from armap.envs.webshop.images.products import hue, sign
from armap.envs.webshop.shop import PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.images.reference import View

__all__ = ["Frames", "Look", "draw"]

Frames = list[tuple[int, int, int, str]]
"""Where product pictures stand: left, top, size in pixels, and the product."""

MARGIN = 16
SUBS = ("Description", "Features", "Reviews", "Attributes")
BODY, HEAD, LARGE = 14, 18, 22
_THUMB, _CARD = 64, 80
_PICTURE = 232
_BUTTONS = ("back to search", "< prev", "buy now", *(name.lower() for name in SUBS))


class Look(NamedTuple):
    """What pages depend on besides the view."""

    find: Callable[[str], Product]
    """Asin to product, its price as pages show it."""
    strict: bool = False
    """The ``strict`` profile: no way past the last results, and labels that mean one thing."""
    show_attrs: bool = False
    """Whether item pages offer their attributes."""
    typeface: str = ""
    """A TrueType file; empty for Pillow's own."""


class _Page:
    """One page being drawn."""

    def __init__(self, view: View, look: Look) -> None:
        self.view = view
        self.look = look
        self.canvas = Canvas(look.typeface)
        self.frames: Frames = []

    def banner(self) -> int:
        """The dark strip on top; returns where the page goes on."""
        self.canvas.box((0, 0, WIDTH, 40), Ink.BANNER)
        self.canvas.line(MARGIN, 8, "WebShop", HEAD, Ink.BANNER)
        return 52

    def buttons(self, top: int, names: Sequence[str]) -> int:
        """A row of buttons; returns where the page goes on."""
        left, bottom = MARGIN, top
        for name in names:
            left, bottom = self.canvas.label(left, top, name, BODY, Ink.BUTTON)
            left += 8
        return bottom + 12

    def picture(self, left: int, top: int, size: int, product: Product) -> None:
        self.canvas.stamp(left, top, sign(product, size), hue(product.asin))
        self.frames.append((left, top, size, product.asin))


def draw(view: View, look: Look) -> tuple[Canvas, Frames]:
    """Draw a page.

    Returns:
        The sheet with drawn product pictures, and where those stand.
    """
    page, find = _Page(view, look), look.find
    match view.kind:
        case "start":
            _start(page)
        case "results":
            _results(page, find)
        case "item":
            _item(page, find(view.asin))
        case "sub":
            _sub(page, find(view.asin))
        case "done":
            _done(page, find(view.asin))
    return page.canvas, page.frames


def _start(page: _Page) -> None:
    top = page.banner() + 24
    right = WIDTH - 120
    page.canvas.box((MARGIN, top, right, top + 36), Ink.TEXT, 2)
    page.canvas.box((MARGIN + 1, top + 1, right - 1, top + 35), Ink.TEXT)
    page.canvas.line(MARGIN + 12, top + 8, "What are you looking for?", BODY, Ink.FAINT)
    page.canvas.box((right + 8, top, WIDTH - MARGIN, top + 36), Ink.BUTTON)
    page.canvas.line(right + 28, top + 8, "Search", BODY, Ink.BUTTON)


def _results(page: _Page, find: Callable[[str], Product]) -> None:
    view, canvas = page.view, page.canvas
    back = ["< Prev"] if view.number > 1 else []
    more = not page.look.strict or view.number * PER_PAGE < view.total
    ahead = ["Next >"] if more else []
    top = page.buttons(page.banner(), ["Back to Search", *back, *ahead])
    shown = f"Page {view.number} (Total results: {view.total})"
    canvas.line(MARGIN, top, shown, BODY, Ink.FAINT)
    searched = wrap(canvas.typeface, BODY, f"Searched: {view.keywords}", WIDTH - 300)[0]
    canvas.line(264, top, searched, BODY, Ink.TEXT)
    top += line_height(BODY) + 8
    for asin in view.asins:
        _card(page, top, find(asin))
        top += _CARD


def _card(page: _Page, top: int, product: Product) -> None:
    canvas = page.canvas
    canvas.box((MARGIN, top - 5, WIDTH - MARGIN, top - 4), Ink.OPTION)
    page.picture(MARGIN, top, _THUMB, product)
    left = MARGIN + _THUMB + 12
    ink = Ink.OPENED if product.asin in page.view.opened else Ink.LINK
    canvas.line(left, top, product.asin, BODY, ink)
    canvas.line(left + 140, top, product.tag, BODY, Ink.PRICE)
    lines = wrap(canvas.typeface, BODY, product.title, WIDTH - MARGIN - left)
    for number, line in enumerate(lines[:2]):
        cut = "..." if number == 1 and len(lines) > 2 else ""
        canvas.line(left, top + 22 + number * 20, line + cut, BODY, Ink.TEXT)


def _item(page: _Page, product: Product) -> None:
    canvas = page.canvas
    top = page.buttons(page.banner(), ["Back to Search", "< Prev"])
    page.picture(MARGIN, top, _PICTURE, product)
    left, right = MARGIN + _PICTURE + 20, WIDTH - MARGIN
    place = canvas.paragraph((left, top, right), product.title, HEAD, Ink.TEXT) + 4
    canvas.line(left, place, f"Price: {product.tag}", HEAD, Ink.PRICE)
    place += line_height(HEAD)
    canvas.line(left, place, "Rating: N.A.", BODY, Ink.FAINT)
    place = _options(page, product, left, place + line_height(BODY) + 8)
    place = max(place, top + _PICTURE + 16)
    place = page.buttons(place, SUBS if page.look.show_attrs else SUBS[:3])
    canvas.label(MARGIN, place, "Buy Now", HEAD, Ink.BUY)


def _options(page: _Page, product: Product, left: int, top: int) -> int:
    """Every group with its values, the chosen ones in colour; returns where they end."""
    uses = Counter(value for _, values in product.options for value in set(values))
    uses.update(_BUTTONS)
    bottom = top
    for group, values in product.options:
        page.canvas.line(left, bottom, group, BODY, Ink.FAINT)
        labels = [
            (f"{group}: {value}" if page.look.strict and uses[value] > 1 else value,
             Ink.CHOSEN if (group, value) in page.view.options else Ink.OPTION)
            for value in values
        ]  # fmt: skip
        bottom = _values(page, labels, left, bottom + line_height(BODY)) + 8
    return bottom


def _values(page: _Page, labels: Sequence[tuple[str, Ink]], left: int, top: int) -> int:
    at, bottom = left, top
    for label, ink in labels:
        lines = wrap(page.canvas.typeface, BODY, label, WIDTH - MARGIN - left - 16)
        text = lines[0] + ("..." if len(lines) > 1 else "")
        if at > left and at + _width(page, text) > WIDTH - MARGIN:
            at, top = left, bottom + 4
        at, bottom = page.canvas.label(at, top, text, BODY, ink)
        at += 6
    return bottom


def _width(page: _Page, text: str) -> int:
    return advance(page.canvas.typeface, BODY, text) + 16


def _sub(page: _Page, product: Product) -> None:
    canvas, sub = page.canvas, page.view.sub
    top = page.buttons(page.banner(), ["Back to Search", "< Prev"])
    canvas.line(MARGIN, top, sub, LARGE, Ink.TEXT)
    top += line_height(LARGE) + 4
    for text in _told(sub, product):
        indent = 16 if sub != "Description" else 0
        if indent and text:
            canvas.box((MARGIN + 4, top + 7, MARGIN + 9, top + 12), Ink.TEXT, 6)
        place = (MARGIN + indent, top, WIDTH - MARGIN)
        top = canvas.paragraph(place, text, BODY, Ink.TEXT) + 6


def _told(sub: str, product: Product) -> Sequence[str]:
    """The paragraphs of a sub-page."""
    match sub:
        case "Description":
            return (product.description,)
        case "Features":
            return product.bullets
        case "Attributes":
            shelf = (product.category, product.query, product.product_category)
            return (*product.attributes, *shelf)
        case _:
            return ()


def _done(page: _Page, product: Product) -> None:
    """The last page, without the score that the original prints there."""
    canvas = page.canvas
    top = page.banner() + 12
    canvas.line(MARGIN, top, "Thank you for shopping with us!", LARGE, Ink.TEXT)
    top += line_height(LARGE) + 8
    page.picture(MARGIN, top, _THUMB * 2, product)
    left = MARGIN + _THUMB * 2 + 16
    canvas.line(left, top, f"Purchased: {product.asin}", BODY, Ink.FAINT)
    top = canvas.paragraph((left, top + 24, WIDTH - MARGIN), product.title, HEAD, Ink.TEXT)
    canvas.line(left, top, product.tag, HEAD, Ink.PRICE)
    top += line_height(HEAD) + 4
    for group, value in page.view.options:
        lines = wrap(canvas.typeface, BODY, f"{group}: {value}", WIDTH - MARGIN - left - 16)
        _, bottom = canvas.label(left, top, lines[0], BODY, Ink.CHOSEN)
        top = bottom + 4
