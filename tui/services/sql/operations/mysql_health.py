"""What of a MySQL or MariaDB server's health is worth a look."""

from __future__ import annotations

from collections.abc import Mapping

from tui.services.sql.model import Engine, Session
from tui.services.sql.operations.asking import number, text, try_ask
from tui.services.sql.operations.limits import of_limit, replication, transaction
from tui.services.sql.operations.model import Check, Standing, Unit, Unknown, Verdict
from tui.services.sql.operations.mysql_groups import OFF, Group, checks_of_galera, checks_of_replication

STATUS = """\
SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Threads_running', 'Max_used_connections',
 'Aborted_connects', 'Connection_errors_max_connections', 'Slow_queries', 'Questions', 'Uptime',
 'Innodb_buffer_pool_reads', 'Innodb_buffer_pool_read_requests', 'Innodb_row_lock_waits', 'Innodb_deadlocks',
 'Innodb_buffer_pool_wait_free')"""
LONGEST = "SELECT max(TIMESTAMPDIFF(SECOND, trx_started, NOW())) AS seconds FROM information_schema.innodb_trx"
HISTORY = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'"
HISTORY_MARIADB = "SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'"

#: Versions of rows that wait for purge: above this something holds it back (an old transaction, mostly).
HISTORY_LONG = 1_000_000


async def checks(
    session: Session, variables: Mapping[str, str] | Unknown, standing: Standing, group: Group
) -> tuple[Check, ...]:
    """All of them.

    Raises:
        Lost: the connection went.
    """
    values = {} if isinstance(variables, Unknown) else variables
    found = await try_ask(session, STATUS)
    told = list(_status(found, values)) if isinstance(found, Unknown) else list(
        _status({text(one, "variable_name").lower(): number(one, "value") for one in found}, values)
    )  # fmt: skip
    longest = await try_ask(session, LONGEST)
    if isinstance(longest, Unknown):
        told.insert(1, Check("longest-transaction", "Longest transaction", longest))
    else:
        told.insert(1, transaction(number(longest[0], "seconds") if longest else None))
    told.append(await _history(session))
    told.append(_binary_log(values))
    told[:0] = replication(standing)
    if values.get("wsrep_on", "OFF") not in OFF:
        told += await checks_of_galera(session)
    else:
        told += checks_of_replication(group)
    return tuple(told)


def _status(found: Mapping[str, float | None] | Unknown, values: Mapping[str, str]) -> list[Check]:
    if isinstance(found, Unknown):
        return [Check("connections", "Connections", found)]

    def of(name: str) -> float:
        return found.get(name) or 0.0

    most = values.get("max_connections", "")
    limit = float(most) if most.isdecimal() else None
    used, peak = of("threads_connected"), of("max_used_connections")
    says = f"{of('threads_running'):.0f} running; at most {peak:.0f} at a time since the start"
    verdict = of_limit(used, limit)
    if refused := of("connection_errors_max_connections"):
        says += f"; {refused:.0f} were refused for want of room"
        verdict = Verdict.NOTE if verdict is Verdict.GOOD else verdict
    requests, reads = of("innodb_buffer_pool_read_requests"), of("innodb_buffer_pool_reads")
    share: float | Unknown = 100 * (1 - reads / requests) if requests else Unknown("nothing was read yet")
    deadlocks = found.get("innodb_deadlocks")  # MariaDB and Percona count them here
    return [
        Check("connections", "Connections", used, limit=limit, verdict=verdict, says=says),
        Check("cache", "Read from buffer pool", share, Unit.PERCENT, says="of all pages since the start"),
        Check("row-lock-waits", "Waits for row locks", of("innodb_row_lock_waits"), says="since the start"),
        *([Check("deadlocks", "Deadlocks", deadlocks, verdict=Verdict.NOTE if deadlocks else Verdict.GOOD)]
          if deadlocks is not None else []),
        Check("slow", "Slow statements", of("slow_queries"), says=f"of {of('questions'):,.0f} since the start"),
        Check("uptime", "Up for", of("uptime"), Unit.SECONDS),
    ]  # fmt: skip


async def _history(session: Session) -> Check:
    mariadb = session.facts.engine is Engine.MARIADB
    found = await try_ask(session, HISTORY_MARIADB if mariadb else HISTORY)
    if isinstance(found, Unknown):
        return Check("history", "History list", found)
    count = number(found[0], "value", "count") if found else None
    if count is None:
        return Check("history", "History list", Unknown("this version does not tell it"))
    verdict = Verdict.WARN if count > HISTORY_LONG else Verdict.GOOD
    return Check("history", "History list", count, verdict=verdict, says="row versions that wait for purge")


def _binary_log(values: Mapping[str, str]) -> Check:
    logs = values.get("log_bin")
    if logs is None:
        return Check("binary-log", "Binary log", Unknown("the server did not tell log_bin"))
    gtid = values.get("gtid_mode")
    says = f"gtid_mode {gtid}" if gtid else ""
    return Check("binary-log", "Binary log", logs.lower() if logs in ("ON", "OFF") else logs,
                 verdict=Verdict.GOOD if logs in ("ON", "1") else Verdict.NOTE, says=says)  # fmt: skip
