"""The garbage collector.

It removes dependents of owners that are gone, does what foreground and orphan deletions wait for, empties namespaces
that go, keeps claims while a pod uses them, gives each namespace its ServiceAccount, and removes old events.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tui.sandbox import ages
from tui.sandbox.events import LIFETIME
from tui.sandbox.model import ApiError, Json
from tui.sandbox.objects import Deletion
from tui.sandbox.registry import Registry
from tui.sandbox.store import Entry

_log = logging.getLogger(__name__)
_FOREGROUND, _ORPHAN, _PROTECTION = "foregroundDeletion", "orphan", "kubernetes.io/pvc-protection"
#: How long changes are gathered before they are worked on, and how often old events are looked for, seconds.
_GATHER, _OLD = 0.05, 60.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What matters of an object: its owners, whether it is marked, and what it waits for."""

    resource: str
    key: str
    revision: int
    uid: str
    owners: tuple[Json, ...]
    marked: bool
    finalizers: tuple[str, ...]

    @property
    def place(self) -> tuple[str, str]:
        """Its namespace and its name."""
        namespace, _, name = self.key.partition("/")
        return namespace, name


class Collector:
    """Collects while it runs. Each round looks at everything, so that a restart in between loses nothing."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._known: dict[tuple[str, str], _Known] = {}

    async def run(self) -> None:
        """Collects until it is cancelled."""
        revision, swept = -1, 0.0
        while True:
            if revision != self._store.revision:
                await asyncio.sleep(_GATHER)
                revision = self._store.revision
                try:
                    self.collect()
                except ApiError as problem:
                    # A full disk, or an object that changed in between: the next round tries again.
                    _log.warning("the collector waits: %s", problem.message)
            if time.monotonic() - swept > _OLD:
                swept = time.monotonic()
                self.forget_events()
            try:
                # Not `wait_for`, which before Python 3.12 may lose that it is cancelled.
                async with asyncio.timeout(_OLD):
                    await self._store.moved(revision)
            except TimeoutError:
                continue

    def _look(self, resource: str, entry: Entry) -> _Known:
        known = self._known.get((resource, entry.key))
        if known is None or known.revision != entry.revision:
            meta = entry.load()["metadata"]
            known = _Known(
                resource,
                entry.key,
                entry.revision,
                meta["uid"],
                tuple(meta.get("ownerReferences", ())),
                bool(meta.get("deletionTimestamp")),
                tuple(meta.get("finalizers", ())),
            )
        return known

    def collect(self) -> None:
        """One round over everything.

        Raises:
            ApiError: something changed in between, or the disk takes no more.
        """
        self._known = {
            (resource, entry.key): self._look(resource, entry)
            for resource in self._store.resources()
            if resource != "events"
            for entry in self._store.list(resource)
        }
        uids = {known.uid for known in self._known.values()}
        dependents: dict[str, list[_Known]] = {}
        for known in self._known.values():
            for owner in known.owners:
                dependents.setdefault(owner.get("uid", ""), []).append(known)
        for known in self._known.values():
            if known.marked and _ORPHAN in known.finalizers:
                self._orphan(known, dependents.get(known.uid, []))
            elif known.marked and _FOREGROUND in known.finalizers:
                self._wait(known, dependents.get(known.uid, []))
            elif known.owners and not known.marked and not any(owner.get("uid") in uids for owner in known.owners):
                self._remove(known, Deletion(known.uid))
        self._namespaces()
        self._claims()

    def _remove(self, known: _Known, deletion: Deletion) -> None:
        kind = self._registry.kinds.of(known.resource)
        if kind and self._store.get(known.resource, known.key):
            self._registry.remove(kind, *known.place, deletion)

    def _release(self, known: _Known, finalizer: str) -> None:
        obj = self._registry.get(known.resource, *known.place)
        if obj:
            kept = [name for name in obj["metadata"].get("finalizers", []) if name != finalizer]
            patch = {"metadata": {"finalizers": kept or None}}
            self._registry.patch(known.resource, *known.place, patch, manager="collector")

    def _orphan(self, known: _Known, dependents: list[_Known]) -> None:
        for dependent in dependents:
            obj = self._registry.get(dependent.resource, *dependent.place)
            if obj:
                owners = [one for one in obj["metadata"].get("ownerReferences", []) if one.get("uid") != known.uid]
                patch = {"metadata": {"ownerReferences": owners or None}}
                self._registry.patch(dependent.resource, *dependent.place, patch, manager="collector")
        self._release(known, _ORPHAN)

    def _wait(self, known: _Known, dependents: list[_Known]) -> None:
        blocks = False
        for dependent in dependents:
            owner = next(one for one in dependent.owners if one.get("uid") == known.uid)
            if len(dependent.owners) > 1:
                continue
            blocks = blocks or bool(owner.get("blockOwnerDeletion"))
            if not dependent.marked:
                self._remove(dependent, Deletion(dependent.uid, propagation="Foreground"))
        if not blocks:
            self._release(known, _FOREGROUND)

    def _namespaces(self) -> None:
        """Empties the namespaces that go, and gives those that stay their ServiceAccount."""
        for entry in [*self._store.list("namespaces")]:
            known, name = self._look("namespaces", entry), entry.key.removeprefix("/")
            if not known.marked:
                if not self._store.get("serviceaccounts", f"{name}/default"):
                    account = {"metadata": {"name": "default", "namespace": name}}
                    self._registry.create("serviceaccounts", account, manager="collector")
                continue
            for inside in self._inside(name):
                if not inside.marked:
                    self._remove(inside, Deletion(inside.uid))
            if not any(self._inside(name)):
                self._registry.finalize(name)

    def _inside(self, namespace: str) -> Iterator[_Known]:
        for resource in self._store.resources():
            for entry in [*self._store.list(resource, namespace)]:
                yield self._look(resource, entry)

    def _claims(self) -> None:
        """Lets claims go that no pod uses any more."""
        waiting = [
            known
            for known in self._known.values()
            if known.resource == "persistentvolumeclaims" and known.marked and _PROTECTION in known.finalizers
        ]
        for known in waiting:
            namespace, name = known.place
            pods = self._registry.list("pods", namespace)
            if not any(_uses(pod, name) for pod in pods):
                self._release(known, _PROTECTION)

    def forget_events(self) -> None:
        """Removes the events that are older than an hour."""
        for entry in [*self._store.list("events")]:
            event = entry.load()
            stamp = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
            when = ages.parse(stamp or "")
            if when is None or time.time() - when.timestamp() > LIFETIME:
                self._store.remove("events", entry.key)


def _uses(pod: Json, claim: str) -> bool:
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return False
    volumes = pod["spec"].get("volumes", [])
    return any(volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in volumes)
