"""INSERT statements, for carrying rows to another server of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

from tui.services.sql.formats.base import is_number, numeric, unique_names
from tui.services.sql.model import Cell, Column, Row, Wire

#: Rows and characters of one statement: MySQL's `max_allowed_packet` was 4 MiB until 8.0, MariaDB's is 16.
ROWS, CHARACTERS = 500, 1 << 20


class InsertWriter:
    r"""`INSERT INTO t (a, b) VALUES …`, several rows in each statement.

    Numbers keep all their digits, NULL is NULL, binary is a literal of the dialect (`'\x00ff'`, `x'00ff'`). Texts are
    quoted for the server's default settings: PostgreSQL's `standard_conforming_strings`, and MySQL without
    `NO_BACKSLASH_ESCAPES`.
    """

    def __init__(self, wire: Wire, table: str) -> None:
        """For one table.

        Args:
            wire: decides the dialect.
            table: its name as it is to stand there; `schema.table` are two names, and what needs quotes gets them.
        """
        self._mysql = wire is Wire.MYSQL
        self._table = ".".join(self._name(part) for part in table.split("."))
        self._columns: tuple[Column, ...] = ()
        self._head = ""

    def start(self, columns: Sequence[Column]) -> bytes:
        """Nothing: each statement names the columns."""
        self._columns = tuple(columns)
        self._head = f"INSERT INTO {self._table} ({', '.join(map(self._name, unique_names(columns)))}) VALUES\n"
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """The next statements."""
        parts: list[str] = []
        values: list[str] = []
        size = 0
        for row in rows:
            text = f"({', '.join(map(self._literal, self._columns, row))})"
            if values and (len(values) >= ROWS or size + len(text) > CHARACTERS):
                parts.append(self._statement(values))
                values, size = [], 0
            values.append(text)
            size += len(text)
        if values:
            parts.append(self._statement(values))
        return "".join(parts).encode("utf-8", "replace")

    def finish(self) -> bytes:
        """Nothing."""
        return b""

    def _statement(self, values: Sequence[str]) -> str:
        return self._head + ",\n".join(values) + ";\n"

    def _name(self, name: str) -> str:
        sign = "`" if self._mysql else '"'
        return sign + name.replace(sign, sign * 2) + sign

    def _literal(self, column: Column, cell: Cell) -> str:
        if cell is None:
            return "NULL"
        if isinstance(cell, bytes):
            return f"x'{cell.hex()}'" if self._mysql else f"'\\x{cell.hex()}'"
        if numeric(column) and is_number(cell):
            return cell
        text = cell.replace("'", "''")
        if self._mysql:
            text = text.replace("\\", "\\\\").replace("\0", "\\0").replace("\x1a", "\\Z")
        return f"'{text}'"
