"""Plain tables on stdout: columns as wide as needed, colours and signs only where they can be shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO, TypeAlias

from tui.text import SIGNS, safe

#: A text and the name of its ink, empty for none.
Piece: TypeAlias = tuple[str, str]
Cell: TypeAlias = str | Sequence[Piece]

#: The signs of health where the locale has ASCII only.
ASCII_SIGNS: Mapping[str, str] = {
    "ready": "+",
    "running": "~",
    "starting": ":",
    "waiting": ".",
    "failing": "x",
    "terminating": "-",
    "stopped": "=",
    "unknown": "?",
}

_INKS: Mapping[str, str] = {
    "ready": "32",
    "running": "33",
    "starting": "36",
    "waiting": "33",
    "failing": "1;31",
    "terminating": "35",
    "stopped": "2",
    "unknown": "2",
    "dim": "2",
    "head": "1",
}


@dataclass(frozen=True, slots=True)
class Paper:
    """What the output can show.

    Attributes:
        colour: whether escape sequences for colour may be written.
        unicode: whether more than ASCII may be written.
    """

    colour: bool = False
    unicode: bool = True

    def sign(self, health: str) -> Piece:
        """The sign of a health in its ink."""
        return (SIGNS if self.unicode else ASCII_SIGNS).get(health, "?"), health

    def plain(self, text: str) -> str:
        """A text from outside as this paper can show it."""
        shown = safe(text)
        return shown if self.unicode else shown.encode("ascii", "backslashreplace").decode()

    def ink(self, text: str, name: str) -> str:
        """The text in a colour, if there are colours."""
        code = _INKS.get(name, "") if self.colour else ""
        return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def paper(stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> Paper:
    """What stdout can show: colours on a terminal unless NO_COLOR is set, ASCII where the locale asks for it."""
    stream = stream or sys.stdout
    environ = os.environ if environ is None else environ
    colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "UTF-8"
    utf8 = (stream.encoding or "ascii").lower().replace("-", "").startswith("utf8")
    return Paper(colour, utf8 and "utf8" in locale.lower().replace("-", ""))


class Table:
    """Rows under headings. Widths are settled at the first printing and only grow, so that `-w` can go on below.

    Args:
        headings: one for each column.
        on: what the output can show.
        write: where the lines go.
    """

    def __init__(self, headings: Sequence[str], on: Paper, write: Callable[[str], None]) -> None:
        self._headings = headings
        self._on = on
        self._write = write
        self._widths = [len(heading) for heading in headings]
        self._headed = False

    def print(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Writes rows, after the headings when these are the first."""
        drawn = [[self._draw(cell) for cell in row] for row in rows]
        for row in drawn:
            for index, (_, width) in enumerate(row):
                self._widths[index] = max(self._widths[index], width)
        if not self._headed:
            self._headed = True
            self._line([(self._on.ink(heading, "head"), len(heading)) for heading in self._headings])
        for row in drawn:
            self._line(row)

    def _draw(self, cell: Cell) -> tuple[str, int]:
        """A cell's text with its colours, and its width without them."""
        pieces = [(cell, "")] if isinstance(cell, str) else cell
        shown = [(self._on.plain(text), ink) for text, ink in pieces]
        return "".join(self._on.ink(text, ink) for text, ink in shown), sum(len(text) for text, _ in shown)

    def _line(self, cells: Sequence[tuple[str, int]]) -> None:
        padded = [text + " " * (self._widths[index] - width) for index, (text, width) in enumerate(cells)]
        self._write("   ".join(padded).rstrip())
