"""What of a PostgreSQL server's health is worth a look, with the limits that make it so."""

from __future__ import annotations

from tui.services.sql.model import Session
from tui.services.sql.operations.asking import Record, number, text, try_ask, whole
from tui.services.sql.operations.limits import LONG, of_limit, replication, transaction
from tui.services.sql.operations.model import Check, Standing, Unit, Unknown, Verdict

#: Transactions that ids are good for; the server stops taking writes some three million before.
IDS = 2_147_483_647
#: WAL that a slot may hold back before it is worth a look.
HELD = 1 << 30

CONNECTIONS = """\
SELECT count(*) FILTER (WHERE backend_type = 'client backend')::text AS used,
 count(*) FILTER (WHERE state = 'active' AND backend_type = 'client backend')::text AS active,
 count(*) FILTER (WHERE state LIKE 'idle in transaction%')::text AS idle_in_transaction,
 current_setting('max_connections') AS most, current_setting('superuser_reserved_connections') AS reserved,
 (SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())::text AS longest
FROM pg_stat_activity WHERE pid <> pg_backend_pid()"""
PREPARED = """\
SELECT count(*)::text AS many, extract(epoch FROM max(now() - prepared))::text AS oldest FROM pg_prepared_xacts"""
WRAPAROUND = """\
SELECT datname, age(datfrozenxid)::text AS age, current_setting('autovacuum_freeze_max_age') AS freeze,
 m.multixact::text, m.multixact_in, current_setting('autovacuum_multixact_freeze_max_age') AS multixact_freeze
FROM pg_database, (SELECT mxid_age(datminmxid) AS multixact, datname AS multixact_in FROM pg_database
 ORDER BY mxid_age(datminmxid) DESC LIMIT 1) AS m ORDER BY age(datfrozenxid) DESC LIMIT 1"""
SLOTS = """\
SELECT slot_name, slot_type, active::text, {wal_status} AS wal_status,
 pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
 restart_lsn)::text AS held FROM pg_replication_slots ORDER BY slot_name"""
ARCHIVER = """\
SELECT current_setting('archive_mode') AS mode, archived_count::text, failed_count::text, last_failed_wal,
 extract(epoch FROM now() - last_archived_time)::text AS archived,
 extract(epoch FROM now() - last_failed_time)::text AS failed,
 (last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity'))::text AS failing
FROM pg_stat_archiver"""
CACHE = """\
SELECT sum(blks_hit)::text AS hit, sum(blks_read)::text AS read, sum(deadlocks)::text AS deadlocks,
 sum(temp_bytes)::text AS temp_bytes FROM pg_stat_database"""
SYNC = """\
SELECT current_setting('synchronous_standby_names') AS wanted,
 (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))::text AS synchronous"""
UPTIME = "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::text AS seconds"


async def checks(session: Session, version: tuple[int, ...], standing: Standing) -> tuple[Check, ...]:
    """All of them.

    Raises:
        Lost: the connection went.
    """
    told = [
        *await _connections(session), *await _prepared(session), *await _wraparound(session),
        *replication(standing), *await _slots(session, version), await _archiving(session),
        *await _synchronous(session),
        *await _cache(session),
    ]  # fmt: skip
    uptime = await try_ask(session, UPTIME)
    seconds = number(uptime[0], "seconds") if not isinstance(uptime, Unknown) and uptime else None
    told.append(
        Check("uptime", "Up for", seconds if seconds is not None else Unknown("the server did not say"), Unit.SECONDS)
    )
    return tuple(told)


async def _connections(session: Session) -> list[Check]:
    found = await try_ask(session, CONNECTIONS)
    if isinstance(found, Unknown):
        return [Check("connections", "Connections", found)]
    record = found[0]
    used, most = number(record, "used") or 0.0, number(record, "most")
    idle, reserved = number(record, "idle_in_transaction") or 0.0, number(record, "reserved") or 0.0
    longest = number(record, "longest")
    says = f"{text(record, 'active')} active, {idle:.0f} idle in transaction; {reserved:.0f} are kept for superusers"
    return [
        Check(
            "connections", "Connections", used, limit=most, verdict=of_limit(used, (most or 0) - reserved), says=says
        ),
        transaction(longest, f"{idle:.0f} idle in transaction" if idle else ""),
    ]


async def _prepared(session: Session) -> list[Check]:
    found = await try_ask(session, PREPARED)
    if isinstance(found, Unknown):
        return [Check("prepared-transactions", "Prepared transactions", found)]
    many, oldest = number(found[0], "many") or 0.0, number(found[0], "oldest") or 0.0
    if not many:
        return []
    verdict = Verdict.WARN if oldest > LONG else Verdict.NOTE
    says = f"the oldest waits for {oldest:.0f} s for COMMIT PREPARED and holds its locks"
    return [Check("prepared-transactions", "Prepared transactions", many, verdict=verdict, says=says)]


async def _wraparound(session: Session) -> list[Check]:
    found = await try_ask(session, WRAPAROUND)
    if isinstance(found, Unknown) or not found:
        return [Check("wraparound", "Wraparound", found if isinstance(found, Unknown) else Unknown("no database"))]
    record = found[0]
    age, freeze = number(record, "age") or 0.0, number(record, "freeze") or 200_000_000.0
    verdict = Verdict.BAD if age > 1.5e9 else Verdict.WARN if age > 1.5 * freeze else Verdict.GOOD
    says = f"transactions of {IDS:,} used in {text(record, 'datname')}; autovacuum acts at {freeze:,.0f}"
    told = [Check("wraparound", "Wraparound", age, limit=float(IDS), verdict=verdict, says=says)]
    multixact = number(record, "multixact")
    if multixact is not None:  # rows that several transactions lock at a time use up ids of their own
        limit = number(record, "multixact_freeze") or 400_000_000.0
        worse = Verdict.BAD if multixact > 1.5e9 else Verdict.WARN if multixact > 1.5 * limit else Verdict.GOOD
        says = f"multixact ids used in {text(record, 'multixact_in')}; autovacuum acts at {limit:,.0f}"
        told.append(Check("multixact", "Multixact wraparound", multixact, limit=float(IDS), verdict=worse, says=says))
    return told


async def _slots(session: Session, version: tuple[int, ...]) -> list[Check]:
    found = await try_ask(session, SLOTS.format(wal_status="wal_status" if version >= (13,) else "NULL::text"))
    if isinstance(found, Unknown):
        return [Check("slots", "Replication slots", found)]
    if not found:
        return [Check("slots", "Replication slots", "none")]
    return [_slot(record) for record in found]


def _slot(record: Record) -> Check:
    name, status, active = text(record, "slot_name"), text(record, "wal_status"), record.get("active") == "true"
    held = whole(record, "held")
    verdict = Verdict.GOOD if active else Verdict.NOTE
    if not active and (held or 0) > HELD:
        verdict = Verdict.WARN
    if status in ("unreserved", "lost"):
        verdict = Verdict.BAD
    parts = [text(record, "slot_type"), "in use" if active else "used by nobody", f"WAL {status}" if status else ""]
    value: float | Unknown = float(held) if held is not None else Unknown("the slot holds no position")
    return Check(f"slot:{name}", f"Slot {name} holds", value, Unit.BYTES, verdict=verdict,
                 says=", ".join(part for part in parts if part))  # fmt: skip


async def _archiving(session: Session) -> Check:
    found = await try_ask(session, ARCHIVER)
    if isinstance(found, Unknown) or not found:
        return Check("archiving", "Archiving", found if isinstance(found, Unknown) else Unknown("no row"))
    record = found[0]
    if text(record, "mode") == "off":
        return Check("archiving", "Archiving", "off", verdict=Verdict.NOTE, says="archive_mode is off")
    count, failed, last = number(record, "archived_count"), number(record, "failed_count"), number(record, "archived")
    says = f"{count or 0:,.0f} archived, {failed or 0:,.0f} failed"
    if last is not None:
        says += f"; the last {last:.0f} s ago"
    if record.get("failing") == "true":
        says += f"; {text(record, 'last_failed_wal')} failed {number(record, 'failed') or 0:.0f} s ago, and none since"
        return Check("archiving", "Archiving", "fails", verdict=Verdict.BAD, says=says)
    return Check("archiving", "Archiving", text(record, "mode"), says=says)


async def _synchronous(session: Session) -> list[Check]:
    found = await try_ask(session, SYNC)
    if isinstance(found, Unknown) or not found or not text(found[0], "wanted"):
        return []
    many = number(found[0], "synchronous") or 0.0
    says = f"synchronous_standby_names is {text(found[0], 'wanted')}"
    if not many:
        says += ": commits wait until one is there"
    return [
        Check("synchronous", "Synchronous replicas", many, verdict=Verdict.GOOD if many else Verdict.BAD, says=says)
    ]


async def _cache(session: Session) -> list[Check]:
    found = await try_ask(session, CACHE)
    if isinstance(found, Unknown) or not found:
        return [Check("cache", "Read from cache", found if isinstance(found, Unknown) else Unknown("no row"))]
    record = found[0]
    hit, read = number(record, "hit") or 0.0, number(record, "read") or 0.0
    share: float | Unknown = 100 * hit / (hit + read) if hit + read else Unknown("nothing was read yet")
    deadlocks = number(record, "deadlocks") or 0.0
    return [
        Check("cache", "Read from cache", share, Unit.PERCENT, says="of all blocks since the statistics began"),
        Check("deadlocks", "Deadlocks", deadlocks, verdict=Verdict.NOTE if deadlocks else Verdict.GOOD,
              says="since the statistics began"),
        Check("temporary", "Temporary files", number(record, "temp_bytes") or 0.0, Unit.BYTES,
              says="written since the statistics began: work_mem did not hold it"),
    ]  # fmt: skip
