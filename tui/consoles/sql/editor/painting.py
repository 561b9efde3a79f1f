"""A line of SQL as a strip: the tokens' inks, and over them the marks of selection, brackets, matches and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.services.sql.language.lexer import Kind, Token
from tui.text import safe

INKS: Mapping[Kind, str] = {
    Kind.KEYWORD: "sql-keyword",
    Kind.NAME: "sql-name",
    Kind.FUNCTION: "sql-function",
    Kind.TYPE: "sql-type",
    Kind.QUOTED: "sql-name",
    Kind.STRING: "sql-string",
    Kind.NUMBER: "sql-number",
    Kind.PARAMETER: "sql-parameter",
    Kind.COMMENT: "sql-comment",
    Kind.BRACKET: "sql-operator",
    Kind.PUNCTUATION: "sql-operator",
    Kind.OPERATOR: "sql-operator",
    Kind.HINT: "sql-comment",
    Kind.META: "sql-parameter",
}
TAB = 4


class Mark(NamedTuple):
    """A style over the characters from one column up to another."""

    start: int
    end: int
    style: Style


class Window(NamedTuple):
    """The cells of a line that are on screen."""

    first: int
    width: int


def shown(text: str) -> str:
    """What stands on screen for each character: one sign for one character, tabs as they are."""
    if text.isprintable():
        return text
    return "\t".join(safe(part) for part in text.split("\t"))


def visible(text: str, window: Window) -> tuple[int, int, int]:
    """Which characters of a line are in a window.

    Returns:
        The first one's column, the column behind the last one, and the cell in which the first one begins.
    """
    if text.isascii() and text.isprintable():
        return min(window.first, len(text)), min(window.first + window.width, len(text)), window.first
    cell, first, first_cell = 0, len(text), 0
    for column, char in enumerate(text):
        size = width_of(char, cell)
        if cell + size > window.first and first == len(text):
            first, first_cell = column, cell
        if cell >= window.first + window.width:
            return first, column, first_cell
        cell += size
    return (first, len(text), first_cell) if first < len(text) else (len(text), len(text), cell)


def width_of(char: str, cell: int) -> int:
    """The cells that a character takes at a cell; one that only joins the one before it takes none."""
    return TAB - cell % TAB if char == "\t" else get_character_cell_size(char)


def paint(
    text: str,
    tokens: Iterable[Token],
    marks: Sequence[Mark],
    window: Window,
    styles: Mapping[str, Style],
    ground: Style,
) -> Strip:
    """Draws the part of a line that is in a window, as wide as the text; marks may reach one cell behind its end."""
    text = shown(text)
    first, last, cell = visible(text, window)
    looks = [(t.start, t.end, INKS[t.kind]) for t in tokens if t.start < last and t.end > first]
    marks = [mark for mark in marks if mark.start <= last and mark.end > first]
    cuts = {first, last, *(at for look in looks for at in look[:2]), *(at for mark in marks for at in mark[:2])}
    segments, token = list[Segment](), 0
    edges = sorted(at for at in cuts if first <= at <= last)
    for start, end in pairwise(edges):
        while token < len(looks) and looks[token][1] <= start:
            token += 1
        style = ground
        if token < len(looks) and looks[token][0] <= start:
            style = ground + styles[looks[token][2]]
        part = text[start:end]
        if "\t" in part:
            part, cell = _expanded(part, cell)
        else:
            cell += cell_len(part)
        _add(segments, part, _over(style, marks, start))
    if any(mark.end > len(text) >= mark.start for mark in marks) and last == len(text):
        _add(segments, " ", _over(ground, marks, len(text)))
    drawn = Strip(segments)
    # A wide character or a tab may begin before the window.
    before = window.first - (visible(text, window)[2] if segments else window.first)
    return drawn.crop(before, before + window.width) if before > 0 else drawn


def _over(style: Style, marks: Sequence[Mark], at: int) -> Style:
    for mark in marks:
        if mark.start <= at < mark.end:
            style += mark.style
    return style


def _expanded(part: str, cell: int) -> tuple[str, int]:
    chars = list[str]()
    for char in part:
        size = width_of(char, cell)
        chars.append(" " * size if char == "\t" else char)
        cell += size
    return "".join(chars), cell


def _add(segments: list[Segment], text: str, style: Style) -> None:
    if segments and segments[-1].style == style:
        segments[-1] = Segment(segments[-1].text + text, style)
    elif text:
        segments.append(Segment(text, style))


def differing(before: Strip, after: Strip) -> tuple[int, int]:
    """The cells, from one up to another, in which two strips of one width differ; equal ones when they are the same."""
    old, new, left = list(before), list(after), 0
    while old and new and old[0] == new[0]:
        left += new[0].cell_length
        del old[0], new[0]
    right = after.cell_length
    while old and new and old[-1] == new[-1]:
        right -= new[-1].cell_length
        del old[-1], new[-1]
    if old and new and old[-1].style == new[-1].style:
        # Of two blanks of different length that a line ends with, the shorter one is the same.
        right -= min(_blanks(old[-1].text), _blanks(new[-1].text))
    if old and new and old[0].style == new[0].style:
        # Letters typed at a word's end leave what stood before them.
        for one, other in zip(old[0].text, new[0].text, strict=False):
            if one != other or not one.isascii():
                break
            left += 1
    return left, max(left, right)


def _blanks(text: str) -> int:
    return len(text) - len(text.rstrip(" "))
