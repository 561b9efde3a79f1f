"""The requests of S3's that transfers are made of, over an `Exchange`."""

from __future__ import annotations

import base64
import datetime as dt
import email.utils
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote
from xml.sax.saxutils import escape

from tui.services.bucket import xml
from tui.services.bucket.model import Answer, Entry, Exchange, Request, StoreError
from tui.services.bucket.transfers import checksums

#: A body is covered by a checksum of its own, which is signed: it is not hashed a second time for the signature.
_UNSIGNED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
_CRC32 = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}
_CHECKED = {"x-amz-checksum-mode": "ENABLED"}
#: Memory, as it lies.
Body: TypeAlias = bytes | memoryview


@dataclass(eq=False)
class Store:
    """One end of a transfer.

    Attributes:
        exchange: sends requests to it.
        place: whose store, the same in each run of the program (`CONTEXT/NAMESPACE/WORKLOAD`).
        keeps_crc32: whether it checks and keeps CRC-32 checksums; None until its first answer has told.
    """

    exchange: Exchange
    place: str
    keeps_crc32: bool | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD tells of an object.

    Attributes:
        parts: of how many it was made, 0 when the server does not tell.
    """

    size: int
    etag: str
    modified: dt.datetime | None
    version: str
    headers: Mapping[str, str]
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A part that a server has.

    Attributes:
        etag: with its quotes.
        crc32: base64, empty when the server keeps none.
    """

    number: int
    size: int
    etag: str
    crc32: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came back for an object or a part that was sent."""

    etag: str
    crc32: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """The checksums of a piece of content.

    Attributes:
        crc32: always.
        md5: raw; empty where CRC-32 suffices.
    """

    size: int
    crc32: int
    md5: bytes = b""

    def headers(self) -> dict[str, str]:
        """What makes the server verify what it gets."""
        found = {"x-amz-checksum-crc32": checksums.packed(self.crc32)}
        if self.md5:
            found["Content-MD5"] = base64.b64encode(self.md5).decode()
        return found


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a flat listing, in the order of the keys' bytes."""

    entries: Sequence[Entry] = field(default_factory=tuple)
    more: str = ""


def bare(etag: str) -> str:
    """An ETag without its quotes, for comparisons."""
    return etag.strip('"').lower()


async def head(store: Store, bucket: str, key: str, *, version: str = "", part: int = 0) -> Head:
    """What an object is.

    Args:
        store: where.
        bucket: its bucket.
        key: of the object.
        version: a certain one; empty for the latest.
        part: asks for one part: the size is the part's.

    Raises:
        StoreError: status 404 when there is none.
        Lost: no answer came.
    """
    query = {"versionId": version} if version else {}
    if part:
        query["partNumber"] = str(part)
    async with store.exchange.open(Request("HEAD", bucket, key, query, _CHECKED)) as answer:
        return head_of(answer.headers)


def head_of(headers: Mapping[str, str]) -> Head:
    """What the headers of an answer tell of an object; of a ranged one, the whole's size."""
    size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "0")
    return Head(
        int(size) if size.isdigit() else 0, headers.get("ETag", ""), _date(headers.get("Last-Modified", "")),
        headers.get("x-amz-version-id", ""), headers, int(headers.get("x-amz-mp-parts-count", "0") or 0),
    )  # fmt: skip


@asynccontextmanager
async def get(
    store: Store,
    bucket: str,
    key: str,
    *,
    version: str = "",
    span: tuple[int, int] | None = None,
    etag: str = "",
    part: int = 0,
) -> AsyncIterator[Answer]:
    """Content.

    Args:
        store: where.
        bucket: its bucket.
        key: of the object.
        version: a certain one; empty for the latest.
        span: (first byte, number of bytes); None for all.
        etag: what it must still be; 412 otherwise.
        part: one part of those that it was made of, in place of a span.
    """
    headers = dict(_CHECKED)
    if span is not None:
        headers["Range"] = f"bytes={span[0]}-{span[0] + span[1] - 1}"
    if etag:
        headers["If-Match"] = etag
    query = {"versionId": version} if version else {}
    if part:
        query["partNumber"] = str(part)
    async with store.exchange.open(Request("GET", bucket, key, query, headers)) as answer:
        yield answer


async def put(store: Store, bucket: str, key: str, body: Body, digest: Digest, headers: Mapping[str, str]) -> Sent:
    """A whole object in one request; the server verifies its checksum."""
    sent = {**_UNSIGNED, **headers, **digest.headers()}
    async with store.exchange.open(Request("PUT", bucket, key, {}, sent, body)) as answer:
        await answer.read()
        return _sent(answer.headers)


async def begin(
    store: Store, bucket: str, key: str, headers: Mapping[str, str], *, checked: bool = True
) -> tuple[str, bool]:
    """Begins a multipart upload.

    Args:
        store: where.
        bucket: its bucket.
        key: of the object.
        headers: the object's own.
        checked: asks the server to keep CRC-32 checksums. MinIO refuses to copy parts of such an upload by itself.

    Returns:
        Its id, and whether the server keeps the CRC-32 of its parts and of the whole.
    """
    wanted = {**headers, **(_CRC32 if checked else {})}
    async with store.exchange.open(Request("POST", bucket, key, {"uploads": ""}, wanted)) as answer:
        root = xml.parse(await answer.read())
        return xml.text(root, "UploadId"), answer.headers.get("x-amz-checksum-algorithm", "").upper() == "CRC32"


async def put_part(store: Store, bucket: str, key: str, upload: str, number: int, body: Body, digest: Digest) -> Sent:
    """One part; the server verifies its checksum."""
    query = {"partNumber": str(number), "uploadId": upload}
    request = Request("PUT", bucket, key, query, {**_UNSIGNED, **digest.headers()}, body)
    async with store.exchange.open(request) as answer:
        await answer.read()
        return _sent(answer.headers)


async def copy_part(
    store: Store, target: tuple[str, str], upload: str, number: int, source: tuple[str, str, str, str],
    span: tuple[int, int],
) -> Sent:  # fmt: skip
    """One part from another object of the same store.

    Args:
        store: where both are.
        target: (bucket, key).
        upload: its multipart upload.
        number: of the part.
        source: (bucket, key, version, ETag).
        span: (first byte, number of bytes).
    """
    query = {"partNumber": str(number), "uploadId": upload}
    headers = {**_source(*source), "x-amz-copy-source-range": f"bytes={span[0]}-{span[0] + span[1] - 1}"}
    root = xml.parse(await store.exchange(Request("PUT", *target, query, headers)))
    return Sent(xml.text(root, "ETag"), xml.text(root, "ChecksumCRC32"))


async def copy(store: Store, target: tuple[str, str], source: tuple[str, str, str, str]) -> Sent:
    """A whole object of at most 5 GiB to another place of the same store, its metadata and tags with it."""
    root = xml.parse(await store.exchange(Request("PUT", *target, {}, _source(*source))))
    return Sent(xml.text(root, "ETag"), xml.text(root, "ChecksumCRC32"))


async def stored_parts(store: Store, bucket: str, key: str, upload: str) -> list[Stored]:
    """The parts that the server has of an upload; StoreError NoSuchUpload when it knows nothing of it."""
    found: list[Stored] = []
    marker = "0"
    while True:
        query = {"uploadId": upload, "max-parts": "1000", "part-number-marker": marker}
        root = xml.parse(await store.exchange(Request("GET", bucket, key, query)))
        found += [
            Stored(
                xml.number(part, "PartNumber"), xml.number(part, "Size"), xml.text(part, "ETag"),
                xml.text(part, "ChecksumCRC32"),
            )
            for part in root.iter("Part")
        ]  # fmt: skip
        following = xml.text(root, "NextPartNumberMarker")
        if xml.text(root, "IsTruncated") != "true" or not following or following == marker:
            return found
        marker = following


async def complete(
    store: Store, bucket: str, key: str, upload: str, parts: Sequence[Stored], crc32: int | None
) -> Sent:  # fmt: skip
    """Makes an object of the parts.

    Args:
        store: where.
        bucket: its bucket.
        key: of the object.
        upload: the upload's id.
        parts: in their order.
        crc32: of the whole, which the server compares; None where it keeps none.
    """
    lines = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
        + (f"<ChecksumCRC32>{part.crc32}</ChecksumCRC32>" if crc32 is not None and part.crc32 else "")
        + "</Part>"
        for part in parts
    )
    body = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{lines}</CompleteMultipartUpload>'
    headers = {"Content-Type": "application/xml"}
    if crc32 is not None:
        headers |= {"x-amz-checksum-crc32": checksums.packed(crc32), "x-amz-checksum-type": "FULL_OBJECT"}
    async with store.exchange.open(
        Request("POST", bucket, key, {"uploadId": upload}, headers, body.encode())
    ) as answer:  # fmt: skip
        root = xml.parse(await answer.read())
        version = answer.headers.get("x-amz-version-id", "")
    return Sent(xml.text(root, "ETag"), xml.text(root, "ChecksumCRC32"), version)


async def abort(store: Store, bucket: str, key: str, upload: str) -> None:
    """Gives an upload up; that there is none any more is as good."""
    try:
        await store.exchange(Request("DELETE", bucket, key, {"uploadId": upload}))
    except StoreError as error:
        if error.status != 404:
            raise


async def delete(store: Store, bucket: str, key: str, version: str = "") -> None:
    """Removes one object (a version when one is named)."""
    await store.exchange(Request("DELETE", bucket, key, {"versionId": version} if version else {}))


async def listing(store: Store, bucket: str, prefix: str, more: str = "") -> Listing:
    """A page of the objects whose keys begin with a prefix, folders and all."""
    query = {"list-type": "2", "prefix": prefix, "max-keys": "1000", "encoding-type": "url"}
    if more:
        query["continuation-token"] = more
    root = xml.parse(await store.exchange(Request("GET", bucket, "", query)))
    decoded = xml.text(root, "EncodingType") == "url"
    entries = [
        Entry(
            xml.key(one, "Key", encoded=decoded), xml.number(one, "Size"), xml.time(one, "LastModified"),
            xml.text(one, "ETag"), xml.text(one, "StorageClass"),
        )
        for one in root.iter("Contents")
    ]  # fmt: skip
    return Listing(entries, xml.text(root, "NextContinuationToken") if xml.text(root, "IsTruncated") == "true" else "")


async def objects(store: Store, bucket: str, prefix: str) -> AsyncIterator[Sequence[Entry]]:
    """All of them, page by page."""
    more = ""
    while True:
        page = await listing(store, bucket, prefix, more)
        yield page.entries
        more = page.more
        if not more:
            return


def _source(bucket: str, key: str, version: str, etag: str) -> dict[str, str]:
    path = quote(f"/{bucket}/{key}", safe="/-_.~")
    headers = {"x-amz-copy-source": f"{path}?versionId={quote(version)}" if version else path}
    if etag:
        headers["x-amz-copy-source-if-match"] = etag
    return headers


def _sent(headers: Mapping[str, str]) -> Sent:
    return Sent(
        headers.get("ETag", ""), headers.get("x-amz-checksum-crc32", ""), headers.get("x-amz-version-id", "")
    )  # fmt: skip


def _date(text: str) -> dt.datetime | None:
    try:
        return email.utils.parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
