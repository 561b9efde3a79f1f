"""JSON: one array of objects, or an object on each line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring as quoted

import msgspec

from tui.services.sql.formats.base import (
    is_number,
    numeric,
    plain_integers,
    survives_double,
    texts,
    unique_names,
)
from tui.services.sql.model import Column, Look, Row

#: C1 controls, bidirectional overrides and the like: legal in JSON, obeyed by terminals; and lone surrogates.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_BOOLEANS = {"t": "true", "f": "false", "true": "true", "false": "false"}


class JsonWriter:
    r"""Objects with a key for each column: empty names become `column_3`, a second `id` becomes `id_2`.

    NULL is null; booleans are booleans; JSON columns stand as the JSON that they are; binary is text (`\x00ff`). A
    number stays one as long as a reader's double holds it, else it is text with all its digits, as `NaN` and `007` are.
    """

    def __init__(self, *, lines: bool = False) -> None:
        """Writes an array.

        Args:
            lines: an object on each line instead (JSON lines).
        """
        self._lines = lines
        self._columns: tuple[Column, ...] = ()
        self._template = ""
        self._first = True

    def start(self, columns: Sequence[Column]) -> bytes:
        """The array's beginning."""
        self._columns, self._first = tuple(columns), True
        keys = (quoted(name).replace("%", "%%") for name in unique_names(columns))
        self._template = "{" + ", ".join(f"{key}: %s" for key in keys) + "}"
        return b"" if self._lines else b"["

    def rows(self, rows: Sequence[Row]) -> bytes:
        """The next objects."""
        if not rows:
            return b""
        objects: Iterable[str] = ["{}"] * len(rows)
        if self._columns:
            columns = [
                _encoder(column)(texts(cells))
                for column, cells in zip(self._columns, zip(*rows, strict=True), strict=True)
            ]
            objects = map(self._template.__mod__, zip(*columns, strict=True))
        text = "\n".join(objects) + "\n" if self._lines else ("\n" if self._first else ",\n") + ",\n".join(objects)
        self._first = False
        if not text.isascii() or "\x7f" in text:
            text = _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        return text.encode()

    def finish(self) -> bytes:
        """The array's end."""
        if self._lines:
            return b""
        return b"]\n" if self._first else b"\n]\n"


def _encoder(column: Column) -> Callable[[Sequence[str | None]], Sequence[str]]:
    if numeric(column):
        return _numbers
    if column.look is Look.BOOLEAN:
        return lambda cells: ["null" if cell is None else _BOOLEANS.get(cell) or _number(cell) for cell in cells]
    if column.look is Look.JSON:
        return lambda cells: ["null" if cell is None else _embedded(cell) for cell in cells]
    return _texts


def _texts(cells: Sequence[str | None]) -> Sequence[str]:
    if None in cells:
        return ["null" if cell is None else quoted(cell) for cell in cells]
    return list(map(quoted, cells))  # type: ignore[arg-type]


def _numbers(cells: Sequence[str | None]) -> Sequence[str]:
    if None in cells:
        return ["null" if cell is None else _number(cell) for cell in cells]
    if plain_integers(cells):  # type: ignore[arg-type]
        return cells  # type: ignore[return-value]
    return [_number(cell) for cell in cells]  # type: ignore[arg-type]


def _number(cell: str) -> str:
    return cell if is_number(cell) and survives_double(cell) else quoted(cell)


def _embedded(cell: str) -> str:
    """JSON in JSON, on one line; text where it is none."""
    try:
        msgspec.json.decode(cell, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return quoted(cell)
    # In valid JSON a line end is a blank between values: within a text it is escaped.
    return cell.replace("\r", " ").replace("\n", " ")
