"""What both drivers' sessions do with rows: counting the time that statements take, and naming cells that were cut."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from tui.services.sql.model import Facts, Notice, Row, ServerError

#: The code of the notice that says that a cell lost its end.
SHORTENED = "shortened"


class Clock:
    """The time since it was made, without that in which nobody asked for rows."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._idle = 0.0

    @contextlib.contextmanager
    def idle(self) -> Iterator[None]:
        """Around handing something out."""
        since = time.monotonic()
        try:
            yield
        finally:
            self._idle += time.monotonic() - since

    @property
    def seconds(self) -> float:
        """So far."""
        return time.monotonic() - self._began - self._idle


def shortened(rows: list[Row], row: int, column: int, size: int, before: int = 0) -> Notice:
    """Marks a cell that lost its end, and says so.

    Args:
        rows: where it is; text gets a mark at its end.
        row: its row among them, from 0.
        column: its column.
        size: bytes that it had.
        before: rows of the result before these.
    """
    if row < len(rows):
        cells = list(rows[row])
        cell = cells[column]
        if isinstance(cell, str):
            cells[column] = f"{cell}… [{size:,} bytes, shortened]"
            rows[row] = tuple(cells)
    return Notice(
        "WARNING", f"Row {before + row + 1}, column {column + 1}: a value of {size:,} bytes is shown shortened",
        SHORTENED,
        "Rows of more than 16 MiB are not taken whole.",
        "Read it in parts: substr(column, 1, 1000000). The ordinary client takes it whole: "
        "statetui sql WORKLOAD --psql, or --mysql.",
    )  # fmt: skip


#: Codes of refusals to write: PostgreSQL and a read-only transaction of MySQL; `--read-only`; a read-only table space.
_READ_ONLY = ("25006", "HY000/1290", "HY000/1836")


def with_way_out(error: ServerError, facts: Facts | None) -> ServerError:
    """A refusal to write, with where writes are taken."""
    if facts is not None and not error.hint and error.code.startswith(_READ_ONLY):
        if facts.replica or facts.read_only not in ("", "asked for"):
            error.hint = f"{facts.member} only reads ({facts.read_only or 'it is a replica'}); connect to the primary."
        elif facts.read_only:
            error.hint = "The session was asked to be read-only; open one that may write."
    return error
