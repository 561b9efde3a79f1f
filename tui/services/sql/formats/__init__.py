"""Results as bytes, in the formats that other programs read; copying a range is writing a small result."""

from __future__ import annotations

from tui.services.sql.formats.base import FormatError, Writer
from tui.services.sql.model import Wire

#: The formats by name. `insert` is for copying and export from a console: it needs a table's name.
NAMES = ("table", "csv", "tsv", "json", "jsonl", "markdown", "insert", "parquet")

__all__ = ["NAMES", "FormatError", "Writer", "writer"]


def writer(
    name: str, *, width: int | None = None, vertical: bool | None = None, wire: Wire = Wire.POSTGRES, table: str = "t"
) -> Writer:
    """A writer for results, one after the other.

    Args:
        name: one of `NAMES`.
        width: cells of the terminal, for `table`; None for no limit.
        vertical: a record below the other, for `table`; None for when it does not fit.
        wire: the dialect of `insert`.
        table: its table.

    Raises:
        FormatError: what it needs is not installed; no such format.
    """
    if name == "table":
        from tui.services.sql.formats.tables import TableWriter  # noqa: PLC0415 - each loads only what it needs

        return TableWriter(width=width, vertical=vertical)
    if name == "markdown":
        from tui.services.sql.formats.tables import MarkdownWriter  # noqa: PLC0415

        return MarkdownWriter()
    if name in ("csv", "tsv"):
        from tui.services.sql.formats.separated import CsvWriter, TsvWriter  # noqa: PLC0415

        return CsvWriter() if name == "csv" else TsvWriter()
    if name in ("json", "jsonl"):
        from tui.services.sql.formats.jsons import JsonWriter  # noqa: PLC0415

        return JsonWriter(lines=name == "jsonl")
    if name == "insert":
        from tui.services.sql.formats.insert import InsertWriter  # noqa: PLC0415

        return InsertWriter(wire, table)
    if name == "parquet":
        from tui.services.sql.formats.parquet import ParquetWriter  # noqa: PLC0415

        return ParquetWriter()
    raise FormatError(f"{name!r} is not a format; there are {', '.join(NAMES)}")
