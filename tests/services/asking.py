"""Opens sessions on a local server, and collects what a statement gives."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from sql_servers import LocalRoute

from tui.services.sql.connect import open_session
from tui.services.sql.model import Columns, Done, Login, Notice, Options, Rows, Session, Wire


class Opener:
    """Opens sessions on one server, and closes them."""

    def __init__(self, wire: Wire, port: int) -> None:
        self.wire = wire
        self.port = port
        self.sessions: list[Session] = []
        self.routes: list[LocalRoute] = []

    def login(self, **changes: Any) -> Login:
        database = "postgres" if self.wire is Wire.POSTGRES else "test"
        return Login(
            **{"user": "root", "password": "secret", "database": database, "source": "Secret test/db", **changes}
        )

    async def __call__(self, options: Options | None = None, **changes: Any) -> Session:
        route = LocalRoute(self.port)
        self.routes.append(route)
        session = await open_session(route, self.wire, self.login(**changes), options)
        self.sessions.append(session)
        return session

    async def router(self) -> LocalRoute:
        self.routes.append(LocalRoute(self.port))
        return self.routes[-1]

    async def close(self) -> None:
        for session in self.sessions:
            await session.close()
        assert all(route.closed for route in self.routes)


class Result:
    """What a statement gave."""

    def __init__(self) -> None:
        self.columns: list[Columns] = []
        self.rows: list[tuple[Any, ...]] = []
        self.batches: list[int] = []
        self.done: list[Done] = []
        self.notices: list[Notice] = []


async def run(session: Any, statement: str, **options: Any) -> Result:
    """Runs a statement to its end."""
    result = Result()
    async with aclosing(session.run(statement, **options)) as events:
        async for event in events:
            if isinstance(event, Columns):
                result.columns.append(event)
            elif isinstance(event, Rows):
                result.rows += event.rows
                result.batches.append(len(event.rows))
            elif isinstance(event, Done):
                result.done.append(event)
            else:
                result.notices.append(event)
    return result
