"""What a tablet server of YugabyteDB is asked beside PostgreSQL's questions: its peers, and the tablets.

`yb_servers()`, `yb_local_tablets` and `yb_tablet_metadata` are documented under docs.yugabyte.com (YSQL functions,
"Tablet metadata"); older versions have not all of them, and
that is told.
"""

from __future__ import annotations

from tui.services.sql.model import Session
from tui.services.sql.operations.asking import Record, number, text, try_ask
from tui.services.sql.operations.limits import of_limit, transaction
from tui.services.sql.operations.model import Check, Peer, Standing, Unknown, Verdict

SERVERS = """\
SELECT host, port::text, num_connections::text, node_type, cloud, region, zone, uuid,
 (host = host(inet_server_addr()))::text AS here FROM yb_servers()"""
LOCAL = "SELECT state, count(*)::text AS many FROM yb_local_tablets GROUP BY state ORDER BY state"
LEADERS = """\
SELECT coalesce(leader, '') AS leader, count(*)::text AS many FROM yb_tablet_metadata GROUP BY 1 ORDER BY 1"""
CONNECTIONS = """\
SELECT count(*)::text AS used, current_setting('max_connections') AS most,
 extract(epoch FROM max(clock_timestamp() - xact_start))::text AS longest
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
ROLES = """\
SELECT count(*)::text AS many, string_agg(CASE WHEN rolsuper THEN rolname END, ', ' ORDER BY rolname) AS superusers
FROM pg_roles WHERE rolcanlogin"""
#: A tablet that is as it should be; others are copied, deleted or left behind.
READY = "TABLET_DATA_READY"


async def standing(session: Session) -> Standing:
    """Tablet servers are alike: each takes writes, and nobody follows anybody; read replicas alone refuse.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, SERVERS)
    if isinstance(found, Unknown):
        return Standing(None, True, peers=found)
    peers = tuple(_peer(one) for one in found)
    mine = next((peer for peer in peers if peer.here), None)
    reads = mine is not None and mine.role == "readreplica"
    return Standing(
        None, not reads, "it is in a read replica cluster: writes go on to the primary one" if reads else "",
        next((text(one, "uuid") for one in found if text(one, "here") == "true"), ""), peers=peers,
    )  # fmt: skip


def _peer(record: Record) -> Peer:
    place = ".".join(part for part in (text(record, name) for name in ("cloud", "region", "zone")) if part)
    kind = text(record, "node_type")
    return Peer(
        f"{text(record, 'host')}:{text(record, 'port')}", "in the universe", kind if kind != "primary" else "",
        here=text(record, "here") == "true", part=place, address=text(record, "host"),
    )  # fmt: skip


async def checks(session: Session, standing_: Standing) -> tuple[Check, ...]:
    """Servers, tablets here and their leaders, connections, and who may log in.

    Raises:
        Lost: the connection went.
    """
    peers = standing_.peers
    servers: Check = (
        Check("servers", "Servers", peers) if isinstance(peers, Unknown)
        else Check("servers", "Servers", float(len(peers)), says=_zones(peers))
    )  # fmt: skip
    return (
        servers,
        await _local(session),
        await _leaders(session),
        *await _connections(session),
        await _roles(session),
    )


def _zones(peers: tuple[Peer, ...]) -> str:
    zones: dict[str, int] = {}
    for peer in peers:
        zones[peer.part] = zones.get(peer.part, 0) + 1
    return ", ".join(f"{many} in {zone}" for zone, many in sorted(zones.items()) if zone)


async def _local(session: Session) -> Check:
    found = await try_ask(session, LOCAL)
    if isinstance(found, Unknown):
        return Check("tablets", "Tablets here", found)
    by_state = {text(one, "state"): number(one, "many") or 0.0 for one in found}
    copying = by_state.get("TABLET_DATA_COPYING", 0.0)
    rest = {state: many for state, many in by_state.items() if state != READY}
    says = ", ".join(f"{many:.0f} {state.removeprefix('TABLET_DATA_').lower()}" for state, many in rest.items())
    verdict = Verdict.NOTE if copying else Verdict.GOOD
    return Check("tablets", "Tablets here", by_state.get(READY, 0.0), verdict=verdict, says=says or "all are ready")


async def _leaders(session: Session) -> Check:
    found = await try_ask(session, LEADERS)
    if isinstance(found, Unknown):
        return Check("leaders", "Tablets without a leader", found)
    many = {text(one, "leader"): number(one, "many") or 0.0 for one in found}
    lost = many.pop("", 0.0)
    says = "leaders: " + ", ".join(f"{count:.0f} at {server}" for server, count in many.items()) if many else ""
    if lost:
        says = f"they answer nobody until one is elected; {says}".rstrip("; ")
    verdict = Verdict.BAD if lost else Verdict.GOOD
    return Check("leaders", "Tablets without a leader", lost, verdict=verdict, says=says)


async def _connections(session: Session) -> list[Check]:
    found = await try_ask(session, CONNECTIONS)
    if isinstance(found, Unknown) or not found:
        return [Check("connections", "Connections", found if isinstance(found, Unknown) else Unknown("no row"))]
    used, most = number(found[0], "used") or 0.0, number(found[0], "most")
    return [
        Check("connections", "Connections", used, limit=most, verdict=of_limit(used, most), says="at this server"),
        transaction(number(found[0], "longest")),
    ]


async def _roles(session: Session) -> Check:
    found = await try_ask(session, ROLES)
    if isinstance(found, Unknown) or not found:
        return Check("roles", "Roles that log in", found if isinstance(found, Unknown) else Unknown("no row"))
    who = text(found[0], "superusers")
    return Check("roles", "Roles that log in", number(found[0], "many") or 0.0, says=f"superusers: {who or 'none'}")
