"""What passes between the socket and asyncpg: seen for what asyncpg does not tell, and kept to a bounded size.

asyncpg collects each message whole before it decodes it, so that a cell of 1 GB would take three times that. Rows above
`ROW_LIMIT` are therefore made smaller on their way: long cells lose their end, and the session is told. Besides, the
state of the transaction (`T`, or `E` for failed) is taken from ReadyForQuery; asyncpg has only one word for both.

The messages: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

#: Bytes of a row up to which it passes as it is.
ROW_LIMIT = 16 << 20
#: Bytes of a cell that remain of it in a longer row; `SCRAP` once the row has used up its limit.
KEPT, SCRAP = 1 << 20, 1 << 10

_DATA_ROW, _READY = ord("D"), ord("Z")
_length = struct.Struct("!i").unpack_from
_count = struct.Struct("!h").unpack_from


@dataclass(frozen=True, slots=True)
class Shortened:
    """A cell that lost its end.

    Attributes:
        row: the row's number among those since `Guard.count` was reset.
        column: the column's number.
        size: bytes that it had.
    """

    row: int
    column: int
    size: int


class LongRow:
    """A DataRow that is read cell by cell, of which long cells keep their beginning only."""

    def __init__(self, size: int) -> None:
        """Begins.

        Args:
            size: bytes of the message without its type and length.
        """
        self.left = size
        self.cut: list[tuple[int, int]] = []  # column and size
        self._out = bytearray()
        self._need = bytearray()  # a number that is not all there yet
        self._columns = -1
        self._column = -1
        self._keep = self._skip = 0
        self._cell_size = 0

    def feed(self, data: memoryview) -> int:
        """Takes bytes; returns how many belonged to the row."""
        pos, end = 0, min(len(data), self.left)
        while pos < end:
            if self._keep:
                taken = min(self._keep, end - pos)
                self._out += data[pos : pos + taken]
                self._keep -= taken
                if not self._keep and self._skip:
                    self._trim()
            elif self._skip:
                taken = min(self._skip, end - pos)
                self._skip -= taken
            else:
                wanted = (2 if self._columns < 0 else 4) - len(self._need)
                taken = min(wanted, end - pos)
                self._need += data[pos : pos + taken]
                if taken == wanted:
                    self._number()
            pos += taken
        self.left -= pos
        return pos

    def _number(self) -> None:
        self._out += self._need
        if self._columns < 0:
            self._columns = _count(self._need)[0]
        else:
            self._column += 1
            self._cell_size = max(_length(self._need)[0], 0)
            most = KEPT if len(self._out) < ROW_LIMIT else SCRAP
            self._keep = min(self._cell_size, most)
            self._skip = self._cell_size - self._keep
        self._need.clear()

    def _trim(self) -> None:
        """What remains ends with a whole character, and its length says so."""
        kept = self._cell_size - self._skip
        lost = incomplete(self._out[-4:])
        if lost:
            del self._out[-lost:]
        at = len(self._out) - (kept - lost) - 4
        self._out[at : at + 4] = struct.pack("!i", kept - lost)
        self.cut.append((self._column, self._cell_size))

    def message(self) -> bytes:
        """The smaller row."""
        return b"D" + struct.pack("!i", len(self._out) + 4) + bytes(self._out)


def incomplete(tail: bytes | bytearray) -> int:
    """How many of the last bytes begin a character of UTF-8 without ending it."""
    for back in range(1, min(len(tail), 3) + 1):
        byte = tail[-back]
        if byte & 0xC0 == 0x80:
            continue
        size = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4 if byte & 0xF8 == 0xF0 else 1
        return back if size > back else 0
    return 0


class Guard(asyncio.Protocol):
    """Stands between transport and asyncpg's protocol once the session is logged in.

    Attributes:
        status: the last ReadyForQuery's: `I`, `T` or `E`.
        received: bytes so far.
        count: rows since it was last set.
        shortened: cells that lost their end, in order; whoever reads them clears them.
    """

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.status = "I"
        self.received = self.count = 0
        self.shortened: list[Shortened] = []
        self._inner = inner
        self._left = 0  # bytes of a message that are still to come
        self._head = b""  # the beginning of one that is not long enough to tell its length
        self._row: LongRow | None = None
        self._blind = False

    def data_received(self, data: bytes) -> None:
        """Passes on what comes, message by message where it matters."""
        self.received += len(data)
        if self._blind:
            self._inner.data_received(data)
            return
        if self._head:
            data, self._head = self._head + data, b""
        if self._row is not None:
            data = self._long(data)
        if data:
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        pos, size, rows = self._left, len(data), 0
        while pos + 5 <= size:
            length = _length(data, pos + 1)[0]
            kind = data[pos]
            if kind == _DATA_ROW:
                if length > ROW_LIMIT:
                    self.count += rows
                    self._begin(data, pos, length)
                    return
                rows += 1
            elif kind == _READY:
                if pos + 5 == size:  # all but the state itself
                    break
                self.status = chr(data[pos + 5])
            if length < 4:  # this is no message: better to see nothing than to see wrong
                self._blind = True
                break
            pos += length + 1
        self.count += rows
        if pos >= size or self._blind:
            self._left = pos - size
            self._inner.data_received(data)
        else:
            self._left, self._head = 0, data[pos:]
            if pos:
                self._inner.data_received(data[:pos])

    def _begin(self, data: bytes, pos: int, length: int) -> None:
        if pos:
            self._inner.data_received(data[:pos])
        self._left, self._row = 0, LongRow(length - 4)
        if rest := self._long(data[pos + 5 :]):
            self._pass(rest)

    def _long(self, data: bytes) -> bytes:
        """Feeds the long row; returns what follows it."""
        row = self._row
        assert row is not None  # noqa: S101
        used = row.feed(memoryview(data))
        if not row.left:
            self._row = None
            self.shortened += [Shortened(self.count, column, size) for column, size in row.cut]
            self.count += 1
            self._inner.data_received(row.message())
        return data[used:]

    def eof_received(self) -> bool | None:
        """Passed on."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Passed on."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Passed on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Passed on."""
        self._inner.resume_writing()
