"""Parquet, with typed columns. Needs pyarrow (the extra `parquet`), which is loaded when a file is written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

from tui.services.sql.formats.base import FormatError, binary_text, texts, unique_names
from tui.services.sql.model import Cell, Column, Look, Row

#: Rows, and cells' characters, of one row group: what is held in memory.
GROUP_ROWS, GROUP_BYTES = 32_768, 16 << 20
#: The same of what is held as Python's objects: it takes five times as much, and a key waits while it is converted.
PART_ROWS, PART_BYTES = 4096, 1 << 20
_MISSING = (
    "Parquet needs pyarrow, which is not installed. Install it with: pip install 'statetui[parquet]', "
    "or choose csv or jsonl."
)
#: Arrow's type by what servers call a column, without `unsigned` and length.
_INTEGERS = {
    "int2": "int16", "smallint": "int16", "tinyint": "int16", "year": "int16", "int4": "int32", "integer": "int32",
    "int": "int64", "mediumint": "int32", "int8": "int64", "bigint": "int64", "oid": "int64", "serial": "int64",
}  # fmt: skip
_FLOATS = {"float4": "float32", "real": "float64", "float": "float64", "float8": "float64", "double": "float64"}
_BOOLEANS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class _Type:
    """A column's type.

    Attributes:
        arrow: Arrow's.
        convert: a cell's value; raises what `ParquetWriter._misfits` names.
        cast: whether Arrow can read it out of text.
    """

    arrow: Any
    convert: Callable[[Any], Any]
    cast: bool = False


class _Sink:
    """A file that hands over what was written to it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.position = 0
        self.closed = False

    def write(self, data: Any) -> int:  # noqa: ANN401 (a buffer of pyarrow's)
        self.parts.append(bytes(data))
        self.position += len(self.parts[-1])
        return len(self.parts[-1])

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        data = b"".join(self.parts)
        self.parts.clear()
        return data


class ParquetWriter:
    """Row groups of bounded size. Integers, floats, booleans, binary, dates and moments are typed, the rest is text.

    A column is typed when its first row group fits the type: MySQL's `0000-00-00` or PostgreSQL's `infinity` there make
    it text. A cell that does not fit later ends the export with its place, since neither a wrong value nor NULL would
    be the truth. Decimals are text: their digits do not tell the scale. Names become unique: `column_3`, `id_2`.

    Cells wait for their row group as Arrow's text, which takes a fifth of Python's objects, and Arrow reads numbers and
    moments out of it ten times as fast as Python does.
    """

    def __init__(self) -> None:
        """Loads pyarrow.

        Raises:
            FormatError: it is not installed.
        """
        try:
            import pyarrow  # noqa: PLC0415 - large, and only for this
            import pyarrow.parquet  # noqa: PLC0415
        except ImportError as error:
            raise FormatError(_MISSING) from error
        pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # Arrow's own one keeps 30 MB that are free again
        self._arrow = pyarrow
        self._sink = _Sink()
        self._columns: tuple[Column, ...] = ()
        self._names: list[str] = []
        self._types: list[_Type] = []
        self._writer: Any = None
        self._schema: Any = None
        self._rows: list[Row] = []  # that came last
        self._rows_size = 0
        self._held: list[list[Any]] = []  # arrays of text or bytes, for each column
        self._held_rows = self._held_size = 0
        self._written = 0

    def start(self, columns: Sequence[Column]) -> bytes:
        """Nothing yet: the first rows decide the types.

        Raises:
            FormatError: a second result; a file has one.
        """
        if self._columns:
            raise FormatError("A Parquet file holds one result; run the statements one by one, or choose jsonl.")
        self._columns, self._names = tuple(columns), unique_names(columns)
        self._held = [[] for _ in columns]
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """A row group, when it is full."""
        self._rows.extend(rows)
        self._rows_size += sum(map(len, filter(None, chain.from_iterable(rows))))
        if len(self._rows) >= min(PART_ROWS, GROUP_ROWS) or self._rows_size >= PART_BYTES:
            self._hold()
        return self._group() if self._held_rows >= GROUP_ROWS or self._held_size >= GROUP_BYTES else b""

    def finish(self) -> bytes:
        """The last row group, and the file's index; a file without rows still has its columns."""
        self._hold()
        data = self._group() if self._held_rows or self._writer is None else b""
        self._writer.close()
        return data + self._sink.taken()

    def _hold(self) -> None:
        """Makes arrays of what came."""
        rows, self._rows = self._rows, []
        self._held_rows += len(rows)
        self._held_size += self._rows_size
        self._rows_size = 0
        if rows:
            for held, column, cells in zip(self._held, self._columns, zip(*rows, strict=True), strict=True):
                binary = column.look is Look.BINARY and str not in set(map(type, cells))
                held.append(self._arrow.array(cells, self._arrow.binary()) if binary else self._text_of(cells))

    def _text_of(self, cells: Sequence[Cell]) -> Any:  # noqa: ANN401 (an array)
        try:
            return self._arrow.array(texts(cells), self._arrow.string())
        except UnicodeEncodeError:  # lone surrogates: no driver of ours makes them
            return self._arrow.array([_text(cell) for cell in cells], self._arrow.string())

    def _group(self) -> bytes:
        arrow = self._arrow
        if self._writer is None:
            self._decide()
        columns = [
            arrow.chunked_array(self._values(place, parts), type=self._types[place].arrow)
            for place, parts in enumerate(self._held)
        ]
        table = arrow.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(table, row_group_size=GROUP_ROWS)
        self._written += self._held_rows
        self._held = [[] for _ in self._columns]
        self._held_rows = self._held_size = 0
        return self._sink.taken()

    def _values(self, place: int, parts: list[Any]) -> list[Any]:
        """The arrays of a column with its type.

        Raises:
            FormatError: a cell is not of the type.
        """
        kind, values, before = self._types[place], list[Any](), self._written
        for part in parts:
            try:
                values.append(self._typed(part, kind))
            except self._misfits:
                self._refuse(place, part, before)
                raise
            before += len(part)
        return values

    def _refuse(self, place: int, part: Any, before: int) -> None:  # noqa: ANN401 (an array)
        """Names the first cell that is not of its column's type."""
        kind = self._types[place]
        for row, cell in enumerate(part.to_pylist(), before + 1):
            try:
                self._typed(self._arrow.array([cell], part.type), kind)
            except self._misfits as error:
                raise FormatError(
                    f"Row {row}: {str(cell)[:60]!r} in column {self._names[place]} is not a {kind.arrow} as "
                    "the rows before; cast the column to text, or choose csv or jsonl."
                ) from error

    @property
    def _misfits(self) -> tuple[type[Exception], ...]:
        """What a cell that is not of a type raises; lone errors of Arrow's are ValueErrors as well."""
        return (ValueError, KeyError, OverflowError, self._arrow.ArrowException)

    def _typed(self, part: Any, kind: _Type) -> Any:  # noqa: ANN401 (arrays)
        """An array of text or bytes with a type, by Arrow's reading of it where there is one, else by Python's."""
        arrow = self._arrow
        if part.type == kind.arrow:
            return part
        if kind.cast and part.type == arrow.string():
            with contextlib.suppress(arrow.ArrowInvalid):  # it does not know zones with seconds, or blanks
                return part.cast(kind.arrow)
        return arrow.array(
            [None if cell is None else kind.convert(cell) for cell in part.to_pylist()], type=kind.arrow
        )  # fmt: skip

    def _decide(self) -> None:
        """The types, by what the first row group fits."""
        arrow = self._arrow
        for column, parts in zip(self._columns, self._held, strict=True):
            kind = self._type_of(column)
            try:
                parts[:] = [self._typed(part, kind) for part in parts]
            except self._misfits:
                kind = _Type(arrow.string(), _text)
            self._types.append(kind)
        self._schema = arrow.schema(
            [arrow.field(name, kind.arrow) for name, kind in zip(self._names, self._types, strict=True)]
        )
        self._writer = arrow.parquet.ParquetWriter(arrow.PythonFile(self._sink, mode="w"), self._schema)

    def _type_of(self, column: Column) -> _Type:
        arrow = self._arrow
        words = column.type.lower().replace("(", " ").split() or [""]
        word, zoned = words[0], "tz" in words[0] or " with time zone" in column.type.lower()
        if word in _INTEGERS:
            return _Type(getattr(arrow, "uint64" if "unsigned" in words else _INTEGERS[word])(), int, cast=True)
        if word in _FLOATS:
            return _Type(getattr(arrow, _FLOATS[word])(), float, cast=True)
        if column.look is Look.BOOLEAN:
            return _Type(arrow.bool_(), _BOOLEANS.__getitem__)
        if column.look is Look.BINARY:
            return _Type(arrow.binary(), _bytes)
        if word == "date":
            return _Type(arrow.date32(), date.fromisoformat, cast=True)
        if word.startswith("timestamp") or word == "datetime":
            if zoned:
                return _Type(arrow.timestamp("us", tz="UTC"), _aware, cast=True)
            return _Type(arrow.timestamp("us"), _naive, cast=True)
        return _Type(arrow.string(), _text)


def _text(cell: Cell) -> str | None:
    if isinstance(cell, bytes):
        return binary_text(cell)
    return cell.encode("utf-8", "replace").decode() if cell is not None else None


def _bytes(cell: Cell) -> bytes:
    if not isinstance(cell, bytes):
        raise ValueError(cell)  # noqa: TRY004 (the column is no binary one then)
    return cell


def _naive(cell: str) -> datetime:
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is not None:
        raise ValueError(cell)
    return moment


def _aware(cell: str) -> datetime:
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is None:
        raise ValueError(cell)
    return moment.astimezone(UTC)
