"""The text of one buffer, as Textual's editor asks for it, with the tokens of our lexer kept up to date."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len
from textual.document._document import Document, EditResult, Location
from textual.geometry import Size

from tui.services.sql.language.lexer import Kind
from tui.services.sql.language.lines import Lines
from tui.services.sql.model import Wire

_BREAK = re.compile(r"\r\n|\r|\n")
#: The width that a text seems to have grows in steps of this many cells: each step lays the screen out anew.
_STEP = 64
#: Lines looked through in each direction for the statement around the cursor.
_AROUND = 200
#: Characters of it at most.
_LONGEST = 10_000
_versions = itertools.count()


def broken(text: str) -> list[str]:
    """The lines of a text. Other separators (form feed, U+2028) are characters of a line, as they are to a server."""
    return _BREAK.split(text)


@lru_cache(1 << 15)
def _cells(line: str, tab: int) -> int:
    # Printable ASCII, which almost all of it is, needs no look at its characters.
    return len(line) if line.isascii() and line.isprintable() else cell_len(line.expandtabs(tab))


class SqlDocument(Document):
    """Lines, joined by a line feed whatever the text came with.

    Args:
        text: what it begins with.
        wire: whose grammar.

    Attributes:
        tokens: the lexed lines.
        version: another number after each edit, and for each document.
    """

    def __init__(self, text: str, wire: Wire) -> None:
        super().__init__("")
        self._lines = broken(text)
        self.tokens = Lines(self._lines, wire)
        self.version = next(_versions)
        self._widest = 0
        self._widen(self._lines)

    @property
    def newline(self) -> Literal["\n"]:
        """Always the same: positions of errors count one character for it."""
        return "\n"

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines)

    def get_size(self, tab_width: int) -> Size:
        """Cells: the width in steps, and never less than it was, so that typing does not lay the screen out anew."""
        return Size(self._widest, len(self._lines))

    def _widen(self, lines: Iterable[str]) -> None:
        width = max((_cells(line, 4) for line in lines), default=0)
        if width > self._widest:
            # Short lines fit any pane: for them nothing ever changes.
            self._widest = -(-width // _STEP) * _STEP if width > _STEP // 2 else width

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        """Puts a text in the place of another."""
        (top, left), (bottom, right) = sorted((start, end))
        lines = self._lines
        bottom = min(bottom, len(lines) - 1)
        replaced = self.get_text_range((top, left), (bottom, right))
        inserted = broken(text)
        column = len(inserted[-1]) + (left if len(inserted) == 1 else 0)
        inserted[0] = lines[top][:left] + inserted[0]
        inserted[-1] += lines[bottom][right:]
        lines[top : bottom + 1] = inserted
        self.tokens.edit(top, bottom - top + 1, inserted)
        self.version = next(_versions)
        self._widen(inserted)
        return EditResult((top + len(inserted) - 1, column), replaced)

    def get_text_range(self, start: Location, end: Location) -> str:
        """The text between two places."""
        (top, left), (bottom, right) = sorted((start, end))
        bottom = min(bottom, len(self._lines) - 1)
        if top == bottom:
            return self._lines[top][left:right]
        middle = self._lines[top + 1 : bottom]
        return "\n".join([self._lines[top][left:], *middle, self._lines[bottom][:right]])

    def index(self, place: Location) -> int:
        """The index in the text of a place."""
        row, column = place
        return sum(map(len, self._lines[:row])) + row + column

    def place(self, index: int) -> Location:
        """The place of an index in the text; the nearest one when there is none."""
        row = 0
        for row, line in enumerate(self._lines):
            if index <= len(line):
                return row, max(0, index)
            index -= len(line) + 1
        return row, len(self._lines[row])

    def around(self, place: Location) -> tuple[Location, str, int]:
        """The statement around a place as far as semicolons tell, for completion: no look at the whole text.

        Returns:
            Where it begins, its text, and the index of the place in it.
        """
        row, column = place
        if not self.tokens.ready(row):
            return (row, 0), self._lines[row], column
        begin, end = (max(0, row - _AROUND), 0), (min(len(self._lines) - 1, row + _AROUND), len(self._lines[-1]))
        for number in range(row, begin[0] - 1, -1):
            if ends := [at for at in self._ends(number) if number < row or at <= column]:
                begin = (number, ends[-1])
                break
        end = (end[0], len(self._lines[end[0]]))
        for number in range(row, end[0] + 1):
            if ends := [at for at in self._ends(number) if number > row or at > column]:
                end = (number, ends[0] - 1)
                break
        text, before = self.get_text_range(begin, end), len(self.get_text_range(begin, place))
        if len(text) > _LONGEST:  # a pasted INSERT of a million values: what is near has to do
            first = max(0, before - _LONGEST // 2)
            begin = self.place(self.index(begin) + first)
            text, before = text[first : before + _LONGEST // 2], before - first
        return begin, text, before

    def _ends(self, row: int) -> list[int]:
        line = self._lines[row]
        if ";" not in line or not self.tokens.ready(row):
            return []
        return [t.end for t in self.tokens.tokens(row) if t.kind is Kind.PUNCTUATION and line[t.start] == ";"]
