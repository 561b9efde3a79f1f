"""What a CockroachDB node is asked: SHOW statements, and its metrics, which answer when SQL does not.

Nothing here reads `crdb_internal`: from version 26 on it is closed unless `allow_unsafe_internals` is on, and reading
it then is an event of its own in the audit log.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from tui.services.sql.model import Session
from tui.services.sql.operations.asking import Record, first_of, number, text, try_ask
from tui.services.sql.operations.limits import transaction
from tui.services.sql.operations.metrics import Metrics
from tui.services.sql.operations.model import Activity, Check, Lock, Peer, Size, Standing, Unit, Unknown, Verdict

SESSIONS = "SHOW CLUSTER SESSIONS"
#: The newer name first: the documentation of 20.2 has the older one alone.
STATEMENTS = ("SHOW CLUSTER STATEMENTS", "SHOW CLUSTER QUERIES")
JOBS = "SHOW JOBS"
VERSION = "SHOW CLUSTER SETTING version"
LICENCE = "SHOW CLUSTER SETTING enterprise.license"

#: Both names of the seconds that a licence is still good for; 0 when there is none.
_EXPIRY = ("seconds_until_license_expiry", "seconds_until_enterprise_license_expiry")
DAY = 86_400.0
_OVER = frozenset(("succeeded", "canceled", "cancelled"))


def standing(metrics: Metrics | Unknown) -> Standing:
    """Members are alike: there is no replica to follow anybody, and each takes writes."""
    if isinstance(metrics, Unknown):
        return Standing(None, True, peers=Unknown(f"its metrics could not be read: {metrics.because}"))
    node = metrics.label("node_id")
    live, draining = metrics.one("liveness_livenodes"), metrics.one("node_liveness_draining")
    state = f"{live:.0f} nodes are live" if live is not None else "live nodes are not told"
    return Standing(None, True, identity=node, peers=(Peer(f"node {node or '?'}", "draining" if draining else state),))


async def sessions(session: Session) -> tuple[tuple[Activity, ...] | Unknown, bool]:
    """Who is there in the whole cluster, without ourselves; and whether transactions are told (see `tells`).

    Raises:
        Lost: the connection went.
    """
    found = await try_ask(session, SESSIONS)
    if isinstance(found, Unknown):
        return found, False
    statements = await first_of(session, STATEMENTS)
    running = {} if isinstance(statements, Unknown) else {text(one, "session_id"): one for one in statements}
    running.pop("", None)  # those of 19.2 do not say whose they are
    own = {key for key, one in running.items() if _asks(text(one, "query"))}
    own |= {text(one, "session_id") for one in found if _asks(text(one, "active_queries"))}
    return tuple(
        activity(one, running.get(text(one, "session_id")), time.time())
        for one in found
        if text(one, "session_id") not in own and text(one, "status").lower() != "closed"
    ), tells(found)


def tells(found: list[Record]) -> bool:
    """Whether SHOW SESSIONS says who has a transaction open.

    Its documentation of 20.1 has `kv_txn`, and that of 24; `delegateShowSessions` of the sources between them selects
    neither it nor `status`.
    """
    return not found or "kv_txn" in found[0]


def _asks(query: str) -> bool:
    """Whether it is one of our own questions."""
    return any(one.lower() in query.lower() for one in (SESSIONS, *STATEMENTS))


def activity(record: Record, statement: Record | None, now: float) -> Activity:
    """One row of SHOW CLUSTER SESSIONS, with that of SHOW CLUSTER STATEMENTS if it runs one.

    Older versions have no `status`, and the time of the statement is called `oldest_query_start`.
    """
    since = _seconds(text(statement, "start"), now) if statement is not None else None
    began = _seconds(text(record, "active_query_start", "oldest_query_start"), now)
    status = text(record, "status").lower() or ("active" if text(record, "active_queries") else "idle")
    return Activity(
        text(record, "session_id"), text(record, "user_name"), text(record, "client_address"), "",
        text(record, "application_name"), status, since if since is not None else began,
        None if not text(record, "kv_txn") else (since if since is not None else began),
        f"node {text(record, 'node_id')}", (),
        text(statement or {}, "query") or text(record, "active_queries") or text(record, "last_active_query"),
        text(statement or {}, "query_id"),
    )  # fmt: skip


def _seconds(stamp: str, now: float) -> float | None:
    """How long ago; stamps are UTC, written with or without a zone."""
    try:
        at = datetime.fromisoformat(stamp.replace(" +0000 UTC", "+00:00").replace("Z", "+00:00"))
    except ValueError:
        return None
    return max(0.0, now - (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def locks() -> tuple[Lock, ...] | Unknown:
    """No SHOW statement tells what is waited for."""
    return Unknown("only crdb_internal.cluster_locks tells it, which is closed from version 26 on; it is not read")


def sizes(metrics: Metrics | Unknown) -> tuple[Size, ...] | Unknown:
    """The room of a node's stores."""
    if isinstance(metrics, Unknown):
        return metrics
    stores = metrics.by("capacity_used", "store")
    total = metrics.by("capacity", "store")
    if not stores:
        return Unknown("its metrics tell no capacity")
    return tuple(
        Size("store", store, int(used), int(total[store]) if store in total else None)
        for store, used in sorted(stores.items())
    )


async def checks(
    session: Session, metrics: Metrics | Unknown, activities: tuple[Activity, ...] | Unknown, *, transactions: bool
) -> tuple[Check, ...]:
    """All of them.

    Args:
        session: with the node.
        metrics: of the node.
        activities: who is there.
        transactions: whether those say who has a transaction open.

    Raises:
        Lost: the connection went.
    """
    told = list(of_metrics(metrics))
    if isinstance(activities, Unknown):
        told.append(Check("longest-transaction", "Longest transaction", activities))
    elif not transactions:
        missing = Unknown(f"{SESSIONS} of this version has no kv_txn")
        told.append(Check("longest-transaction", "Longest transaction", missing))
    else:
        told.append(
            transaction(max((one.transaction for one in activities if one.transaction is not None), default=None))
        )
    found = await try_ask(session, JOBS)
    told += [Check("jobs", "Jobs", found)] if isinstance(found, Unknown) else jobs(found)
    version = await try_ask(session, VERSION)
    told.append(_version(version if isinstance(version, Unknown) else text(version[0], "version") if version else ""))
    licence = await try_ask(session, LICENCE)
    # Its value is never kept: only whether there is one.
    given = licence if isinstance(licence, Unknown) else bool(licence and next(iter(licence[0].values()), ""))
    told.append(of_licence(given, metrics))
    return tuple(told)


def of_metrics(metrics: Metrics | Unknown) -> list[Check]:
    """Ranges, connections, clock and certificates of a node."""
    if isinstance(metrics, Unknown):
        return [Check("metrics", "Ranges, clock, certificates", metrics)]
    told = []
    for key, title, verdict, says in (
        (
            "ranges_unavailable",
            "Ranges unavailable",
            Verdict.BAD,
            "they answer nobody: most of their replicas are gone",
        ),
        ("ranges_underreplicated", "Ranges underreplicated", Verdict.WARN, "they have fewer replicas than they should"),
        ("ranges_overreplicated", "Ranges overreplicated", Verdict.NOTE, "replicas wait to be taken away"),
    ):
        found = metrics.one(key)
        if found is None:
            told.append(Check(key.replace("_", "-"), title, Unknown(f"its metrics have no {key}")))
        else:
            told.append(Check(key.replace("_", "-"), title, found, verdict=verdict if found else Verdict.GOOD,
                              says=says if found else ""))  # fmt: skip
    ranges = metrics.one("ranges")
    told.append(Check("ranges", "Ranges", ranges if ranges is not None else Unknown("its metrics have no ranges")))
    connections = metrics.one("sql_conns")
    told.append(
        Check("connections", "Connections", connections if connections is not None else Unknown("no sql_conns"),
              says="at this node")
    )  # fmt: skip
    if (offset := metrics.one("clock_offset_meannanos")) is None:
        told.append(Check("clock", "Clock offset", Unknown("its metrics have no clock_offset_meannanos")))
    else:
        seconds = offset / 1e9
        # A node ends itself at 80 % of the cluster's --max-offset, 500 ms unless it was changed.
        verdict = Verdict.BAD if abs(seconds) > 0.4 else Verdict.WARN if abs(seconds) > 0.2 else Verdict.GOOD
        told.append(Check("clock", "Clock offset", seconds, Unit.SECONDS, verdict=verdict, says="mean, to other nodes"))
    return [*told, *_certificates(metrics)]


def _certificates(metrics: Metrics) -> list[Check]:
    told = []
    for name, stamp in sorted(metrics.starting("security_certificate_expiration_").items()):
        if stamp <= 0:
            continue  # there is no such certificate
        left = stamp - time.time()
        verdict = Verdict.BAD if left < 7 * DAY else Verdict.WARN if left < 30 * DAY else Verdict.GOOD
        which = name.removeprefix("security_certificate_expiration_").replace("_", " ")
        told.append(
            Check(f"certificate:{which}", f"Certificate {which} expires in", left, Unit.SECONDS, verdict=verdict)
        )
    return told


def jobs(found: list[Record]) -> list[Check]:
    """How many run, and those that failed."""
    open_ = [
        one for one in found if text(one, "status").lower() not in _OVER and text(one, "status").lower() != "failed"
    ]
    failed = [one for one in found if text(one, "status").lower() == "failed"]
    told = [Check("jobs", "Jobs under way", float(len(open_)), says=", ".join(
        dict.fromkeys(f"{text(one, 'job_type').lower()} {_share(one)}".strip() for one in open_[:5])
    ))]  # fmt: skip
    if failed:
        last = failed[0]
        says = (
            f"job {text(last, 'job_id')}, {text(last, 'job_type').lower()}: {text(last, 'error') or 'no reason told'}"
        )
        told.append(Check("jobs-failed", "Jobs failed", float(len(failed)), verdict=Verdict.WARN, says=says))
    return told


def _share(record: Mapping[str, str | None]) -> str:
    fraction = number(record, "fraction_completed")
    return f"{100 * fraction:.0f} %" if fraction is not None else ""


def _version(found: str | Unknown) -> Check:
    if isinstance(found, Unknown):
        return Check("cluster-version", "Cluster version", found)
    # Until an upgrade is finalised: `24.1-upgrading-to-24.2-step-014`; before 23.1 `22.1-56`.
    going = "-" in found
    says = "an upgrade is not finalised" if going else ""
    return Check("cluster-version", "Cluster version", found or Unknown("no answer"),
                 verdict=Verdict.NOTE if going else Verdict.GOOD, says=says)  # fmt: skip


def of_licence(given: bool | Unknown, metrics: Metrics | Unknown) -> Check:
    """Whether there is a licence, and how long it is good for."""
    left = None
    if not isinstance(metrics, Unknown):
        left = next((found for name in _EXPIRY if (found := metrics.one(name)) is not None), None)
    if left is not None and left > 0:
        verdict = Verdict.BAD if left < 7 * DAY else Verdict.WARN if left < 30 * DAY else Verdict.GOOD
        return Check("licence", "Licence expires in", left, Unit.SECONDS, verdict=verdict)
    if left is not None and left < 0:
        return Check("licence", "Licence", "expired", verdict=Verdict.BAD, says=f"{-left / DAY:.0f} days ago")
    if isinstance(given, Unknown):
        return Check("licence", "Licence", given)
    says = "" if given else "from 24.3 on a cluster of several nodes is throttled after seven days without one"
    return Check("licence", "Licence", "set" if given else "none", verdict=Verdict.GOOD if given else Verdict.NOTE,
                 says=says)  # fmt: skip
