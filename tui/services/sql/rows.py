"""The rows of a result, packed: what a grid of millions of rows reads.

As Python's objects a million rows of six cells are 485 MB; packed as MessagePack, column by column, they are what the
server sent and a byte or two for each cell, and a screenful is unpacked in a tenth of a millisecond. A column whose
cells are all the same in a block (NULL, a status, today's date) is kept as one.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import repeat

import msgspec

from tui.services.sql.cells import on_one_line, width_of
from tui.services.sql.keys import Key, as_text, key_of
from tui.services.sql.model import Cell, Column, Row
from tui.text import safe

#: Bytes of packed rows at which a fetch is to pause, so that a console stays below 250 MB in all.
BUDGET = 160 << 20
#: Cells and rows that are packed together, and bytes above which such a block is halved.
BLOCK_CELLS, BLOCK_ROWS, BLOCK_BYTES = 8192, 512, 256 << 10
#: Blocks that are kept unpacked, and the bytes that they may be of, packed.
CACHED, CACHED_BYTES = 24, 4 << 20
#: Rows whose widths are measured: the first ones all, then some of each block.
MEASURED, SAMPLED = 200, 3
#: The widest that a column asks to be.
WIDEST = 60
#: Seconds of work after which keys and frames get their turn.
SLICE = 0.006
#: Rows of a sorted part; sorting one takes a few milliseconds.
PART = 16_384

_encode_into = msgspec.msgpack.Encoder().encode_into
_decode: Callable[[bytes], tuple[int, list[list[Cell]]]] = msgspec.msgpack.Decoder(tuple[int, list[list]]).decode  # type: ignore[type-arg]


class Comparison(StrEnum):
    """How a cell is compared."""

    CONTAINS = "contains"  # without regard to case
    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    NULL = "is null"
    NOT_NULL = "is not null"


@dataclass(frozen=True, slots=True)
class Filter:
    """What rows must fit to be shown.

    Attributes:
        test: the comparison, by number or moment where the column's look is one.
        value: what it compares with; nothing for the two tests of NULL.
        column: index of the column; None for any of them, for `CONTAINS` only.
    """

    test: Comparison
    value: str = ""
    column: int | None = None


class RowStore:
    """The rows of one result. One task appends; reading never waits."""

    def __init__(self, columns: Sequence[Column], *, budget: int = BUDGET) -> None:
        """Holds no rows yet.

        Args:
            columns: of the result.
            budget: see `BUDGET`; it may be raised later.
        """
        self.columns = tuple(columns)
        self.budget = budget
        self._blocks: list[bytes] = []
        self._starts: array[int] = array("Q")  # the first row of each block
        self._packed_rows = 0
        self._packed_bytes = 0
        self._pending: list[Row] = []
        self._most_rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(1, len(self.columns))))
        self._block_rows = self._most_rows
        self._cache: OrderedDict[int, list[Row]] = OrderedDict()
        self._cached_bytes = 0
        self._widths = [min(WIDEST, width_of(safe(column.name))) for column in self.columns]

    def __len__(self) -> int:
        """Rows so far."""
        return self._packed_rows + len(self._pending)

    @property
    def used(self) -> int:
        """Bytes that the packed rows take."""
        return self._packed_bytes

    @property
    def full(self) -> bool:
        """Whether the budget is spent: whoever fetches pauses and says so; `append` takes rows all the same."""
        return self._packed_bytes >= self.budget

    @property
    def widths(self) -> tuple[int, ...]:
        """Cells of the terminal that each column wants, by its name and a sample of its rows; at most `WIDEST`."""
        return tuple(self._widths)

    def append(self, rows: Sequence[Row]) -> None:
        """Takes the next rows."""
        if len(self) < MEASURED:
            self._measure(rows[: MEASURED - len(self)])
        pending, at = self._pending, 0
        pending.extend(rows)
        while len(pending) - at >= self._block_rows:
            block = pending[at : at + self._block_rows]
            at += len(block)
            if self._packed_rows >= MEASURED:
                self._measure(block[:: max(1, len(block) // SAMPLED)])
            self._pack(block)
        del pending[:at]

    def clear(self) -> None:
        """Forgets the rows, whoever still holds on to this: nobody looks at them any more."""
        self._blocks.clear()
        self._cache.clear()
        self._pending.clear()
        self._starts = array("Q")
        self._packed_rows = self._packed_bytes = self._cached_bytes = 0

    def row(self, index: int) -> Row:
        """The row of an index from 0.

        Raises:
            IndexError: there is none.
        """
        if index >= self._packed_rows:
            return self._pending[index - self._packed_rows]
        if index < 0:
            raise IndexError(index)
        place = bisect_right(self._starts, index) - 1
        return self._unpacked(place)[index - self._starts[place]]

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """The rows from one index to before another, block after block, without what is appended meanwhile."""
        stop = len(self) if stop is None else min(stop, len(self))
        place = max(0, bisect_right(self._starts, start) - 1)
        while start < min(stop, self._packed_rows):
            block = self._cache.get(place) or _unpack(self._blocks[place])
            first = self._starts[place]
            part = block[start - first : stop - first]
            yield from part
            start, place = start + len(part), place + 1
        if start < stop:
            yield from self._pending[start - self._packed_rows : stop - self._packed_rows]

    def cells(self, column: int) -> Iterator[Cell]:
        """The cells of a column, of all rows in order."""
        return (row[column] for row in self.rows())

    async def sort(self, column: int, *, descending: bool = False, among: Sequence[int] | None = None) -> array[int]:
        """The indices of rows in the order of a column; equal ones stay as they were.

        By number or moment where the column's look is one, else by text. Cells that are not of the kind follow those
        that are, in the order of their text, and NULL comes last, whichever way round.

        Args:
            column: its index.
            descending: the other way round.
            among: only these rows, as `filter` found them; None for all.
        """
        key = key_of(self.columns[column].look)
        keys: list[Key] = []
        known, others, nulls = array("Q"), [], array("Q")
        async for index, row in self._each(among):
            cell = as_text(row[column])
            if cell is None:
                nulls.append(index)
            elif (value := key(cell)) is None:
                others.append((cell, index))
            else:
                keys.append(value)
                known.append(index)
        order = await _sorted(keys, known, descending)
        others.sort(key=lambda pair: pair[0], reverse=descending)
        order.extend(index for _, index in others)
        order.extend(nulls)
        return order

    async def filter(self, wanted: Filter, *, among: Sequence[int] | None = None) -> array[int]:
        """The indices of the rows that fit, in the order of `among` or of the result.

        Raises:
            ValueError: the value is not of the column's kind, in words for a person.
        """
        fits = self._fitting(wanted)
        found = array("Q")
        async for index, row in self._each(among):
            if fits(row):
                found.append(index)
        return found

    # ---

    def _fitting(self, wanted: Filter) -> Callable[[Row], bool]:
        column = wanted.column
        if wanted.test is Comparison.CONTAINS:
            needle = wanted.value.casefold()
            if column is None:
                return lambda row: any(_contains(cell, needle) for cell in row)
            return lambda row: _contains(row[column], needle)
        if column is None:
            raise ValueError(f"{wanted.test} needs a column")
        if wanted.test is Comparison.NULL:
            return lambda row: row[column] is None
        if wanted.test is Comparison.NOT_NULL:
            return lambda row: row[column] is not None
        look = self.columns[column].look
        key = key_of(look)
        value = key(wanted.value)
        if value is None:
            raise ValueError(f"{wanted.value!r} is not a {look.value}, as {self.columns[column].name} is")
        compare = _COMPARE[wanted.test]

        def fits(row: Row) -> bool:
            cell = as_text(row[column])
            mine = key(cell) if cell is not None else None
            return mine is not None and compare(mine, value)

        return fits

    async def _each(self, among: Sequence[int] | None) -> AsyncIterator[tuple[int, Row]]:
        """Rows with their indices; lets others have their turn now and then."""
        pairs: Iterable[tuple[int, Row]] = (
            enumerate(self.rows()) if among is None else ((index, self.row(index)) for index in among)
        )
        turn = time.monotonic() + SLICE
        for count, pair in enumerate(pairs):
            yield pair
            if count % 512 == 511 and time.monotonic() > turn:
                await asyncio.sleep(0)
                turn = time.monotonic() + SLICE

    def _pack(self, rows: list[Row]) -> None:
        columns = [_without_repetition(cells) for cells in zip(*rows, strict=True)]
        try:
            packed = _packed(len(rows), columns)
        except UnicodeEncodeError:  # lone surrogates: no driver of ours makes them
            packed = _packed(len(rows), [tuple(map(_encodable, cells)) for cells in columns])
        if len(packed) > BLOCK_BYTES and len(rows) > 1:
            half = len(rows) // 2
            self._pack(rows[:half])
            self._pack(rows[half:])
            return
        self._starts.append(self._packed_rows)
        self._blocks.append(packed)
        self._packed_rows += len(rows)
        self._packed_bytes += len(packed)
        # The next rows are probably as large as these; while they wait to be packed, each has all its cells.
        left_out = sum(len(cells[0] or "") for cells in columns if len(cells) == 1) * (len(rows) - 1)
        fit = len(rows) * BLOCK_BYTES // (len(packed) + left_out + 1)
        self._block_rows = max(1, min(self._most_rows, fit, 2 * len(rows)))

    def _unpacked(self, place: int) -> list[Row]:
        block = self._cache.get(place)
        if block is not None:
            self._cache.move_to_end(place)
            return block
        block = self._cache[place] = _unpack(self._blocks[place])
        self._cached_bytes += len(self._blocks[place])
        while len(self._cache) > 1 and (len(self._cache) > CACHED or self._cached_bytes > CACHED_BYTES):
            self._cached_bytes -= len(self._blocks[self._cache.popitem(last=False)[0]])
        return block

    def _measure(self, rows: Sequence[Row]) -> None:
        widths = self._widths
        for row in rows:
            for place, cell in enumerate(row):
                if widths[place] < WIDEST and cell is not None and len(cell) > widths[place] // 2:
                    widths[place] = max(widths[place], on_one_line(cell, WIDEST).width)


def _without_repetition(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The cells of a column in a block: one, when all are the same."""
    first = cells[0]
    return cells[:1] if first == cells[-1] and cells.count(first) == len(cells) else cells


def _packed(count: int, columns: list[tuple[Cell, ...]]) -> bytes:
    buffer = bytearray()
    _encode_into((count, columns), buffer)
    return bytes(buffer)  # what `encode` returns keeps the room that it grew by, up to half as much again


def _unpack(block: bytes) -> list[Row]:
    count, columns = _decode(block)
    if not columns:
        return [()] * count
    cells = (column if len(column) == count else repeat(column[0], count) for column in columns)
    return list(zip(*cells, strict=True))


def _contains(cell: Cell, needle: str) -> bool:
    if cell is None:
        return False
    return needle in (cell.hex() if isinstance(cell, bytes) else cell.casefold())


def _encodable(cell: Cell) -> Cell:
    return cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell


#: Of keys of one kind, which Python's types do not say.
_COMPARE: dict[Comparison, Callable[[Key, Key], bool]] = {
    Comparison.EQUAL: lambda mine, value: mine == value,
    Comparison.UNEQUAL: lambda mine, value: mine != value,
    Comparison.LESS: lambda mine, value: mine < value,  # type: ignore[operator]
    Comparison.AT_MOST: lambda mine, value: mine <= value,  # type: ignore[operator]
    Comparison.MORE: lambda mine, value: mine > value,  # type: ignore[operator]
    Comparison.AT_LEAST: lambda mine, value: mine >= value,  # type: ignore[operator]
}


async def _sorted(keys: list[Key], indices: array[int], descending: bool) -> array[int]:
    """Indices by their keys, sorted in parts between chosen keys: one sort of a million would hold up a frame."""
    cuts: list[Key] = sorted(keys[:: max(1, len(keys) // 1024)])[:: max(1, 1024 * PART // max(1, len(keys)))]
    parts: list[list[int]] = [[] for _ in range(len(cuts) + 1)]
    turn = time.monotonic() + SLICE
    for place, key in enumerate(keys):
        parts[bisect_right(cuts, key)].append(place)
        if place % 2048 == 2047 and time.monotonic() > turn:
            await asyncio.sleep(0)
            turn = time.monotonic() + SLICE
    order = array("Q")
    for part in reversed(parts) if descending else parts:
        part.sort(key=keys.__getitem__, reverse=descending)
        for at in range(0, len(part), PART):  # equal keys are all in one part
            order.extend(indices[place] for place in part[at : at + PART])
            await asyncio.sleep(0)
    return order
