"""Deletes objects, a thousand in a request, and nothing that was not named."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Sequence
from xml.sax.saxutils import escape

from tui.services.bucket import listing, xml
from tui.services.bucket.model import Entry, Exchange, Failure, Progress, Request, Upload
from tui.services.bucket.model import StoreError as Refused

#: Keys in a request: what S3 takes at most.
BATCH = 1000
#: What is said of keys that are there after they were deleted without an error.
_STAYS = "the store said that it is deleted, and lists it still; it may have another name than the one listed"


_NEWER = "it came while this went on, and was left"


def _writable(key: str) -> bool:
    """Whether XML 1.0 can hold a key: most control characters it cannot, not even by number."""
    return all(char in "\t\n\r" or char >= " " for char in key) and "\ufffe" not in key and "\uffff" not in key


async def delete(
    exchange: Exchange, bucket: str, keys: Sequence[tuple[str, str]], progress: Progress, *, bypass: bool = False
) -> list[Failure]:
    """Deletes keys.

    Args:
        exchange: asks.
        bucket: the bucket.
        keys: each with its version; without one it leaves a marker where there are versions.
        progress: is told how many are done.
        bypass: also those that a retention in governance mode keeps, if this user may.

    Returns:
        Those that are still there, in the store's words.
    """
    failures: list[Failure] = []
    for start in range(0, len(keys), BATCH):
        piece = keys[start : start + BATCH]
        together = [one for one in piece if _writable(one[0])]
        if together:
            failures += await _delete_together(exchange, bucket, together, bypass=bypass)
        for key, version in piece:
            if not _writable(key):
                failures += await _delete_one(exchange, bucket, key, version, bypass=bypass)
        progress(start + len(piece), len(keys))
    return failures


async def _delete_together(
    exchange: Exchange, bucket: str, keys: Sequence[tuple[str, str]], *, bypass: bool
) -> list[Failure]:
    lines = "".join(
        "<Object><Key>{}</Key>{}</Object>".format(
            escape(key, {"\r": "&#13;", "\n": "&#10;"}), f"<VersionId>{escape(version)}</VersionId>" if version else ""
        )
        for key, version in keys
    )
    body = f"<Delete><Quiet>true</Quiet>{lines}</Delete>".encode("utf-8", "surrogateescape")
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}  # noqa: S324 (S3 asks for it)
    headers |= {"Content-Type": "application/xml"}
    if bypass:
        headers["x-amz-bypass-governance-retention"] = "true"
    try:
        root = xml.parse(await exchange(Request("POST", bucket, "", {"delete": ""}, headers, body)))
    except Refused as error:
        if not error.lacking:
            raise
        failures = [await _delete_one(exchange, bucket, key, version, bypass=bypass) for key, version in keys]
        return [one for each in failures for one in each]
    return [
        Failure(
            xml.text(one, "Key"), xml.text(one, "VersionId"), f"{xml.text(one, 'Code')}: {xml.text(one, 'Message')}"
        )
        for one in root.iter("Error")
    ]


async def _delete_one(exchange: Exchange, bucket: str, key: str, version: str, *, bypass: bool) -> list[Failure]:
    headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
    try:
        await exchange(Request("DELETE", bucket, key, {"versionId": version} if version else {}, headers))
    except Refused as error:
        return [Failure(key, version, f"{error.code}: {error.message}")]
    return []


async def clear(
    exchange: Exchange,
    bucket: str,
    prefix: str,
    progress: Progress,
    *,
    begun: dt.datetime,
    all_versions: bool,
    bypass: bool = False,
) -> list[Failure]:
    """Deletes all that lies below a prefix, as it is listed, until nothing is that was there at the beginning.

    Args:
        exchange: asks.
        bucket: the bucket.
        prefix: empty for all of it.
        progress: is told how many are done.
        begun: by the server's clock; what is newer was not meant, and stays.
        all_versions: also older versions, markers and incomplete uploads, as far as the server knows of such.
        bypass: see `delete`.

    Returns:
        Those that are still there: refused by the store, come meanwhile, or listed again and again although it refuses
        nothing.
    """
    done = 0
    earlier_pass = ""
    versions = all_versions and await listing.knows_versions(exchange, bucket)
    while True:
        before = done
        failures: list[Failure] = []
        newer: list[Failure] = []
        listed = hashlib.sha256()
        async for entries in _ahead(listing.pages(exchange, bucket, prefix, all_versions=versions)):
            newer += [Failure(one.key, one.version, _NEWER) for one in entries if _came_after(one, begun)]
            keys = [(one.key, one.version if versions else "") for one in entries if not _came_after(one, begun)]
            listed.update(repr(keys).encode())

            def told(count: int, _: int | None, earlier: int = done) -> None:
                progress(earlier + count, None)

            failures += await delete(exchange, bucket, keys, told, bypass=bypass)
            done += len(keys)
        # MinIO hides `a/b` while there is an object `a`: what was hidden is seen once that is gone.
        if failures or done == before:
            failures += newer
            break
        # SeaweedFS 4 lists the versions of a key with a control character under a name that it does not have, and
        # says that this one is deleted: it would be listed for ever.
        if listed.hexdigest() == earlier_pass:
            async for entries in listing.pages(exchange, bucket, prefix, all_versions=versions):
                failures += [
                    Failure(one.key, one.version, _NEWER if _came_after(one, begun) else _STAYS) for one in entries
                ]
            break
        earlier_pass = listed.hexdigest()
    if all_versions:
        for upload in await _uploads(exchange, bucket, prefix):
            if upload.begun is None or upload.begun <= begun:
                await abort(exchange, bucket, upload)
    return failures


async def _uploads(exchange: Exchange, bucket: str, prefix: str) -> list[Upload]:
    """The incomplete uploads; none of a server that does not list them."""
    try:
        return await listing.uploads(exchange, bucket, prefix)
    except Refused as error:
        if not error.lacking:
            raise
        return []


def _came_after(entry: Entry, begun: dt.datetime) -> bool:
    return entry.modified is not None and entry.modified > begun


async def _ahead(pages: AsyncIterator[Sequence[Entry]]) -> AsyncIterator[Sequence[Entry]]:
    """Each page once its successor is known: what is listed by a marker is deleted after the marker was used."""
    before: Sequence[Entry] = ()
    async for page in pages:
        if before:
            yield before
        before = page
    if before:
        yield before


async def abort(exchange: Exchange, bucket: str, upload: Upload) -> None:
    """Gives an upload up, with its parts; that there is none any more is as good."""
    try:
        await exchange(Request("DELETE", bucket, upload.key, {"uploadId": upload.upload}))
    except Refused as error:
        if error.status != 404:
            raise
