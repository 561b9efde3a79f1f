"""asyncmy's connection with what a console must have otherwise: sockets, TLS, and packets that can be waited for.

Rows are taken from the driver's receive buffer by its own parser, many at a time. What the driver leaves open is closed
here: it reads on while nobody takes rows (the buffer grows without end), a cancelled wait costs it the connection, and
text that is no UTF-8 ends the result.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import Any

from asyncmy import errors
from asyncmy.connection import Connection
from asyncmy.constants import CLIENT, COMMAND
from asyncmy.protocol import FieldDescriptorPacket, MysqlPacket, OKPacketWrapper, parse_rows_from_buffer

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql import dialing
from tui.services.sql.model import Cell, Login, Options, Route, Row, TlsMode
from tui.services.sql.mysql_rows import WHOLE, LongRow

#: Status flags of the server (mysql_com.h).
IN_TRANSACTION, MORE_RESULTS = 1, 8
#: COM_QUIT, whole: three bytes of length, the packet's number, the command.
_QUIT = b"\1\0\0\0\1"
#: Plugins that hand the password over as it is.
_CLEAR = frozenset((b"mysql_clear_password", b"dialog", b"mysql_old_password"))
_lenient = functools.partial(str, encoding="utf-8", errors="replace")
#: How cells are decoded, in the parser's words: bytes as they are; UTF-8; UTF-8 with `�` for what is none.
BYTES, TEXT, BROKEN_TEXT = (0, None, None), (1, "utf8", None), (0, None, _lenient)


class Driver(Connection):  # type: ignore[misc] # the driver's types are not used
    """A connection over sockets of a route."""

    def __init__(self, route: Route, login: Login, options: Options, context: ssl.SSLContext | None) -> None:
        """Connects nothing yet."""
        self._ssl_context: ssl.SSLContext | None = None
        super().__init__(
            user=login.user, password=login.password.encode(), host=login.tls.name or route.host, port=route.port,
            database=login.database or None, ssl=context, autocommit=True,
            connect_timeout=options.connect_timeout, program_name=options.application,
        )  # fmt: skip
        self._loop = dialing.LoopProxy(route)
        # One statement at a time: what is held back until confirmed must not come along behind another one.
        self._client_flag &= ~CLIENT.MULTI_STATEMENTS
        self._route = route
        self._login = login

    @property
    def offers_tls(self) -> bool:
        """Whether the server said that it knows TLS."""
        return bool(getattr(self, "server_capabilities", 0) & CLIENT.SSL)

    def _set_keep_alive(self) -> None:
        """Socket pairs have none."""

    def _set_nodelay(self, value: bool) -> None:
        """Socket pairs have none."""

    async def _request_authentication(self) -> Any:  # noqa: ANN401 (a packet)
        if self._ssl_context is not None and not self.offers_tls:
            if self._login.tls.mode is not TlsMode.PREFER:
                raise ProblemError(dialing.refused_tls(self._route, self._login.tls))
            self._ssl_context = None
            self._client_flag &= ~CLIENT.SSL
        return await super()._request_authentication()

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:  # noqa: ANN401
        if plugin_name in _CLEAR and not self._secure:
            raise ProblemError(
                Problem(
                    Cause.CREDENTIALS, f"{self._route.member} wants the password in clear, without TLS",
                    f"authentication plugin {plugin_name.decode(errors='replace')}", "Turn TLS on at the server.",
                )
            )  # fmt: skip
        return await super()._process_auth(plugin_name, auth_packet)


class Wire:
    """One logged-in connection, packet by packet.

    Attributes:
        status: the server's flags as it last told them.
        warnings: how many the last result had.
        pending: whether something of the last statement is still to be read.
        cut: cells of the last rows that lost their end: row, column, bytes.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.status: int = driver.server_status
        self.warnings = 0
        self.pending = False
        self._columns = 0  # of the result whose rows are being read
        self.cut: list[tuple[int, int, int]] = []
        self._paused = False

    @property
    def broken(self) -> bool:
        """Whether the connection is of no use any more."""
        return not self.driver.connected or bool(self.driver._stream_broken)

    async def send(self, statement: str) -> None:
        """Sends a statement."""
        await self.driver._execute_command(COMMAND.COM_QUERY, statement.encode("utf-8", "surrogateescape"))
        self.pending = True

    async def first(self) -> OKPacketWrapper | list[Any]:
        """What begins a result: the OK of one without rows, else its columns.

        Raises:
            MySQLError: the server refused, or the connection is gone.
        """
        packet = await self._packet()
        if packet.is_ok_packet():
            answer = OKPacketWrapper(packet)
            self._told(answer.server_status, answer.warning_count)
            return answer
        if packet.is_load_local_packet():
            # Only a server that we were not told about asks for this: we never said that we had files to give.
            self.driver.close()
            raise errors.OperationalError(
                2068, "the server asked for a file of this machine (LOAD DATA LOCAL); refused"
            )
        try:
            fields = [await self._packet(FieldDescriptorPacket) for _ in range(packet.read_length_encoded_integer())]
            if not self.driver._deprecate_eof:
                await self._packet()
        except asyncio.CancelledError:
            self.driver.close()  # between two columns nobody could go on
            raise
        self._columns = len(fields)
        return fields

    async def discard(self) -> None:
        """Reads what is left of the last statement, for nobody.

        Raises:
            MySQLError: it ended with an error, or the connection is gone.
        """
        while self.pending:
            if not self._columns:
                await self.first()
            while self._columns:
                await self.rows([BYTES] * self._columns)

    def _told(self, status: int, warnings: int) -> None:
        self.status, self.warnings = status, warnings
        self.pending = bool(status & MORE_RESULTS)

    async def rows(self, decoders: list[tuple[Any, ...]], *, wait: bool = True) -> list[Row] | None:
        """The rows that are there, at least one; None at the end of the result.

        Args:
            decoders: `BYTES`, `TEXT` or `BROKEN_TEXT` for each column; changed when text turns out to be none.
            wait: whether rows are waited for; else the list may be empty.

        Raises:
            MySQLError: the server ended the result with an error, or the connection is gone.
        """
        self.cut = []
        while True:
            if found := self._parse(decoders):
                return found
            if not wait and self._available() < 4:
                return []
            size = await self._header()
            if size == WHOLE:
                return [await self._long_row(decoders)]
            await self._have(size + 4)
            kind = self.driver._proto.buffer[self.driver._proto.pos + 4]
            if kind == 0xFF or (kind == 0xFE and (self.driver._deprecate_eof or size < 9)):
                self._end(await self._next())
                return None
            if not (found := self._parse(decoders)):
                # Neither a row nor an end: the driver's reader has the words for what it is.
                return [(await self._next()).read_row(tuple(decoders))]
            return found

    def _parse(self, decoders: list[tuple[Any, ...]]) -> list[Row]:
        protocol, driver = self.driver._proto, self.driver
        for _ in range(2):
            rows: list[Row] = []
            try:
                protocol.pos, driver._next_seq_id = parse_rows_from_buffer(
                    protocol.buffer, protocol.pos, protocol.length, tuple(decoders), driver._next_seq_id, rows,
                    driver._deprecate_eof,
                )  # fmt: skip
            except UnicodeDecodeError:
                decoders[:] = [BROKEN_TEXT if decoder is TEXT else decoder for decoder in decoders]
                continue
            return rows
        raise errors.InternalError(2027, "a row cannot be decoded")

    def _end(self, packet: MysqlPacket) -> None:
        """EOF, or the OK packet that newer servers send in its place."""
        packet.advance(1)
        if self.driver._deprecate_eof:
            packet.read_length_encoded_integer()  # rows changed
            packet.read_length_encoded_integer()  # the last AUTO_INCREMENT
            status, warnings = packet.read_uint16(), packet.read_uint16()
        else:
            warnings, status = packet.read_uint16(), packet.read_uint16()
        self._columns = 0
        self._told(status, warnings)

    async def _long_row(self, decoders: list[tuple[Any, ...]]) -> Row:
        """A row of several packets."""
        row, driver = LongRow(), self.driver
        size = WHOLE
        while size == WHOLE:
            size = await self._header()
            driver._proto.pos += 4
            driver._next_seq_id = (driver._next_seq_id + 1) & 0xFF
            left = size
            while left:
                await self._have(1)
                protocol = driver._proto
                taken = min(left, protocol.length - protocol.pos)
                with memoryview(protocol.buffer) as view:
                    row.feed(view[protocol.pos : protocol.pos + taken])
                protocol.pos += taken
                left -= taken
        self.cut = [(0, column, length) for column, length in row.cut]
        return tuple(_decoded(cell, how) for cell, how in zip(row.cells, decoders, strict=True))

    def close(self) -> None:
        """Takes leave of the server, and closes."""
        dialing.part(self.driver._transport, _QUIT)
        self.driver.close()

    # --- waiting

    def pause(self) -> None:
        """Reads no more: the server has to wait."""
        transport = self.driver._transport
        if not self._paused and transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._paused = True

    def resume(self) -> None:
        """Reads again; also notices again when the connection goes."""
        transport = self.driver._transport
        if self._paused and transport is not None and not transport.is_closing():
            transport.resume_reading()
        self._paused = False

    def _available(self) -> int:
        return int(self.driver._proto.length - self.driver._proto.pos)

    async def _have(self, size: int) -> None:
        """Waits for bytes. Nothing is taken, so a cancelled wait loses nothing."""
        while self._available() < size:
            protocol = self.driver._proto
            if protocol.eof or protocol.exc is not None:
                words = f" ({protocol.exc})" if protocol.exc is not None else ""
                raise errors.OperationalError(2013, f"Lost connection to server during query{words}")
            self.resume()
            await protocol.wait_for_data(size)

    async def _header(self) -> int:
        """The size of the next packet."""
        await self._have(4)
        buffer, pos = self.driver._proto.buffer, self.driver._proto.pos
        return int(buffer[pos] | buffer[pos + 1] << 8 | buffer[pos + 2] << 16)

    async def _packet(self, kind: type[MysqlPacket] = MysqlPacket) -> Any:  # noqa: ANN401
        await self._have(4 + await self._header())
        return await self._next(kind)

    async def _next(self, kind: type[MysqlPacket] = MysqlPacket) -> Any:  # noqa: ANN401
        """A packet that has come."""
        try:
            return await self.driver.read_packet(kind)
        except errors.MySQLError:
            self.pending, self._columns = False, 0  # an error is the last word on a statement
            raise


def _decoded(cell: bytes | None, how: tuple[Any, ...]) -> Cell:
    return cell if cell is None or how is BYTES else cell.decode("utf-8", "replace")
