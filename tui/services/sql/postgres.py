"""Sessions with servers of PostgreSQL's protocol: PostgreSQL, CockroachDB, YugabyteDB.

Rows of a query come through a portal, of which so many are asked for at a time: the server holds the rest. A portal
lives as long as its transaction, so where there is none, one is begun for the query and ended with it. A statement
that is given up before its end has then changed nothing; and what returns rows but is no plain query (INSERT …
RETURNING, CALL, EXPLAIN, SHOW) goes without a portal, at once and whole.

The session's time-out is the server's `statement_timeout`. It ends any statement; of a query that comes in portions
each portion has it anew, and time in which nobody asks for rows does not count.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

from tui.problem import Cause, Problem, ProblemError
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
    Rows,
    ServerError,
    Transaction,
    Wire,
)
from tui.services.sql.postgres_exchange import Exchange, Portion

log = logging.getLogger(__name__)

#: Rows that are asked for first, at most, and bytes that a portion is meant to have.
FIRST, MOST, PORTION = 100, 5000, 1 << 20
_QUERIES = frozenset(("select", "values", "table", "with"))
_CHANGES = frozenset(("insert", "update", "delete", "merge"))
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
    session = PostgresSession(Exchange(await postgres_login.connect(route, login, options)), route, login, options)
    try:
        await session.begin()
    except BaseException:
        session.drop()
        raise
    return session


class PostgresSession:
    """A session; see `model.Session`."""

    def __init__(self, exchange: Exchange, route: Route, login: Login, options: Options) -> None:
        """Takes over a connection, and the route with it."""
        self._exchange = exchange
        self._route = route
        self._login = login
        self._options = options
        self._facts: Facts | None = None
        #: Held while a statement is being ended, so that none of it reaches the next one.
        self._ending = asyncio.Lock()
        self._running = self._paused = self._unsure = False
        self._portals = 0
        self._portal: tuple[str, bool] | None = None  # its name, and whether its transaction is ours
        #: What is under way: a statement, or rows that are fetched while the last ones are looked at.
        self._step: asyncio.Future[Portion] | None = None

    async def begin(self) -> None:
        """Makes the session as it was asked for, and asks who the server is."""
        exchange, wanted = self._exchange, []
        if seconds := self._options.statement_timeout:
            wanted.append(f"SET statement_timeout = {round(seconds * 1000)}")
        if exchange.bytewise:  # the server converts nothing, and the driver must not refuse what is no UTF-8
            wanted.append("SET client_encoding = 'LATIN1'")
        if self._options.read_only:
            wanted.append("SET default_transaction_read_only = on")
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                if wanted:
                    await exchange.simple("; ".join(wanted))
                version, database, user, read_only = (await exchange.whole(_FACTS))[0]
                replica = await self._in_recovery()
        except TimeoutError:
            raise
        except Exception as error:
            raise self._failed(error, "") from error
        engine, number = postgres_login.engine_of(version or "")
        reason = "default_transaction_read_only" if read_only == "on" else ""
        self._facts = Facts(
            engine, number, postgres_login.numbers(number), self._route.member, replica,
            "asked for" if self._options.read_only else reason,
            dialing.tls_text(exchange.connection._transport, self._login.tls), database or "", user or "",
            exchange.connection.get_server_pid(),
        )  # fmt: skip

    async def _in_recovery(self) -> bool | None:
        told = self._hot_standby
        if told is not None:
            return told
        try:
            return (await self._exchange.whole("SELECT pg_is_in_recovery()::text"))[0][0] == "true"
        except Exception as error:  # not every server of this protocol has it
            if self._exchange.closed:
                raise
            log.debug("no word of recovery: %s", error)
            return None

    @property
    def _hot_standby(self) -> bool | None:
        """What PostgreSQL 14 and later report by themselves, also when a standby is promoted."""
        told = self._exchange.setting("in_hot_standby")
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
        # PostgreSQL 14 and later report this by themselves, too: SET, or ALTER SYSTEM by somebody else.
        default = self._exchange.setting("default_transaction_read_only")
        if default is not None and facts.read_only != "asked for":
            facts = replace(facts, read_only="default_transaction_read_only" if default == "on" else "")
        if replica and facts.read_only != "asked for":
            return replace(facts, replica=True, read_only="the server is in recovery")
        return replace(facts, replica=replica)

    @property
    def transaction(self) -> Transaction:
        """Where it stands; the transaction of a query that is being read is not the user's."""
        if self._portal is not None and self._portal[1]:
            return Transaction.NONE
        return self._exchange.state

    async def alive(self) -> bool:
        """Whether the connection still stands."""
        return not self._exchange.closed

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
        self._running, self._paused, self._unsure, self._exchange.cancelled = True, False, False, False
        before = self.transaction
        try:
            async for event in self._run(statement, batch):
                yield event
        except (ServerError, Lost, GeneratorExit, asyncio.CancelledError):
            raise
        except Exception as error:
            for notice in self._exchange.told():
                yield notice
            raise self._failed(error, statement, before) from error
        finally:
            try:
                async with self._ending:
                    await self._give_up()
            finally:
                self._running = False

    async def _run(self, statement: str, batch: int) -> AsyncIterator[Event]:
        clock, exchange = Clock(), self._exchange
        state = await exchange.prepare(statement)
        columns = exchange.columns(state)
        first = words.first_word(statement, Wire.POSTGRES)
        changes = first == "with" and words.has_word(statement, Wire.POSTGRES, _CHANGES)
        if columns and first in _QUERIES and not changes:
            async for event in self._stream(state, columns, batch, clock):
                yield event
            return
        self._unsure = exchange.state is Transaction.NONE or words.may_commit(statement, Wire.POSTGRES)
        async for notice in self._begin(exchange.execute(state)):  # a long block says what it is at
            yield notice
        portion = self._stepped()
        self._unsure = False
        for notice in exchange.told():
            yield notice
        rows = portion.rows
        if columns:
            yield Columns(columns)
            for one in portion.cut:
                yield shortened(rows, one.row, one.column, one.size)
            for start in range(0, len(rows), batch):
                with clock.idle():
                    yield Rows(rows[start : start + batch])
        number = portion.tag.rpartition(" ")[2]
        count = int(number) if number.isdecimal() else len(rows) if columns else None
        yield Done(portion.tag, count, clock.seconds)

    async def _stream(self, state: Any, columns: tuple[Column, ...], batch: int, clock: Clock) -> AsyncIterator[Event]:  # noqa: ANN401
        exchange = self._exchange
        ours = exchange.state is Transaction.NONE
        self._portals += 1
        self._portal = name, _ = f"statetui_{self._portals}", ours
        if ours:
            await exchange.simple("BEGIN")
        wanted, total = min(FIRST, batch), 0
        async for notice in self._begin(exchange.open_portal(state, name, wanted)):
            yield notice
        portion = self._stepped()
        yield Columns(columns)
        while True:
            rows = portion.rows
            if rows:
                wanted = max(min(wanted * 4, PORTION * len(rows) // max(portion.size, 1), MOST), 1)
            if ours and not portion.last:
                # The server works at the next ones while these are looked at. Not so in the user's transaction: ended
                # early, that would be failed.
                self._step = asyncio.ensure_future(exchange.fetch(state, name, wanted))
            notices = [shortened(rows, one.row, one.column, one.size, total) for one in portion.cut]
            for notice in (*exchange.told(), *notices):
                yield notice
            total += len(rows)
            for start in range(0, len(rows), batch):
                self._paused = True
                with clock.idle():
                    yield Rows(rows[start : start + batch])
                self._paused = False
            if portion.last:
                break
            async for notice in self._begin(None if self._step else exchange.fetch(state, name, wanted)):
                yield notice
            portion = self._stepped()
        if ours:
            self._unsure = True
            await exchange.simple("COMMIT")
            self._unsure = False
        else:
            await exchange.close_portal(name)
        self._portal = None
        for notice in exchange.told():
            yield notice
        yield Done(f"SELECT {total}", total, clock.seconds)

    async def _begin(self, step: Coroutine[Any, Any, Portion] | None) -> AsyncIterator[Notice]:
        """Begins a step, unless one is under way, and tells what the server says until it is over."""
        under_way = self._step
        if step is not None:
            under_way = self._step = asyncio.ensure_future(step)
        while under_way is not None and not await self._exchange.heard(under_way):
            for notice in self._exchange.told():
                yield notice

    def _stepped(self) -> Portion:
        """What the step that is over has brought."""
        step, self._step = self._step, None
        assert step is not None  # noqa: S101 (it was waited for)
        return step.result()

    # --- ending

    def _failed(self, error: BaseException, statement: str, before: Transaction = Transaction.NONE) -> Exception:
        """What becomes of an exception of the driver's."""
        fatal = postgres_errors.is_fatal(error)
        if fatal or self._exchange.closed or isinstance(error, postgres_errors.connection_errors()):
            said = str(error) if fatal else ""
            opened = before in (Transaction.OPEN, Transaction.FAILED)
            # A server that says why it ends the connection has not carried the statement out.
            return Lost(dialing.lost(self._route, said), opened, self._unsure and not fatal)
        refusal = postgres_errors.server_error(
            error, statement, ours=self._exchange.cancelled, bytewise=self._exchange.bytewise
        )
        if not refusal.code:
            log.error("an answer could not be read: %s", type(error).__name__)  # its text may hold what was read
        return with_way_out(refusal, self.facts if self._facts is not None else None)

    async def _give_up(self) -> None:
        """Ends on the server what is left of a query, so that the next statement finds the session as it was."""
        portal, self._portal = self._portal, None
        step, self._step = self._step, None
        if step is not None:
            step.cancel()
            await asyncio.wait({step})
            if not step.cancelled():
                step.exception()  # nobody is interested any more
        if portal is None or self._exchange.closed:
            return
        name, ours = portal
        try:
            await self._exchange.end(name, ours=ours)
        except Exception as error:
            log.info("a query could not be ended: %s", error)
            if ours and await self.alive() and self._exchange.state is not Transaction.NONE:
                self.drop()

    async def cancel(self) -> None:
        """Cancels what runs; where only the reader pauses, the query is ended at once.

        Raises:
            ProblemError: the second connection did not come about.
        """
        async with self._ending:
            if not self._running or self._exchange.cancelled:
                return
            self._exchange.cancelled = True
            if self._paused:
                await self._give_up()
            elif self._exchange.waiting:  # else the next exchange sees it
                await self._request_cancel()

    async def _request_cancel(self) -> None:
        what = f"{self._route.member} did not take the cancellation"
        problem = Problem(Cause.TIMEOUT, what, "", "Close the session to be rid of it.")
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                await self._exchange.request_cancel()
        except TimeoutError as error:
            raise ProblemError(problem) from error
        except OSError as error:
            raise ProblemError(replace(problem, cause=Cause.UNREACHABLE, evidence=str(error))) from error

    def drop(self) -> None:
        """Closes without a word."""
        self._exchange.drop()

    async def close(self) -> None:
        """Ends the session and its way."""
        self._exchange.close()
        await self._route.close()
