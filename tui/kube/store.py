"""What the cluster holds now, with the indexes that recognition and diagnosis ask for.

Reflectors write it, nobody else does. Every write marks the object dirty; `drain` hands all changes since the last
call over as one batch, each object once, however often it changed in between.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tui.kube.objects import Event, Object, Pod

T = TypeVar("T", bound=Object)
_NONE: Mapping[str, Object] = {}

#: How many events are kept (about 20 MB). Beyond it the oldest of type Normal go first.
EVENTS_KEPT = 20_000
#: Objects written between two chances for others to run, when a whole list replaces what is held.
STRIDE = 128


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object since the last `drain`: added (no old), deleted (no new) or modified."""

    resource: str
    old: Object | None
    new: Object | None


class Store:
    """All watched objects by resource key and uid. Not thread-safe: one event loop owns it.

    Attributes:
        events_dropped: events that were let go to keep within `EVENTS_KEPT`, since the start.
        on_write: called with a resource's key at each write, for who must not wait for the next batch; it is to do
            nothing but note it.
    """

    def __init__(self, *, events_kept: int = EVENTS_KEPT) -> None:
        self.events_dropped = 0
        self.on_write: list[Callable[[str], None]] = []
        self._events_kept = events_kept
        self._event_order: dict[bool, OrderedDict[str, None]] = {True: OrderedDict(), False: OrderedDict()}
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
        """Deletes one object; unknown ones are ignored. That an event expired is not news: no change is told of it."""
        before = self._objects.get(resource, {}).pop(uid, None)
        if before is not None:
            self._unindex(resource, before)
            if not isinstance(before, Event):
                self._mark(resource, uid, before)

    def replace(self, resource: str, namespace: str | None, items: Iterable[Object]) -> None:
        """Makes the store's objects of a resource (in one namespace, or everywhere) equal to a list, by uid."""
        for _ in self.replacing(resource, namespace, items):
            pass

    def replacing(self, resource: str, namespace: str | None, items: Iterable[Object]) -> Iterator[None]:
        """As `replace`, in steps: between two of them others may run, and see some objects new and some old.

        What is new or changed comes before what is gone, so no reader sees less than there is.
        """
        held = self._by_namespace.get((resource, namespace), {}) if namespace else self._objects.get(resource, {})
        gone = dict.fromkeys(held)
        for number, item in enumerate(items, 1):
            gone.pop(item.metadata.uid, None)
            self.put(resource, item)
            if number % STRIDE == 0:
                yield
        for number, uid in enumerate(gone, 1):
            self.remove(resource, uid)
            if number % STRIDE == 0:
                yield

    def _mark(self, resource: str, uid: str, before: Object | None) -> None:
        self._dirty.setdefault((resource, uid), before)
        self._changed.set()
        for told in self.on_write:
            told(resource)

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
            self._event_order[item.type == "Normal"][meta.uid] = None
            if len(self._objects[resource]) > self._events_kept:
                self._drop_event(resource)

    def _drop_event(self, resource: str) -> None:
        """Lets the oldest event go, a Normal one while there is any: warnings are what people look for."""
        normal, others = self._event_order[True], self._event_order[False]
        self.events_dropped += 1
        self.remove(resource, next(iter(normal or others)))

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
            self._event_order[item.type == "Normal"].pop(meta.uid, None)

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

    def mounted(self) -> Iterator[tuple[tuple[str, str], Iterable[Pod]]]:
        """Every claim that some pod names, (namespace, name), with its pods."""
        for claim, pods in list(self._pods_by_claim.items()):
            yield claim, pods.values()

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
    names = []
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            names.append(volume.persistent_volume_claim.claim_name)
        elif volume.ephemeral is not None:
            names.append(f"{pod.metadata.name}-{volume.name}")
    return names


def _drop(index: dict, key: object, member: object) -> None:  # type: ignore[type-arg]
    members = index.get(key)
    if members is not None:
        members.pop(member, None)
        if not members:
            del index[key]
