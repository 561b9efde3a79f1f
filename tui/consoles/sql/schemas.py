"""The catalogue of the server that a console works on, over a connection of its own.

A catalogue read inside of a person's transaction would fail with it, and hold its snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from tui.consoles.sql.access import Way
from tui.consoles.sql.connecting import Connection
from tui.problem import ProblemError
from tui.services.sql.catalogue.loader import Catalogue
from tui.services.sql.model import Facts, Lost, Options, Row, Rows, ServerError
from tui.services.sql.renewing import Renewing

#: Seconds after which the server ends a statement about the catalogue.
TIMEOUT = 30.0


class Schemas:
    """Keeps a catalogue of the member and the database that the connection is at.

    Attributes:
        catalogue: it; None before the first session.
        facts: of the session that it belongs to.
    """

    def __init__(
        self, connection: Connection, changed: Callable[[], None] = lambda: None, *, ahead: bool = True
    ) -> None:
        """Reads nothing yet.

        Args:
            connection: the console's.
            changed: called when names for completion have come.
            ahead: whether names are read before somebody asks for them.
        """
        self.catalogue: Catalogue | None = None
        self.facts: Facts | None = None
        self._connection = connection
        self._changed = changed
        self._ahead = ahead
        self._session: Renewing | None = None
        self._following = asyncio.Lock()

    async def follow(self) -> bool:
        """Begins anew where the console works on another member or database by now.

        Returns:
            Whether it is another catalogue than before.
        """
        # Two who notice it at once must not open two sessions.
        async with self._following:
            return await self._follow()

    async def _follow(self) -> bool:
        facts, login = self._connection.facts, self._connection.login
        if facts is None or login is None or self._same(facts):
            return False
        await self.close()
        self.facts = facts
        options = Options(read_only=True, statement_timeout=TIMEOUT, application="statetui catalogue")
        to = replace(login, database=facts.database or login.database)
        self._session = self._connection.access.session(Way(member=facts.member), to, options)
        self.catalogue = Catalogue(self._fetch, facts.engine, facts.number, changed=self._changed)
        if self._ahead:
            self.catalogue.read_ahead()
        return True

    def _same(self, facts: Facts) -> bool:
        known = self.facts
        return known is not None and (known.member, known.database, known.number, known.user) == (
            facts.member, facts.database, facts.number, facts.user,
        )  # fmt: skip

    def forget(self) -> None:
        """Reads everything anew when it is asked for: definitions have changed."""
        if self.catalogue is not None:
            self.catalogue.forget()
            if self._ahead:
                self.catalogue.read_ahead()

    async def rest(self) -> None:
        """Ends the session while nobody asks; names that are known stay, and the next question opens a new one."""
        if self._session is not None:
            await self._session.close()

    async def close(self) -> None:
        """Ends its session."""
        catalogue, self.catalogue = self.catalogue, None
        session, self._session = self._session, None
        self.facts = None
        if catalogue is not None:
            await catalogue.cancel()
        if session is not None:
            with contextlib.suppress(ProblemError, Lost, ServerError, OSError, TimeoutError):
                await session.close()

    async def _fetch(self, statement: str) -> list[Row]:
        session = self._session
        assert session is not None  # noqa: S101  (there is a catalogue)
        rows: list[Row] = []
        try:
            async for event in session.run(statement):
                if isinstance(event, Rows):
                    rows.extend(event.rows)
        except ProblemError as error:
            raise Lost(error.problem) from error
        return rows
