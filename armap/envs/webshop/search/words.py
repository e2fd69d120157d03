"""Text cut into words as Lucene's ``StandardTokenizer`` cuts it: the word breaks of UAX #29.

ASCII text is cut by one regular expression. Other text is first spelt in break classes, one
letter a character, and the same rules are applied to that spelling. Besides words, Lucene makes
tokens of pictographs (also old dingbats such as a star) and of each Han or Hiragana character.

The classes come from Python's own character database and the few lists below, so that they do
not change with the version of another library.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

__all__ = ["LONGEST", "cut"]

LONGEST = 255
"""Longer words are cut into pieces of this length."""

# In ASCII: letters and digits stick together, ``.`` and ``'`` join either, ``:`` joins letters,
# ``,`` and ``;`` join digits, ``_`` joins everything. Most words are letters alone, so those come
# first; nothing is ever given back (``++``).
_RUN = r"(?:[a-zA-Z]++(?:[.:'][a-zA-Z]++)*+|[0-9]++(?:[.,;'][0-9]++)*+)++"
_ASCII = re.compile(rf"[a-zA-Z]++(?![0-9_.:'])|_*+{_RUN}(?:_++{_RUN})*+_*+")

# In classes: A letter, N digit, K Katakana, C connector, M/Q/U what joins letters/either/digits,
# I Han or Hiragana, S South-East Asian, E pictograph, R flag half, X/Z what attaches to the left
# (Z the joiner of pictographs), O anything else.
_X = "[XZ]*"
_LETTERS = f"(?:A{_X})+(?:[MQ]{_X}(?:A{_X})+)*"
_DIGITS = f"(?:N{_X})+(?:[UQ]{_X}(?:N{_X})+)*"
_WORD = f"(?:(?:{_LETTERS}|{_DIGITS})+|(?:K{_X})+)"
_CONNECT = f"(?:C{_X})"
_CLASSED = re.compile(
    f"{_CONNECT}*{_WORD}(?:{_CONNECT}+{_WORD})*{_CONNECT}*"
    f"|I{_X}|S[SXZ]*|E{_X}(?:(?<=Z)E{_X})*|R{_X}(?:R{_X})?"
)

_LISTED = {
    "M": ":·՟״‧︓﹕：\u0387",
    "N": "\u066b",
    "Q": "'.‘’․﹒＇．",
    "U": ",;։،؍٬߸⁄︐︔﹐﹔，；\u037e",
    "C": "\u202f",
    "X": "\u200c\uff9e\uff9f",
    "Z": "\u200d",
    "O": "\u200b",
}
_BY_CHARACTER = {ord(char): mark for mark, chars in _LISTED.items() for char in chars}

_RANGES = sorted(
    (int(first, 16), int(last or first, 16), mark)
    for mark, spans in {
        "I": "3005 3007 3021-3029 3038-303B 3041-3096 309D-309F 3400-4DBF 4E00-9FFF F900-FAFF "
        "1B001-1B11E 1F200 20000-3FFFD",
        "K": "3031-3035 309B-309C 30A0-30FA 30FC-30FF 31F0-31FF 32D0-32FE 3300-3357 FF66-FF9D",
        "S": "0E01-0E3A 0E40-0E4E 0E81-0ECE 1000-103F 1050-108F 1780-17D3 1950-1974 1980-19C9 "
        "1A20-1A7F AA60-AADF",
        "A": "24B6-24E9",
        "R": "1F1E6-1F1FF",
        "X": "1F3FB-1F3FF E0020-E007F",
        # Extended_Pictographic of Unicode 12.1.
        "E": "00A9 00AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 2388 23CF 23E9-23F3 "
        "23F8-23FA "
        "25AA-25AB 25B6 25C0 25FB-25FE 2600-2605 2607-2612 2614-2685 2690-2705 2708-2712 2714 "
        "2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2767 2795-2797 "
        "27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F000-1F0FF "
        "1F10D-1F10F 1F12F 1F16C-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F1AD-1F1E5 1F201-1F20F "
        "1F21A 1F22F 1F232-1F23A 1F23C-1F23F 1F249-1F3FA 1F400-1F53D 1F546-1F64F 1F680-1F6FF "
        "1F774-1F77F 1F7D5-1F7FF 1F80C-1F80F 1F848-1F84F 1F85A-1F85F 1F888-1F88F 1F8AE-1F8FF "
        "1F90C-1F93A 1F93C-1F945 1F947-1FFFD",
    }.items()
    for first, _, last in (span.partition("-") for span in spans.split())
)
_STARTS = [first for first, _, _ in _RANGES]

_BY_CATEGORY = {
    "Lu": "A", "Ll": "A", "Lt": "A", "Lm": "A", "Lo": "A", "Nl": "A", "Nd": "N", "Pc": "C",
    "Mn": "X", "Mc": "X", "Me": "X", "Cf": "X",
}  # fmt: skip


class _Classes(dict[int, str]):
    """Break class by code point, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        mark = _BY_CHARACTER.get(code) or _in_ranges(code)
        mark = mark or _BY_CATEGORY.get(unicodedata.category(chr(code)), "O")
        self[code] = mark
        return mark


def _in_ranges(code: int) -> str:
    at = bisect_right(_STARTS, code) - 1
    if at < 0 or code > _RANGES[at][1]:
        return ""
    return _RANGES[at][2]


_CLASSES = _Classes()


def cut(text: str) -> list[str]:
    """The words of ``text``, in order.

    >>> cut("women's 10.5 size_xl, a:b 3,000 5'2 x. ★")
    ["women's", '10.5', 'size_xl', 'a:b', '3,000', "5'2", 'x', '★']
    """
    if text.isascii():
        words = _ASCII.findall(text)
    else:
        classes = text.translate(_CLASSES)
        words = [text[found.start() : found.end()] for found in _CLASSED.finditer(classes)]
    if words and len(max(words, key=len)) > LONGEST:
        return [word[at : at + LONGEST] for word in words for at in range(0, len(word), LONGEST)]
    return words
