"""Parquet, with typed columns. Needs pyarrow (the extra `parquet`), which is loaded when a file is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from tui.services.sql.formats.base import FormatError, binary_text, unique_names
from tui.services.sql.model import Cell, Column, Look, Row

#: Rows, and cells' characters, of one row group: what is held in memory.
GROUP_ROWS, GROUP_BYTES = 65_536, 32 << 20
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

_Convert = Callable[[Any], Any]


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
        self._arrow = pyarrow
        self._sink = _Sink()
        self._columns: tuple[Column, ...] = ()
        self._names: list[str] = []
        self._converts: list[_Convert] = []
        self._writer: Any = None
        self._schema: Any = None
        self._held: list[Row] = []
        self._size = 0
        self._written = 0

    def start(self, columns: Sequence[Column]) -> bytes:
        """Nothing yet: the first rows decide the types.

        Raises:
            FormatError: a second result; a file has one.
        """
        if self._columns:
            raise FormatError("A Parquet file holds one result; run the statements one by one, or choose jsonl.")
        self._columns, self._names = tuple(columns), unique_names(columns)
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """A row group, when it is full."""
        self._held.extend(rows)
        self._size += sum(len(cell) for row in rows for cell in row if cell is not None)
        return self._group() if len(self._held) >= GROUP_ROWS or self._size >= GROUP_BYTES else b""

    def finish(self) -> bytes:
        """The last row group, and the file's index; a file without rows still has its columns."""
        data = self._group() if self._held or self._writer is None else b""
        self._writer.close()
        return data + self._sink.taken()

    def _group(self) -> bytes:
        arrow, held = self._arrow, self._held
        cells: list[Sequence[Cell]] = list(zip(*held, strict=True)) if held else [()] * len(self._columns)
        if self._writer is None:
            self._decide(cells)
        arrays = [
            arrow.array(self._converted(place, column), type=self._schema.field(place).type)
            for place, column in enumerate(cells)
        ]
        table = arrow.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=GROUP_ROWS)
        self._written += len(held)
        self._held, self._size = [], 0
        return self._sink.taken()

    def _converted(self, place: int, cells: Sequence[Cell]) -> list[Any]:
        convert = self._converts[place]
        try:
            values = [None if cell is None else convert(cell) for cell in cells]
            self._arrow.array(values, type=self._schema.field(place).type)
        except (ValueError, KeyError, OverflowError, self._arrow.ArrowException):
            for row, cell in enumerate(cells, self._written + 1):
                try:
                    self._arrow.array([None if cell is None else convert(cell)], type=self._schema.field(place).type)
                except (ValueError, KeyError, OverflowError, self._arrow.ArrowException) as error:
                    name, kind = self._names[place], self._schema.field(place).type
                    raise FormatError(
                        f"Row {row}: {str(cell)[:60]!r} in column {name} is not a {kind} as the rows before; "
                        "cast the column to text, or choose csv or jsonl."
                    ) from error
            raise
        return values

    def _decide(self, cells: Sequence[Sequence[Cell]]) -> None:
        arrow = self._arrow
        fields = []
        for name, column, values in zip(self._names, self._columns, cells, strict=True):
            kind, convert = self._typed(column)
            try:
                arrow.array([None if cell is None else convert(cell) for cell in values], type=kind)
            except (ValueError, KeyError, OverflowError, arrow.ArrowException):
                kind, convert = arrow.string(), _text
            fields.append(arrow.field(name, kind))
            self._converts.append(convert)
        self._schema = arrow.schema(fields)
        self._writer = arrow.parquet.ParquetWriter(arrow.PythonFile(self._sink, mode="w"), self._schema)

    def _typed(self, column: Column) -> tuple[Any, _Convert]:
        arrow = self._arrow
        words = column.type.lower().replace("(", " ").split() or [""]
        word, zoned = words[0], "tz" in words[0] or " with time zone" in column.type.lower()
        if word in _INTEGERS:
            return getattr(arrow, "uint64" if "unsigned" in words else _INTEGERS[word])(), int
        if word in _FLOATS:
            return getattr(arrow, _FLOATS[word])(), float
        if column.look is Look.BOOLEAN:
            return arrow.bool_(), _BOOLEANS.__getitem__
        if column.look is Look.BINARY:
            return arrow.binary(), _bytes
        if word == "date":
            return arrow.date32(), date.fromisoformat
        if word.startswith("timestamp") or word == "datetime":
            if zoned:
                return arrow.timestamp("us", tz="UTC"), _aware
            return arrow.timestamp("us"), _naive
        return arrow.string(), _text


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
