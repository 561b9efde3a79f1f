"""The vocabulary of SQL sessions. Values and two protocols; no driver is loaded by importing this.

Cells are what the server printed: text (`str`), raw bytes for binary columns, None for NULL. They are never converted
on the way, because a console must show `0044-03-15 BC`, `infinity` and `0000-00-00` as they are.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from tui.problem import Problem

Cell: TypeAlias = str | bytes | None
Row: TypeAlias = tuple[Cell, ...]


class Wire(StrEnum):
    """The protocol that a server speaks, and by it the driver and the grammar."""

    POSTGRES = "postgres"
    MYSQL = "mysql"


class Engine(StrEnum):
    """What the server itself says it is; decides which statements tell what an operator asks."""

    POSTGRESQL = "PostgreSQL"
    COCKROACHDB = "CockroachDB"
    YUGABYTEDB = "YugabyteDB"
    MYSQL = "MySQL"
    MARIADB = "MariaDB"
    VITESS = "Vitess"


class TlsMode(StrEnum):
    """How much TLS is asked for, in the words of PostgreSQL's clients."""

    DISABLE = "disable"
    PREFER = "prefer"  # TLS where the server has it, unverified; plain where it has not
    REQUIRE = "require"  # TLS, the certificate is not verified
    VERIFY_CA = "verify-ca"  # the certificate's authority is verified
    VERIFY_FULL = "verify-full"  # and its name


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS as the workload's packaging lets it be used.

    Attributes:
        mode: how much is asked for.
        authority: PEM of the certificate authority, empty for the system's.
        certificate: PEM of a client certificate, empty for none.
        key: PEM of its key.
        name: the name to verify, empty for the route's host.
    """

    mode: TlsMode = TlsMode.PREFER
    authority: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Who one is to a server. Never printed, logged or stored.

    Attributes:
        source: where it comes from, in words for the header and for errors (`Secret stateful/orders-mysql, key
            mysql-root-password`).
    """

    user: str
    password: str = field(default="", repr=False)
    database: str = ""
    tls: Tls = Tls()
    source: str = ""


class Route(Protocol):
    """The way to ONE server: each connection reaches the same one, or fails.

    Attributes:
        host: a name for TLS and for texts (`mysql-0.mysql.stateful.svc`); nothing is looked up by it.
        port: the server's port.
        member: whom it leads to (the pod's name).
    """

    host: str
    port: int
    member: str

    async def connect(self) -> socket.socket:
        """A connected stream socket, non-blocking; whoever takes it closes it.

        Raises:
            ProblemError: it cannot be reached (any more).
        """
        ...

    def ended(self) -> Problem | None:
        """Why the last connection ended, as far as it is known; None while it stands or when nothing is known."""
        ...

    async def close(self) -> None:
        """Gives the way up; connections through it end."""
        ...


#: Finds a way anew: at the opening of a session, and again when one is renewed. Raises ProblemError.
Router: TypeAlias = Callable[[], Awaitable[Route]]


class Transaction(StrEnum):
    """Where the session stands."""

    NONE = "autocommit"
    OPEN = "open"
    FAILED = "failed"  # PostgreSQL: everything but ROLLBACK is refused
    LOST = "lost"  # the connection went with an open transaction; said once, then NONE


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a session, for the header.

    Attributes:
        engine: what the server says it is.
        version: as shown ("17.2", "8.0.12").
        number: the version as numbers, for choosing statements.
        member: the pod's name.
        replica: whether the server says that it follows another one; None when it cannot be known.
        read_only: whether the session or the server refuses writes, and why (`the server is in recovery`,
            `super_read_only`, `asked for`); empty when it takes writes.
        tls: `TLSv1.3, verified`, `TLSv1.3, not verified`, or `off`.
        database: the current database.
        user: as the server names it.
        session: the server's number of the session (backend pid, thread id), by which others would cancel it.
    """

    engine: Engine
    version: str
    number: tuple[int, ...]
    member: str
    replica: bool | None
    read_only: str
    tls: str
    database: str
    user: str
    session: int


class Look(StrEnum):
    """How a column's cells are best shown: alignment, colour, viewer."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    JSON = "json"
    BINARY = "binary"
    ARRAY = "array"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: its name as the server gives it (may be empty or a duplicate) and its type."""

    name: str
    type: str
    look: Look = Look.TEXT


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice or warning of the server."""

    severity: str
    message: str
    code: str = ""
    detail: str = ""
    hint: str = ""


@dataclass(eq=False)
class ServerError(Exception):
    """The server refused a statement, in its own words.

    Attributes:
        code: SQLSTATE, and MySQL's number after a slash ("42S02/1146").
        position: index in the statement's characters (from 0) where it points, None when it does not.
        cancelled: whether it is the answer to a cancellation or a time-out that we asked for.
    """

    message: str
    code: str = ""
    severity: str = "ERROR"
    detail: str = ""
    hint: str = ""
    position: int | None = None
    cancelled: bool = False


@dataclass(eq=False)
class Lost(Exception):
    """The connection went away under a statement or between two.

    Attributes:
        problem: what happened and why.
        transaction: whether an open transaction went with it: the server has rolled it back (or committed, if COMMIT
            was on its way: `unsure`).
        unsure: whether the last statement may have been carried out: it was sent, and no answer came. It is never
            sent again by us.
    """

    problem: Problem
    transaction: bool = False
    unsure: bool = False


# What `Session.run` yields, in order: for each result `Columns`, any number of `Rows`, `Done`; notices in between.


@dataclass(frozen=True, slots=True)
class Columns:
    """A result with rows begins."""

    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The next rows of it."""

    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Done:
    """A statement (or one result of a procedure) is over.

    Attributes:
        tag: what the server calls it (`INSERT 0 3`, `Query OK`).
        count: rows that came or were changed, None when the server does not say.
        seconds: from sending the statement to its end, without the time in which nobody asked for rows.
    """

    tag: str
    count: int | None
    seconds: float


Event: TypeAlias = Columns | Rows | Done | Notice


class Session(Protocol):
    """A connection to one server, used by one statement at a time."""

    @property
    def wire(self) -> Wire:
        """The protocol."""
        ...

    @property
    def facts(self) -> Facts:
        """What is known of it now."""
        ...

    @property
    def transaction(self) -> Transaction:
        """Where it stands."""
        ...

    def run(self, statement: str, *, batch: int = 1000) -> AsyncIterator[Event]:
        """Runs ONE statement. Rows come as the consumer asks for them, `batch` at most at a time, the first ones as
        soon as the server has them; a consumer that stops asking holds the server back. Closing the generator early
        ends the statement on the server too.

        Raises:
            ServerError: the server refused it.
            Lost: the connection went.
        """
        ...

    async def cancel(self) -> None:
        """Cancels on the server what runs, over a second connection; `run` then raises a cancelled ServerError."""
        ...

    async def alive(self) -> bool:
        """Whether the connection still stands (no round trip)."""
        ...

    async def close(self) -> None:
        """Ends the session; an open transaction is rolled back by the server."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a session is to be.

    Attributes:
        read_only: the server is told to refuse writes.
        statement_timeout: seconds after which the server ends a statement, 0 for never.
        connect_timeout: seconds for connecting and logging in.
        application: as other sessions see it.
    """

    read_only: bool = False
    statement_timeout: float = 0.0
    connect_timeout: float = 10.0
    application: str = "statetui"
