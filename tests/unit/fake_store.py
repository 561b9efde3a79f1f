"""What the fake API server holds: objects, their history, and who watches them."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

Json = dict[str, Any]
encode = msgspec.json.encode


@dataclass(frozen=True)
class FakeResource:
    """A resource type that the server has."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


#: What a server has when a test says nothing else.
BUILT_IN = [
    FakeResource("", "v1", "pods", "Pod"),
    FakeResource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    FakeResource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False),
    FakeResource("", "v1", "services", "Service"),
    FakeResource("", "v1", "events", "Event"),
    FakeResource("", "v1", "secrets", "Secret"),
    FakeResource("", "v1", "nodes", "Node", namespaced=False),
    FakeResource("", "v1", "namespaces", "Namespace", namespaced=False),
    FakeResource("apps", "v1", "statefulsets", "StatefulSet"),
    FakeResource("apps", "v1", "deployments", "Deployment"),
    FakeResource("apps", "v1", "replicasets", "ReplicaSet"),
    FakeResource("apps", "v1", "daemonsets", "DaemonSet"),
    FakeResource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    FakeResource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    FakeResource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False),
]


@dataclass(eq=False)
class Watcher:
    """One open watch: what it wants and what still has to be sent to it."""

    plural: str
    namespace: str | None
    selector: dict[str, str]
    bookmarks: bool
    queue: deque[bytes] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ending: str = ""  # "": open, "end": finish as a server does, "drop": abort the connection
    transport: asyncio.Transport | None = None

    def send(self, data: bytes) -> None:
        self.queue.append(data)
        self.wake.set()

    def end(self, how: str) -> None:
        self.ending = how
        self.wake.set()

    def wants(self, item: Json) -> bool:
        return (not self.namespace or item["metadata"].get("namespace") == self.namespace) and matches(
            item, self.selector
        )


@dataclass(frozen=True)
class Happening:
    """One change, as the history keeps it."""

    version: int
    kind: str  # ADDED, MODIFIED, DELETED
    plural: str
    item: Json
    line: bytes


def matches(item: Json, selector: dict[str, str]) -> bool:
    """Whether an object has these values at these dotted paths."""
    for path, wanted in selector.items():
        value: Any = item
        # A label's name has dots of its own.
        label = path.removeprefix("metadata.labels.")
        for key in ["metadata", "labels", label] if label != path else path.split("."):
            value = (value or {}).get(key)
        if str(value or "") != wanted:
            return False
    return True


class FakeStore:
    """Objects by resource, with resource versions, a history and its compaction."""

    def __init__(self, resources: list[FakeResource] | None = None) -> None:
        self.resources = {r.plural: r for r in (resources or BUILT_IN)}
        self.version = 1000
        self.compacted = 1000
        self.watchers: list[Watcher] = []
        self.opened = asyncio.Condition()
        self.history: deque[Happening] = deque(maxlen=100_000)
        self._objects: dict[str, dict[tuple[str, str], tuple[Json, bytes]]] = {}
        self._pages: dict[str, list[bytes]] = {}
        self._page_ids = itertools.count(1)

    def add_resource(self, resource: FakeResource) -> None:
        """Makes a resource type known, as creating its CRD does."""
        self.resources[resource.plural] = resource

    def put(self, plural: str, item: Json) -> Json:
        """Creates or replaces an object; uid, resourceVersion and creationTimestamp are filled in.

        Returns:
            The object as the server now has it.
        """
        kept = self._objects.setdefault(plural, {})
        resource = self.resources[plural]
        meta = dict(item.get("metadata") or {})
        if resource.namespaced:
            meta.setdefault("namespace", "default")
        key = (meta.get("namespace", ""), meta["name"])
        before = kept.get(key)
        self.version += 1
        if before is None:
            meta.setdefault("uid", str(uuid.uuid4()))
        else:
            meta.setdefault("uid", before[0]["metadata"]["uid"])
        meta.setdefault("creationTimestamp", "2026-11-23T12:00:00Z")
        meta["resourceVersion"] = str(self.version)
        stored = {"apiVersion": resource.api_version, "kind": resource.kind, **item, "metadata": meta}
        line = encode(stored)
        kept[key] = (stored, line)
        self._record("MODIFIED" if before else "ADDED", plural, stored, line)
        return stored

    def delete(self, plural: str, name: str, namespace: str = "default") -> None:
        """Deletes an object."""
        key = (namespace if self.resources[plural].namespaced else "", name)
        item, _ = self._objects[plural].pop(key)
        self.version += 1
        gone = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self._record("DELETED", plural, gone, encode(gone))

    def get(self, plural: str, name: str, namespace: str = "") -> Json | None:
        found = self._objects.get(plural, {}).get((namespace, name))
        return found[0] if found else None

    def select(self, plural: str, namespace: str | None, selector: dict[str, str]) -> list[bytes]:
        """The encoded objects of a collection, by name."""
        kept = self._objects.get(plural, {})
        return [
            line
            for (ns, _), (item, line) in sorted(kept.items(), key=lambda entry: entry[0])
            if (not namespace or ns == namespace) and matches(item, selector)
        ]

    def page(self, lines: list[bytes], limit: int) -> tuple[list[bytes], str]:
        """The first page of a list, and the token for the rest."""
        if not limit or len(lines) <= limit:
            return lines, ""
        token = f"page-{next(self._page_ids)}"
        self._pages[token] = lines[limit:]
        return lines[:limit], token

    def rest(self, token: str) -> list[bytes] | None:
        """What a continue token stands for; None when it has expired."""
        return self._pages.pop(token, None)

    def compact(self) -> None:
        """Forgets the history and all continue tokens, as etcd's compaction does."""
        self.compacted = self.version
        self.history.clear()
        self._pages.clear()

    def since(self, version: int, watcher: Watcher) -> list[bytes]:
        """The history after a resource version, as watch lines."""
        return [
            h.line for h in self.history if h.version > version and h.plural == watcher.plural and watcher.wants(h.item)
        ]

    def bookmark(self, plural: str, *, initial_end: bool = False) -> bytes:
        """A bookmark at the present version, as a watch line."""
        resource = self.resources[plural]
        meta: Json = {"resourceVersion": str(self.version), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        return event_line(
            "BOOKMARK", encode({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta})
        )

    def _record(self, kind: str, plural: str, item: Json, line: bytes) -> None:
        happening = Happening(self.version, kind, plural, item, event_line(kind, line))
        self.history.append(happening)
        for watcher in self.watchers:
            if watcher.plural == plural and watcher.wants(item):
                watcher.send(happening.line)


def event_line(kind: str, item: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), item)
