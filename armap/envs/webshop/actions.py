"""What an agent may write, and what it makes of a state. Pure: no text of a page is made here.

``faithful`` follows the original in every quirk: text after the last bracket is ignored,
``search`` works on every page, ``next >`` leads past the last results page, and which page a
``< prev`` leads to is decided by looking for names of pages *anywhere* in the address, search
words included. ``strict`` mends these; ``README.md`` lists how.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from armap.envs.webshop.shop import PER_PAGE
from armap.envs.webshop.state import State

if TYPE_CHECKING:
    from armap.envs.webshop.shop import Shop
    from armap.envs.webshop.state import Chosen

__all__ = ["BASE", "Command", "Rules", "address", "parse"]

BASE = "http://127.0.0.1:3000"

_BUY, _BACK, _NEXT, _PREV, _SEARCH = "buy now", "back to search", "next >", "< prev", "search"
_SUBS = ("Description", "Features", "Reviews", "Attributes")
_SUB_BY_NAME = {name.lower(): name for name in _SUBS}
_PLACES = ("search_results", "item_page", "item_sub_page", "done")

_LOOSE = re.compile(r"(.+)\[(.+)\]")
_WHOLE = re.compile(r"\s*(search|click)\[(.*)\]\s*", re.IGNORECASE | re.DOTALL)


class Command(NamedTuple):
    """A name and its argument, both as written."""

    name: str
    argument: str


def parse(text: str, *, whole: bool = False) -> Command | None:
    """Read an action; None when it has not the form ``name[argument]``.

    Args:
        text: what the agent wrote.
        whole: nothing else may stand in it (``strict``).

    >>> parse("search[shoes] trailing"), parse("search[]]")
    (Command(name='search', argument='shoes'), Command(name='search', argument=']'))
    >>> parse("search[a [b] c]").name
    'search[a '
    >>> parse("search[a [b] c]", whole=True)
    Command(name='search', argument='a [b] c')
    """
    if whole:
        found = _WHOLE.fullmatch(text)
        return Command(found[1].lower(), found[2].strip()) if found else None
    found = _LOOSE.match(text)
    return Command(found[1], found[2]) if found else None


def address(state: State, asin: str = "") -> str:
    """The address of the page, nothing escaped, as the original writes it."""
    parts = [BASE]
    words = "+".join(state.keywords or ())
    match state.kind:
        case "start":
            parts += [state.session]
        case "results":
            parts += ["search_results", state.session, words, str(state.number)]
        case "item":
            chosen = json.dumps(dict(state.options))
            parts += ["item_page", state.session, asin, words, str(state.number), chosen]
        case "sub":
            chosen = str(dict(state.options))
            parts += ["item_sub_page", state.session, asin, words, str(state.number)]
            parts += [state.sub, chosen]
        case "done":
            parts += ["done", state.session, asin, str(dict(state.options))]
    return "/".join(parts)


class Rules:
    """What can be clicked, and what follows from an action.

    Args:
        shop: where it happens.
        show_attrs: whether item pages offer the attributes.
    """

    def __init__(self, shop: Shop, *, show_attrs: bool = False) -> None:
        self._shop = shop
        self._strict = shop.profile == "strict"
        self.subs = _SUBS if show_attrs else _SUBS[:3]
        """Sub-pages that item pages offer, as their buttons write them."""
        self._item_buttons = (_BACK, _PREV, *(name.lower() for name in self.subs), _BUY)

    def url(self, state: State) -> str:
        """The address of a state's page."""
        asin = "" if state.product is None else self._shop.product(state.product).asin
        return address(state, asin)

    def clickables(self, state: State) -> tuple[str, ...]:
        """What can be clicked, in the original's order: buttons, products, options."""
        match state.kind:
            case "start":
                return (_SEARCH,)
            case "results":
                shown = self._shop.page(state)
                return (*self.turns(state), *(self._shop.product(r).asin.lower() for r in shown))
            case "item":
                return tuple(dict.fromkeys((*self._item_buttons, *self.options(state))))
            case "sub":
                return (_BACK, _PREV)
            case "done":
                return ()

    def has_search_bar(self, state: State) -> bool:
        """Whether the page has a search bar; ``faithful`` takes searches everywhere."""
        return state.kind == "start"

    def choices(self, state: State) -> tuple[str, ...]:
        """The actions that the page offers, ``search[...]`` standing for any words."""
        if state.kind == "start":
            return ("search[...]",)
        return tuple([f"click[{label}]" for label in self.clickables(state)])

    def options(self, state: State) -> dict[str, tuple[str, str]]:
        """What to click for each option of the open product: label to group and value.

        In ``faithful`` an equal value in a later group takes the label; in ``strict`` labels that
        would mean two things are written ``group: value``, and none has outer blanks.
        """
        assert state.product is not None
        groups = self._shop.product(state.product).options
        if not self._strict:
            return {value: (name, value) for name, values in groups for value in values}
        uses = Counter(self._item_buttons)
        for _, values in groups:
            uses.update({value.strip() for value in values})
        return {
            (value.strip() if uses[value.strip()] == 1 else f"{name}: {value}"): (name, value)
            for name, values in groups
            for value in values
        }

    def act(self, state: State, text: str) -> State:
        """What an action makes of a state; an impossible one changes nothing but ``steps``."""
        state = state._replace(steps=state.steps + 1)
        command = parse(text, whole=self._strict)
        if command is None:
            return state
        argument = command.argument.lower()
        if command.name == "search":
            return self._search(state, argument)
        if command.name == "click" and self._clickable(state, argument):
            return self._click(state, argument)
        return state

    def _clickable(self, state: State, label: str) -> bool:
        """The start page's button does nothing; nor, in ``faithful``, an option of its name."""
        dead = label == _SEARCH and (state.kind == "start" or not self._strict)
        return not dead and label in self.clickables(state)

    def turns(self, state: State) -> tuple[str, ...]:
        """The buttons of a results page."""
        assert state.number is not None
        back = (_PREV,) if state.number > 1 else ()
        more = not self._strict or state.number * PER_PAGE < len(self._shop.results(state))
        return (_BACK, *back, *((_NEXT,) if more else ()))

    def _search(self, state: State, argument: str) -> State:
        if self._strict:
            words = tuple(argument.split())
            return self._results(state, words, 1) if words and state.kind == "start" else state
        words = tuple(argument.split(" "))
        # The original fails on these two and its step never returns; here nothing happens.
        if words[0] == "<a>" or words == ("<c>",):
            return state
        return self._results(state, words, 1)

    def _click(self, state: State, name: str) -> State:
        if name == _BUY:
            return state._replace(kind="done", counts=_counted(state, "purchase"))
        if name == _BACK:
            return State(session=state.session, instruction=state.instruction, steps=state.steps)
        turned = self._turn(state, name)
        if turned is not None:
            return turned
        if name in (self._item_buttons if self._strict else _SUB_BY_NAME):
            sub = _SUB_BY_NAME[name]
            return state._replace(kind="sub", sub=sub, counts=_counted(state, sub))
        return self._open(state, name) if state.kind == "results" else self._choose(state, name)

    def _turn(self, state: State, name: str) -> State | None:
        """Where ``< prev`` and ``next >`` lead; None when ``name`` is something else here."""
        if name not in (_NEXT, _PREV):
            return None
        place = self._place(state)
        assert state.number is not None
        assert state.keywords is not None
        if place == "search_results":
            step = 1 if name == _NEXT else -1
            return self._results(state, state.keywords, state.number + step)
        if name == _PREV and place == "item_sub_page":
            return state._replace(kind="item", sub="")
        if name == _PREV and place == "item_page":
            return self._results(state, state.keywords, state.number)
        return None

    def _place(self, state: State) -> str:
        if self._strict:
            return {"results": "search_results", "sub": "item_sub_page"}.get(
                state.kind, "item_page"
            )
        url = self.url(state)
        return next(place for place in _PLACES if place in url)

    def _results(self, state: State, words: tuple[str, ...], number: int) -> State:
        kept = _kept(state) if self._strict else ()
        return state._replace(
            kind="results", keywords=words, number=number, product=None, sub="", options=(),
            counts=_counted(state, "search"), kept=kept,
        )  # fmt: skip

    def _open(self, state: State, name: str) -> State:
        shown = self._shop.page(state)
        row = next(row for row in shown if self._shop.product(row).asin.lower() == name)
        return state._replace(
            kind="item", product=row, options=dict(state.kept).get(row, ()),
            opened=state.opened | {row}, counts=_counted(state, "asin"),
        )  # fmt: skip

    def _choose(self, state: State, label: str) -> State:
        group, value = self.options(state)[label]
        chosen = dict(state.options)
        if self._strict and chosen.get(group) == value:
            del chosen[group]
        else:
            chosen[group] = value
        return state._replace(
            kind="item", options=tuple(chosen.items()), counts=_counted(state, "options")
        )


def _counted(state: State, what: str) -> tuple[tuple[str, int], ...]:
    counts = dict(state.counts)
    counts[what] = counts.get(what, 0) + 1
    return tuple(counts.items())


def _kept(state: State) -> tuple[tuple[int, Chosen], ...]:
    """The choices so far, those on the open product included."""
    if state.product is None:
        return state.kept
    return tuple({**dict(state.kept), state.product: state.options}.items())
