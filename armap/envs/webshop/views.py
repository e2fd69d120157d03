"""A page as text, in the three ways that ``observation`` offers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from armap.envs.webshop.pages import Node, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from armap.envs.webshop.config import View

__all__ = ["html_text", "render", "text", "text_rich"]

SEPARATOR = " [SEP] "

_TAGS = {Part.TEXT: "p", Part.HEADING: "h2", Part.BUTTON: "button", Part.LINK: "a"}


def render(nodes: Sequence[Node], view: View) -> str:
    """A page in one of the views."""
    match view:
        case "text":
            return text(nodes)
        case "text_rich":
            return text_rich(nodes)
        case "html_text":
            return html_text(nodes)


def text(nodes: Iterable[Node]) -> str:
    """Strings without outer white space, between separators; what is chosen does not show.

    >>> text([Node(Part.TEXT, "size"), Node(Part.OPTION, "xl", True)])
    'size [SEP] xl'
    """
    return SEPARATOR.join([node.text.strip() for node in nodes])


def text_rich(nodes: Iterable[Node]) -> str:
    r"""One string a line, what can be clicked in brackets, chosen options also on top.

    >>> text_rich([Node(Part.TEXT, "size"), Node(Part.OPTION, "xl", True)])
    'You have clicked xl.\nsize\n  [clicked button] xl [clicked button_]\n'
    """
    lines: list[str] = []
    clicked: list[str] = []
    for part, line, chosen in nodes:
        state = "clicked button" if chosen else "button"
        match part:
            case Part.BUTTON:
                lines.append(f"[button] {line} [button_]")
            case Part.OPTION:
                lines.append(f"  [{state}] {line} [{state}_]")
            case Part.LINK:
                lines.append(f"\n[{state}] {line} [{state}_]")
            case _:
                lines.append(line)
        if chosen and part is Part.OPTION:
            clicked.append(f"You have clicked {line}.")
    return "".join(f"{line}\n" for line in (*reversed(clicked), *lines))


def html_text(nodes: Iterable[Node]) -> str:
    r"""A small HTML page of our own, one element a line; not the original's markup.

    >>> html_text([Node(Part.TEXT, "size"), Node(Part.OPTION, "xl", True)])
    '<body>\n<p>size</p>\n<label><input type="radio" checked>xl</label>\n</body>\n'
    """
    return "".join(f"{line}\n" for line in ("<body>", *map(_element, nodes), "</body>"))


def _element(node: Node) -> str:
    inner = escape(node.text.strip(), quote=False)
    if node.part is Part.OPTION:
        checked = " checked" if node.chosen else ""
        return f'<label><input type="radio"{checked}>{inner}</label>'
    if node.part is Part.BUTTON and node.text == "Search":
        return f'<input type="text" id="search_input"><button>{inner}</button>'
    tag = _TAGS[node.part]
    visited = ' class="visited"' if node.part is Part.LINK and node.chosen else ""
    return f"<{tag}{visited}>{inner}</{tag}>"
