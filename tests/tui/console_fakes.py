"""A server of SQL that answers what a test tells it to, and a console in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from fakes import FakeLive, app_for, sample

from tui.consoles.sql.access import Way
from tui.consoles.sql.guard import Guard
from tui.consoles.sql.screen import SqlConsole
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import (
    Column,
    Columns,
    Done,
    Engine,
    Event,
    Facts,
    Login,
    Look,
    Lost,
    Notice,
    Options,
    Row,
    Rows,
    ServerError,
    Tls,
    Transaction,
    Wire,
)
from tui.services.sql.renewing import RENEWED
from tui.systems.credentials import Found
from tui.systems.credentialsearch import Looked, Outcome

SIZES = [(80, 24), (140, 40)]
FACTS = Facts(
    Engine.MARIADB, "11.8.3", (11, 8, 3), "mysql-0", False, "", "TLSv1.3, not verified", "shop", "root@%", 4242
)
LOGIN = Login("root", "hunter2", "shop", Tls(), "Secret stateful/mysql, key password")
FORBIDDEN = Found(
    None,
    (
        Looked(
            "Secret stateful/mysql, key password",
            Outcome.FORBIDDEN,
            'secrets "mysql" is forbidden: User "viewer" cannot get resource "secrets"',
            "get secrets/mysql in namespace stateful",
        ),
    ),
    user="root",
    database="shop",
)
REFUSED = Problem(
    Cause.CREDENTIALS, "mysql-0 does not let root in", "Access denied for user 'root'@'10.1.0.1' (28000/1045)",
    "The password may have been changed since.",
)  # fmt: skip
DELETED = Problem(Cause.UNREACHABLE, "Pod mysql-0 was deleted")
ORDERS = (Column("id", "int", Look.NUMBER), Column("customer", "varchar(80)"))
#: What the catalogue asks, by a part of it, and the answer.
CATALOGUE: dict[str, list[Row]] = {
    "SELECT DATABASE()": [("shop",)],
    "FROM information_schema.SCHEMATA": [
        ("information_schema", "utf8"), ("mysql", "utf8"), ("shop", "utf8mb4"), ("we`ird \x1b[31m", "utf8"),
    ],
    "SELECT TABLE_NAME, TABLE_TYPE": [("customers", "BASE TABLE"), ("orders", "BASE TABLE"), ("sold", "VIEW")],
    "SELECT TABLE_NAME, TABLE_ROWS": [("customers", "120", "16384"), ("orders", "1204317", "98304000")],
    "FROM information_schema.COLUMNS": [
        ("id", "int(11)", "NO", None, "auto_increment", None, "PRI", "", None),
        ("customer", "varchar(80)", "NO", None, "", None, "", "", "utf8mb4_bin"),
    ],
    "SHOW CREATE TABLE": [("orders", "CREATE TABLE `orders` (\n  `id` int\n)")],
}  # fmt: skip

Answer: TypeAlias = Sequence[Event | Exception | asyncio.Event]


class FakeServer:
    """What sessions are opened with, and what they are answered.

    Attributes:
        sent: every statement that a console's own session sent.
        opened: whom sessions were opened with.
        answers: by the statement's beginning.
        gate: opening waits for it.
        problem: why opening fails.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.opened: list[tuple[Way, Login, Options]] = []
        self.answers: dict[str, Answer] = {}
        self.gate: asyncio.Event | None = None
        self.problem: Problem | None = None
        self.facts = FACTS
        self.sessions: list[FakeSession] = []

    def answer(self, statement: str) -> Answer:
        return next((answer for begin, answer in self.answers.items() if statement.startswith(begin)),
                    [Done("Query OK", 1, 0.004)])  # fmt: skip


class _Router:
    def __init__(self) -> None:
        self.why: Problem | None = None


class FakeSession:
    """As `Renewing`, without a connection."""

    def __init__(self, server: FakeServer, way: Way, login: Login, options: Options) -> None:
        self.server, self.way, self.login, self.options = server, way, login, options
        self.router: Any = _Router()
        self.transaction = Transaction.NONE
        self.is_open = False
        self.cancelled = asyncio.Event()
        self.gone = False
        self.before = False
        self.deaf = False
        self.catalogue = options.application == "statetui catalogue"

    @property
    def wire(self) -> Wire:
        return Wire.MYSQL

    @property
    def facts(self) -> Facts:
        if not self.is_open and not self.before:
            raise ProblemError(Problem(Cause.UNREACHABLE, "No session has been opened yet"))
        read_only = "asked for" if self.options.read_only else ""
        member = self.way.member or self.server.facts.member
        return replace(self.server.facts, member=member, read_only=read_only, replica=member != "mysql-0",
                       database=self.login.database)  # fmt: skip

    async def open(self) -> Facts:
        self.server.opened.append((self.way, self.login, self.options))
        if self.server.gate is not None and not self.catalogue:
            await self.server.gate.wait()
        if self.server.problem is not None and not self.catalogue:
            raise ProblemError(self.server.problem)
        self.is_open = True
        return self.facts

    async def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        if self.catalogue:
            rows = next((rows for part, rows in CATALOGUE.items() if part in statement), [])
            yield Rows(rows)
            return
        if self.gone:
            transaction, self.gone, self.is_open, self.before = self.transaction, False, False, True
            self.transaction = Transaction.NONE
            if transaction is Transaction.OPEN:
                raise Lost(Problem(Cause.UNREACHABLE, "The connection to mysql-0 went away between two statements"),
                           transaction=True)  # fmt: skip
        if not self.is_open:
            await self.open()
            if self.before:
                yield Notice("NOTICE", "This is a new session with mysql-0", RENEWED, "Lost with the old one: SET")
        self.server.sent.append(statement)
        word = statement.split(maxsplit=1)[0].upper()
        self.transaction = {"START": Transaction.OPEN, "BEGIN": Transaction.OPEN, "COMMIT": Transaction.NONE,
                            "ROLLBACK": Transaction.NONE}.get(word, self.transaction)  # fmt: skip
        for each in self.server.answer(statement):
            if isinstance(each, asyncio.Event):
                waits = {asyncio.create_task(each.wait()), asyncio.create_task(self.cancelled.wait())}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for task in waits:
                    task.cancel()
                if self.cancelled.is_set():
                    self.cancelled.clear()
                    raise ServerError("Query execution was interrupted", "70100/1317", cancelled=True)
            elif isinstance(each, Exception):
                if isinstance(each, Lost):
                    self.is_open, self.before = False, True
                    self.transaction = Transaction.NONE
                raise each
            else:
                yield each

    async def cancel(self) -> None:
        if not self.deaf:
            self.cancelled.set()

    async def alive(self) -> bool:
        return self.is_open and not self.gone

    async def close(self) -> None:
        self.is_open = False


class FakeAccess:
    """As `LiveAccess`."""

    def __init__(self, server: FakeServer, found: Found | None = None) -> None:
        self.context = "real-cluster"
        self.server = server
        self.found = found or Found(LOGIN)
        self.looks = 0
        self.watched: list[str] = []

    @property
    def workload(self) -> Any:
        return sample()[0]

    @property
    def members(self) -> Any:
        return self.workload.members

    @property
    def wire(self) -> Wire:
        return Wire.MYSQL

    async def look(self, way: Way, user: str = "") -> Found:
        self.looks += 1
        return self.found

    async def watch(self, member: str, login: Login) -> None:
        self.watched.append(member)

    def session(self, way: Way, login: Login, options: Options) -> Any:
        session = FakeSession(self.server, way, login, options)
        if not session.catalogue:
            self.server.sessions.append(session)
        return session


def console(server: FakeServer, found: Found | None = None, **guard: Any) -> SqlConsole:
    """A console in front of a server; `guard` as for `Guard`."""
    return SqlConsole(FakeAccess(server, found), "mysql", Guard(**{"level": Hold.ALL, **guard}), kept_as="c/mysql")


def app() -> Any:
    """The app with the workloads that a console belongs to."""
    return app_for(FakeLive(sample()))


def selected(count: int, rows: int = 3) -> Answer:
    """A result of some rows."""
    return [
        Columns(ORDERS),
        Rows([(str(number), f"customer {number}") for number in range(rows)]),
        Done(f"SELECT {count}", count, 0.012),
    ]
