"""Watches: what becomes of objects, as a stream of JSON lines."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from tui.sandbox import bodies, problems, selectors, tables
from tui.sandbox.kinds import Kind
from tui.sandbox.model import ApiError, Json
from tui.sandbox.store import Entry, Expired, Record, Store

#: Bookmarks come this often to those who asked for them, seconds.
BOOKMARKS = 60.0
#: A watch that names no end ends after this long and at most twice as long, seconds; the real server's bounds.
_LENGTH = 1800
#: How much is gathered before it is sent, bytes.
_CHUNK = 256 << 10

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which objects of a resource are meant.

    Attributes:
        kind: the resource.
        namespace: empty for all.
        labels: of labels, None for all.
        fields: of fields, None for all.
        form: how they are shown: empty, `Table` or `PartialObjectMetadata`.
        include: what comes with each row of a Table.
        show: turns an object as it is kept into the one of the version asked for; None when that is the same.
    """

    kind: Kind
    namespace: str
    labels: selectors.Test | None
    fields: selectors.Test | None
    form: str = ""
    include: str = "Metadata"
    show: Callable[[Json], Json] | None = None

    def meant(self, entry: Entry | None) -> bool:
        """Whether an object is meant."""
        if entry is None:
            return False
        if self.namespace and not entry.key.startswith(f"{self.namespace}/"):
            return False
        return (self.labels is None or self.labels(entry.labels)) and (self.fields is None or self.fields(entry.fields))

    def text(self, entry: Entry, *, heads: bool = False) -> bytes:
        """An object as it is shown."""
        if not self.form and self.show is None:
            return entry.raw
        obj = entry.load()
        if self.form == "Table":
            meta = {"resourceVersion": str(entry.revision)}
            return _encode(tables.table(self.kind, [obj], meta, include=self.include, heads=heads))
        if self.form:
            return _encode(tables.partial(obj))
        return _encode(self.show(obj) if self.show else obj)


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)


class Watch:
    """One watch of one client."""

    def __init__(self, store: Store, chosen: Chosen, *, bookmarks: bool) -> None:
        self._store, self._chosen, self._bookmarks = store, chosen, bookmarks
        self._heads = True

    def _event(self, kind: str, entry: Entry) -> bytes:
        text = self._chosen.text(entry, heads=self._heads)
        self._heads = False
        return _line(kind, text)

    def initial(self) -> Iterator[bytes]:
        """What there is, as ADDED."""
        every = self._store.list(self._chosen.kind.key, self._chosen.namespace or None)
        # What is there now, as references; the text of each is made when it is sent.
        return (self._event("ADDED", entry) for entry in [entry for entry in every if self._chosen.meant(entry)])

    def changed(self, record: Record) -> bytes:
        """What a change means to this client; empty when nothing."""
        if record.resource != self._chosen.kind.key:
            return b""
        was, is_now = self._chosen.meant(record.old), self._chosen.meant(record.new)
        if is_now:
            return self._event("MODIFIED" if was else "ADDED", record.last)
        return self._event("DELETED", record.last) if was else b""

    def bookmark(self, revision: int, *, first: bool = False) -> bytes:
        """That everything up to a revision was told; `first` says that what there was at the start was."""
        meta: Json = {"resourceVersion": str(revision)}
        if first:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj: Json = {"kind": self._chosen.kind.name, "apiVersion": self._chosen.kind.api_version, "metadata": meta}
        if self._chosen.form == "Table":
            obj = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "rows": [{"object": obj}]}
            obj |= {"columnDefinitions": None}
            obj["rows"][0]["cells"] = []
        elif self._chosen.form:
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return _line("BOOKMARK", _encode(obj))

    async def follow(self, response: web.StreamResponse, revision: int, length: float) -> None:
        """Sends every change after a revision for so long, seconds; says 410 when the client is too far behind."""
        end = time.monotonic() + length
        mark = time.monotonic() + BOOKMARKS
        while (now := time.monotonic()) < end:
            try:
                records = self._store.since(revision)
            except Expired as problem:
                await response.write(error(too_old(revision, problem.oldest)))
                return
            if records:
                revision = await self._send(response, records)
                continue
            if self._bookmarks and now >= mark:
                mark = now + BOOKMARKS
                await response.write(self.bookmark(revision))
            until = min(end, mark) if self._bookmarks else end
            try:
                async with asyncio.timeout(max(until - now, 0.001)):
                    await self._store.moved(revision)
            except TimeoutError:
                continue

    async def _send(self, response: web.StreamResponse, records: Sequence[Record]) -> int:
        gathered, size = [], 0
        for record in records:
            line = self.changed(record)
            if line:
                gathered.append(line)
                size += len(line)
            if size >= _CHUNK:
                await response.write(b"".join(gathered))
                gathered, size = [], 0
        if gathered:
            await response.write(b"".join(gathered))
        return records[-1].revision


def too_old(revision: int, oldest: int) -> ApiError:
    """The refusal of a watch from a revision that is forgotten."""
    return problems.expired(f"too old resource version: {revision} ({oldest})")


def error(problem: ApiError) -> bytes:
    """A refusal inside a stream."""
    return _line("ERROR", _encode(bodies.status_of(problem)))


def length(query: str) -> float:
    """How long a watch lasts, seconds: what the client asks for, else half an hour to an hour."""
    if query:
        try:
            asked = int(query)
        except ValueError:
            raise problems.bad(f'strconv.ParseInt: parsing "{query}": invalid syntax') from None
        if asked > 0:
            return float(asked)
    return _LENGTH + secrets.randbelow(_LENGTH)
