"""Sessions with servers of MySQL's protocol: MySQL, MariaDB, Vitess.

Rows are read as the server sends them, and no faster than they are asked for: what nobody has taken yet waits in the
sockets, and then at the server, which keeps its resources (and a metadata lock) until the last one is taken or the
statement is cancelled. The protocol has no cancel: `KILL QUERY` goes over a second connection with the same login.

The session's time-out is the server's. MariaDB's `max_statement_time` ends any statement but does not count stored
procedures' parts; MySQL's `max_execution_time` ends SELECTs only, and none within a stored procedure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

from asyncmy import errors

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql import dialing, mysql_login, words
from tui.services.sql.gridded import Clock, shortened, with_way_out
from tui.services.sql.model import (
    Columns,
    Done,
    Engine,
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
from tui.services.sql.mysql_columns import columns_of, tag_of
from tui.services.sql.mysql_driver import IN_TRANSACTION
from tui.services.sql.mysql_driver import Wire as Connection
from tui.services.sql.mysql_errors import GONE, cancelled_by_us, server_error
from tui.services.sql.postgres_login import numbers

log = logging.getLogger(__name__)

#: Seconds that the rest of a result is read for before the server is told to send no more.
PATIENCE = 0.05
# The session's: of those that a server alone has it tells the global value.
_VARIABLES = (
    "SHOW SESSION VARIABLES WHERE Variable_name IN "
    "('version_comment', 'read_only', 'super_read_only', 'transaction_read_only', 'tx_read_only')"
)
#: First words of statements after which a server may take writes or not, and follow another one or not.
_TURNS = frozenset(("set", "start", "stop", "reset", "change"))
#: Refusals that say that it does not take writes, which it may have done before: read_only, super_read_only or a
#: read-only transaction.
_REFUSES_WRITES = frozenset((1290, 1792, 1836))


async def open_mysql(route: Route, login: Login, options: Options) -> MySqlSession:
    """A session that is logged in.

    Raises:
        ProblemError: why there is none.
        ServerError: the server refused what the session needs.
    """
    session = MySqlSession(Connection(await mysql_login.connect(route, login, options)), route, login, options)
    try:
        async with asyncio.timeout(options.connect_timeout):
            await session.begin()
    except BaseException:
        session.drop()
        raise
    return session


class MySqlSession:
    """A session; see `model.Session`."""

    def __init__(self, connection: Connection, route: Route, login: Login, options: Options) -> None:
        """Takes over a connection, and the route with it."""
        self._connection = connection
        self._route = route
        self._login = login
        self._options = options
        self._facts: Facts | None = None
        #: Held while a statement is being ended, so that none of it reaches the next one.
        self._ending = asyncio.Lock()
        self._lock = asyncio.Lock()  # who reads from the connection
        self._running = self._reading = self._cancelled = self._unsure = self._stale = False

    async def begin(self) -> None:
        """Asks who the server is, and makes the session as it was asked for."""
        version, database, user = (await self._whole("SELECT VERSION(), DATABASE(), CURRENT_USER()"))[0]
        variables = await self._variables()
        engine, number = mysql_login.engine_of(str(version), variables.get("version_comment", ""))
        self._facts = Facts(
            engine, number, numbers(number), self._route.member, None, self._reason(variables, engine),
            dialing.tls_text(self._connection.driver._transport, self._login.tls), str(database or ""), str(user or ""),
            int(self._connection.driver.server_thread_id[0]),
        )  # fmt: skip
        self._facts = replace(self._facts, replica=await self._is_replica())
        if self._options.read_only:
            await self._whole("SET SESSION TRANSACTION READ ONLY")
        if seconds := self._options.statement_timeout:
            await self._limit(seconds)

    async def _variables(self) -> dict[str, str]:
        return {str(row[0]).lower(): str(row[1]) for row in await self._whole(_VARIABLES)}

    async def _look_again(self) -> None:
        """Takes note of whether the server takes writes, and follows another one, now.

        Only where there is a reason to: each question of ours takes the place of what SHOW WARNINGS and ROW_COUNT()
        would have told of the user's last statement.
        """
        try:
            reason = self._reason(await self._variables(), self.facts.engine)
            self._facts = replace(self.facts, read_only=reason, replica=await self._is_replica())
        except mysql_login.FAILURES as error:
            if self._connection.broken:
                raise
            log.debug("no word of whether it takes writes: %s", error)

    def _reason(self, variables: dict[str, str], engine: Engine) -> str:
        if self._options.read_only:
            return "asked for"
        if engine is Engine.VITESS:
            return ""  # a gateway answers with the variables of one tablet
        for name in ("super_read_only", "transaction_read_only", "tx_read_only"):
            if variables.get(name, "OFF").upper() in ("ON", "1"):
                return name
        if variables.get("read_only", "OFF").upper() not in ("OFF", "0"):
            return "read_only, from which administrators are exempt"
        return ""

    async def _is_replica(self) -> bool | None:
        """Whether it follows another one; None without the right to know (REPLICATION CLIENT, or SLAVE MONITOR)."""
        facts = self.facts
        if facts.engine is Engine.VITESS:
            return None
        new = facts.number >= ((10, 5, 1) if facts.engine is Engine.MARIADB else (8, 0, 22))
        try:
            return bool(await self._whole("SHOW REPLICA STATUS" if new else "SHOW SLAVE STATUS"))
        except errors.MySQLError as error:
            if self._connection.broken:
                raise self._failed(error, "") from error
            log.debug("no word of replication: %s", error)
            return None

    async def _limit(self, seconds: float) -> None:
        mariadb = self.facts.engine is Engine.MARIADB
        wanted = f"max_statement_time = {seconds}" if mariadb else f"max_execution_time = {round(seconds * 1000)}"
        try:
            await self._whole(f"SET SESSION {wanted}")
        except errors.MySQLError as error:  # MySQL before 5.7.8 has none
            raise self._failed(error, f"SET SESSION {wanted}") from error

    # --- what is known

    @property
    def wire(self) -> Wire:
        """The protocol."""
        return Wire.MYSQL

    @property
    def facts(self) -> Facts:
        """What is known of it now."""
        assert self._facts is not None  # noqa: S101 (begun)
        return self._facts

    @property
    def transaction(self) -> Transaction:
        """Where it stands, as the server last said: its flags come with the end of each result."""
        return Transaction.OPEN if self._connection.status & IN_TRANSACTION else Transaction.NONE

    async def alive(self) -> bool:
        """Whether the connection still stands."""
        return not self._connection.broken

    # --- running

    async def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        """Runs one statement; see `model.Session.run`."""
        if self._running:
            raise ServerError("another statement still runs in this session")
        if self._options.read_only and words.leaves_read_only(statement, Wire.MYSQL):
            raise ServerError(
                "this session is read-only, and stays so", "25006/1792", hint="Open one that may write."
            )  # fmt: skip
        self._running, self._cancelled, self._unsure = True, False, False
        before = self.transaction
        try:
            if self._stale:
                await self._absorb()
            async for event in self._run(statement, batch, before):
                yield event
        except mysql_login.FAILURES as error:
            failure = self._failed(error, statement, before)
            if mysql_login.number_of(error) in _REFUSES_WRITES and not self._connection.broken:
                await self._look_again()
            raise failure from error
        finally:
            try:
                async with self._ending:
                    await self._give_up()
            finally:
                self._running = False

    async def _run(self, statement: str, batch: int, before: Transaction) -> AsyncIterator[Event]:
        clock, connection = Clock(), self._connection
        self._unsure = before is Transaction.NONE or words.may_commit(statement, Wire.MYSQL)
        async with self._lock:
            await connection.send(statement)
        warnings = 0
        while connection.pending:
            answer = await self._ask(connection.first())
            if isinstance(answer, list):
                async for event in self._read(answer, batch, clock):
                    yield event
            else:
                yield Done(tag_of(answer.message), answer.affected_rows, clock.seconds)
            warnings += connection.warnings
        self._unsure = False
        found = words.words(statement, Wire.MYSQL)
        if warnings and found[:1] != ["show"]:
            for level, code, message in await self._whole("SHOW WARNINGS"):
                yield Notice(str(level).upper(), str(message), str(code))
        if found and found[0] in _TURNS:
            await self._look_again()
        if found[:1] == ["use"]:
            ((database,),) = await self._whole("SELECT DATABASE()")
            self._facts = replace(self.facts, database=str(database or ""))

    async def _read(self, fields: list[Any], batch: int, clock: Clock) -> AsyncIterator[Event]:
        columns, decoders = columns_of(fields)
        yield Columns(columns)
        total = 0
        while (rows := await self._ask(self._connection.rows(decoders))) is not None:
            for row, column, size in self._connection.cut:
                yield shortened(rows, row, column, size, total)
            total += len(rows)
            for start in range(0, len(rows), batch):
                if not self._cancelled:  # else the rest is being thrown away, by whoever cancelled
                    self._connection.pause()
                with clock.idle():
                    yield Rows(rows[start : start + batch])
        if self._cancelled:  # a sleep that is interrupted ends as if nothing were
            raise cancelled_by_us()
        yield Done(f"{total:,} row{'' if total == 1 else 's'} in set", total, clock.seconds)

    async def _ask(self, step: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 (what the connection gives)
        """Reads, unless a cancellation has left nothing to read."""
        async with self._lock:
            if not self._connection.pending:
                step.close()
                raise cancelled_by_us()
            self._reading = True
            try:
                return await step
            finally:
                self._reading = False

    async def _whole(self, statement: str) -> list[Row]:
        """The rows of a small statement of ours; they say nothing of the user's transaction that was not so before."""
        async with self._lock:
            await self._connection.send(statement)
            answer = await self._connection.first()
            found: list[Row] = []
            if isinstance(answer, list):
                _, decoders = columns_of(answer)
                while (rows := await self._connection.rows(decoders)) is not None:
                    found += rows
            return found

    # --- ending

    def _failed(self, error: BaseException, statement: str, before: Transaction = Transaction.NONE) -> Exception:
        """What becomes of an exception of the driver's."""
        number = mysql_login.number_of(error)
        if self._connection.broken or number in GONE or not isinstance(error, errors.MySQLError):
            said = mysql_login.words_of(error)
            told = number in (1053, 1927)  # the server says that it ends the connection, not what became of the rest
            self.drop()
            return Lost(dialing.lost(self._route, said), before is Transaction.OPEN, self._unsure and not told)
        return with_way_out(server_error(error, statement, ours=self._cancelled), self._facts)

    async def _give_up(self) -> None:
        """Reads the rest of a statement, and has the server end it if there is much, so that the next one finds the
        session as it was.
        """
        self._connection.resume()
        if not self._connection.pending or self._connection.broken:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._drain()
        except TimeoutError:
            if not self._cancelled:
                self._cancelled = True
                try:
                    await self._kill()
                except ProblemError as error:
                    log.info("a statement could not be ended: %s", error.problem)
                    self.drop()
                    return
            await self._drain()

    async def _drain(self) -> None:
        async with self._lock:
            try:
                await self._connection.discard()
            except mysql_login.FAILURES as error:
                log.debug("the rest of a statement: %s", error)
                if not isinstance(error, errors.MySQLError):
                    self.drop()

    async def _absorb(self) -> None:
        """A KILL QUERY that came late would end the next statement: let it be this one."""
        self._stale = False
        try:
            await self._whole("DO 0")
        except errors.MySQLError as error:
            if self._connection.broken:
                raise
            log.debug("a late cancellation: %s", error)

    async def _kill(self) -> None:
        """KILL QUERY over a second connection.

        Raises:
            ProblemError: it did not come about.
        """
        self._stale = True
        other = Connection(await mysql_login.connect(self._route, self._login, self._options))
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                await other.send(f"KILL QUERY {self.facts.session}")
                await other.first()
        except TimeoutError as error:
            what = f"{self._route.member} did not take the cancellation"
            raise ProblemError(Problem(Cause.TIMEOUT, what, "", "Close the session to be rid of it.")) from error
        except errors.MySQLError as error:
            if mysql_login.number_of(error) != 1094:  # no such thread: it is over
                raise ProblemError(dialing.lost(self._route, mysql_login.words_of(error))) from error
        finally:
            other.driver.close()

    async def cancel(self) -> None:
        """Cancels what runs; where only the reader pauses, what the server still sends is thrown away.

        Raises:
            ProblemError: the second connection did not come about.
        """
        async with self._ending:
            if not self._running or self._cancelled:
                return
            self._cancelled = True
            await self._kill()
            if not self._reading and self._connection.pending:
                self._connection.resume()
                await self._drain()

    def drop(self) -> None:
        """Closes without a word."""
        self._connection.driver.close()

    async def close(self) -> None:
        """Ends the session and its way."""
        self._connection.close()
        await self._route.close()
