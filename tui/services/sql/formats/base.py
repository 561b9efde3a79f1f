"""What the writers of all formats share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from tui.services.sql.model import Cell, Column, Look, Row

#: What a double holds without loss: JSON's readers have nothing else.
_PLAIN_NUMBERS = re.compile(r"(?:-?(?:0|[1-9]\d{0,14})(?:\n|\Z))*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
#: Significant digits that a double keeps.
DIGITS = 15


class Writer(Protocol):
    """Turns a result into bytes, a batch at a time; holds no more than a batch (Parquet: a row group)."""

    def start(self, columns: Sequence[Column]) -> bytes:
        """What stands before the rows."""
        ...

    def rows(self, rows: Sequence[Row]) -> bytes:
        """The next rows. May be empty: some writers wait for more.

        Raises:
            FormatError: the format cannot hold them.
        """
        ...

    def finish(self) -> bytes:
        """What is still held back, and what stands behind the rows.

        Raises:
            FormatError: the format cannot hold what was held back.
        """
        ...


class FormatError(Exception):
    """A format cannot be written: why, and what to do about it, in words for a person."""


def unique_names(columns: Iterable[Column]) -> list[str]:
    """Names that can be keys: an empty one becomes `column_3`, a second `id` becomes `id_2`."""
    given = [column.name for column in columns]
    taken = set(given)
    found: list[str] = []
    seen: set[str] = set()
    for place, name in enumerate(given, 1):
        wanted = name or f"column_{place}"
        number = 2
        while wanted in seen or (wanted != name and wanted in taken):
            wanted = f"{name or f'column_{place}'}_{number}"
            number += 1
        seen.add(wanted)
        found.append(wanted)
    return found


def binary_text(cell: bytes) -> str:
    r"""Binary as text, in PostgreSQL's notation: `\x00ff`."""
    return f"\\x{cell.hex()}"


def texts(cells: Sequence[Cell]) -> Sequence[str | None]:
    """A column's cells with binary ones as text."""
    if bytes in set(map(type, cells)):
        return [binary_text(cell) if isinstance(cell, bytes) else cell for cell in cells]
    return cells  # type: ignore[return-value]  # there are none


def is_number(cell: str) -> bool:
    """Whether it is a number in the notation of JSON and SQL (`NaN` and `007` are not)."""
    return _NUMBER.fullmatch(cell) is not None


def survives_double(cell: str) -> bool:
    """Whether a number keeps its value in a reader that makes a double of it: 15 significant digits do."""
    digits = re.split("[eE]", cell)[0].lstrip("-").replace(".", "").strip("0")
    return len(digits) <= DIGITS and math.isfinite(value := float(cell)) and (value != 0 or not digits)


def plain_integers(cells: Sequence[str]) -> bool:
    """Whether all are integers that survive a double; one look for a whole batch."""
    return _PLAIN_NUMBERS.fullmatch("\n".join(cells)) is not None


def numeric(column: Column) -> bool:
    """Whether the cells of a column are numbers."""
    return column.look is Look.NUMBER
