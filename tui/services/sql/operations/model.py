"""What one server says of itself and of others, as values.

Times are seconds, sizes are bytes. What cannot be known is an `Unknown` with the reason, never a zero: a right that is
missing, a version that has it not, a server that gave no answer in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from tui.problem import Problem
from tui.services.sql.model import Engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that cannot be had.

    Attributes:
        because: why, with the server's own words where it gave any.
    """

    because: str


class Verdict(StrEnum):
    """What a fact is worth a look."""

    GOOD = "good"
    NOTE = "note"  # worth knowing, no trouble
    WARN = "warn"  # becomes trouble
    BAD = "bad"  # is trouble


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a server receives its changes from.

    Attributes:
        source: `host:port` as the server has it.
        channel: MySQL's channel, MariaDB's connection name, PostgreSQL's slot; mostly empty.
        receiving, applying: the two halves in the server's words ("Yes", "Connecting", "streaming"); empty for none.
        works: whether both halves run.
        lag: seconds behind the source.
        lag_bytes: received and not applied, where the server tells it.
        error: the server's words for what stops it; empty for none.
    """

    source: str
    channel: str
    receiving: str
    applying: str
    works: bool
    lag: float | Unknown
    lag_bytes: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Downstream:
    """A server that receives changes from the one that was asked.

    Attributes:
        name: what it calls itself (`application_name`), may be empty.
        address: where its connection comes from, may be empty.
        state: in the server's words ("streaming", "catchup").
        sync: "sync", "async", "quorum"; empty where there is no such thing.
        lag: seconds behind.
        lag_bytes: sent or to be sent, and not applied there.
    """

    name: str
    address: str
    state: str
    sync: str
    lag: float | Unknown
    lag_bytes: int | Unknown


@dataclass(frozen=True, slots=True)
class Peer:
    """A member of a group (group replication, Galera, CockroachDB, YugabyteDB, Vitess' tablets) as the asked server
    sees it.

    Attributes:
        name: host and port, or the node's number.
        state: in the server's words ("ONLINE", "Synced").
        role: in the server's words; empty where members are alike.
        version: empty when it is not told.
        behind: transactions that wait to be applied there.
        here: whether it is the asked server itself.
        part: of the data that it holds (`commerce/-80`); empty where each has all, or parts of everything.
        source: the name of the peer that it follows; empty for one that follows none.
        lag: seconds behind its source; None where there is no such thing, or only the peer itself knows.
        address: its host, by which it may be a member of the workload; empty when it is not told.
        trouble: what is wrong with it, in a sentence; empty for nothing.
    """

    name: str
    state: str
    role: str = ""
    version: str = ""
    behind: int | None = None
    here: bool = False
    part: str = ""
    source: str = ""
    lag: float | Unknown | None = None
    address: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a server stands in its replication.

    Attributes:
        replica: whether it follows another; None where there is no such thing.
        writes: whether it takes writes from clients.
        refuses: why it does not ("in recovery", "super_read_only"); empty when it does.
        identity: MySQL's server_uuid, MariaDB's server_id, PostgreSQL's system identifier; empty when it is not told.
        position: GTIDs or the log position, for comparing members; empty when there are none.
        origin: under which identity the source's own transactions stand in positions: the group's where there is one.
        trouble: what is wrong with its place in its group, in a sentence; empty for nothing.
    """

    replica: bool | None
    writes: bool | None
    refuses: str = ""
    identity: str = ""
    position: str = ""
    upstreams: tuple[Upstream, ...] | Unknown = ()
    downstreams: tuple[Downstream, ...] | Unknown = ()
    peers: tuple[Peer, ...] | Unknown = ()
    origin: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """A session of somebody.

    Attributes:
        id: by which it is cancelled: a process id, a thread id, CockroachDB's session id.
        state: in the server's words ("active", "idle in transaction", "Query").
        seconds: in that state, or since the statement began; None when it is not told.
        transaction: seconds since its transaction began; None when none is open, or it is not told.
        waits: what it waits for; empty for nothing.
        blocked_by: sessions that hold what it waits for.
        statement: the one that runs, or the last one; may be empty.
        query: CockroachDB's id of the statement that runs; empty elsewhere.
        system: a thread of the server itself (replication, vacuum), which nobody should end in passing.
    """

    id: str
    user: str
    client: str
    database: str
    application: str
    state: str
    seconds: float | None
    transaction: float | None
    waits: str = ""
    blocked_by: tuple[str, ...] = ()
    statement: str = ""
    query: str = ""
    system: bool = False

    @property
    def busy(self) -> bool:
        """Whether it runs a statement, holds a transaction or waits for somebody."""
        resting = self.state.lower() in ("idle", "sleep", "daemon", "")
        return not resting or self.transaction is not None or bool(self.blocked_by)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is waited for.

    Attributes:
        waiting: the session that waits.
        holding: the sessions that hold it or stand before it; empty when the server does not tell.
        object: what is locked.
        mode: what is wanted, in the server's words.
        held: what the others have, where it is told.
        seconds: how long it has been waited for; None when it is not told.
    """

    waiting: str
    holding: tuple[str, ...]
    object: str
    mode: str
    held: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How much room something takes.

    Attributes:
        kind: "database", "schema", "table", "store", "binary logs".
        of: bytes that there are, for a store.
        rows: the server's estimate.
    """

    kind: str
    name: str
    bytes: int | Unknown
    of: int | None = None
    rows: int | None = None


class Unit(StrEnum):
    """What the number of a check counts."""

    BYTES = "bytes"
    SECONDS = "seconds"
    COUNT = ""
    PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Check:
    """One fact of a server's health.

    Attributes:
        key: its name for programs; unique within a report.
        title: its name for people.
        value: a number (then `unit` counts), words, or why it is unknown.
        limit: the most it can be; None where there is none.
        says: what is to know of it, in a sentence.
    """

    key: str
    title: str
    value: float | str | Unknown
    unit: Unit = Unit.COUNT
    limit: float | None = None
    verdict: Verdict = Verdict.GOOD
    says: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one server answered.

    Attributes:
        member: the pod's name.
        engine, version: what it says it is.
        session: our own session's number, which is none of the sessions.
        tls: as the header of a console shows it.
        at: when it answered, seconds of the wall clock.
        took: seconds that all questions took.
    """

    member: str
    engine: Engine
    version: str
    session: str
    tls: str
    standing: Standing
    sessions: tuple[Activity, ...] | Unknown
    locks: tuple[Lock, ...] | Unknown
    sizes: tuple[Size, ...] | Unknown
    checks: tuple[Check, ...]
    at: float
    took: float


@dataclass(frozen=True, slots=True)
class Silence:
    """A member that could not be asked.

    Attributes:
        problem: why.
        at: when it was tried.
        checks: what its metrics tell all the same.
    """

    member: str
    problem: Problem
    at: float
    checks: tuple[Check, ...] = ()


Answer = Report | Silence


def known(value: T | Unknown) -> T | None:
    """The value, None when it is unknown."""
    return None if isinstance(value, Unknown) else value


def reports(answers: Sequence[Answer]) -> list[Report]:
    """Those that answered."""
    return [answer for answer in answers if isinstance(answer, Report)]
