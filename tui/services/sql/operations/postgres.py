"""What a PostgreSQL server is asked: where it stands, who is there, who waits for whom, how large things are."""

from __future__ import annotations

from tui.services.sql.model import Session
from tui.services.sql.operations.asking import Record, Records, number, text, try_ask, whole
from tui.services.sql.operations.model import (
    Activity,
    Downstream,
    Lock,
    Size,
    Standing,
    Unknown,
    Upstream,
)

#: A user without `pg_read_all_stats` sees this in place of others' statements.
HIDDEN = "<insufficient privilege>"
_NO_STATS = "the right to see it is missing: not a member of pg_read_all_stats (or pg_monitor)"

STANDING = """\
SELECT pg_is_in_recovery()::text AS recovery, current_setting('default_transaction_read_only') AS read_only,
 CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS position"""
IDENTITY = "SELECT system_identifier::text AS identity FROM pg_control_system()"
# The time of the last replayed commit says nothing on an idle primary: what was received and replayed is no lag.
RECEIVER = """\
SELECT r.status, r.sender_host, r.sender_port::text, r.slot_name,
 extract(epoch FROM now() - r.last_msg_receipt_time)::text AS silent,
 (pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn())::text AS caught_up,
 pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text AS behind,
 extract(epoch FROM now() - pg_last_xact_replay_timestamp())::text AS age,
 pg_is_wal_replay_paused()::text AS paused
FROM (SELECT 1) AS one LEFT JOIN pg_stat_wal_receiver AS r ON true"""
# A cascading standby has no current position of its own: there what it received is what it can send.
SENDERS = """\
SELECT application_name, client_addr::text, state, sync_state,
 pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
 replay_lsn)::text AS behind, extract(epoch FROM replay_lag)::text AS lag
FROM pg_stat_replication ORDER BY application_name, client_addr::text"""
SESSIONS = """\
SELECT pid::text, usename, coalesce(client_addr::text, client_hostname, '') AS client, client_port::text, datname,
 application_name, state, backend_type,
 extract(epoch FROM clock_timestamp() - CASE WHEN state = 'active' THEN query_start ELSE state_change END)::text
 AS seconds,
 extract(epoch FROM clock_timestamp() - xact_start)::text AS transaction,
 wait_event_type, wait_event,
 CASE WHEN wait_event_type = 'Lock' THEN array_to_string(pg_blocking_pids(pid), ',') ELSE '' END AS blocked_by,
 left(query, 4000) AS query
FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (datid IS NOT NULL OR backend_type = 'walsender')
ORDER BY pid"""
LOCKS = """\
SELECT l.pid::text, array_to_string(pg_blocking_pids(l.pid), ',') AS holding, l.locktype, l.mode,
 CASE WHEN l.relation IS NULL THEN NULL WHEN l.database = d.oid THEN l.relation::regclass::text
 ELSE 'relation ' || l.relation || ' of database ' || l.database END AS relation,
 (SELECT string_agg(DISTINCT t.relation::regclass::text, ', ') FROM pg_locks t WHERE t.pid = l.pid AND t.granted
 AND t.locktype = 'tuple' AND t.database = d.oid AND l.locktype = 'transactionid') AS row_of,
 coalesce(l.transactionid::text, l.virtualxid) AS transaction, l.page::text, l.tuple::text,
 (SELECT string_agg(DISTINCT h.mode, ', ') FROM pg_locks h WHERE h.granted AND h.pid = ANY (pg_blocking_pids(l.pid))
 AND h.locktype = l.locktype AND h.database IS NOT DISTINCT FROM l.database
 AND h.relation IS NOT DISTINCT FROM l.relation AND h.transactionid IS NOT DISTINCT FROM l.transactionid) AS held,
 {since} AS seconds
FROM pg_locks l, (SELECT oid FROM pg_database WHERE datname = current_database()) d
WHERE NOT l.granted ORDER BY l.pid"""
DATABASES = """\
SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER')
 THEN pg_database_size(oid) END::text AS bytes FROM pg_database ORDER BY datname"""
# By pages first: with ten thousand tables only the largest are measured, which looks at files.
TABLES = """\
SELECT n.nspname || '.' || c.relname AS name, pg_total_relation_size(c.oid)::text AS bytes,
 c.reltuples::bigint::text AS rows
FROM (SELECT oid, relname, relnamespace, reltuples FROM pg_class WHERE relkind IN ('r', 'm')
 ORDER BY relpages DESC, oid DESC LIMIT 20) c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY pg_total_relation_size(c.oid) DESC"""


async def standing(session: Session) -> Standing:
    """Where the server stands.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, STANDING)
    if isinstance(found, Unknown) or not found:
        return Standing(None, None, "", "", "", _why(found), _why(found))
    recovery = found[0]["recovery"] == "true"
    refuses = "it is in recovery" if recovery else ""
    identity = await try_ask(session, IDENTITY)
    receiver = await try_ask(session, RECEIVER) if recovery else []
    return Standing(
        recovery, not recovery, refuses,
        text(identity[0], "identity") if not isinstance(identity, Unknown) and identity else "",
        text(found[0], "position"),
        receiver if isinstance(receiver, Unknown) else tuple(_upstream(record) for record in receiver),
        _downstreams(await try_ask(session, SENDERS)),
    )  # fmt: skip


def _why(found: Records | Unknown) -> Unknown:
    return found if isinstance(found, Unknown) else Unknown("the server gave no row")


def _upstream(record: Record) -> Upstream:
    status, paused = text(record, "status"), record.get("paused") == "true"
    host, age = text(record, "sender_host"), number(record, "age")
    source = f"{host}:{text(record, 'sender_port')}" if host else ""
    behind = whole(record, "behind")
    runs = status == "streaming"
    error = "" if status else "no WAL receiver runs"
    lag: float | Unknown
    if not runs:
        old = f"; the last replayed transaction is {age:.0f} s old" if age is not None else ""
        lag = Unknown(f"{error or f'the WAL receiver is {status}'}{old}")
    elif record.get("caught_up") == "true":
        lag = 0.0
    elif age is None:
        lag = Unknown("no transaction was replayed yet")
    else:
        lag = age
    applying = "paused" if paused else "replaying"
    return Upstream(source, text(record, "slot_name"), status, applying, runs and not paused, lag, behind, error)


def _downstreams(found: Records | Unknown) -> tuple[Downstream, ...] | Unknown:
    if isinstance(found, Unknown):
        return found
    told = []
    for record in found:
        hidden = record.get("state") is None
        lag, behind = number(record, "lag"), whole(record, "behind")
        late: float | Unknown = lag if lag is not None else 0.0
        if lag is None and behind:
            late = Unknown("the server has measured none since this replica fell behind")
        if hidden:
            late = Unknown(_NO_STATS)
        told.append(
            Downstream(
                text(record, "application_name"), text(record, "client_addr").split("/")[0], text(record, "state"),
                text(record, "sync_state"), late,
                behind if behind is not None else Unknown(_NO_STATS if hidden else "it has replayed nothing yet"),
            )
        )  # fmt: skip
    return tuple(told)


async def sessions(session: Session) -> tuple[Activity, ...] | Unknown:
    """Who is there, without ourselves.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, SESSIONS)
    return found if isinstance(found, Unknown) else tuple(_activity(record) for record in found)


def _activity(record: Record) -> Activity:
    kind, event = text(record, "wait_event_type"), text(record, "wait_event")
    address, port = text(record, "client").split("/")[0], text(record, "client_port")
    backend = text(record, "backend_type")
    statement, state = text(record, "query"), text(record, "state")
    if statement == HIDDEN:
        statement, state = "", state or "unknown, because the right to see it is missing (pg_read_all_stats)"
    waits = f"{kind}: {event}" if kind and event and kind != "Client" else ""
    return Activity(
        text(record, "pid"), text(record, "usename"), f"{address}:{port}" if address and port else address,
        text(record, "datname"), text(record, "application_name") or (backend if backend != "client backend" else ""),
        state or backend, number(record, "seconds"), number(record, "transaction"), waits,
        ids(text(record, "blocked_by")),
        statement, system=backend not in ("client backend", ""),
    )  # fmt: skip


def ids(joined: str) -> tuple[str, ...]:
    """`12,12,0` as the sessions there are: parallel workers are named twice, and 0 is a prepared transaction."""
    return tuple(dict.fromkeys("prepared transaction" if one == "0" else one for one in joined.split(",") if one))


async def locks(session: Session, version: tuple[int, ...]) -> tuple[Lock, ...] | Unknown:
    """What is waited for. Since when is known from PostgreSQL 14 on (`pg_locks.waitstart`).

    Raises:
        Lost: the connection went.
    """
    since = "extract(epoch FROM clock_timestamp() - l.waitstart)::text" if version >= (14,) else "NULL"
    found = await try_ask(session, LOCKS.format(since=since))
    if isinstance(found, Unknown):
        return found
    return tuple(
        Lock(text(record, "pid"), ids(text(record, "holding")), _locked(record), text(record, "mode"),
             text(record, "held"), number(record, "seconds"))
        for record in found
    )  # fmt: skip


def _locked(record: Record) -> str:
    kind = text(record, "locktype")
    if relation := text(record, "relation"):
        at = f" row ({text(record, 'page')},{text(record, 'tuple')})" if kind == "tuple" else ""
        return f"{kind if kind not in ('relation', 'tuple') else 'table'} {relation}{at}"
    # Who waits for a row waits for the transaction that changed it, and holds the row's place in the queue meanwhile.
    if row := text(record, "row_of"):
        return f"row of {row} (transaction {text(record, 'transaction')})"
    kind = {"transactionid": "transaction", "virtualxid": "virtual transaction"}.get(kind, kind)
    return f"{kind} {text(record, 'transaction')}".strip()


async def sizes(session: Session) -> tuple[Size, ...] | Unknown:
    """Databases, and the largest tables of the one that we are connected to.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, DATABASES)
    if isinstance(found, Unknown):
        return found
    hidden = Unknown("the right to see it is missing: neither CONNECT nor pg_read_all_stats")
    told = [
        Size("database", text(record, "datname"), size if (size := whole(record, "bytes")) is not None else hidden)
        for record in found
    ]
    told.sort(key=lambda size: size.bytes if isinstance(size.bytes, int) else -1, reverse=True)
    tables = await try_ask(session, TABLES)
    if isinstance(tables, Unknown):
        return (*told, Size("table", f"of {session.facts.database}", tables))
    for record in tables:
        bytes_, rows = whole(record, "bytes"), whole(record, "rows")
        # -1: nobody has counted yet; a table that was dropped meanwhile has no size.
        if bytes_ is not None:
            told.append(
                Size("table", text(record, "name"), bytes_, rows=rows if rows is not None and rows >= 0 else None)
            )
    return tuple(told)
