"""Lists what is in a store, page by page: nothing here holds more than one page of a bucket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

import msgspec

from tui.services.bucket import xml
from tui.services.bucket.lacking import not_there
from tui.services.bucket.model import Bucket, Count, Entry, Exchange, Page, Part, Progress, Request, StoreError, Upload

#: Keys a page: what servers give at most.
_PAGE = "1000"
_URL = {"encoding-type": "url"}


class _Mark(msgspec.Struct, array_like=True):
    """Where a listing of versions goes on."""

    key: str
    version: str


async def buckets(exchange: Exchange) -> list[Bucket]:
    """All that this user may see, by name."""
    root = xml.parse(await exchange(Request("GET")))
    found = [Bucket(xml.text(one, "Name"), xml.time(one, "CreationDate")) for one in root.iter("Bucket")]
    return sorted(found, key=lambda bucket: bucket.name)


async def page(
    exchange: Exchange, bucket: str, prefix: str, more: str = "", *, deep: bool = False, after: str = ""
) -> Page:
    """A piece of what a bucket holds now.

    Args:
        exchange: asks.
        bucket: the bucket.
        prefix: what the keys begin with.
        more: where to go on, empty for the beginning.
        deep: all keys below, in place of folders.
        after: only keys behind this one.
    """
    query = {"list-type": "2", "prefix": prefix, "max-keys": _PAGE, **_URL}
    if not deep:
        query["delimiter"] = "/"
    if more:
        query["continuation-token"] = more
    elif after:
        query["start-after"] = after
    root = xml.parse(await exchange(Request("GET", bucket, "", query)))
    encoded = xml.text(root, "EncodingType") == "url"
    entries = [Entry(xml.key(one, "Prefix", encoded=encoded)) for one in root.iter("CommonPrefixes")]
    entries += [_object(one, encoded=encoded) for one in root.iter("Contents")]
    following = xml.text(root, "NextContinuationToken") if xml.text(root, "IsTruncated") == "true" else ""
    return Page(tuple(entries), following)


async def versions(exchange: Exchange, bucket: str, prefix: str, more: str = "", *, deep: bool = False) -> Page:
    """A piece of all versions and delete markers, by key and the newest first. `more` is of an earlier page."""
    query = {"versions": "", "prefix": prefix, "max-keys": _PAGE, **_URL}
    if not deep:
        query["delimiter"] = "/"
    if more:
        mark = msgspec.json.decode(more, type=_Mark)
        query |= {"key-marker": mark.key}
        if mark.version:
            query["version-id-marker"] = mark.version
    root = xml.parse(await exchange(Request("GET", bucket, "", query)))
    if root.tag == "ListBucketResult":
        raise not_there(f"{bucket}?versions")
    encoded = xml.text(root, "EncodingType") == "url"
    entries: list[Entry] = []
    for one in root:
        if one.tag == "CommonPrefixes":
            entries.append(Entry(xml.key(one, "Prefix", encoded=encoded)))
        elif one.tag in ("Version", "DeleteMarker"):
            entries.append(_version(one, encoded=encoded))
    if xml.text(root, "IsTruncated") != "true":
        return Page(tuple(entries))
    mark = _Mark(xml.key(root, "NextKeyMarker", encoded=encoded), xml.text(root, "NextVersionIdMarker"))
    return Page(tuple(entries), msgspec.json.encode(mark).decode())


def _object(one: xml.Element, *, encoded: bool) -> Entry:
    return Entry(
        xml.key(one, "Key", encoded=encoded), xml.number(one, "Size"), xml.time(one, "LastModified"),
        xml.text(one, "ETag"), xml.text(one, "StorageClass"),
    )  # fmt: skip


def _version(one: xml.Element, *, encoded: bool) -> Entry:
    gone = one.tag == "DeleteMarker"
    return Entry(
        xml.key(one, "Key", encoded=encoded), None if gone else xml.number(one, "Size"), xml.time(one, "LastModified"),
        xml.text(one, "ETag"), xml.text(one, "StorageClass"), xml.text(one, "VersionId"),
        xml.text(one, "IsLatest") == "true", gone,
    )  # fmt: skip


async def pages(
    exchange: Exchange, bucket: str, prefix: str, *, deep: bool = True, all_versions: bool = False, after: str = ""
) -> AsyncIterator[Sequence[Entry]]:
    """All entries, page by page; see `page` and `versions`."""
    more = ""
    while True:
        if all_versions:
            found = await versions(exchange, bucket, prefix, more, deep=deep)
        else:
            found = await page(exchange, bucket, prefix, more, deep=deep, after=after)
        yield found.entries
        if not found.more or found.more == more:
            return
        more = found.more


async def uploads(exchange: Exchange, bucket: str, prefix: str = "") -> list[Upload]:
    """The incomplete multipart uploads below a prefix, in order.

    MinIO finds those of one whole key or those of the bucket, and none below a prefix (seen with the source of
    2026-02): all are asked for, and sorted out here.
    """
    found: list[Upload] = []
    mark: dict[str, str] = {}
    while True:
        query = {"uploads": "", "max-uploads": _PAGE, **_URL, **mark}
        root = xml.parse(await exchange(Request("GET", bucket, "", query)))
        if root.tag == "ListBucketResult":
            raise not_there(f"{bucket}?uploads")
        encoded = xml.text(root, "EncodingType") == "url"
        found += [
            Upload(xml.key(one, "Key", encoded=encoded), xml.text(one, "UploadId"), xml.time(one, "Initiated"))
            for one in root.iter("Upload")
        ]
        following = {"key-marker": xml.key(root, "NextKeyMarker", encoded=encoded),
                     "upload-id-marker": xml.text(root, "NextUploadIdMarker")}  # fmt: skip
        if xml.text(root, "IsTruncated") != "true" or following == mark or not following["key-marker"]:
            # SeaweedFS lists them as they were begun.
            return sorted((one for one in found if one.key.startswith(prefix)), key=lambda one: one.key)
        mark = following


async def parts(exchange: Exchange, bucket: str, upload: Upload) -> list[Part]:
    """The parts that the server has of an upload."""
    found: list[Part] = []
    marker = "0"
    while True:
        query = {"uploadId": upload.upload, "max-parts": _PAGE, "part-number-marker": marker}
        root = xml.parse(await exchange(Request("GET", bucket, upload.key, query)))
        found += [
            Part(xml.number(one, "PartNumber"), xml.number(one, "Size"), xml.text(one, "ETag"))
            for one in root.iter("Part")
        ]
        following = xml.text(root, "NextPartNumberMarker")
        if xml.text(root, "IsTruncated") != "true" or not following or following == marker:
            return found
        marker = following


async def knows_versions(exchange: Exchange, bucket: str) -> bool:
    """Whether the server lists versions at all.

    Raises:
        StoreError: it does, and not for this user.
    """
    query = {"versions": "", "prefix": "", "max-keys": "1"}
    try:
        root = xml.parse(await exchange(Request("GET", bucket, "", query)))
    except StoreError as error:
        if error.lacking:
            return False
        raise
    return root.tag != "ListBucketResult"


async def count(
    exchange: Exchange, bucket: str, prefix: str, progress: Progress, *, all_versions: bool = False
) -> Count:
    """Counts what lies below a prefix, by listing it.

    Args:
        exchange: asks.
        bucket: the bucket.
        prefix: empty for all of it.
        progress: is told how many were counted.
        all_versions: older versions, delete markers and incomplete uploads, too, as far as the server knows of such.
    """
    objects = size = old = old_size = seen = 0
    versioned = all_versions and await knows_versions(exchange, bucket)
    async for entries in pages(exchange, bucket, prefix, all_versions=versioned):
        for one in entries:
            if one.latest and not one.deleted:
                objects += 1
                size += one.size or 0
            else:
                old += 1
                old_size += one.size or 0
        seen += len(entries)
        progress(seen, None)
    if not all_versions:
        return Count(objects, size)
    pending: int | None = None
    with contextlib.suppress(StoreError):  # a server without multipart uploads, or no right to list them
        pending = len(await uploads(exchange, bucket, prefix))
    return Count(objects, size, old if versioned else None, old_size, pending)
