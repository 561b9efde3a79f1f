"""Ranges of cells, and what of them goes to the clipboard. Without a screen."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from tui.consoles.sql.view import RowView
from tui.services.sql.formats import writer
from tui.services.sql.formats.base import binary_text
from tui.services.sql.model import Cell, Wire

#: Bytes of base64 that terminals are known to take in one OSC 52; longer ones are dropped by some without a word.
CLIPBOARD = 74_994
#: Rows that are written at a time.
BATCH = 200


@dataclass(frozen=True, slots=True)
class Range:
    """Rows by their positions and columns by their indices in the result.

    Attributes:
        first: position of the first row.
        last: of the last one, itself included.
        columns: in display order.
    """

    first: int
    last: int
    columns: tuple[int, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.last - self.first + 1, len(self.columns)


class TooLong(Exception):
    """It is more than a terminal's clipboard takes; says so in words for a person."""


def fits(text: str) -> str:
    """The text itself.

    Raises:
        TooLong: no terminal would take it.
    """
    size = len(text) if len(text) > CLIPBOARD else len(base64.b64encode(text.encode("utf-8", "replace")))
    if size > CLIPBOARD:
        raise TooLong(f"{size:,} bytes are more than terminals take at once ({CLIPBOARD:,}): x exports to a file")
    return text


def cell_text(cell: Cell) -> str:
    """A cell as it is pasted: as the server printed it, binary in hexadecimal, NULL as nothing."""
    return "" if cell is None else binary_text(cell) if isinstance(cell, bytes) else cell


def formatted(view: RowView, chosen: Range, form: str, *, wire: Wire, table: str) -> str:
    """A range in one of the formats of `tui.services.sql.formats`.

    Args:
        view: what is shown.
        chosen: which cells of it.
        form: the format's name.
        wire: the dialect of INSERT.
        table: its table.

    Raises:
        TooLong: no terminal would take it; found out without writing all of it.
        FormatError: the format cannot hold it.
    """
    columns = [view.store.columns[index] for index in chosen.columns]
    made = writer(form, wire=wire, table=table)
    parts = [made.start(columns)]
    size = 0
    for start in range(chosen.first, chosen.last + 1, BATCH):
        rows = view.rows(start, min(start + BATCH, chosen.last + 1))
        parts.append(made.rows([picked(row, chosen.columns) for row in rows]))
        size += len(parts[-1])
        if size > CLIPBOARD:
            raise TooLong(
                f"{chosen.last - chosen.first + 1:,} rows are more than terminals take at once: x exports to a file"
            )
    parts.append(made.finish())
    return fits(b"".join(parts).decode("utf-8", "replace").rstrip("\r\n"))


def picked(row: Sequence[Cell], columns: Sequence[int]) -> tuple[Cell, ...]:
    """Some cells of a row."""
    return tuple(row[index] for index in columns)
