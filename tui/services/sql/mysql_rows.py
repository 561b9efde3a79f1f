"""Columns and long rows of MySQL's text protocol.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
"""

from __future__ import annotations

from tui.services.sql.model import Look
from tui.services.sql.postgres_wire import KEPT, ROW_LIMIT, SCRAP, incomplete

#: Bytes of a packet that is continued by the next one.
WHOLE = 0xFFFFFF
#: The collation `binary`.
_BINARY = 63
_ENUM, _SET, _UNSIGNED = 256, 2048, 32

_TYPES: dict[int, tuple[str, Look]] = {
    0: ("decimal", Look.NUMBER), 1: ("tinyint", Look.NUMBER), 2: ("smallint", Look.NUMBER), 3: ("int", Look.NUMBER),
    4: ("float", Look.NUMBER), 5: ("double", Look.NUMBER), 6: ("null", Look.OTHER), 7: ("timestamp", Look.TIME),
    8: ("bigint", Look.NUMBER), 9: ("mediumint", Look.NUMBER), 10: ("date", Look.TIME), 11: ("time", Look.TIME),
    12: ("datetime", Look.TIME), 13: ("year", Look.TIME), 14: ("date", Look.TIME), 15: ("varchar", Look.TEXT),
    16: ("bit", Look.BINARY), 245: ("json", Look.JSON), 246: ("decimal", Look.NUMBER), 247: ("enum", Look.TEXT),
    248: ("set", Look.TEXT), 255: ("geometry", Look.BINARY),
}  # fmt: skip
#: Those that are text or bytes, by their collation: both names.
_EITHER: dict[int, tuple[str, str]] = {
    249: ("tinytext", "tinyblob"), 250: ("mediumtext", "mediumblob"), 251: ("longtext", "longblob"),
    252: ("text", "blob"), 253: ("varchar", "varbinary"), 254: ("char", "binary"), 15: ("varchar", "varbinary"),
}  # fmt: skip


def kind(code: int, flags: int, collation: int) -> tuple[str, Look]:
    """Name and look of a column's type.

    Args:
        code: its type in the column definition.
        flags: its flags.
        collation: its collation; `binary` for bytes.
    """
    if flags & _ENUM:
        return "enum", Look.TEXT
    if flags & _SET:
        return "set", Look.TEXT
    if (names := _EITHER.get(code)) is not None:
        return (names[1], Look.BINARY) if collation == _BINARY else (names[0], Look.TEXT)
    name, look = _TYPES.get(code, (f"type {code}", Look.OTHER))
    return (f"{name} unsigned" if flags & _UNSIGNED and look is Look.NUMBER else name), look


class LongRow:
    """A row of more than one packet, read cell by cell; long cells keep their beginning only.

    Attributes:
        cells: those that are whole so far, None for NULL.
        cut: columns of those that lost their end, with the bytes that they had.
    """

    def __init__(self) -> None:
        self.cells: list[bytes | None] = []
        self.cut: list[tuple[int, int]] = []
        self._held = 0
        self._head = bytearray()
        self._cell: bytearray | None = None
        self._size = self._keep = self._skip = 0

    def feed(self, data: memoryview) -> None:
        """Takes the next bytes of the packets' contents."""
        pos = 0
        while pos < len(data):
            if self._cell is None:
                self._head.append(data[pos])
                pos += 1
                self._begin()
                continue
            if self._keep:
                taken = min(self._keep, len(data) - pos)
                self._cell += data[pos : pos + taken]
                self._keep -= taken
            else:
                taken = min(self._skip, len(data) - pos)
                self._skip -= taken
            pos += taken
            if not self._keep and not self._skip:
                self._finish()

    def _begin(self) -> None:
        """A length-encoded integer may be complete now."""
        mark = self._head[0]
        if len(self._head) < {252: 3, 253: 4, 254: 9}.get(mark, 1):
            return
        size = mark if mark <= 251 else int.from_bytes(self._head[1:], "little")
        self._head.clear()
        if mark == 251:
            self.cells.append(None)
            return
        self._size = size
        self._keep = min(size, KEPT if self._held < ROW_LIMIT else SCRAP)
        self._skip = size - self._keep
        self._cell = bytearray()
        if not size:
            self._finish()

    def _finish(self) -> None:
        cell, self._cell = self._cell, None
        assert cell is not None  # noqa: S101
        if len(cell) < self._size:
            if lost := incomplete(cell[-4:]):
                del cell[-lost:]
            self.cut.append((len(self.cells), self._size))
        self._held += len(cell)
        self.cells.append(bytes(cell))
