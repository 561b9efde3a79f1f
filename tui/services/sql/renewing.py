"""A session that outlives its connections: the next statement after a loss finds a new one.

What was lost is told; nothing is done again. A statement that was on its way when the connection went is never sent a
second time, and one that was meant for an open transaction is not carried out outside of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.connect import open_session
from tui.services.sql.model import (
    Event,
    Facts,
    Login,
    Lost,
    Notice,
    Options,
    Router,
    Session,
    Transaction,
    Wire,
)

#: The code of the notice that says that a session is a new one.
RENEWED = "renewed"


class Renewing:
    """Keeps what a session is opened with; see `model.Session` for how it is used.

    Attributes:
        login: who one is, from the next session on; in memory only.
        options: how sessions are to be, from the next one on.
        router: finds the way to the next one.
    """

    def __init__(self, router: Router, wire: Wire, login: Login, options: Options | None = None) -> None:
        """Opens nothing yet."""
        self.router = router
        self.login = login
        self.options = options or Options()
        self._wire = wire
        self._session: Session | None = None
        self._before: Facts | None = None  # of the session that was lost
        self._lost_transaction = False
        self._rested = False  # an open transaction was given up with `rest`, and no statement was told so yet
        self._opening = asyncio.Lock()

    @property
    def wire(self) -> Wire:
        """The protocol."""
        return self._wire

    @property
    def is_open(self) -> bool:
        """Whether there is a session, as far as is known."""
        return self._session is not None

    @property
    def facts(self) -> Facts:
        """What is known of the session, or of the last one while there is none.

        Raises:
            ProblemError: none was opened yet.
        """
        if self._session is not None:
            return self._session.facts
        if self._before is not None:
            return self._before
        raise ProblemError(Problem(Cause.UNREACHABLE, "No session has been opened yet"))

    @property
    def transaction(self) -> Transaction:
        """Where it stands; LOST until the next statement when an open transaction went with the connection."""
        if self._session is not None:
            return self._session.transaction
        return Transaction.LOST if self._lost_transaction else Transaction.NONE

    async def open(self) -> Facts:
        """Opens the session unless it stands; for showing where one is before the first statement.

        Raises:
            ProblemError: why there is none.
        """
        async with self._opening:
            if self._session is None:
                self._session = await open_session(self.router, self._wire, self.login, self.options)
            return self._session.facts

    async def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        """Runs ONE statement, in a new session if the last one is gone; a notice with the code `renewed` says so.

        Raises:
            ServerError: the server refused it.
            Lost: the connection went under it; or it went before, with an open transaction, and the statement was
                not sent: run it again if it makes sense outside of that transaction.
            ProblemError: a new session cannot be had; the statement was not sent.
        """
        await self._look()
        before, self._before = self._before, None
        self._lost_transaction = False
        if self._session is None:
            try:
                await self.open()
            except BaseException:
                self._before = before
                raise
        session = self._session
        assert session is not None  # noqa: S101 (opened)
        if before is not None:
            yield _renewed(before, session.facts)
        # The session's own generator is closed with this one, which is what ends the statement on the server.
        events = cast("AsyncGenerator[Event, None]", session.run(statement, batch=batch))
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except Lost as loss:
            await self._leave(loss.transaction)
            raise

    async def _look(self) -> None:
        """Notices a connection that went between two statements.

        Raises:
            Lost: with an open transaction.
        """
        session = self._session
        if self._rested:
            self._rested = False
            what = "The session was ended while nobody used it, and its open transaction with it"
            remedy = "The statement was not sent. The next one opens a new session."
            raise Lost(Problem(Cause.UNREACHABLE, what, "", remedy), transaction=True)
        if session is None or await session.alive():
            return
        transaction = session.transaction in (Transaction.OPEN, Transaction.FAILED)
        problem = Problem(
            Cause.UNREACHABLE, f"The connection to {session.facts.member} went away between two statements", "",
            "The statement was not sent. The transaction is rolled back; the next statement opens a new session.",
        )  # fmt: skip
        await self._leave(transaction)
        if transaction:
            raise Lost(problem, transaction=True)

    async def _leave(self, transaction: bool) -> None:
        """Gives up the session that was lost."""
        session, self._session = self._session, None
        self._lost_transaction = transaction
        if session is not None:
            self._before = session.facts
            await session.close()

    async def rest(self) -> bool:
        """Ends the connection while nobody uses it: the next statement opens a new one, and says what was lost.

        Returns:
            Whether an open transaction was rolled back by it. Then the next statement is not sent: it may have been
            meant for that transaction.
        """
        session = self._session
        if session is None:
            return False
        self._rested = session.transaction in (Transaction.OPEN, Transaction.FAILED)
        await self._leave(self._rested)
        return self._rested

    async def cancel(self) -> None:
        """Cancels what runs."""
        if self._session is not None:
            await self._session.cancel()

    async def alive(self) -> bool:
        """Whether the connection stands."""
        return self._session is not None and await self._session.alive()

    async def renew(self) -> Facts:
        """Ends the session and opens another one: after the role, the login or the options were changed.

        Raises:
            ProblemError: there is none; the old one is gone all the same.
        """
        await self.close()
        return await self.open()

    async def close(self) -> None:
        """Ends the session; an open transaction is rolled back by the server."""
        session, self._session = self._session, None
        self._before, self._lost_transaction, self._rested = None, False, False
        if session is not None:
            await session.close()


def _renewed(before: Facts, now: Facts) -> Notice:
    """What is different in a new session."""
    where = now.member if now.member == before.member else f"{now.member}, in place of {before.member}"
    changes = []
    if now.replica is not before.replica and now.replica is not None:
        changes.append(f"it is a {'replica' if now.replica else 'primary'} now")
    if now.version != before.version:
        changes.append(f"version {now.version} in place of {before.version}")
    if now.database != before.database:
        changes.append(f"the database is {now.database or 'none'} again, not {before.database}")
    lost = ["Lost with the old one: what SET had set, temporary tables, prepared statements, locks, cursors", *changes]
    return Notice(
        "NOTICE", f"This is a new session with {where}", RENEWED, f"{'; '.join(lost)}.",
        "Set anew what the next statements rely on.",
    )  # fmt: skip
