"""Cancelling at every stage, on servers of three kinds: what runs is ended there, what was done stays, all goes on.

What the server does is asked of it by another session, over a user of the test's own, so that whatever else goes on in
the cluster is not counted.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.sql_pods import CHAPTER, key, live_in, run, secret, until
from tui.consoles.sql.access import LiveAccess
from tui.consoles.sql.connecting import TYPED, Asked, Connection, Given, Phase
from tui.consoles.sql.desk import Desk
from tui.consoles.sql.export import Export
from tui.consoles.sql.exports import Exports
from tui.consoles.sql.guard import Guard
from tui.consoles.sql.resultset import State
from tui.services.sql import mysql, postgres, postgres_login
from tui.services.sql.connect import open_session
from tui.services.sql.history import History, Status
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import Login, Session, Transaction, Wire
from tui.services.sql.mysql_driver import Driver
from tui.systems.live import Live
from tui.systems.sqlroutes import WorkloadRouter

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

#: A statement that lasts, and one whose rows do not end soon.
SLOW = {Wire.POSTGRES: "SELECT pg_sleep(60)", Wire.MYSQL: "SELECT sleep(60)"}
DIGITS = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5)"
MANY = {
    Wire.POSTGRES: "SELECT n, repeat('x', 200) FROM generate_series(1, 3000000) n",
    Wire.MYSQL: "SELECT a.d, repeat('x', 200) FROM " + ", ".join(f"{DIGITS} {name}" for name in "abcdefgh"),
}
#: What a user's sessions do now.
ACTIVE = {
    Wire.POSTGRES: "SELECT pid::text, query FROM pg_stat_activity WHERE usename = '{}' AND state = 'active'",
    Wire.MYSQL: "SELECT id, info FROM information_schema.processlist WHERE user = '{}' AND command = 'Query'",
}
SESSIONS = {
    Wire.POSTGRES: "SELECT pid::text FROM pg_stat_activity WHERE usename = '{}'",
    Wire.MYSQL: "SELECT id FROM information_schema.processlist WHERE user = '{}'",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A workload, and the test's own corner in it.

    Attributes:
        admin: asks what goes on.
        user: of the sessions that are looked at.
        table: of the test's own, with a column `n`.
    """

    live: Live
    workload: str
    wire: Wire
    admin: Session
    user: str
    password: str
    database: str
    table: str

    async def active(self) -> list[Any]:
        """What the user's sessions do now."""
        return (await run(self.admin, ACTIVE[self.wire].format(self.user)))[0]

    async def sessions(self) -> set[str]:
        """Those that there are."""
        return {str(row[0]) for row in (await run(self.admin, SESSIONS[self.wire].format(self.user)))[0]}

    async def rows(self) -> list[str]:
        """What stands in the table, as anybody else sees it."""
        return [str(row[0]) for row in (await run(self.admin, f"SELECT n FROM {self.table} ORDER BY n"))[0]]

    async def comes(self, wanted: Callable[[], Any]) -> None:
        """Waits until an answer of the server's is what is wanted."""
        async with asyncio.timeout(30):
            while not await wanted():
                await asyncio.sleep(0.05)

    async def idle(self) -> None:
        """Waits until none of the user's sessions does anything."""

        async def nothing() -> bool:
            return not await self.active()

        await self.comes(nothing)

    async def works(self, part: str) -> None:
        """Waits until one of them carries out a statement with this in it."""

        async def there() -> bool:
            return any(part in str(row[1]) for row in await self.active())

        await self.comes(there)

    async def _nobody(self, _: Asked) -> Given | None:
        raise AssertionError("nobody is asked for a login")

    def connection(self) -> Connection:
        """A console's, with the user's login."""
        made = Connection(LiveAccess(self.live, key(self.live, self.workload)), self._nobody)
        made._login = Login(self.user, self.password, self.database, source=TYPED)
        return made

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """A console's desk, connected."""

        async def meant(_: object) -> bool:
            return True

        connection = self.connection()
        assert await connection.open(), connection.problem
        desk = Desk(connection, Guard(Hold.OFF), History(f"cancel/{self.workload}", self.wire), meant)
        try:
            yield desk
        finally:
            await desk.close()


async def ended(desk: Desk) -> None:
    """Waits for the end of what runs."""
    async with asyncio.timeout(30):
        await desk.wait()


def stands(desk: Desk) -> Transaction:
    """Where the transaction is said to stand."""
    return desk.connection.transaction


async def says(desk: Desk, statement: str) -> str:
    """The first cell of a statement's answer."""
    assert desk.start(desk.script(statement))
    await ended(desk)
    assert desk.outcome is not None and desk.outcome.status is Status.OK, desk.results.messages
    return str(desk.results.sets[0].store.row(0)[0])


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=["cdb", "mysql", "orders"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    name, mark = str(request.param), secrets.token_hex(3)
    wire = Wire.POSTGRES if name == "cdb" else Wire.MYSQL
    login = {
        "cdb": Login("root", "", "postgres"), "mysql": Login("root", "", "mysql"),
    }.get(name) or Login("root", secret("orders-mysql", "mysql-root-password"), "mysql")  # fmt: skip
    user, password = f"cancel_{mark}", f"cancel-{mark}"
    database = "postgres" if wire is Wire.POSTGRES else f"cancel_{mark}"
    table = f"cancel_{mark}" if wire is Wire.POSTGRES else f"cancel_{mark}.t"
    if wire is Wire.POSTGRES:
        made = [f"CREATE ROLE {user} LOGIN PASSWORD '{password}'", f"CREATE TABLE {table} (n int)",
                f"ALTER TABLE {table} OWNER TO {user}"]  # fmt: skip
        gone = [f"DROP TABLE IF EXISTS {table}", f"DROP ROLE IF EXISTS {user}"]
    else:
        made = [f"CREATE DATABASE {database}", f"CREATE TABLE {table} (n int) ENGINE=InnoDB",
                f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'",
                f"GRANT ALL ON {database}.* TO {user}@'%'"]  # fmt: skip
        gone = [f"DROP DATABASE IF EXISTS {database}", f"DROP USER IF EXISTS {user}@'%'"]
    async with live_in(CHAPTER) as live:
        admin = await open_session(WorkloadRouter(live, key(live, name), "primary", ""), wire, login)
        try:
            for statement in made:
                await run(admin, statement)
            yield Place(live, name, wire, admin, user, password, database, table)
        finally:
            for statement in gone:
                await run(admin, statement)
            await admin.close()


#: Where an attempt to connect stands: about to reach the server, about to log in, about to ask who it is.
STAGES = {
    Wire.POSTGRES: ((postgres_login, "_once"), (postgres.PostgresSession, "begin")),
    Wire.MYSQL: ((Driver, "connect"), (mysql.MySqlSession, "begin")),
}


async def test_connecting_is_given_up_at_each_stage_and_leaves_nothing_at_the_server(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner, name in ((WorkloadRouter, "__call__"), *STAGES[place.wire]):
        # Once the last stage is over there is a session, and nothing left to give up.
        for after in (False, True) if name != "begin" else (False,):
            real = getattr(owner, name)
            arrived: list[bool] = []

            async def staged(
                *words: Any, _real: Any = real, _after: bool = after, _told: list[bool] = arrived, **named: Any
            ) -> Any:
                """Gives the attempt up just before this stage, or just behind it."""
                answer = await _real(*words, **named) if _after else None
                task = asyncio.current_task()
                assert task is not None
                _told.append(task.cancel())
                return answer if _after else await _real(*words, **named)

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, staged)
                connection = place.connection()
                opening = asyncio.create_task(connection.open())
                await asyncio.wait({opening}, timeout=30)
            assert arrived and opening.cancelled(), (name, after, connection.problem)
            assert connection.phase is Phase.FAILED and connection.problem is not None
            assert "given up" in connection.problem.what
            await connection.close()

            async def nobody() -> bool:
                return not await place.sessions()

            await place.comes(nobody)
    # … and the next attempt finds its way.
    connection = place.connection()
    assert await connection.open()
    await connection.close()


async def test_a_query_is_cancelled_and_the_session_goes_on(place: Place) -> None:
    async with place.desk() as desk:
        facts = desk.connection.facts
        assert facts is not None
        assert desk.start(desk.script(SLOW[place.wire]))
        await place.works("sleep(60)")
        await desk.cancel()
        await ended(desk)
        assert desk.outcome is not None and desk.outcome.status is Status.CANCELLED
        await place.idle()
        assert await place.sessions() == {str(facts.session)}, "the session is the same, and there is no other"
        # A cancellation that comes too late, or while nothing was sent yet, reaches nobody else's statement.
        for turns in range(0, 12, 2):
            assert desk.start(desk.script("SELECT 1; SELECT 2"))
            for _ in range(turns):
                await asyncio.sleep(0)
            await desk.cancel()
            await ended(desk)
            assert await says(desk, "SELECT 40 + 2") == "42"
        assert desk.connection.facts is not None and desk.connection.facts.session == facts.session
        assert desk.connection.phase is Phase.OPEN


async def test_a_fetch_is_cancelled_with_what_came_and_so_is_one_that_pauses(place: Place) -> None:
    async with place.desk() as desk:
        assert desk.start(desk.script(MANY[place.wire]))
        await until(lambda: desk.paused, 30)
        result = desk.results.sets[0]
        result.want(None)
        await until(lambda: result.read > 5000, 30)
        await desk.cancel()
        await ended(desk)
        await place.idle()
        assert result.state in (State.FAILED, State.STOPPED) and len(result.store) == result.read > 5000
        assert desk.outcome is not None and desk.outcome.status is Status.CANCELLED
        assert stands(desk) is Transaction.NONE
        assert await says(desk, "SELECT 40 + 2") == "42"
        assert desk.start(desk.script(MANY[place.wire]))
        await until(lambda: desk.paused, 30)
        paused = desk.results.sets[0]
        await desk.cancel()
        await ended(desk)
        await place.idle()
        assert paused.state is State.STOPPED and len(paused.store) >= 1000
        assert await says(desk, "SELECT 40 + 2") == "42"


async def test_an_export_is_cancelled_and_its_result_pauses_where_it_is(place: Place, tmp_path: Path) -> None:
    async with place.desk() as desk:
        assert desk.start(desk.script(MANY[place.wire]))
        await until(lambda: desk.paused, 30)
        result = desk.results.sets[0]
        exports, path = Exports(), tmp_path / "many.csv"
        exports.start(Export(result, path, "csv", wire=place.wire))
        await until(lambda: exports.current is not None and exports.current.rows > 20_000, 30)
        await exports.cancel()
        assert list(tmp_path.glob("many*")) == [] and "cancelled after" in str(exports.said)
        await until(lambda: desk.paused, 30)
        assert desk.running is not None, "the result is still open"
        await desk.cancel()
        await ended(desk)
        await place.idle()
        assert len(result.store) + result.passed == result.read > 20_000
        assert await says(desk, "SELECT 40 + 2") == "42"


async def test_within_a_transaction_its_state_is_said_truly(place: Place) -> None:
    begin = "BEGIN" if place.wire is Wire.POSTGRES else "START TRANSACTION"
    async with place.desk() as desk:
        await asyncio.create_task(desk.control("BEGIN"))
        assert desk.start(desk.script(f"INSERT INTO {place.table} VALUES (1)"))
        await ended(desk)
        assert desk.start(desk.script(SLOW[place.wire]))
        await place.works("sleep(60)")
        await desk.cancel()
        await ended(desk)
        await place.idle()
        if place.wire is Wire.POSTGRES:
            assert stands(desk) is Transaction.FAILED
            assert desk.start(desk.script("SELECT 1"))
            await ended(desk)
            assert desk.outcome is not None and desk.outcome.error is not None, "the server takes nothing but ROLLBACK"
            await asyncio.create_task(desk.control("ROLLBACK"))
            assert await place.rows() == []
        else:
            assert stands(desk) is Transaction.OPEN, "what is interrupted takes nothing along"
            assert await place.rows() == []
            await asyncio.create_task(desk.control("COMMIT"))
            assert await place.rows() == ["1"]
        assert stands(desk) is Transaction.NONE
        # The query that is read through a cursor is the user's business no more than before.
        assert desk.start(desk.script(f"{begin}"))
        await ended(desk)
        assert desk.start(desk.script(MANY[place.wire]))
        await until(lambda: desk.paused, 30)
        await desk.cancel()
        await ended(desk)
        assert stands(desk) is Transaction.OPEN, "reading was given up, the transaction was not"
        await asyncio.create_task(desk.control("ROLLBACK"))
        assert stands(desk) is Transaction.NONE


async def test_in_the_middle_of_a_script_what_was_done_stays_and_the_rest_is_not_sent(place: Place) -> None:
    insert = f"INSERT INTO {place.table} VALUES"
    async with place.desk() as desk:
        script = f"{insert} (1);\n{insert} (2);\n{SLOW[place.wire]};\n{insert} (3);"
        assert desk.start(desk.script(script))
        await place.works("sleep(60)")
        assert await place.rows() == ["1", "2"]
        await desk.cancel()
        await ended(desk)
        await place.idle()
        outcome = desk.outcome
        assert outcome is not None and (outcome.status, outcome.done) == (Status.CANCELLED, 2)
        assert "nothing after it was sent" in outcome.said
        assert await place.rows() == ["1", "2"]
        assert await says(desk, f"SELECT count(*) FROM {place.table}") == "2"
