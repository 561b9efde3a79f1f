"""Who belongs to whom: the owners, marks and finalizers of all objects, kept up to date from the changes alone.

Looking through all objects after each change would cost a large cluster most of a processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tui.sandbox.store import Entry, Expired, Store

#: Where an object is: its resource, and namespace and name with a slash between.
Place = tuple[str, str]


class Owner(msgspec.Struct, rename="camel", gc=False):
    """What matters of an owner reference."""

    uid: str = ""
    block_owner_deletion: bool | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str = ""
    owner_references: tuple[Owner, ...] | None = None
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata


_decode = msgspec.json.Decoder(_Object).decode


class Known(msgspec.Struct, frozen=True, gc=False):
    """What matters of an object.

    Attributes:
        resource: its resource's key.
        key: namespace and name, with a slash between.
        uid: its own.
        owners: who it belongs to.
        marked: whether it is being deleted.
        finalizers: what that waits for.
    """

    resource: str
    key: str
    uid: str
    owners: tuple[Owner, ...]
    marked: bool
    finalizers: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Its namespace, empty for an object of the whole cluster."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """Its name."""
        return self.key.partition("/")[2]


def known_of(resource: str, entry: Entry) -> Known:
    """What matters of an object."""
    meta = _decode(entry.raw).metadata
    owners, finalizers = meta.owner_references or (), meta.finalizers or ()
    return Known(resource, entry.key, meta.uid, owners, bool(meta.deletion_timestamp), finalizers)


class Ownership:
    """The objects of a store but its events, by place and by owner."""

    def __init__(self, store: Store) -> None:
        """Knows nothing before the first `catch_up`."""
        self._store = store
        self._revision = -1
        self._known: dict[Place, Known] = {}
        self._places: dict[str, dict[Place, None]] = {}
        self._dependents: dict[str, dict[Place, None]] = {}

    def catch_up(self) -> list[Place]:
        """Takes in what has changed; what has to be looked at for it: what changed, its owners and its dependents."""
        try:
            records = self._store.since(self._revision) if self._revision >= 0 else None
        except Expired:
            records = None
        self._revision = self._store.revision
        if records is None:
            self._known, self._places, self._dependents = {}, {}, {}
            for resource in self._store.resources():
                if resource != "events":
                    for entry in self._store.list(resource):
                        self._add(known_of(resource, entry))
            return [*self._known]
        touched: dict[Place, None] = {}
        for record in records:
            if record.resource != "events":
                place = (record.resource, record.key)
                old = self._drop(place)
                new = known_of(record.resource, record.new) if record.new else None
                if new:
                    self._add(new)
                touched.update(dict.fromkeys(self._concerned(place, old, new)))
        return [*touched]

    def _concerned(self, place: Place, old: Known | None, new: Known | None) -> Iterator[Place]:
        if new:
            yield place
        for known in (old, new):
            for owner in known.owners if known else ():
                yield from self._places.get(owner.uid, ())
        if old and (new is None or new.uid != old.uid):
            yield from self._dependents.get(old.uid, ())

    def _add(self, known: Known) -> None:
        place = (known.resource, known.key)
        self._known[place] = known
        self._places.setdefault(known.uid, {})[place] = None
        for owner in known.owners:
            self._dependents.setdefault(owner.uid, {})[place] = None

    def _drop(self, place: Place) -> Known | None:
        known = self._known.pop(place, None)
        if known is not None:
            _discard(self._places, known.uid, place)
            for uid in {owner.uid for owner in known.owners}:
                _discard(self._dependents, uid, place)
        return known

    def get(self, place: Place) -> Known | None:
        """What is known of an object, None when it is gone."""
        return self._known.get(place)

    def exists(self, uid: str) -> bool:
        """Whether there is an object with this identity."""
        return uid in self._places

    def dependents(self, uid: str) -> list[Known]:
        """The objects that name an owner."""
        return [self._known[place] for place in self._dependents.get(uid, ())]


def _discard(index: dict[str, dict[Place, None]], uid: str, place: Place) -> None:
    places = index[uid]
    del places[place]
    if not places:
        del index[uid]
