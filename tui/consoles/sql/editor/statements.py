"""The statements of a buffer, for the mark in the gutter: split anew when the text was changed, in slices."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from tui.services.sql.language.pieces import Piece, Sort
from tui.services.sql.language.split import Splitter
from tui.services.sql.model import Wire

#: Characters split in one slice: one to three milliseconds.
_SLICE = 30_000


class Statements:
    """The pieces of one text; `at` answers as `piece_at` does, without splitting again.

    Attributes:
        version: of the text that the pieces are of, -1 before the first.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.version = -1
        self._pieces: list[Piece] = []
        self._starts: list[int] = []
        self._text = ""

    def take(self, text: str, version: int) -> None:
        """Splits a short text at once."""
        for _ in self.steps(text, version):
            pass

    def steps(self, text: str, version: int) -> Iterator[None]:
        """Splits a text; between two steps there is time for other things. Until the last one, what was is told."""
        splitter, pieces = Splitter(self._wire), list[Piece]()
        # In slices of the text, not of statements: with one quote left open all that follows is one.
        for at in range(0, len(text), _SLICE):
            pieces += splitter.feed(text[at : at + _SLICE])
            yield
        pieces += splitter.finish()
        pieces = [piece for piece in pieces if piece.sort is not Sort.DATA]
        self._pieces, self._text, self.version = pieces, text, version
        self._starts = [piece.start for piece in pieces]

    def at(self, offset: int) -> Piece | None:
        """The statement that a cursor is in; see `piece_at` of the language."""
        number = bisect_left(self._starts, offset) - 1  # the last that begins before it
        before = self._pieces[number] if number >= 0 else None
        after = self._pieces[number + 1] if number + 1 < len(self._pieces) else None
        if before is None or after is None or offset <= before.end + len(before.delimiter):
            return before or after
        if offset == after.start:
            return after
        return before if "\n" not in self._text[before.end : offset] else after
