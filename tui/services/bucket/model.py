"""The vocabulary of object stores. Values and two protocols; no client is loaded by importing this.

Keys are bytes to S3 and text here: UTF-8, never a path. What they hold (`../`, a leading slash, control characters) is
shown, never interpreted; only `transfers` turns them into local names, below a directory that the person chose.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from tui.problem import Problem

#: Seconds by which the clocks may differ before it is told; S3 refuses from 900 on.
SKEWED = 60.0


class Product(StrEnum):
    """What the server itself says it is; decides which questions beyond S3 can be asked."""

    MINIO = "MinIO"
    SEAWEEDFS = "SeaweedFS"
    OPENIO = "OpenIO"
    OTHER = "S3"


@dataclass(frozen=True, slots=True)
class Keys:
    """Who one is to a store. Never printed, logged or stored.

    Attributes:
        source: where they come from, in words for the header and for errors (`Secret stateful/storage-configuration,
            key config.env`).
    """

    access: str
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Security:
    """How the store is spoken to, as far as its packaging tells.

    Attributes:
        https: None when it must be found out (TLS is tried first).
        authority: PEM of the certificate authority, empty when the cluster gives no means to verify.
        name: the name to verify, empty for the way's host.
    """

    https: bool | None = None
    authority: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a connected store, for the header.

    Attributes:
        version: as the server tells it, empty when it does not.
        tls: `TLSv1.3, verified`, `TLSv1.3, not verified`, or `off`.
        access: the access key.
        skew: seconds by which the server's clock is ahead of ours.
    """

    product: Product
    version: str
    tls: str
    access: str
    region: str
    skew: float

    @property
    def clock(self) -> str:
        """By how much the clocks differ, in words; empty where that is no more than a minute."""
        if abs(self.skew) < SKEWED:
            return ""
        hours, minutes = divmod(round(abs(self.skew) / 60), 60)
        days, hours = divmod(hours, 24)
        parts = ((days, "d"), (hours, "h"), (minutes, "min"))
        much = " ".join(f"{count} {unit}" for count, unit in parts if count)
        return f"the server's clock is {much} {'ahead of' if self.skew > 0 else 'behind'} this machine's"

    def now(self) -> dt.datetime:
        """The server's time."""
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.skew)


@dataclass(eq=False)
class StoreError(Exception):
    """The store refused a request, in its own words.

    Attributes:
        code: S3's code (`NoSuchBucket`, `AccessDenied`), or `HTTP 503` when there was none.
        message: the server's words.
        problem: the same for a person, with what to do next.
    """

    code: str
    message: str
    status: int
    problem: Problem

    @property
    def lacking(self) -> bool:
        """Whether the server does not have what was asked for."""
        return self.status == 501 or self.code in ("NotImplemented", "MethodNotAllowed")

    def __str__(self) -> str:
        """The problem."""
        return str(self.problem)


@dataclass(eq=False)
class Lost(Exception):
    """The connection went away before the answer had come whole.

    Attributes:
        unsure: whether the request may have been carried out: it was sent, and no answer came.
    """

    problem: Problem
    unsure: bool = False

    def __str__(self) -> str:
        """The problem."""
        return str(self.problem)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket.

    Attributes:
        size: bytes, None while unknown.
        objects: their number, None while unknown.
        counted: where the two figures come from (`the server's metrics of 12:04`, `counted`).
    """

    name: str
    created: dt.datetime | None = None
    size: int | None = None
    objects: int | None = None
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a listing: an object, one of its versions, a delete marker, or a common prefix (a folder).

    Attributes:
        key: whole, for a folder with its final delimiter.
        size: bytes; None for folders and delete markers.
        version: its id, empty where there are none (`null` is an id).
        latest: whether it is what a GET without a version meets.
        deleted: a delete marker.
    """

    key: str
    size: int | None = None
    modified: dt.datetime | None = None
    etag: str = ""
    storage: str = ""
    version: str = ""
    latest: bool = True
    deleted: bool = False

    @property
    def folder(self) -> bool:
        """A common prefix."""
        return self.size is None and not self.deleted


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a listing.

    Attributes:
        more: what to go on with; empty at the end.
    """

    entries: tuple[Entry, ...]
    more: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload: str
    begun: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart upload that the server has."""

    number: int
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is known of one object (or version).

    Attributes:
        headers: every header of the answer, as it came.
        metadata: the user's (`x-amz-meta-…`), without the prefix.
        tags: None when they may not be read or the server has none.
        retention: (mode, until), None for none.
        checksums: by algorithm (`CRC32`), as the server keeps them.
        unknown: what could not be told, and why (`tags: AccessDenied …`).
    """

    key: str
    size: int
    modified: dt.datetime | None
    etag: str
    content_type: str
    version: str
    storage: str
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    tags: Mapping[str, str] | None = None
    hold: bool | None = None
    retention: tuple[str, dt.datetime] | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


class Anonymous(StrEnum):
    """What everybody may do with a bucket without any key."""

    NONE = "private"
    READ = "anyone may read"
    WRITE = "anyone may write"
    BOTH = "anyone may read and write"
    CUSTOM = "policy of its own"  # somebody without a key may do something, but not all of a whole word
    UNKNOWN = "not known"


#: What no count of MinIO's holds: it lists nothing of `a/` while there is an object `a` (seen with the source of
#: 2026-02). Once that is gone, what was hidden is listed.
NOT_LISTED = "keys below another object's name (a/b beside a), which MinIO does not list"


@dataclass(frozen=True, slots=True)
class Count:
    """What lies below a bucket or a prefix.

    Attributes:
        objects: current ones.
        size: bytes of the current ones.
        versions: older versions and delete markers; None where they were not looked for.
        old_size: bytes of those.
        uploads: incomplete multipart uploads; None where they were not looked for.
    """

    objects: int = 0
    size: int = 0
    versions: int | None = None
    old_size: int = 0
    uploads: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A fact for the dashboard.

    Attributes:
        group: under which it stands (`Store`, `Servers`, `Drives`).
        name: what it is.
        value: in words; empty when it is not known.
        unknown: why it is not.
        ink: `ready`, `warn`, `failing` or empty.
    """

    group: str
    name: str
    value: str
    unknown: str = ""
    ink: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was not done with one key, in the store's words."""

    key: str
    version: str
    said: str


#: What is asked of a person or shown while something long runs: (done, total or None).
Progress: TypeAlias = Callable[[int, int | None], None]


class Answer(Protocol):
    """An answer whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The whole body."""
        ...

    def pieces(self, size: int = 1 << 18) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises Lost when it ends too early."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """A request of S3's, before it is signed.

    Attributes:
        query: without a signature; an empty value is written as `name=`.
        headers: without those of the signature; `x-amz-…` among them are signed.
        body: whole, or pieces together with `length`. Memory is sent as it lies.
        length: of the pieces, in bytes.
    """

    method: str
    bucket: str = ""
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | memoryview | AsyncIterator[bytes] = b""
    length: int | None = None


class Exchange(Protocol):
    """Signs requests and sends them: what transfers, listings and everything else are made of."""

    async def __call__(self, request: Request) -> bytes:
        """Sends a request and reads the whole answer.

        Raises:
            StoreError: the server refused it.
            Lost: no (whole) answer came. Nothing that changes something is sent twice.
        """
        ...

    def open(self, request: Request) -> AnswerContext:
        """Sends a request, for an answer that is read piece by piece; raises as above when it is entered."""
        ...


class AnswerContext(Protocol):
    """An answer as a context: left early, its connection is given up."""

    async def __aenter__(self) -> Answer:
        """Sends the request; its headers have come."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """Ends it."""
        ...
