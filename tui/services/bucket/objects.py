"""Single objects: what is known of one, and the beginning of what it holds."""

from __future__ import annotations

import contextlib
import email.utils
from collections.abc import Awaitable, Mapping
from typing import TypeVar
from urllib.parse import quote

from tui.problem import ProblemError
from tui.services.bucket import xml
from tui.services.bucket.model import Detail, Exchange, Request, StoreError
from tui.services.bucket.settings import Settings

T = TypeVar("T")
_META = "x-amz-meta-"
_CHECKSUM = "x-amz-checksum-"
#: A bucket without a lock is told with this where a lock's facts are asked for.
_NO_LOCK = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest")


async def detail(exchange: Exchange, settings: Settings, bucket: str, key: str, version: str = "") -> Detail:
    """All that is known of an object.

    Args:
        exchange: asks.
        settings: asks for tags, retention and hold.
        bucket: the bucket.
        key: the object's.
        version: empty for the newest.

    Raises:
        StoreError: there is no such object, or it may not be read.
        Lost: no answer came.
    """
    query = {"versionId": version} if version else {}
    async with exchange.open(Request("HEAD", bucket, key, query, {"x-amz-checksum-mode": "ENABLED"})) as answer:
        headers = {str(name): str(text) for name, text in answer.headers.items()}
    small = {name.lower(): text for name, text in headers.items()}
    unknown: list[str] = []

    async def ask(what: str, question: Awaitable[T]) -> T | None:
        try:
            return await question
        except StoreError as error:
            if error.code not in _NO_LOCK:
                unknown.append(f"{what}: {error.problem.evidence}")
            return None
        except ProblemError as error:  # a bucket's name that the client library refuses, and this server does not
            unknown.append(f"{what}: {error.problem.evidence}")
            return None

    tags = await ask("tags", settings.object_tags(bucket, key, version))
    retention = await ask("retention", settings.retention(bucket, key, version))
    hold = await ask("legal hold", settings.hold(bucket, key, version))
    modified = None
    with contextlib.suppress(ValueError, TypeError):
        modified = email.utils.parsedate_to_datetime(small.get("last-modified", ""))
    return Detail(
        key, int(small.get("content-length", "0") or 0), modified, small.get("etag", ""),
        small.get("content-type", ""), small.get("x-amz-version-id", ""), small.get("x-amz-storage-class", "STANDARD"),
        headers, _named(small, _META), tags, hold, retention,
        {name.upper(): text for name, text in _named(small, _CHECKSUM).items() if name != "type"}, tuple(unknown),
    )  # fmt: skip


def _named(headers: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: text for name, text in headers.items() if name.startswith(prefix)}


async def read(exchange: Exchange, bucket: str, key: str, version: str, length: int, offset: int = 0) -> bytes:
    """A piece of an object, at most `length` bytes; nothing of an empty one."""
    query = {"versionId": version} if version else {}
    wanted = {"Range": f"bytes={offset}-{offset + length - 1}"}
    found = bytearray()
    try:
        async with exchange.open(Request("GET", bucket, key, query, wanted)) as answer:
            async for piece in answer.pieces():
                found += piece
                if len(found) >= length:  # a server that does not know ranges sends all of it
                    break
    except StoreError as error:
        if error.status != 416:
            raise
    return bytes(found[:length])


async def copy(exchange: Exchange, bucket: str, key: str, version: str, to_bucket: str, to_key: str) -> None:
    """Copies an object of at most 5 GiB on the server, with metadata and tags. A version put back so is the newest."""
    source = quote(f"/{bucket}/{key}".encode("utf-8", "surrogateescape"), safe="/-_.~")
    headers = {"x-amz-copy-source": f"{source}?versionId={quote(version)}" if version else source}
    if (bucket, key) == (to_bucket, to_key) and not version:
        headers["x-amz-metadata-directive"] = "REPLACE"
    xml.parse(await exchange(Request("PUT", to_bucket, to_key, {}, headers)))
