"""What the cluster holds now, with the indexes that recognition and diagnosis ask for.

Reflectors write it, nobody else does. Every write marks the object dirty; `drain` hands all changes since the last
call over as one batch, each object once, however often it changed in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tui.kube.objects import Event, Object, Pod

T = TypeVar("T", bound=Object)
_NONE: Mapping[str, Object] = {}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object since the last `drain`: added (no old), deleted (no new) or modified."""

    resource: str
    old: Object | None
    new: Object | None


class Store:
    """All watched objects by resource key and uid. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Object]] = {}
        self._by_name: dict[tuple[str, str, str], Object] = {}
        self._by_namespace: dict[tuple[str, str], dict[str, Object]] = {}
        self._by_owner: dict[str, dict[tuple[str, str], Object]] = {}
        self._pods_by_claim: dict[tuple[str, str], dict[str, Pod]] = {}
        self._events_by_object: dict[str, dict[str, Event]] = {}
        self._dirty: dict[tuple[str, str], Object | None] = {}
        self._changed = asyncio.Event()

    # --- writing: for reflectors

    def put(self, resource: str, item: Object) -> None:
        """Adds or replaces one object. The same name with another uid first deletes the former."""
        meta = item.metadata
        table = self._objects.setdefault(resource, {})
        before = table.get(meta.uid)
        if before is None:
            former = self._by_name.get((resource, meta.namespace, meta.name))
            if former is not None and former.metadata.uid != meta.uid:
                self.remove(resource, former.metadata.uid)
        elif before.metadata.resource_version == meta.resource_version:
            return
        else:
            self._unindex(resource, before)
        table[meta.uid] = item
        self._index(resource, item)
        self._mark(resource, meta.uid, before)

    def remove(self, resource: str, uid: str) -> None:
        """Deletes one object; unknown ones are ignored."""
        before = self._objects.get(resource, {}).pop(uid, None)
        if before is not None:
            self._unindex(resource, before)
            self._mark(resource, uid, before)

    def replace(self, resource: str, namespace: str | None, items: Iterable[Object]) -> None:
        """Makes the store's objects of a resource (in one namespace, or everywhere) equal to a list, by uid."""
        held = self._by_namespace.get((resource, namespace), {}) if namespace else self._objects.get(resource, {})
        gone = set(held)
        for item in items:
            gone.discard(item.metadata.uid)
            self.put(resource, item)
        for uid in gone:
            self.remove(resource, uid)

    def _mark(self, resource: str, uid: str, before: Object | None) -> None:
        self._dirty.setdefault((resource, uid), before)
        self._changed.set()

    def _index(self, resource: str, item: Object) -> None:
        meta = item.metadata
        self._by_name[resource, meta.namespace, meta.name] = item
        self._by_namespace.setdefault((resource, meta.namespace), {})[meta.uid] = item
        for owner in meta.owner_references:
            self._by_owner.setdefault(owner.uid, {})[resource, meta.uid] = item
        if isinstance(item, Pod):
            for claim in claims_of(item):
                self._pods_by_claim.setdefault((meta.namespace, claim), {})[meta.uid] = item
        elif isinstance(item, Event):
            self._events_by_object.setdefault(item.involved_object.uid, {})[meta.uid] = item

    def _unindex(self, resource: str, item: Object) -> None:
        meta = item.metadata
        name = (resource, meta.namespace, meta.name)
        if (named := self._by_name.get(name)) is not None and named.metadata.uid == meta.uid:
            del self._by_name[name]
        _drop(self._by_namespace, (resource, meta.namespace), meta.uid)
        for owner in meta.owner_references:
            _drop(self._by_owner, owner.uid, (resource, meta.uid))
        if isinstance(item, Pod):
            for claim in claims_of(item):
                _drop(self._pods_by_claim, (meta.namespace, claim), meta.uid)
        elif isinstance(item, Event):
            _drop(self._events_by_object, item.involved_object.uid, meta.uid)

    # --- reading

    def all(self, resource: str, kind: type[T]) -> Iterable[T]:
        """Every object of a resource, in no order. `kind` only tells the type checker what they are."""
        return self._objects.get(resource, _NONE).values()  # type: ignore[return-value]

    def count(self, resource: str, namespace: str | None = None) -> int:
        """How many objects of a resource are held, in one namespace or in all."""
        return len(self._by_namespace.get((resource, namespace), ()) if namespace else self._objects.get(resource, ()))

    def by_uid(self, resource: str, uid: str, kind: type[T]) -> T | None:
        """One object by identity."""
        return self._objects.get(resource, _NONE).get(uid)  # type: ignore[return-value]

    def named(self, resource: str, namespace: str, name: str, kind: type[T]) -> T | None:
        """One object by name; the namespace is empty for cluster-scoped resources."""
        return self._by_name.get((resource, namespace, name))  # type: ignore[return-value]

    def in_namespace(self, resource: str, namespace: str, kind: type[T]) -> Iterable[T]:
        """A namespace's objects of a resource."""
        return self._by_namespace.get((resource, namespace), _NONE).values()  # type: ignore[return-value]

    def owned(self, uid: str, resource: str, kind: type[T]) -> list[T]:
        """The objects of a resource that name this uid as an owner."""
        return [item for (key, _), item in self._by_owner.get(uid, {}).items() if key == resource]  # type: ignore[misc]

    def pods_of_claim(self, namespace: str, claim: str) -> Iterable[Pod]:
        """The pods whose volumes name this claim."""
        return self._pods_by_claim.get((namespace, claim), {}).values()

    def events_of(self, uid: str) -> Iterable[Event]:
        """The events about one object, in no order."""
        return self._events_by_object.get(uid, {}).values()

    # --- changes: for the one consumer

    async def changed(self) -> None:
        """Waits until `drain` has something to return."""
        await self._changed.wait()

    def drain(self) -> list[Change]:
        """All changes since the last call, each object once, oldest first."""
        dirty, self._dirty = self._dirty, {}
        self._changed.clear()
        changes = []
        for (resource, uid), before in dirty.items():
            now = self._objects.get(resource, _NONE).get(uid)
            if before is not None or now is not None:
                changes.append(Change(resource, before, now))
        return changes


def claims_of(pod: Pod) -> list[str]:
    """The names of the claims that a pod mounts, ephemeral ones (`<pod>-<volume>`) included."""
    return [
        volume.persistent_volume_claim.claim_name if volume.persistent_volume_claim else f"{pod.metadata.name}-{volume.name}"
        for volume in pod.spec.volumes
        if volume.persistent_volume_claim or volume.ephemeral is not None
    ]


def _drop(index: dict, key: object, member: object) -> None:  # type: ignore[type-arg]
    members = index.get(key)
    if members is not None:
        members.pop(member, None)
        if not members:
            del index[key]
