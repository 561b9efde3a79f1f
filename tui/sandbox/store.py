"""The objects, one counter for all changes, and what changed lately.

An object is kept as the JSON that is sent for it, so that 10,000 of them take what their text takes and are sent
without being written anew. What is needed to choose among them (labels, fields) is kept beside it.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tui.sandbox import selectors
from tui.sandbox.journal import Journal, Line
from tui.sandbox.model import ApiError, Change, Json

#: How many changes are remembered at least, unless they are large; a watch that asks for older ones is told 410.
HISTORY = 5000
#: How much the remembered changes may take, bytes. The objects of a change are mostly those of the one before as well.
_HISTORY_BYTES = 16 << 20
#: How many are remembered even if they take more: whoever follows closely is served, however large the objects are.
_HISTORY_LEAST = 32
#: How long a change may wait for the disk, seconds.
_SYNC = 0.2

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


# Neither can be part of a cycle, so the garbage collector need not look at them: with 10,000 objects it would stop the
# API for a tenth of a second at a time.
class Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An object as it is kept.

    Attributes:
        key: namespace and name, with a slash between.
        revision: of its last change.
        raw: its JSON.
        labels: its labels.
        fields: what can be selected, see `selectors.FIELDS`.
        controller: the uid of the owner that controls it, empty without one.
    """

    key: str
    revision: int
    raw: bytes
    labels: dict[str, str]
    fields: dict[str, str]
    controller: str = ""

    def load(self) -> Json:
        """The object; a new one each time."""
        made: Json = _decode(self.raw)
        return made


class Record(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A change that is remembered: `new` is None when the object is gone, `last` is what it was at the end."""

    revision: int
    resource: str
    key: str
    old: Entry | None
    new: Entry | None
    last: Entry

    @property
    def type(self) -> Literal["ADDED", "MODIFIED", "DELETED"]:
        """As a watch names it."""
        return "DELETED" if self.new is None else "ADDED" if self.old is None else "MODIFIED"


class Expired(Exception):
    """What was asked for is older than what is remembered; `oldest` is the oldest revision that is."""

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


def _within(keys: list[str], namespace: str | None) -> list[str]:
    """The keys in a namespace, or all, of keys in order."""
    if namespace is None:
        return keys[:]
    # "0" is what follows the slash.
    return keys[bisect.bisect_left(keys, f"{namespace}/") : bisect.bisect_left(keys, f"{namespace}0")]


class Store:
    """All objects by resource and key.

    Attributes:
        revision: of the last change.
    """

    def __init__(self, directory: Path | None = None, *, history: int = HISTORY) -> None:
        """Reads what a directory keeps; without one, nothing outlives the process.

        Raises:
            BlockingIOError: another process has the directory.
            OSError: it cannot be read or written.
            Damaged: what it keeps cannot be read.
        """
        self.revision = 0
        self._objects: dict[str, dict[str, Entry]] = {}
        self._sorted: dict[str, list[str]] = {}
        self._size = 0
        self._limit = history
        self._journal = Journal(directory) if directory else None
        if self._journal:
            try:
                for line in self._journal.read():
                    self._replay(line)
            except BaseException:
                self._journal.close()
                raise
        #: The changes (first + 1 … revision); watches from `first` on can be answered.
        self.first = self.revision
        self._records: list[Record] = []
        self._remembered = 0
        self._moved = asyncio.Event()
        self._subscribers: list[tuple[frozenset[str], deque[Record], asyncio.Event]] = []
        self._syncing: asyncio.TimerHandle | None = None

    def _replay(self, line: Line) -> None:
        self.revision = max(self.revision, line.r)
        if not line.k:
            return
        objects = self._objects.setdefault(line.k, {})
        old = objects.pop(line.n, None)
        if old:
            self._size -= len(old.raw)
        if raw := bytes(line.o):
            entry = self._entry(line.k, line.n, line.r, raw, _decode(raw))
            objects[line.n] = entry
            self._size += len(entry.raw)

    def _entry(self, resource: str, key: str, revision: int, raw: bytes, obj: Json) -> Entry:
        meta = obj.get("metadata", {})
        owners = (one.get("uid", "") for one in meta.get("ownerReferences") or () if one.get("controller"))
        labels, fields = dict(meta.get("labels") or {}), selectors.fields_of(resource, obj)
        if old := self.get(resource, key):
            # Most changes leave these as they are, and history keeps every version.
            labels = old.labels if old.labels == labels else labels
            fields = old.fields if old.fields == fields else fields
        return Entry(key, revision, raw, labels, fields, next(owners, ""))

    def get(self, resource: str, key: str) -> Entry | None:
        """One object."""
        return self._objects.get(resource, {}).get(key)

    def resources(self) -> tuple[str, ...]:
        """The resources of which there are objects."""
        return tuple(resource for resource, objects in self._objects.items() if objects)

    def keys(self, resource: str, namespace: str | None = None) -> Sequence[str]:
        """All keys of a resource, or those in a namespace, in order: a copy, so that what it names may be removed."""
        found = self._sorted.get(resource)
        if found is None:
            found = self._sorted[resource] = sorted(self._objects.get(resource, {}))
        return _within(found, namespace)

    def list(self, resource: str, namespace: str | None = None, revision: int | None = None) -> Iterator[Entry]:
        """The objects of a resource by namespace and name; as they were at an earlier revision, if one is named.

        Raises:
            Expired: that revision is not remembered any more.
        """
        objects, keys = self._objects.get(resource, {}), self.keys(resource, namespace)
        if revision is not None and revision < self.revision:
            if revision < self.first:
                raise Expired(self.first)
            earlier: dict[str, Entry | None] = {}
            for record in self._records[revision - self.first :]:
                if record.resource == resource:
                    earlier.setdefault(record.key, record.old)
            if earlier:
                objects = {key: entry for key, entry in {**objects, **earlier}.items() if entry is not None}
                keys = _within(sorted(objects), namespace)
        return (objects[key] for key in keys)

    def put(self, resource: str, key: str, obj: Json) -> Json:
        """Adds or replaces an object, which gets the next revision as its resource version. Returns it.

        Raises:
            ApiError: 500 InternalError when the disk takes no more; nothing has changed.
        """
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        entry = self._entry(resource, key, revision, _encode(obj), obj)
        old = self.get(resource, key)
        self._keep(Line(revision, resource, key, msgspec.Raw(entry.raw)))
        self._objects.setdefault(resource, {})[key] = entry
        self._size += len(entry.raw) - (len(old.raw) if old else 0)
        if old is None and (keys := self._sorted.get(resource)) is not None:
            bisect.insort(keys, key)
        self._remember(Record(revision, resource, key, old, entry, entry))
        return obj

    def remove(self, resource: str, key: str) -> Json:
        """Removes an object; returns it as it was last, with the resource version of its end.

        Raises:
            ApiError: 500 InternalError when the disk takes no more; nothing has changed.
        """
        old = self._objects[resource][key]
        revision = self.revision + 1
        obj = old.load()
        obj["metadata"]["resourceVersion"] = str(revision)
        self._keep(Line(revision, resource, key))
        del self._objects[resource][key]
        if (keys := self._sorted.get(resource)) is not None:
            del keys[bisect.bisect_left(keys, key)]
        self._size -= len(old.raw)
        last = Entry(key, revision, _encode(obj), old.labels, old.fields, old.controller)
        self._remember(Record(revision, resource, key, old, None, last))
        return obj

    def _keep(self, line: Line) -> None:
        if self._journal is None:
            return
        try:
            self._journal.append(line)
            if self._journal.outgrown(self._size):
                self._journal.rewrite(self._lines(line))
        except OSError as problem:
            raise ApiError(500, "InternalError", f"the sandbox cannot keep the change: {problem.strerror}") from None
        with contextlib.suppress(RuntimeError):
            if self._syncing is None:
                self._syncing = asyncio.get_running_loop().call_later(_SYNC, self._sync)

    def _lines(self, last: Line) -> Iterator[Line]:
        yield Line(self.revision)
        for resource, objects in self._objects.items():
            for key, entry in objects.items():
                yield Line(entry.revision, resource, key, msgspec.Raw(entry.raw))
        yield last

    def _sync(self) -> None:
        self._syncing = None
        if self._journal:
            asyncio.get_running_loop().run_in_executor(None, self._settle)

    def _settle(self) -> None:
        # A file that has just been written anew was synced by that; its old descriptor may be closed.
        with contextlib.suppress(OSError):
            if self._journal:
                self._journal.sync()

    def _remember(self, record: Record) -> None:
        self.revision = record.revision
        self._records.append(record)
        self._remembered += len(record.last.raw)
        if len(self._records) > 2 * self._limit:
            self.forget(self._limit)
        elif self._remembered > _HISTORY_BYTES and len(self._records) > _HISTORY_LEAST:
            self.forget(max(len(self._records) // 2, _HISTORY_LEAST))
        for resources, queue, wake in self._subscribers:
            if record.resource in resources:
                queue.append(record)
                wake.set()
        self._moved.set()
        self._moved = asyncio.Event()

    def forget(self, keep: int = 0) -> None:
        """Forgets all but the last changes: watches that ask for older ones are told 410."""
        gone = max(len(self._records) - keep, 0)
        self._remembered -= sum(len(record.last.raw) for record in self._records[:gone])
        del self._records[:gone]
        self.first += gone

    def since(self, revision: int) -> Sequence[Record]:
        """The changes after a revision.

        Raises:
            Expired: they are not all remembered any more.
        """
        if revision < self.first:
            raise Expired(self.first)
        return self._records[revision - self.first :]

    async def moved(self, revision: int) -> None:
        """Returns when the store is past a revision."""
        while self.revision <= revision:
            await self._moved.wait()

    async def subscribe(self, resources: Iterable[str]) -> AsyncIterator[Change]:
        """All objects as ADDED, then every change; see `Objects.subscribe`."""
        wanted = frozenset(resources)
        queue: deque[Record] = deque()
        wake = asyncio.Event()
        mine = (wanted, queue, wake)
        first = [(resource, entry) for resource in sorted(wanted) for entry in self.list(resource)]
        self._subscribers.append(mine)
        try:
            for resource, entry in first:
                yield Change("ADDED", resource, entry.load(), None, entry.revision)
            first.clear()
            while True:
                while queue:
                    record = queue.popleft()
                    old = record.old.load() if record.old else None
                    yield Change(record.type, record.resource, record.last.load(), old, record.revision)
                wake.clear()
                await wake.wait()
        finally:
            self._subscribers[:] = [one for one in self._subscribers if one is not mine]

    def close(self) -> None:
        """Keeps everything and gives the directory back."""
        if self._syncing:
            self._syncing.cancel()
        if self._journal:
            self._journal.close()
            self._journal = None
