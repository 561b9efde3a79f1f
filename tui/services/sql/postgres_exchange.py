"""Exchanges with a server of PostgreSQL's protocol, through asyncpg's inner protocol: prepare, bind, execute.

asyncpg's public calls introspect types with queries of their own, and read results whole or through cursors that need
two round trips to begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from asyncpg import connect_utils

from tui.services.sql import dialing, postgres_errors
from tui.services.sql.model import Column, Notice, Row, Transaction
from tui.services.sql.postgres_types import LOOK_UP, Types, revive
from tui.services.sql.postgres_wire import Guard, Shortened

_TERMINATE = b"X\0\0\0\4"
_T = TypeVar("_T")
_STATES = {"I": Transaction.NONE, "T": Transaction.OPEN, "E": Transaction.FAILED}


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows that came together.

    Attributes:
        rows: the rows.
        tag: the command's tag (`INSERT 0 3`), empty for a part of a query.
        last: whether there are no more.
        size: bytes that they had on their way.
        cut: cells that lost their end.
    """

    rows: list[Row]
    tag: str
    last: bool
    size: int
    cut: list[Shortened]


class Exchange:
    """One connection.

    Attributes:
        connection: asyncpg's.
        bytewise: whether the database is SQL_ASCII: the server converts nothing, and counts bytes.
        cancelled: whether the statement was cancelled: nothing more is asked for it.
        waiting: whether an answer is waited for.
    """

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 (asyncpg has no types)
        """Takes over a connection that is logged in."""
        self.connection = connection
        settings = connection._protocol.get_settings()
        self.bytewise = str(getattr(connection.get_settings(), "server_encoding", "")).upper() == "SQL_ASCII"
        self.cancelled = self.waiting = False
        self._protocol = connection._protocol
        self._types = Types(settings, revive if self.bytewise else None)
        self._guard = Guard(connection._protocol)
        connection._transport.set_protocol(self._guard)
        self._notices: list[Any] = []
        self._news = asyncio.Event()
        connection.add_log_listener(lambda _, message: self._notice(message))
        self._lock = asyncio.Lock()

    # --- what is known

    @property
    def closed(self) -> bool:
        """Whether the connection is of no use any more."""
        return bool(self.connection.is_closed() or self.connection._transport.is_closing())

    @property
    def state(self) -> Transaction:
        """As the server last said."""
        return _STATES.get(self._guard.status, Transaction.NONE)

    @property
    def received(self) -> int:
        """Bytes so far."""
        return self._guard.received

    @property
    def unsettled(self) -> bool:
        """Whether a cancellation is on its way whose answer has not come."""
        return bool(self._protocol._is_cancelling())

    def setting(self, name: str) -> str | None:
        """What the server reports by itself."""
        return getattr(self.connection.get_settings(), name, None)

    def _notice(self, message: Any) -> None:  # noqa: ANN401
        self._notices.append(message)
        self._news.set()

    async def heard(self, step: asyncio.Future[Any]) -> bool:
        """Waits for the end of a step, or for a notice before it; whether it is the end."""
        if not step.done() and not self._notices:
            news = asyncio.ensure_future(self._news.wait())
            try:
                await asyncio.wait({step, news}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
        return step.done()

    def told(self) -> list[Notice]:
        """Notices since it was last asked."""
        self._news.clear()
        told, self._notices = self._notices, []
        return [postgres_errors.notice_of(message) for message in told]

    def columns(self, state: Any) -> tuple[Column, ...]:  # noqa: ANN401
        """The columns of a prepared statement."""
        name = revive if self.bytewise else str
        return tuple(
            Column(name(attribute.name), *self._types.of(attribute.type.oid)) for attribute in state._get_attributes()
        )

    # --- asking

    async def prepare(self, statement: str) -> Any:  # noqa: ANN401 (asyncpg's state)
        """Has a statement described, and learns of its types."""
        return await self._ask(self._prepare(statement))

    async def _prepare(self, statement: str) -> Any:  # noqa: ANN401
        state = await self._protocol.prepare("", statement, None, record_class=asyncpg.Record)
        if missing := state._init_types():
            rows = await self.whole(LOOK_UP.format(",".join(map(str, sorted(missing)))))
            self._types.add(missing, {int(row[0] or 0): (row[1] or "", row[2] or "") for row in rows})
            state._init_types()
        state._init_codecs()
        # Bind brings the text along again: what we ask in between (types, BEGIN) forgets the unnamed statement, and a
        # pooler may have us at another server by then.
        state.mark_unprepared()
        return state

    async def execute(self, state: Any) -> Portion:  # noqa: ANN401
        """Carries a prepared statement out, whole."""
        return await self._portion(self._protocol.bind_execute(state, (), "", 0, True, None))

    async def open_portal(self, state: Any, name: str, rows: int) -> Portion:  # noqa: ANN401
        """Begins a query, and gets its first rows."""
        return await self._portion(self._protocol.bind_execute(state, (), name, rows, True, None))

    async def fetch(self, state: Any, name: str, rows: int) -> Portion:  # noqa: ANN401
        """The next rows of a portal."""
        return await self._portion(self._protocol.execute(state, name, rows, True, None))

    async def simple(self, statement: str) -> None:
        """A statement of ours (BEGIN, COMMIT), of which only the end matters."""
        await self._ask(self._protocol.query(statement, None))

    async def close_portal(self, name: str) -> None:
        """Gives a portal up."""
        await self._ask(self._protocol.close_portal(name, None))

    async def whole(self, statement: str) -> list[tuple[str | None, ...]]:
        """The rows of a statement of ours, whose types are known."""
        state = await self._protocol.prepare("", statement, None, record_class=asyncpg.Record)
        state._init_codecs()
        records, _, _ = await self._protocol.bind_execute(state, (), "", 0, True, None)
        return [tuple(record) for record in records]

    async def _portion(self, step: Coroutine[Any, Any, Any]) -> Portion:
        async def counted() -> Portion:
            before, self._guard.count = self._guard.received, 0
            records, tag, last = await step
            cut, self._guard.shortened = self._guard.shortened, []
            rows = [tuple(record) for record in records or ()]
            return Portion(rows, tag.decode() if tag else "", bool(last), self._guard.received - before, cut)

        try:
            return await self._ask(counted())
        finally:
            step.close()  # where it was not begun

    async def _ask(self, step: Coroutine[Any, Any, _T]) -> _T:
        """One exchange, unless the statement was cancelled meanwhile."""
        async with self._lock:
            if self.cancelled:
                step.close()
                raise postgres_errors.canceled_by_us()
            self.waiting = True
            try:
                return await step
            finally:
                self.waiting = False

    # --- ending

    async def end(self, name: str, *, ours: bool) -> None:
        """Ends a query that was not read to its end.

        Args:
            name: its portal.
            ours: whether its transaction is not the user's; then it is rolled back.
        """
        async with self._lock:
            if self.state is Transaction.OPEN and not self.unsettled:
                # Also before a ROLLBACK: CockroachDB takes nothing but this, or COMMIT, while a portal has more rows.
                await self._protocol.close_portal(name, None)
            if ours and (self.state is not Transaction.NONE or self.unsettled):
                await self._protocol.query("ROLLBACK", None)

    async def request_cancel(self) -> None:
        """Has the server end what runs, over a second connection."""
        connection = self.connection
        await connect_utils._cancel(
            loop=connection._loop, addr=connection._addr, params=connection._params,
            backend_pid=self._protocol.backend_pid, backend_secret=self._protocol.backend_secret,
        )  # fmt: skip

    def drop(self) -> None:
        """Closes without a word."""
        self.connection.terminate()

    def close(self) -> None:
        """Takes leave of the server, and closes."""
        dialing.part(self.connection._transport, _TERMINATE)
        self.connection.terminate()
