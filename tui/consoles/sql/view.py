"""The rows of a result as a grid shows them: in their own order, or filtered and sorted here. Without a screen."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tui.services.sql.cells import on_one_line
from tui.services.sql.keys import as_text
from tui.services.sql.model import Cell, Look, Row
from tui.services.sql.rows import SLICE, Comparison, Filter, RowStore


@dataclass(frozen=True, slots=True)
class Sort:
    """By which column rows are sorted, and which way."""

    column: int
    descending: bool = False


class RowView:
    """Positions of a grid, and the rows that stand there.

    Attributes:
        store: the rows.
        filters: what shown rows must fit, all of them.
        sort: the order, None for the result's own.
        covered: rows of the store that the filters and the order have seen.
    """

    def __init__(self, store: RowStore) -> None:
        self.store = store
        self.filters: tuple[Filter, ...] = ()
        self.sort: Sort | None = None
        self.covered = 0
        self._order: array[int] | None = None

    def __len__(self) -> int:
        """How many rows are shown."""
        return len(self.store) if self._order is None else len(self._order)

    @property
    def plain(self) -> bool:
        """Whether all rows are shown in the result's own order."""
        return self._order is None

    @property
    def unseen(self) -> int:
        """Rows that came after they were filtered and sorted."""
        return 0 if self._order is None else len(self.store) - self.covered

    def number(self, position: int) -> int:
        """The row's index in the result, from 0."""
        return position if self._order is None else self._order[position]

    def row(self, position: int) -> Row:
        """The row at a position.

        Raises:
            IndexError: there is none.
        """
        if position < 0:
            raise IndexError(position)
        return self.store.row(self.number(position))

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """The rows from one position to before another."""
        if self._order is None:
            return self.store.rows(start, stop)
        return (self.store.row(index) for index in self._order[start:stop])

    async def apply(self, filters: tuple[Filter, ...], sort: Sort | None) -> None:
        """Shows other rows, or in another order. What was shown stays until it is done.

        Raises:
            ValueError: a filter's value is not of the column's kind, in words for a person.
        """
        order: array[int] | None = None
        seen = len(self.store)
        for wanted in filters:
            order = await self.store.filter(wanted, among=order)
        if sort is not None:
            order = await self.store.sort(sort.column, descending=sort.descending, among=order)
        self.filters, self.sort, self._order, self.covered = filters, sort, order, seen

    async def extend(self) -> None:
        """Takes the rows that came since into a filtered view; a sorted one is sorted anew by whoever wants."""
        if self._order is None or self.sort is not None or not self.unseen:
            return
        mine = self._order
        seen = len(self.store)
        found: array[int] | range = range(self.covered, seen)
        for wanted in self.filters:
            found = await self.store.filter(wanted, among=found)
        if self._order is mine:
            mine.extend(found)
            self.covered = seen

    async def find(
        self, text: str, start: int, column: int, step: int, among: Collection[int]
    ) -> tuple[int, int] | None:
        """The next cell that holds a text, whatever its case, round the ends.

        Args:
            text: what to look for.
            start: position of the row where one is.
            column: index among `among` of the column where one is.
            step: 1 for forwards, -1 for backwards.
            among: the columns that are shown, in order.

        Returns:
            Position and index among the columns; None when there is none.
        """
        needle, total, columns = text.casefold(), len(self), list(among)
        turn = time.monotonic() + SLICE
        for away in range(total + 1):
            position = (start + step * away) % total if total else 0
            if position >= len(self):
                break
            row = self.row(position)
            places: Sequence[int] = range(len(columns))[::step]
            if away == 0:
                places = [at for at in places if (at - column) * step > 0]
            elif away == total:
                places = [at for at in places if (at - column) * step <= 0]
            for at in places:
                if holds(row[columns[at]], needle):
                    return position, at
            if away % 256 == 255 and time.monotonic() > turn:
                await asyncio.sleep(0)
                turn = time.monotonic() + SLICE
        return None


def holds(cell: Cell, needle: str) -> bool:
    """Whether a cell holds a text that is folded already; of binary ones the hexadecimal digits count."""
    if cell is None:
        return False
    return needle in (cell.hex() if isinstance(cell, bytes) else cell.casefold())


#: What may stand before the value of a filter, the longer ones first.
_SIGNS = (
    ("!=", Comparison.UNEQUAL), ("<>", Comparison.UNEQUAL), ("<=", Comparison.AT_MOST), (">=", Comparison.AT_LEAST),
    ("=", Comparison.EQUAL), ("<", Comparison.LESS), (">", Comparison.MORE),
)  # fmt: skip


def filter_of(typed: str, column: int) -> Filter:
    """What was typed as a filter: `> 5`, `!= x`, `is null` are about the cursor's column, any other text about all."""
    text = typed.strip()
    for test in (Comparison.NULL, Comparison.NOT_NULL):
        if text.lower() == ("is null" if test is Comparison.NULL else "is not null"):
            return Filter(test, "", column)
    for sign, test in _SIGNS:
        if text.startswith(sign):
            return Filter(test, text[len(sign) :].strip(), column)
    return Filter(Comparison.CONTAINS, typed)


def filter_by(cell: Cell, column: int, *, unequal: bool = False) -> Filter:
    """Rows that have the same cell there, or another one."""
    if cell is None:
        return Filter(Comparison.NOT_NULL if unequal else Comparison.NULL, "", column)
    value = as_text(cell) or ""
    return Filter(Comparison.UNEQUAL if unequal else Comparison.EQUAL, value, column)


def said_of_filter(wanted: Filter, names: tuple[str, ...]) -> str:
    """A filter in words: `total > 5`, `has “abc”`."""
    if wanted.column is None:
        return f"has “{on_one_line(wanted.value, 24).text}”"
    name = names[wanted.column] or f"column {wanted.column + 1}"
    return f"{name} {wanted.test.value} {on_one_line(wanted.value, 24).text}".rstrip()


def right_aligned(look: Look) -> bool:
    """Whether a column's cells stand at its right edge."""
    return look is Look.NUMBER
