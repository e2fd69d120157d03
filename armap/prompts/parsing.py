"""Read an action out of a reply."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from armap.errors import ConfigError
from armap.types import Action

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PARSERS", "parse"]

_REACT = re.compile(
    r"(?P<thought>.*?)^[^\S\n]*[*_#]*Action[*_]*\s*\d*\s*:[*_]*\s*(?P<text>\S.*?)\s*$",
    re.DOTALL | re.MULTILINE,
)
_BARE = re.compile(r"(?P<thought>.*?)^\s*`*(?P<text>[a-z_]+\[.+\])`*\s*$", re.DOTALL | re.MULTILINE)
_THOUGHT = re.compile(r"^[*_#\s]*thought[*_]*\s*\d*\s*:[*_]*\s*", re.IGNORECASE)


def line(reply: str) -> Action | None:
    r"""The first line that is not empty.

    >>> line("\n10 - 4 = 6 (left: 5 6 6)\n")
    Action(text='10 - 4 = 6 (left: 5 6 6)', thought='')
    """
    found = next((text.strip() for text in reply.splitlines() if text.strip()), "")
    return Action(text=found) if found else None


def react(reply: str) -> Action | None:
    r"""``Thought: ... Action: ...``, the first one; None when there is no action.

    What models add is taken off: stars, numbers, backticks. A line that is
    nothing but ``name[argument]`` is an action without its label.

    >>> react("Thought: six is handy.\nAction: 10 - 4 = 6 (left: 5 6 6)").thought
    'six is handy.'
    >>> react("**Thought:** a lamp.\n**Action 1:** `click[buy now]`")
    Action(text='click[buy now]', thought='a lamp.')
    >>> react("I buy it.\nclick[buy now]")
    Action(text='click[buy now]', thought='I buy it.')
    >>> react("hm") is None
    True
    """
    match = _REACT.search(reply) or _BARE.search(reply)
    if match is None:
        return None
    text = match["text"].strip("`").strip()
    return Action(text=text, thought=_THOUGHT.sub("", match["thought"]).strip()) if text else None


def eto(reply: str) -> Action:
    r"""All that follows ``Action:``, as ETO reads replies; never None.

    A reply without an action becomes an empty one, which the environment answers in its own way.

    >>> eto("Thought: it is cold.\nAction: open oven\nnow").text
    'open oven\nnow'
    >>> eto("hm")
    Action(text='', thought='hm')
    """
    thought, _, text = reply.partition("Action:")
    return Action(text=text.strip(), thought=thought.strip().removeprefix("Thought:").strip())


PARSERS: dict[str, Callable[[str], Action | None]] = {"eto": eto, "line": line, "react": react}
"""Parsers by the name a config gives them."""


def parse(name: str, reply: str) -> Action | None:
    """Apply the parser called ``name``.

    Raises:
        ConfigError: there is no such parser.
    """
    if name not in PARSERS:
        raise ConfigError(f"no parser {name!r}; there are {', '.join(sorted(PARSERS))}")
    return PARSERS[name](reply)
