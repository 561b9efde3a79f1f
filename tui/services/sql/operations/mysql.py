"""What a MySQL or MariaDB server is asked of sessions, locks and sizes."""

from __future__ import annotations

from tui.services.sql.model import Engine, Session
from tui.services.sql.operations.asking import Record, first_of, number, text, try_ask, whole
from tui.services.sql.operations.model import Activity, Lock, Size, Unknown

SESSIONS = "SHOW FULL PROCESSLIST"
TRANSACTIONS = """\
SELECT trx_mysql_thread_id, trx_state, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS seconds, trx_rows_modified
FROM information_schema.innodb_trx"""
# MySQL from 8.0.1 on; the older view went there. Two plain questions: 8.0.12 loses rows of these tables in joins with
# one another and with innodb_trx.
WAITS_8 = """\
SELECT r.processlist_id AS waiting, b.processlist_id AS holding, w.requesting_engine_lock_id AS lock_id,
 r.processlist_time AS seconds
FROM performance_schema.data_lock_waits w
JOIN performance_schema.threads r ON r.thread_id = w.requesting_thread_id
JOIN performance_schema.threads b ON b.thread_id = w.blocking_thread_id"""
LOCKS_8 = """SELECT engine_lock_id AS lock_id, object_schema, object_name, index_name, lock_type, lock_mode
FROM performance_schema.data_locks WHERE lock_status = 'WAITING'"""
WAITS_OLD = """\
SELECT r.trx_mysql_thread_id AS waiting, b.trx_mysql_thread_id AS holding, l.lock_table AS object_name,
 l.lock_index AS index_name, l.lock_type, l.lock_mode, h.lock_mode AS held_mode,
 TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW()) AS seconds
FROM information_schema.innodb_lock_waits w
JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id
JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id
LEFT JOIN information_schema.innodb_locks l ON l.lock_id = w.requested_lock_id
LEFT JOIN information_schema.innodb_locks h ON h.lock_id = w.blocking_lock_id"""
# DDL that waits for an open transaction, the commonest of all. MySQL instruments this from 8.0 on by itself.
METADATA_8 = """\
SELECT w.processlist_id AS waiting, h.processlist_id AS holding, p.object_schema, p.object_name,
 'metadata' AS lock_type, p.lock_type AS lock_mode, g.lock_type AS held_mode, w.processlist_time AS seconds
FROM performance_schema.metadata_locks p
JOIN performance_schema.metadata_locks g ON g.object_type = p.object_type AND g.object_schema <=> p.object_schema
 AND g.object_name <=> p.object_name AND g.lock_status = 'GRANTED' AND g.owner_thread_id <> p.owner_thread_id
JOIN performance_schema.threads w ON w.thread_id = p.owner_thread_id
JOIN performance_schema.threads h ON h.thread_id = g.owner_thread_id
WHERE p.lock_status = 'PENDING' AND p.object_type IN ('TABLE', 'SCHEMA')"""
SCHEMAS = """\
SELECT table_schema AS name, sum(data_length + index_length) AS bytes, sum(table_rows) AS estimate
FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'performance_schema')
GROUP BY table_schema ORDER BY 2 DESC"""
TABLES = """\
SELECT concat(table_schema, '.', table_name) AS name, data_length + index_length AS bytes, table_rows AS estimate
FROM information_schema.tables WHERE table_type = 'BASE TABLE'
AND table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY 2 DESC LIMIT 20"""
BINARY_LOGS = "SHOW BINARY LOGS"

_SYSTEM_USERS = frozenset(("system user", "event_scheduler"))
_SYSTEM_COMMANDS = frozenset(("Daemon", "Slave_IO", "Slave_SQL", "Slave_worker", "Binlog Dump", "Binlog Dump GTID"))
#: How the process list says that a session waits for a lock.
_WAITING = "waiting for"


async def sessions(session: Session, locks: tuple[Lock, ...] | Unknown) -> tuple[Activity, ...] | Unknown:
    """Who is there, without ourselves.

    Args:
        session: asks.
        locks: what is waited for, by which sessions are known to block one another.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, SESSIONS)
    if isinstance(found, Unknown):
        return found
    open_ = await try_ask(session, TRANSACTIONS)
    since = (
        {}
        if isinstance(open_, Unknown)
        else {text(one, "trx_mysql_thread_id"): number(one, "seconds") for one in open_}
    )
    blockers: dict[str, tuple[str, ...]] = {}
    for lock in () if isinstance(locks, Unknown) else locks:
        blockers[lock.waiting] = tuple(dict.fromkeys((*blockers.get(lock.waiting, ()), *lock.holding)))
    own = str(session.facts.session)
    return tuple(_activity(one, since, blockers) for one in found if text(one, "id") != own)


def _activity(record: Record, since: dict[str, float | None], blockers: dict[str, tuple[str, ...]]) -> Activity:
    id_, user, command, state = (text(record, name) for name in ("id", "user", "command", "state"))
    system = user in _SYSTEM_USERS or command in _SYSTEM_COMMANDS
    blocked = blockers.get(id_, ())
    waits = state if blocked or (state.lower().startswith(_WAITING) and "lock" in state.lower()) else ""
    shown = command if not state or waits or command == "Sleep" else f"{command}: {state}" if system else command
    seconds = number(record, "time")
    return Activity(
        id_, user, text(record, "host"), text(record, "db"), "", shown, seconds,
        since.get(id_), waits or ("a lock" if blocked else ""), blocked, text(record, "info"), system=system,
    )  # fmt: skip


async def locks(session: Session) -> tuple[Lock, ...] | Unknown:
    """What is waited for: rows, and on MySQL metadata.

    Raises:
        Lost: the connection went.
    """
    facts = session.facts
    modern = facts.engine is Engine.MYSQL and facts.number >= (8, 0, 1)
    rows = await first_of(session, (WAITS_8, WAITS_OLD) if modern else (WAITS_OLD, WAITS_8))
    if isinstance(rows, Unknown):
        return rows
    if modern and rows:
        named = await try_ask(session, LOCKS_8)
        by_id = {} if isinstance(named, Unknown) else {text(one, "lock_id"): one for one in named}
        rows = [{**by_id.get(text(one, "lock_id"), {}), **one} for one in rows]
    found = [_lock(record) for record in rows]
    if modern:
        metadata = await try_ask(session, METADATA_8)
        if not isinstance(metadata, Unknown):
            found += [_lock(record) for record in metadata]
    elif not isinstance(waits := await try_ask(session, SESSIONS), Unknown):
        # MariaDB tells who waits for metadata, and not (without a plugin) for whom.
        found += [
            Lock(text(one, "id"), (), text(one, "db"), text(one, "state"), "", number(one, "time"))
            for one in waits
            if "metadata lock" in text(one, "state")
        ]
    return tuple(dict.fromkeys(found))


def _lock(record: Record) -> Lock:
    schema, name, index = (text(record, key) for key in ("object_schema", "object_name", "index_name"))
    # MariaDB: `schema`.`table`
    name = name.replace("`", "")
    object_ = ".".join(part for part in (schema, name) if part) or "a row"
    if index:
        object_ += f" index {index}"
    kind = text(record, "lock_type").lower()
    return Lock(
        text(record, "waiting"), (text(record, "holding"),), f"{kind} of {object_}" if kind == "record" else object_,
        text(record, "lock_mode"), text(record, "held_mode"), number(record, "seconds"),
    )  # fmt: skip


async def sizes(session: Session) -> tuple[Size, ...] | Unknown:
    """Schemas, the largest tables, and the binary logs.

    Raises:
        Lost: the connection went.
    """
    schemas = await try_ask(session, SCHEMAS)
    if isinstance(schemas, Unknown):
        return schemas
    told = [_size("schema", record) for record in schemas]
    tables = await try_ask(session, TABLES)
    told += [_size("table", one) for one in tables] if not isinstance(tables, Unknown) else [
        Size("table", "the largest", tables)
    ]  # fmt: skip
    logs = await try_ask(session, BINARY_LOGS)
    if isinstance(logs, Unknown):
        told.append(Size("binary logs", "all", logs))
    elif logs:
        told.append(Size("binary logs", f"{len(logs)} files", sum(whole(one, "file_size") or 0 for one in logs)))
    return tuple(told)


def _size(kind: str, record: Record) -> Size:
    found = whole(record, "bytes")
    none = Unknown("the server tells none (a view, or broken)")
    return Size(kind, text(record, "name"), found if found is not None else none, rows=whole(record, "estimate"))
