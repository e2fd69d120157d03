"""What a picture of a page shows, as a short text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args
from urllib.parse import parse_qsl, quote, unquote, urlencode

from armap.envs.webshop.state import Chosen, PageKind
from armap.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armap.envs.webshop.shop import Shop
    from armap.envs.webshop.state import State

__all__ = ["SCHEME", "View", "read", "reference", "view_of"]

SCHEME = "webshop:"
_KINDS = get_args(PageKind)
_NEEDED: Mapping[str, int] = {"start": 0, "results": 0, "item": 1, "sub": 2, "done": 1}
"""Parts of the path after the kind of page."""


class View(NamedTuple):
    """All that a page's picture depends on, the catalogue aside."""

    kind: PageKind = "start"
    asin: str = ""
    """The open product; empty on the start page and on results."""
    options: Chosen = ()
    sub: str = ""
    """Which sub-page, e.g. ``Description``."""
    keywords: str = ""
    number: int = 1
    """Of the results page."""
    total: int = 0
    """How many results there are on all pages."""
    asins: tuple[str, ...] = ()
    """The products on this results page, in order."""
    opened: tuple[str, ...] = ()
    """Those of them that were opened before."""


def view_of(state: State, shop: Shop) -> View:
    """What the picture of a state's page shows."""
    if state.kind == "results":
        rows = shop.page(state)
        return View(
            "results",
            keywords=" ".join(state.keywords or ()),
            number=state.number or 1,
            total=len(shop.results(state)),
            asins=tuple(shop.product(row).asin for row in rows),
            opened=tuple(shop.product(row).asin for row in rows if row in state.opened),
        )
    if state.product is None:
        return View()
    asin = shop.product(state.product).asin
    return View(state.kind, asin=asin, options=state.options, sub=_sub(state))


def reference(view: View) -> str:
    """The text that stands for a picture in ``Observation.images``.

    >>> reference(View("item", asin="X0AB", options=(("color", "navy blue"), ("size", "xl"))))
    'webshop:item/X0AB?color=navy+blue&size=xl'
    >>> reference(View("results", keywords="red shoes", total=12, asins=("X1", "X2")))
    'webshop:results?q=red+shoes&page=1&total=12&asins=X1.X2&opened='
    """
    path = [view.kind, *(quote(part, safe="") for part in (view.asin, view.sub) if part)]
    return f"{SCHEME}{'/'.join(path)}{_query(view)}"


def read(text: str) -> View:
    """The opposite of :func:`reference`.

    Raises:
        DataError: it is no reference of a WebShop page.

    >>> read("webshop:sub/X0AB/Features")[:4]
    ('sub', 'X0AB', (), 'Features')
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    kind, *parts = path.split("/")
    known = text.startswith(SCHEME) and kind in _KINDS
    if not known or len(parts) != _NEEDED[kind] or not all(parts):
        raise DataError(f"{text[:80]!r} is no picture of a WebShop page, like 'webshop:item/B0...'")
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        if kind == "results":
            return _results(dict(fields))
    except (KeyError, ValueError) as error:
        raise DataError(f"{text[:80]!r}: {error} in a picture of a WebShop page") from error
    asin, sub = [*(unquote(part) for part in parts), "", ""][:2]
    return View(kind, asin=asin, options=tuple(fields), sub=sub)  # type: ignore[arg-type]  # checked


def _sub(state: State) -> str:
    return state.sub if state.kind == "sub" else ""


def _query(view: View) -> str:
    fields: list[tuple[str, str]] = list(view.options)
    if view.kind == "results":
        fields = [
            ("q", view.keywords),
            ("page", str(view.number)),
            ("total", str(view.total)),
            ("asins", ".".join(view.asins)),
            ("opened", ".".join(view.opened)),
        ]
    return f"?{urlencode(fields)}" if fields else ""


def _results(fields: dict[str, str]) -> View:
    return View(
        "results",
        keywords=fields["q"],
        number=int(fields["page"]),
        total=int(fields["total"]),
        asins=_list(fields["asins"]),
        opened=_list(fields["opened"]),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()
