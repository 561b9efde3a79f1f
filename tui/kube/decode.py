"""From the API server's bytes to typed objects: lists, the lines of a watch, and what else may come in their place."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from tui.kube.objects import Object, ObjectMeta, Pod
from tui.kube.sharing import Sharing
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)

ADDED, MODIFIED, DELETED, BOOKMARK = "ADDED", "MODIFIED", "DELETED", "BOOKMARK"
#: What bytes that are not what was expected raise: no JSON, no UTF-8 within it, nested without end.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
#: Lines that carry an object of the resource.
DATA = frozenset((ADDED, MODIFIED, DELETED))


class _Line(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A line of a watch that carries an object: read in one pass."""

    type: str
    object: T


class _Frame(msgspec.Struct, frozen=True, gc=False):
    """Any line of a watch: what it carries is read later, when its type is known."""

    type: str
    object: msgspec.Raw


class _MarkAnnotations(msgspec.Struct, frozen=True, gc=False):
    initial_end: str = msgspec.field(default="", name="k8s.io/initial-events-end")


class _MarkMeta(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    resource_version: str = ""
    annotations: _MarkAnnotations = _MarkAnnotations()


class _Mark(msgspec.Struct, frozen=True, gc=False):
    metadata: _MarkMeta = _MarkMeta()


class _Details(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    retry_after_seconds: int = 0


class _Status(msgspec.Struct, frozen=True, gc=False):
    """A Status of the API server, in place of what was asked for."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


class _Bare(msgspec.Struct, frozen=True, gc=False):
    metadata: ObjectMeta = ObjectMeta()


class _ListMeta(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _List(msgspec.Struct, frozen=True, gc=False):
    kind: str = ""
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a watch has come; `initial_end` closes the initial events of a streamed list."""

    resource_version: str
    initial_end: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a page of it. The items are slices of the body, decoded one by one by whoever can spare the time."""

    resource_version: str
    next: str
    items: list[msgspec.Raw]


_frames = msgspec.json.Decoder(_Frame)
_marks = msgspec.json.Decoder(_Mark)
_statuses = msgspec.json.Decoder(_Status)
_bares = msgspec.json.Decoder(_Bare)
_lists = msgspec.json.Decoder(_List)


class Decoder(Generic[T]):
    """Reads the objects of one resource type."""

    def __init__(self, struct: type[T]) -> None:
        self._struct = struct
        self._items = msgspec.json.Decoder(struct)
        self._lines: msgspec.json.Decoder[_Line[T]] = msgspec.json.Decoder(_Line[struct])  # type: ignore[valid-type]
        self._odd = 0
        self._sharing = Sharing()

    def page(self, body: bytes) -> Page:
        """Takes a list apart without decoding its items.

        Raises:
            ProblemError: PROTOCOL for anything that is not a list of objects (a Table, a Status, no JSON).
        """
        try:
            found = _lists.decode(body)
        except UNREADABLE as error:
            raise _protocol("the API server's list could not be read", error, body) from error
        if not found.kind.endswith("List"):
            kind = found.kind or "nameless thing"
            raise ProblemError(Problem(Cause.PROTOCOL, f"the API server sent a {kind} where a list was asked for"))
        return Page(found.metadata.resource_version, found.metadata.continue_, found.items or [])

    def item(self, raw: msgspec.Raw | bytes | memoryview) -> T:
        """Decodes one object.

        An object with a field of an unexpected type is kept with its metadata alone: it must neither be hidden nor
        keep everything else from being seen.

        Raises:
            ProblemError: PROTOCOL when it is not an object of Kubernetes at all.
        """
        try:
            return self._shared(self._items.decode(raw))
        except msgspec.ValidationError as error:
            try:
                meta = _bares.decode(raw).metadata
            except UNREADABLE:
                meta = ObjectMeta()
            if not meta.uid:
                raise _protocol("an object of the API server's could not be read", error, bytes(raw)) from error
            self._odd += 1
            if self._odd <= 5:
                kind = self._struct.__name__
                log.warning("%s %s/%s: only its metadata can be read: %s", kind, meta.namespace, meta.name, error)
            return self._struct(metadata=meta)
        except UNREADABLE as error:
            raise _protocol("an object of the API server's could not be read", error, bytes(raw)) from error

    def line(self, line: bytes) -> tuple[str, T] | Bookmark | None:
        """Reads a line of a watch.

        Returns:
            The type and the object, a bookmark, or None for a line to skip (a type that this program does not know).

        Raises:
            ProblemError: what an ERROR line says, EXPIRED among it; PROTOCOL for a line that cannot be read.
        """
        try:
            event = self._lines.decode(line)
        except UNREADABLE:
            return self._frame(line)
        if event.type in DATA and event.object.metadata.uid:
            return event.type, self._shared(event.object)
        return self._frame(line)

    def _shared(self, item: T) -> T:
        if isinstance(item, Pod):
            self._sharing.share(item)
        return item

    def _frame(self, line: bytes) -> tuple[str, T] | Bookmark | None:
        try:
            frame = _frames.decode(line)
            if frame.type == BOOKMARK:
                meta = _marks.decode(frame.object).metadata
                return Bookmark(meta.resource_version, meta.annotations.initial_end == "true")
            if frame.type == "ERROR":
                raise ProblemError(problem_of(_statuses.decode(frame.object)))
        except UNREADABLE as error:
            raise _protocol("a line of the watch could not be read", error, line) from error
        if frame.type in DATA:
            item = self.item(frame.object)
            if not item.metadata.uid:
                raise ProblemError(Problem(Cause.PROTOCOL, "the watch sent an object without identity", excerpt(line)))
            return frame.type, item
        log.warning("a watch event of the unknown type %r was skipped", frame.type)
        return None

    def items(self, page: Page) -> Iterator[T]:
        """Decodes the items of a page, one at each step."""
        for raw in page.items:
            yield self.item(raw)


def problem_of(status: _Status) -> Problem:
    """What a Status in an ERROR line means."""
    after = float(status.details.retry_after_seconds) if status.details and status.details.retry_after_seconds else None
    if status.code == 410 or status.reason in ("Expired", "Gone"):
        cause = Cause.EXPIRED
    elif status.code == 403:
        cause = Cause.FORBIDDEN
    elif status.code == 429:
        cause = Cause.THROTTLED
    elif status.code >= 500 or not status.code:
        cause = Cause.SERVER
    else:
        cause = Cause.REJECTED
    what = "the watch was too far behind" if cause is Cause.EXPIRED else "the API server ended the watch"
    return Problem(cause, what, status.message or status.reason or f"status {status.code}", retry_after=after)


def excerpt(data: bytes, length: int = 120) -> str:
    """The beginning of some bytes, for evidence."""
    text = data[:length].decode("utf-8", "replace")
    return text + "…" if len(data) > length else text


def _protocol(what: str, error: Exception, data: bytes) -> ProblemError:
    return ProblemError(Problem(Cause.PROTOCOL, what, f"{error} in {excerpt(data)!r}"))
