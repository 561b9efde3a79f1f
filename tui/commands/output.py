"""What `get -o json` and `-o yaml` say: stable field names, documented in the README, built one by one.

Nothing is taken over from the model by reflection: a renamed attribute must never rename a field that somebody's
script reads. Fields may be added; they are not renamed or removed within one `apiVersion`. Times are RFC 3339 in
UTC, sizes bytes, and what is not known is null with the reason beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from tui.kube.feeds import Feed, Phase
from tui.problem import Problem
from tui.systems.live import Live
from tui.systems.model import Claim, Member, Workload

API_VERSION = "statetui/v1"

Document: TypeAlias = dict[str, Any]

#: C1 controls, bidirectional overrides and line separators: legal in JSON, obeyed by terminals.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def document(live: Live, workloads: Iterable[Workload]) -> Document:
    """The whole answer of `get`."""
    cluster, context = live.cluster, live.context
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadList",
        "context": context.name if context else "",
        "server": context.server if context else "",
        "serverVersion": cluster.server_version if cluster else "",
        "scope": cluster.scope.text if cluster else "",
        "complete": live.complete,
        "problems": problems(live),
        "workloads": [workload(item) for item in workloads],
    }


def event(kind: str, item: Workload) -> Document:
    """One change, for `-w`: `ADDED`, `MODIFIED` or `DELETED`."""
    return {"apiVersion": API_VERSION, "type": kind, "workload": workload(item)}


def problems(live: Live) -> list[Document]:
    """What could not be read: of the whole cluster, and of each resource."""
    found = (
        [{"resource": None, "namespace": None, "lost": "everything", **_problem(live.problem)}] if live.problem else []
    )
    cluster = live.cluster
    if cluster is None:
        return found
    if cluster.connection.problem is not None and cluster.connection.state != "live":
        found.append({"resource": None, "namespace": None, "lost": "", **_problem(cluster.connection.problem)})
    for feed in cluster.feeds.values():
        if lacks(feed) and feed.problem is not None:
            place = {"resource": feed.resource.rbac, "namespace": feed.namespace, "lost": feed.resource.needed_for}
            found.append({**place, **_problem(feed.problem)})
    return found


def lacks(feed: Feed) -> bool:
    """Whether a feed's objects are missing, and not merely because the server has no such type."""
    return feed.problem is not None and feed.phase not in (Phase.LIVE, Phase.POLLING, Phase.ABSENT)


def _problem(problem: Problem) -> Document:
    return {
        "cause": problem.cause.value,
        "what": problem.what,
        "evidence": problem.evidence,
        "remedy": problem.remedy,
    }


def workload(item: Workload) -> Document:
    """One workload."""
    return {
        "key": item.key,
        "namespace": item.namespace,
        "name": item.name,
        "kind": item.kind.value,
        "system": item.system,
        "title": item.title,
        "packaging": item.packaging,
        "version": item.version,
        "owner": {"kind": item.owner.kind, "text": item.owner.text},
        "health": item.health.value,
        "ready": item.ready,
        "desired": item.desired,
        "why": item.why,
        "operatorStatus": item.operator_status,
        "standsIn": item.stands_in,
        "created": time(item.created),
        "members": [member(one) for one in item.members],
        "spareClaims": [claim(one) for one in item.spare_claims],
        "rollouts": [
            {
                "set": one.set_name,
                "toRevision": one.to_revision,
                "updated": one.updated,
                "total": one.total,
                "partition": one.partition,
                "stuck": one.stuck,
            }
            for one in item.rollouts
        ],
        "warnings": [{"text": one.text, "evidence": one.evidence, "health": one.health.value} for one in item.warnings],
        "objects": [
            {"resource": one.resource, "namespace": one.namespace, "name": one.name, "uid": one.uid}
            for one in item.objects
        ],
    }


def member(item: Member) -> Document:
    """One member, with its claims."""
    role = item.role
    return {
        "pod": item.pod,
        "uid": item.uid,
        "label": item.label,
        "set": item.set_name,
        "ordinal": item.ordinal,
        "role": {"name": role.name, "writes": role.writes, "source": role.source} if role else None,
        "lag": item.lag,
        "health": item.health.value,
        "phase": item.phase,
        "ready": item.ready,
        "restarts": item.restarts,
        "lastRestart": item.last_restart,
        "lastRestartAt": time(item.last_restart_at),
        "created": time(item.created),
        "node": item.node,
        "ip": item.ip,
        "revision": item.revision,
        "revisionCurrent": item.current,
        "images": list(item.images),
        "note": item.note,
        "standsIn": item.stands_in,
        "terminatingSince": time(item.terminating_since),
        "claims": [claim(one) for one in item.claims],
    }


def claim(item: Claim) -> Document:
    """One claim. `usage` is null where it is not known, and `usageUnknown` says why."""
    usage = item.usage
    return {
        "name": item.name,
        "uid": item.uid,
        "template": item.template,
        "health": item.health.value,
        "phase": item.phase,
        "capacityBytes": item.capacity,
        "requestedBytes": item.requested,
        "storageClass": item.storage_class,
        "volume": item.volume,
        "volumeSource": item.volume_source,
        "accessModes": list(item.access_modes),
        "created": time(item.created),
        "note": item.note,
        "usage": {
            "usedBytes": usage.used,
            "capacityBytes": usage.capacity,
            "availableBytes": usage.available,
            "inodesUsed": usage.inodes_used,
            "inodes": usage.inodes,
            "shared": usage.shared,
            "at": time(usage.at),
        }
        if usage
        else None,
        "usageUnknown": "" if usage else item.usage_unknown,
    }


def essence(item: Document) -> Document:
    """A workload without the moments at which figures were read, to tell whether it is news."""
    return {key: _timeless(value) for key, value in item.items()}


def _timeless(value: object) -> object:
    match value:
        case dict():
            return {key: _timeless(inner) for key, inner in value.items() if key != "at"}
        case list():
            return [_timeless(inner) for inner in value]
        case _:
            return value


def time(seconds: float | None) -> str | None:
    """A moment as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds is not None else None


def json(value: object, *, lines: bool = False) -> str:
    """JSON, indented or on one line. What a terminal would obey is escaped, which any reader of JSON undoes."""
    encoded = msgspec.json.encode(value)
    text = (encoded if lines else msgspec.json.format(encoded, indent=2)).decode()
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def yaml(value: object) -> str:
    """YAML of the same document."""
    import yaml as library  # noqa: PLC0415 - only for -o yaml

    dumper = getattr(library, "CSafeDumper", library.SafeDumper)
    text: str = library.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    if _OBEYED.search(text):
        text = library.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=False, width=120)
    return text
