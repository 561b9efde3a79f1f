"""Where a MySQL or MariaDB server stands: replicas in both vocabularies, GTIDs; its group is `mysql_groups`'."""

from __future__ import annotations

from collections.abc import Mapping

from tui.services.sql.model import Engine, Session
from tui.services.sql.operations.asking import Record, first_of, number, text, try_ask
from tui.services.sql.operations.model import Downstream, Standing, Unknown, Upstream
from tui.services.sql.operations.mysql_groups import OFF, Group

#: Read without any right, each only where it exists: asking for one that does not is no error this way.
VARIABLES = """\
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'server_uuid', 'server_id',
 'max_connections', 'gtid_executed', 'gtid_mode', 'gtid_slave_pos', 'gtid_binlog_pos', 'gtid_current_pos', 'log_bin',
 'wsrep_on', 'group_replication_group_name', 'innodb_buffer_pool_size')"""
# MySQL has the newer words from 8.0.22 on and from 8.4 on only these; MariaDB tells all its sources with ALL.
STATUS_MYSQL = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
STATUS_MARIADB = ("SHOW ALL SLAVES STATUS", "SHOW ALL REPLICAS STATUS", "SHOW SLAVE STATUS")
DUMPS = "SHOW PROCESSLIST"


async def variables(session: Session) -> Mapping[str, str] | Unknown:
    """The global variables that are looked at, by their names in lower case.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, VARIABLES)
    if isinstance(found, Unknown):
        return found
    return {text(one, "variable_name").lower(): text(one, "value") for one in found}


async def standing(session: Session, found: Mapping[str, str] | Unknown, group: Group) -> Standing:
    """Where the server stands.

    Args:
        session: asks.
        found: its `variables`.
        group: the group that it is in.

    Raises:
        Lost: the connection went.
    """
    values = {} if isinstance(found, Unknown) else found
    mariadb = session.facts.engine is Engine.MARIADB
    status = await first_of(session, STATUS_MARIADB if mariadb else STATUS_MYSQL)
    # Group replication's own channels are no source that one follows.
    upstreams = status if isinstance(status, Unknown) else tuple(
        upstream(one) for one in status
        if not text(one, "channel_name", "connection_name").startswith("group_replication_")
    )  # fmt: skip
    refuses = ""
    if values.get("super_read_only", "") not in OFF:
        refuses = "super_read_only"
    elif values.get("read_only", "") not in OFF:
        refuses = "read_only (an administrator may write all the same)"
    writes: bool | None = not refuses if not isinstance(found, Unknown) else None
    if group.refuses:
        writes, refuses = False, refuses or group.refuses
    if not upstreams and group.upstream is not None:
        upstreams = (group.upstream,)
    replica = None if isinstance(upstreams, Unknown) else bool(upstreams)
    peers = group.peers
    if not replica and isinstance(peers, tuple) and peers:
        # In a group of equals nobody follows anybody; where one has a role, it is that. MySQL 5.7 tells none: there the
        # one that takes writes is the primary.
        leads = any(peer.here and peer.role == "PRIMARY" for peer in peers)
        unsaid = bool(group.name) and not any(peer.role for peer in peers)
        replica = False if leads or (unsaid and writes) else None
    return Standing(
        replica, writes, refuses,
        values.get("server_uuid") or values.get("server_id", ""),
        _position(values, bool(replica)), upstreams, await _downstreams(session), peers, group.name, group.trouble,
    )  # fmt: skip


def _position(values: Mapping[str, str], follows: bool) -> str:
    """What a server has of transactions: of a replica of MariaDB what it has applied of its source's, whether or not it
    has a binary log and transactions of its own; of a source what others can fetch.
    """
    executed = values.get("gtid_executed", "").replace("\n", "")
    names = ("gtid_slave_pos",) if follows else ("gtid_binlog_pos", "gtid_current_pos")
    return executed or next((found for name in names if (found := values.get(name, ""))), "")


def upstream(record: Record) -> Upstream:
    """One row of the replica status, in either vocabulary."""
    io = text(record, "replica_io_running", "slave_io_running")
    sql = text(record, "replica_sql_running", "slave_sql_running")
    host, port = text(record, "source_host", "master_host"), text(record, "source_port", "master_port")
    errors = [
        f"{half}: {said}"
        + (f" ({code})" if (code := text(record, f"last_{half.lower()}_errno")) not in ("", "0") else "")
        for half in ("IO", "SQL")
        if (said := text(record, f"last_{half.lower()}_error"))
    ]
    behind = number(record, "seconds_behind_source", "seconds_behind_master")
    works = io == "Yes" and sql == "Yes"
    lag: float | Unknown
    if sql != "Yes":
        lag = Unknown("its SQL thread does not run: nothing is applied")
    elif io != "Yes":
        # Zero would be told here: all that was received is applied, and nothing is received.
        lag = Unknown(f"its IO thread is {io or 'off'}: nothing is received")
    elif behind is None:
        lag = Unknown("the server gives none (NULL)")
    else:
        lag = behind
    delay = number(record, "sql_delay")
    note = f"delayed by {delay:.0f} s on purpose" if delay else ""
    return Upstream(
        f"{host}:{port}" if port else host, text(record, "channel_name", "connection_name"), io, sql, works, lag,
        None, "; ".join([*errors, note] if note else errors),
    )  # fmt: skip


async def _downstreams(session: Session) -> tuple[Downstream, ...] | Unknown:
    """Who fetches the binary log, from the threads that serve it: `SHOW REPLICAS` names only those that registered."""
    found = await try_ask(session, DUMPS)
    if isinstance(found, Unknown):
        return found
    told = Unknown("its source does not know; the replica itself does")
    return tuple(
        Downstream("", text(one, "host").rpartition(":")[0] or text(one, "host"), text(one, "state"), "", told, told)
        for one in found
        if text(one, "command").startswith("Binlog Dump")
    )
