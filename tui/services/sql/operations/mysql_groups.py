"""Groups of equals: MySQL's group replication and Galera, as one of their members sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui.services.sql.model import Engine, Session
from tui.services.sql.operations.asking import Record, number, text, try_ask, whole
from tui.services.sql.operations.model import Check, Peer, Unit, Unknown, Upstream, Verdict

WSREP = "SHOW GLOBAL STATUS LIKE 'wsrep\\_%'"
MEMBERS = """\
SELECT m.member_id, m.member_host, m.member_port, m.member_state, {role} AS member_role, {version} AS member_version,
 s.{queue} AS behind
FROM performance_schema.replication_group_members m
LEFT JOIN performance_schema.replication_group_member_stats s ON s.member_id = m.member_id"""
# A member that applies the group's transactions is as old as the oldest one that it works at. The columns came with
# 8.0.1; a worker that rests has a zero time, which no comparison below lets through.
APPLYING = """\
SELECT max(TIMESTAMPDIFF(MICROSECOND, applying_transaction_original_commit_timestamp, NOW(6))) / 1000000 AS seconds
FROM performance_schema.replication_applier_status_by_worker
WHERE channel_name = 'group_replication_applier' AND applying_transaction <> ''
 AND applying_transaction_original_commit_timestamp > '1970-01-02'"""
#: The channel of the group's own transactions.
CHANNEL = "group_replication_applier"
OFF = frozenset(("", "0", "OFF", "off"))


@dataclass(frozen=True, slots=True)
class Group:
    """What a member says of its group.

    Attributes:
        peers: all members; none for a server that is in no group.
        upstream: how a secondary follows the primary; None for others.
        refuses: why the group lets this member take no writes; empty when it does.
        trouble: what is wrong with this member's place in it; empty for nothing.
        name: by which transactions of the group are known (`group_replication_group_name`); empty for Galera.
    """

    peers: tuple[Peer, ...] | Unknown = ()
    upstream: Upstream | None = None
    refuses: str = ""
    trouble: str = ""
    name: str = ""


async def group(session: Session, values: Mapping[str, str]) -> Group:
    """The group that a server is in.

    Args:
        session: asks.
        values: its global variables, by their names in lower case.

    Raises:
        Lost: the connection went.
    """
    if values.get("wsrep_on", "") not in OFF:
        found = await try_ask(session, WSREP)
        if isinstance(found, Unknown):
            return Group(found)
        return galera({text(one, "variable_name").lower(): text(one, "value") for one in found})
    name = values.get("group_replication_group_name", "")
    if session.facts.engine is not Engine.MYSQL or not name:
        return Group()
    # Role and version came with 8.0.2, the applier's queue at the same time.
    modern = session.facts.number >= (8, 0, 2)
    columns = ("m.member_role", "m.member_version", "count_transactions_remote_in_applier_queue")
    role, version, queue = columns if modern else ("''", "''", "count_transactions_in_queue")
    members = await try_ask(session, MEMBERS.format(role=role, version=version, queue=queue))
    if isinstance(members, Unknown):
        return Group(members, name=name)
    applying = await try_ask(session, APPLYING) if modern else []
    late = None if isinstance(applying, Unknown) or not applying else number(applying[0], "seconds")
    return replication(members, values.get("server_uuid", ""), session.facts.member, late, name)


def replication(members: list[Record], uuid: str, pod: str, late: float | None, name: str) -> Group:
    """Group replication.

    Args:
        members: rows of `MEMBERS`.
        uuid: the asked server's.
        pod: its pod's name, where the rows tell no ids.
        late: seconds since the transaction that it applies now was committed; None when it applies none.
        name: the group's.
    """
    peers = tuple(_member(one, uuid, pod, late) for one in members)
    mine = next((peer for peer in peers if peer.here), None)
    if mine is None or mine.state == "OFFLINE":
        state = "is not among its members" if mine is None else "is OFFLINE"
        said = f"this server {state}: START GROUP_REPLICATION lets it join"
        return Group(peers, None, "", f"group {name}: {said}", name)
    lost = sum(peer.state == "UNREACHABLE" for peer in peers)
    trouble = "" if mine.state == "ONLINE" else f"it is {mine.state} in its group"
    if lost * 2 >= len(peers) and lost:
        trouble = f"{lost} of {len(peers)} members are unreachable: without a majority the group takes no writes"
    primaries = [peer for peer in peers if peer.role == "PRIMARY"]
    if mine.role != "SECONDARY":
        return Group(peers, None, trouble, trouble, name)
    source = primaries[0].name if len(primaries) == 1 else ""
    lag = mine.lag if mine.lag is not None else Unknown("the server tells none for groups before 8.0.2")
    works = mine.state == "ONLINE"
    upstream = Upstream(
        source, CHANNEL, mine.state, f"{mine.behind} wait" if mine.behind else "all applied", works,
        lag if works else Unknown(trouble), None, "" if works else trouble,
    )  # fmt: skip
    return Group(peers, upstream, "it is a secondary of its group", trouble, name)


def _member(record: Record, uuid: str, pod: str, late: float | None) -> Peer:
    host, port = text(record, "member_host"), text(record, "member_port")
    id_ = text(record, "member_id")
    here = id_.lower() == uuid.lower() if id_ and uuid else host.split(".")[0] == pod
    behind = whole(record, "behind")
    role = text(record, "member_role")
    lag: float | Unknown | None = None
    if here and role == "SECONDARY":
        if behind is None:
            lag = Unknown("the server tells no queue of its applier")
        elif not behind:
            lag = 0.0
        else:
            lag = late if late is not None else Unknown(f"{behind} transactions wait, and none is being applied")
    return Peer(
        f"{host}:{port}" if port else host or id_, text(record, "member_state"), role, text(record, "member_version"),
        behind, here=here, lag=lag, address=host,
    )  # fmt: skip


def galera(status: Mapping[str, str]) -> Group:
    """Galera: the nodes as one of them names them; only of itself it tells the state."""
    own, view, ready = (status.get(f"wsrep_{key}", "") for key in ("local_state_comment", "cluster_status", "ready"))
    refuses = ""
    if view not in ("", "Primary"):
        refuses = f"the cluster is {view}: it has no majority and takes no statements"
    elif ready == "OFF":
        refuses = f"the node is not ready (wsrep_ready OFF, {own or 'state not told'})"
    trouble = refuses or ("" if own in ("Synced", "") else f"its state is {own}")
    state = own if view in ("", "Primary") else f"{own}, cluster {view}: it takes no statements"
    index, queue = status.get("wsrep_local_index", ""), status.get("wsrep_local_recv_queue", "")
    version = status.get("wsrep_provider_version", "")
    behind = int(queue) if queue.isdecimal() else None
    told = []
    addresses = [one.strip() for one in status.get("wsrep_incoming_addresses", "").split(",") if one.strip()]
    for at, address in enumerate(addresses):
        # From Galera 4 on a node that nobody told its address calls itself AUTO.
        named = address if address.upper() != "AUTO" else ""
        name = named or f"node {at}"
        if index.isdecimal() and int(index) == at:
            told.append(Peer(name, state, "", version, behind, here=True, address=named))
        else:
            told.append(Peer(name, "in the cluster", address=named))
    peers = tuple(told) or (Peer("this node", state, "", version, behind, here=True),)
    return Group(peers, None, refuses, trouble)


# --- health


def checks_of_replication(group_: Group) -> list[Check]:
    """Whether all are there, and whether this one is."""
    if isinstance(group_.peers, Unknown):
        return [Check("group", "Group replication", group_.peers)]
    if not group_.name:
        return []
    online = sum(peer.state == "ONLINE" for peer in group_.peers)
    verdict = Verdict.GOOD if online == len(group_.peers) else Verdict.WARN
    if group_.trouble:
        verdict = Verdict.BAD
    primaries = [peer.name for peer in group_.peers if peer.role == "PRIMARY"]
    says = group_.trouble or (f"primary: {', '.join(primaries)}" if primaries else "no member says that it is primary")
    others = [f"{peer.name} {peer.state}" for peer in group_.peers if peer.state != "ONLINE" and not peer.here]
    return [
        Check("group", "Group members online", float(online), limit=float(len(group_.peers)), verdict=verdict,
              says="; ".join([says, *others]))
    ]  # fmt: skip


async def checks_of_galera(session: Session) -> list[Check]:
    """Quorum, state, and how often the cluster waited for this node.

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, WSREP)
    if isinstance(found, Unknown):
        return [Check("galera", "Galera", found)]
    return of_galera({text(one, "variable_name").lower(): text(one, "value") for one in found})


def of_galera(status: Mapping[str, str]) -> list[Check]:
    """The same, from the status."""
    view, own, ready = (status.get(f"wsrep_{key}", "") for key in ("cluster_status", "local_state_comment", "ready"))
    size = status.get("wsrep_cluster_size", "?")
    verdict = Verdict.GOOD
    if view != "Primary" or ready not in ("ON", ""):
        verdict = Verdict.BAD
    elif own != "Synced":
        # A donor or a node that catches up serves what it can; one that joins does not.
        verdict = Verdict.WARN if own.startswith(("Donor", "Joined")) else Verdict.BAD
    says = f"{own or 'state not told'}, {size} nodes, ready {ready or 'not told'}"
    return [
        Check("galera", "Galera", view or "not told", verdict=verdict, says=says),
        _paused(status),
        *_queue(status),
        *_conflicts(status),
    ]


def _paused(status: Mapping[str, str]) -> Check:
    share = _float(status, "wsrep_flow_control_paused")
    sent = _float(status, "wsrep_flow_control_sent")
    says = "of the time since the last reset"
    if sent:
        says += f"; this node asked for {sent:,.0f} of the pauses"
    if share is None:
        share_or: float | Unknown = Unknown("the server did not tell it")
    else:
        share_or = 100 * share
    verdict = Verdict.WARN if share is not None and share > 0.1 else Verdict.GOOD
    return Check("flow-control", "Paused by flow control", share_or, Unit.PERCENT, verdict=verdict, says=says)


def _queue(status: Mapping[str, str]) -> list[Check]:
    waiting, mean = _float(status, "wsrep_local_recv_queue"), _float(status, "wsrep_local_recv_queue_avg")
    if waiting is None:
        return []
    says = "write sets that wait to be applied here" + (f"; {mean:.2f} on average" if mean is not None else "")
    verdict = Verdict.NOTE if waiting > 0 and (mean or 0) > 1 else Verdict.GOOD
    return [Check("receive-queue", "Receive queue", waiting, verdict=verdict, says=says)]


def _conflicts(status: Mapping[str, str]) -> list[Check]:
    failed, aborted = _float(status, "wsrep_local_cert_failures"), _float(status, "wsrep_local_bf_aborts")
    if failed is None and aborted is None:
        return []
    says = f"{failed or 0:,.0f} refused at commit, {aborted or 0:,.0f} aborted for another node's, since the start"
    return [Check("galera-conflicts", "Conflicts with other nodes", (failed or 0) + (aborted or 0), says=says)]


def _float(status: Mapping[str, str], name: str) -> float | None:
    try:
        return float(status.get(name, ""))
    except ValueError:
        return None
