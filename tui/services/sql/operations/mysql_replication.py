"""Where a MySQL or MariaDB server stands: replicas in both vocabularies, group replication, Galera, GTIDs."""

from __future__ import annotations

from collections.abc import Mapping

from tui.services.sql.model import Engine, Session
from tui.services.sql.operations.asking import Record, first_of, number, text, try_ask, whole
from tui.services.sql.operations.model import Downstream, Peer, Standing, Unknown, Upstream

#: Read without any right, each only where it exists: asking for one that does not is no error this way.
VARIABLES = """\
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'server_uuid', 'server_id',
 'max_connections', 'gtid_executed', 'gtid_mode', 'gtid_slave_pos', 'gtid_binlog_pos', 'gtid_current_pos', 'log_bin',
 'wsrep_on', 'group_replication_group_name', 'innodb_buffer_pool_size')"""
WSREP = "SHOW GLOBAL STATUS LIKE 'wsrep\\_%'"
# MySQL has the newer words from 8.0.22 on and from 8.4 on only these; MariaDB tells all its sources with ALL.
STATUS_MYSQL = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
STATUS_MARIADB = ("SHOW ALL SLAVES STATUS", "SHOW ALL REPLICAS STATUS", "SHOW SLAVE STATUS")
DUMPS = "SHOW PROCESSLIST"
GROUP = """\
SELECT m.member_host, m.member_port, m.member_state, {role} AS member_role, {version} AS member_version,
 s.{queue} AS behind
FROM performance_schema.replication_group_members m
LEFT JOIN performance_schema.replication_group_member_stats s ON s.member_id = m.member_id"""

_OFF = frozenset(("", "0", "OFF", "off"))


async def variables(session: Session) -> Mapping[str, str] | Unknown:
    """The global variables that are looked at, by their names in lower case.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, VARIABLES)
    if isinstance(found, Unknown):
        return found
    return {text(one, "variable_name").lower(): text(one, "value") for one in found}


async def standing(session: Session, found: Mapping[str, str] | Unknown) -> Standing:
    """Where the server stands.

    Args:
        session: asks.
        found: its `variables`.

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
    if values.get("super_read_only", "") not in _OFF:
        refuses = "super_read_only"
    elif values.get("read_only", "") not in _OFF:
        refuses = "read_only (an administrator may write all the same)"
    peers = await _peers(session, values)
    writes: bool | None = not refuses if not isinstance(found, Unknown) else None
    if isinstance(peers, tuple):
        mine = [peer for peer in peers if peer.role and peer.name.split(".")[0].split(":")[0] == session.facts.member]
        if mine and mine[0].role == "SECONDARY":
            writes, refuses = False, refuses or "it is a secondary of its group"
    replica = None if isinstance(upstreams, Unknown) else bool(upstreams)
    if isinstance(peers, tuple) and peers and not replica:
        replica = False if writes else None
        if any(peer.role == "PRIMARY" for peer in peers):
            replica = not writes
    return Standing(
        replica, writes, refuses,
        values.get("server_uuid") or values.get("server_id", ""),
        _position(values, bool(replica)), upstreams, await _downstreams(session), peers,
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


async def _peers(session: Session, values: Mapping[str, str]) -> tuple[Peer, ...] | Unknown:
    if values.get("wsrep_on", "") not in _OFF:
        found = await try_ask(session, WSREP)
        return found if isinstance(found, Unknown) else galera(
            {text(one, "variable_name").lower(): text(one, "value") for one in found}
        )  # fmt: skip
    if values.get("group_replication_group_name", "") == "":
        return ()
    # Role and version came with 8.0.2, the applier's queue at the same time.
    modern = session.facts.number >= (8, 0, 2)
    columns = ("m.member_role", "m.member_version", "count_transactions_remote_in_applier_queue")
    role, version, queue = columns if modern else ("''", "''", "count_transactions_in_queue")
    members = await try_ask(session, GROUP.format(role=role, version=version, queue=queue))
    if isinstance(members, Unknown):
        return members
    return tuple(
        Peer(f"{text(one, 'member_host')}:{text(one, 'member_port')}", text(one, "member_state"),
             text(one, "member_role"), text(one, "member_version"), whole(one, "behind"))
        for one in members
    )  # fmt: skip


def galera(status: Mapping[str, str]) -> tuple[Peer, ...]:
    """The nodes of a Galera cluster as one of them names them; only of itself it tells the state."""
    own = status.get("wsrep_local_state_comment", "")
    view = status.get("wsrep_cluster_status", "")
    state = own if view in ("", "Primary") else f"{own}, cluster {view}: it takes no statements"
    addresses = [one.strip() for one in status.get("wsrep_incoming_addresses", "").split(",") if one.strip()]
    index = status.get("wsrep_local_index", "")
    queue = status.get("wsrep_local_recv_queue", "")
    told = []
    for at, address in enumerate(addresses):
        if index.isdecimal() and int(index) == at:
            behind = int(queue) if queue.isdecimal() else None
            told.append(Peer(address, state, "", status.get("wsrep_provider_version", ""), behind))
        else:
            told.append(Peer(address, "in the cluster"))
    return tuple(told) or (Peer("this node", state, "", status.get("wsrep_provider_version", "")),)
