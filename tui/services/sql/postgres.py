"""Sessions with servers of PostgreSQL's protocol: PostgreSQL, CockroachDB, YugabyteDB.

Rows of a query come through a portal, of which so many are asked for at a time: the server holds the rest. A portal
lives as long as its transaction, so where there is none, one is begun for the query and ended with it. A statement that is
given up before its end has then changed nothing; and what returns rows but is no plain query (INSERT … RETURNING, CALL,
EXPLAIN, SHOW) goes without a portal, at once and whole.

The session's time-out is the server's `statement_timeout`. It ends any statement; of a query that comes in portions
each portion has it anew, and time in which nobody asks for rows does not count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import asyncpg
from asyncpg import connect_utils

from tui.services.sql import dialing, postgres_errors, postgres_login, words
from tui.services.sql.gridded import Clock, shortened, with_way_out
from tui.services.sql.model import (
    Column,
    Columns,
    Done,
    Event,
    Facts,
    Login,
    Lost,
    Notice,
    Options,
    Route,
    Row,
    Rows,
    ServerError,
    Transaction,
    Wire,
)
from tui.services.sql.postgres_types import LOOK_UP, Types, revive
from tui.services.sql.postgres_wire import Guard

log = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Rows that are asked for first, at most, and bytes that a portion is meant to have.
FIRST, MOST, PORTION = 100, 5000, 1 << 20
_QUERIES = frozenset(("select", "values", "table", "with"))
_CHANGES = frozenset(("insert", "update", "delete", "merge"))
_STATES = {"I": Transaction.NONE, "T": Transaction.OPEN, "E": Transaction.FAILED}
_FACTS = (
    "SELECT version()::text, current_database()::text, current_user::text, "
    "current_setting('transaction_read_only')::text"
)


async def open_postgres(route: Route, login: Login, options: Options) -> PostgresSession:
    """A session that is logged in.

    Raises:
        ProblemError: why there is none.
        ServerError: the server refused what the session needs.
    """
    connection = await postgres_login.connect(route, login, options)
    session = PostgresSession(connection, route, login, options)
    try:
        await session.begin()
    except BaseException:
        connection.terminate()
        raise
    return session


class PostgresSession:
    """A session; see `model.Session`."""

    def __init__(self, connection: Any, route: Route, login: Login, options: Options) -> None:  # noqa: ANN401
        """Takes over an asyncpg connection, and the route with it."""
        self._connection = connection
        self._protocol = connection._protocol
        self._route = route
        self._login = login
        self._options = options
        settings = connection.get_settings()
        self._bytewise = str(getattr(settings, "server_encoding", "")).upper() == "SQL_ASCII"
        self._revive = revive if self._bytewise else str
        self._types = Types(self._protocol.get_settings(), revive if self._bytewise else None)
        self._guard = Guard(connection._protocol)
        connection._transport.set_protocol(self._guard)
        connection.add_log_listener(lambda _, message: self._notices.append(message))
        self._notices: list[Any] = []
        self._lock = asyncio.Lock()
        self._running = self._waiting = self._cancelled = self._unsure = False
        self._portal: tuple[str, bool] | None = None  # its name, and whether its transaction is ours
        self._portals = 0
        self._facts: Facts | None = None

    async def begin(self) -> None:
        """Makes the session as it was asked for, and asks who the server is."""
        wanted = [f"SET statement_timeout = {round(self._options.statement_timeout * 1000)}"] * bool(
            self._options.statement_timeout
        )
        if self._bytewise:  # the server converts nothing, and the driver must not refuse what is no UTF-8
            wanted.append("SET client_encoding = 'LATIN1'")
        if self._options.read_only:
            wanted.append("SET default_transaction_read_only = on")
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                if wanted:
                    await self._protocol.query("; ".join(wanted), None)
                version, database, user, read_only = (await self._whole(_FACTS))[0]
                replica = await self._in_recovery()
        except Exception as error:
            raise self._failed(error, "") from error
        engine, number = postgres_login.engine_of(version or "")
        reason = (
            "asked for" if self._options.read_only else "default_transaction_read_only" if read_only == "on" else ""
        )
        self._facts = Facts(
            engine, number, postgres_login.numbers(number), self._route.member, replica, reason,
            dialing.tls_text(self._connection._transport, self._login.tls), database or "", user or "",
            self._connection.get_server_pid(),
        )  # fmt: skip

    async def _in_recovery(self) -> bool | None:
        told = self._hot_standby
        if told is not None:
            return told
        try:
            return (await self._whole("SELECT pg_is_in_recovery()::text"))[0][0] == "true"
        except Exception as error:  # CockroachDB has it since 22.2 only
            if self._connection.is_closed():
                raise
            log.debug("no word of recovery: %s", error)
            return None

    @property
    def _hot_standby(self) -> bool | None:
        """What PostgreSQL 14 and later report by themselves, also when a standby is promoted."""
        told = getattr(self._connection.get_settings(), "in_hot_standby", None)
        return None if told is None else told == "on"

    # --- what is known

    @property
    def wire(self) -> Wire:
        """The protocol."""
        return Wire.POSTGRES

    @property
    def facts(self) -> Facts:
        """What is known of it now."""
        assert self._facts is not None  # noqa: S101 (begun)
        facts, standby = self._facts, self._hot_standby
        replica = facts.replica if standby is None else standby
        return replace(facts, replica=replica, read_only="the server is in recovery" if replica else facts.read_only)

    @property
    def transaction(self) -> Transaction:
        """Where it stands; the transaction of a query that is being read is not the user's."""
        if self._portal is not None and self._portal[1]:
            return Transaction.NONE
        return _STATES.get(self._guard.status, Transaction.NONE)

    async def alive(self) -> bool:
        """Whether the connection still stands."""
        return not self._connection.is_closed() and not self._connection._transport.is_closing()

    # --- running

    async def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        """Runs one statement; see `model.Session.run`."""
        if self._running:
            raise ServerError("another statement still runs in this session")
        if words.copies_stream(statement):
            raise ServerError(
                "COPY from STDIN and to STDOUT is not for consoles", "0A000",
                hint="Export a query's rows instead; or use psql: `statetui sql WORKLOAD --psql`.",
            )  # fmt: skip
        if self._options.read_only and words.leaves_read_only(statement, Wire.POSTGRES):
            raise ServerError("this session is read-only, and stays so", "25006", hint="Open one that may write.")
        self._running, self._cancelled, self._unsure = True, False, False
        before = self.transaction
        try:
            async for event in self._run(statement, batch):
                yield event
        except (ServerError, Lost, GeneratorExit, asyncio.CancelledError):
            raise
        except Exception as error:
            for notice in self._told():
                yield notice
            raise self._failed(error, statement, before) from error
        finally:
            try:
                await self._give_up()
            finally:
                self._running = False

    async def _run(self, statement: str, batch: int) -> AsyncIterator[Event]:
        clock = Clock()
        state = await self._ask(self._prepare(statement))
        columns = self._columns(state)
        first = words.first_word(statement, Wire.POSTGRES)
        if columns and first in _QUERIES and not (
            first == "with" and words.has_word(statement, Wire.POSTGRES, _CHANGES)
        ):  # fmt: skip
            async for event in self._stream(state, columns, batch, clock):
                yield event
            return
        self._unsure = self._guard.status == "I" or words.may_commit(statement, Wire.POSTGRES)
        self._guard.count = 0
        records, status, _ = await self._ask(self._protocol.bind_execute(state, (), "", 0, True, None))
        self._unsure = False
        tag = status.decode() if status else ""
        for notice in self._told():
            yield notice
        if columns:
            yield Columns(columns)
            rows, notices = self._rows(records, 0)
            for notice in notices:
                yield notice
            for start in range(0, len(rows), batch):
                with clock.idle():
                    yield Rows(rows[start : start + batch])
        number = tag.rpartition(" ")[2]
        yield Done(tag, int(number) if number.isdecimal() else len(records) if columns else None, clock.seconds)

    async def _stream(self, state: Any, columns: tuple[Column, ...], batch: int, clock: Clock) -> AsyncIterator[Event]:  # noqa: ANN401
        ours = self._guard.status == "I"
        self._portals += 1
        self._portal = name, _ = f"statetui_{self._portals}", ours
        if ours:
            await self._ask(self._protocol.query("BEGIN", None))
            state.mark_unprepared()  # a simple query forgets the unnamed statement; Bind brings it along again
        wanted, total, done = min(FIRST, batch), 0, False
        bound = False
        while not done:
            self._guard.count, before = 0, self._guard.received
            if bound:
                step = self._protocol.execute(state, name, wanted, True, None)
            else:
                step = self._protocol.bind_execute(state, (), name, wanted, True, None)
            records, _, done = await self._ask(step)
            if not bound:
                bound = True
                yield Columns(columns)
            rows, notices = self._rows(records, total)
            for notice in (*self._told(), *notices):
                yield notice
            total += len(rows)
            if rows:
                fitting = PORTION * len(rows) // max(self._guard.received - before, 1)
                wanted = max(min(wanted * 4, fitting, MOST), 1)
            for start in range(0, len(rows), batch):
                with clock.idle():
                    yield Rows(rows[start : start + batch])
        if ours:
            self._unsure = True
            await self._ask(self._protocol.query("COMMIT", None))
            self._unsure = False
        else:
            await self._ask(self._protocol.close_portal(name, None))
        self._portal = None
        for notice in self._told():
            yield notice
        yield Done(f"SELECT {total}", total, clock.seconds)

    async def _prepare(self, statement: str) -> Any:  # noqa: ANN401 (asyncpg's state)
        """Describes a statement, and learns of its types."""
        state = await self._protocol.prepare("", statement, None, record_class=asyncpg.Record)
        if missing := state._init_types():
            rows = await self._whole(LOOK_UP.format(",".join(map(str, sorted(missing)))))
            self._types.add(missing, {int(row[0] or 0): (row[1] or "", row[2] or "") for row in rows})
            state._init_types()
            state.mark_unprepared()
        state._init_codecs()
        return state

    async def _whole(self, statement: str) -> list[tuple[str | None, ...]]:
        """The rows of a statement of ours, whose types are known."""
        state = await self._protocol.prepare("", statement, None, record_class=asyncpg.Record)
        state._init_codecs()
        records, _, _ = await self._protocol.bind_execute(state, (), "", 0, True, None)
        return [tuple(record) for record in records]

    async def _ask(self, step: Awaitable[_T]) -> _T:
        """One exchange with the server, unless the statement was cancelled meanwhile."""
        async with self._lock:
            if self._cancelled:
                step.close()  # type: ignore[attr-defined] # a coroutine that has not begun
                raise postgres_errors.canceled_by_us()
            self._waiting = True
            try:
                return await step
            finally:
                self._waiting = False

    def _columns(self, state: Any) -> tuple[Column, ...]:  # noqa: ANN401
        return tuple(
            Column(self._revive(attribute.name), *self._types.of(attribute.type.oid))
            for attribute in state._get_attributes()
        )

    def _rows(self, records: Iterable[Any], before: int) -> tuple[Sequence[Row], list[Notice]]:
        rows: list[Row] = [tuple(record) for record in records]
        cut, self._guard.shortened = self._guard.shortened, []
        return rows, [shortened(rows, one.row, one.column, one.size, before) for one in cut]

    def _told(self) -> list[Notice]:
        told, self._notices = self._notices, []
        return [postgres_errors.notice_of(message) for message in told]

    # --- ending

    def _failed(self, error: BaseException, statement: str, before: Transaction = Transaction.NONE) -> Exception:
        """What becomes of an exception of the driver's."""
        fatal = postgres_errors.is_fatal(error)
        if fatal or self._connection.is_closed() or isinstance(error, postgres_errors.connection_errors()):
            said = str(error) if fatal else ""
            opened = before in (Transaction.OPEN, Transaction.FAILED)
            # A server that says why it ends the connection has not carried the statement out.
            return Lost(dialing.lost(self._route, said), opened, self._unsure and not fatal)
        refusal = postgres_errors.server_error(error, statement, ours=self._cancelled, bytewise=self._bytewise)
        if not refusal.code:
            log.error("an answer could not be read: %s", type(error).__name__)  # its text may hold what was read
        return with_way_out(refusal, self._facts and self.facts)

    async def _give_up(self) -> None:
        """Ends on the server what is left of a query, so that the next statement finds the session as it was."""
        portal, self._portal = self._portal, None
        if portal is None or self._connection.is_closed():
            return
        name, ours = portal
        try:
            async with self._lock:
                if ours:
                    if self._guard.status != "I" or self._protocol._is_cancelling():
                        await self._protocol.query("ROLLBACK", None)
                elif self._guard.status == "T":
                    await self._protocol.close_portal(name, None)
        except Exception as error:
            log.info("a query could not be ended: %s", error)
            if not self._connection.is_closed() and self._guard.status != "I" and ours:
                self._connection.terminate()

    async def cancel(self) -> None:
        """Cancels what runs; where only the reader pauses, the query is ended at once.

        Raises:
            ProblemError: the second connection did not come about.
        """
        if not self._running or self._cancelled:
            return
        self._cancelled = True
        if not self._waiting:
            await self._give_up()
            return
        await connect_utils._cancel(
            loop=self._connection._loop, addr=self._connection._addr, params=self._connection._params,
            backend_pid=self._protocol.backend_pid, backend_secret=self._protocol.backend_secret,
        )  # fmt: skip

    async def close(self) -> None:
        """Ends the session and its way."""
        try:
            async with asyncio.timeout(2):
                await self._connection.close()
        except Exception as error:
            log.debug("a session ended with %s", error)
            self._connection.terminate()
        finally:
            await self._route.close()
