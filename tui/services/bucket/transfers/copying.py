"""Objects from one place to another: by the server itself inside of one store, streamed between two."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from typing import TypeVar
from urllib.parse import quote, urlencode

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket import xml
from tui.services.bucket.model import Lost, Request, StoreError
from tui.services.bucket.transfers import calls, checksums
from tui.services.bucket.transfers.calls import Digest, Head, Sent, Stored
from tui.services.bucket.transfers.checksums import Kind
from tui.services.bucket.transfers.download import delete_same
from tui.services.bucket.transfers.engine import Engine, each
from tui.services.bucket.transfers.fetching import ChangedError, Fetch, Origin, compare
from tui.services.bucket.transfers.multipart import Multipart
from tui.services.bucket.transfers.parts import LARGEST_COPY, MIB, Span, part_size, spans
from tui.services.bucket.transfers.patience import persist
from tui.services.bucket.transfers.progress import Item
from tui.services.bucket.transfers.reading import digest
from tui.services.bucket.transfers.upload import Goal, put_whole

T = TypeVar("T")

#: Bytes of a part that the server copies itself.
_COPIED_PART = 512 * MIB
#: What an object has besides its content, and what a copy in parts does not take along by itself.
_KEPT = ("Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")


async def copy_object(
    engine: Engine, origin: Origin, goal: Goal, item: Item, *, remove: bool = False, largest: int = LARGEST_COPY
) -> None:
    """Copies an object, with its metadata and tags.

    Args:
        engine: whose job it is.
        origin: what is copied.
        goal: whereto; with the same store the server copies by itself.
        item: is told how far it is.
        remove: deletes what was copied once the copy is there and verified; only while it is still the same.
        largest: bytes up to which the server copies in one request.

    Raises:
        ProblemError: the copy is something else, or the source changed meanwhile.
        StoreError, Lost: the store's refusal, or no answer for longer than patience lasts.
    """
    if origin.store is goal.store and (origin.bucket, origin.key) == (goal.bucket, goal.key):
        raise ProblemError(
            Problem(Cause.REJECTED, f"{item.source} would be copied onto itself", "", "Name another key.")
        )
    fetch = Fetch(engine, origin, item)
    await fetch.look()
    if item.size is None:
        item.size = fetch.head.size
        engine.job.size += fetch.head.size
    if origin.store is not goal.store:
        await _stream(engine, fetch, goal, item)
    elif fetch.head.size <= largest:
        await _whole(engine, fetch, goal, item)
    else:
        await _in_parts(engine, fetch, goal, item, min(largest, _COPIED_PART))
    if remove:
        await delete_same(engine, origin, fetch.head, item)


async def _whole(engine: Engine, fetch: Fetch, goal: Goal, item: Item) -> None:
    origin, head = fetch.origin, fetch.head
    source = (origin.bucket, origin.key, origin.version, head.etag)

    async def send() -> Sent:
        return await calls.copy(goal.store, (goal.bucket, goal.key), source)

    async def look() -> Sent | None:
        with contextlib.suppress(StoreError):
            there = await calls.head(goal.store, goal.bucket, goal.key)
            if there.size == head.size and there.etag == head.etag:
                return Sent(there.etag, there.headers.get("x-amz-checksum-crc32", ""), there.version)
        return None

    await _told_if_changed(persist(engine.job, item, send, engine.limits.patience, look=look), item)
    await _verify(engine, fetch, goal, item)
    engine.job.advance(item, head.size)


async def _in_parts(engine: Engine, fetch: Fetch, goal: Goal, item: Item, part: int) -> None:
    origin, head = fetch.origin, fetch.head
    upload = Multipart(engine, goal.store, goal.bucket, goal.key, item)
    await upload.begin(await _headers(fetch, item), checked=False)
    size = part_size(head.size, part)
    source = (origin.bucket, origin.key, origin.version, head.etag)

    async def copy(span: Span) -> None:
        sent = await persist(
            engine.job, item,
            lambda: calls.copy_part(
                goal.store, (goal.bucket, goal.key), upload.upload, span.number, source, (span.start, span.size)
            ),
            engine.limits.patience,
        )  # fmt: skip
        crc = int.from_bytes(checksums.unpacked(sent.crc32) or b"", "big")
        upload.crc32 = upload.crc32 and bool(sent.crc32)
        etag = calls.bare(sent.etag)
        md5 = bytes.fromhex(etag) if len(etag) == 32 else b""
        upload.note(Stored(span.number, span.size, sent.etag, sent.crc32), Digest(span.size, crc, md5))
        engine.job.advance(item, span.size)

    try:
        await _told_if_changed(each(spans(head.size, size), engine.limits.parts, copy), item)
        await upload.finish()
        await _verify(engine, fetch, goal, item)
    except (Lost, StoreError, ProblemError, asyncio.CancelledError):
        await upload.give_up()
        raise


async def _stream(engine: Engine, fetch: Fetch, goal: Goal, item: Item) -> None:
    """Through this machine's memory, part by part; both sides' checksums are compared with what passed."""
    head = fetch.head
    goal = Goal(goal.store, goal.bucket, goal.key, {**await _headers(fetch, item), **goal.headers})
    part = fetch.part if fetch.part <= engine.limits.memory // 2 else part_size(head.size, engine.limits.part)
    aligned = part == fetch.part

    async def read(span: Span) -> memoryview:
        buffer, at = engine.buffers.take(span.size), 0

        async def fetch_rest() -> None:
            nonlocal at
            async with aclosing(fetch.pieces(span, at)) as pieces:
                async for piece in pieces:
                    buffer[at : at + len(piece)] = piece
                    at += len(piece)

        while at < span.size:
            await persist(engine.job, item, fetch_rest, engine.limits.patience)
        return buffer

    if head.size <= part:
        async with engine.budget.hold(head.size):
            body = await _told_if_changed(read(Span(1, 0, head.size)), item)
            summed = await engine.in_thread(digest, body, md5=True)
            compare([summed], head.size, fetch.expected)
            await put_whole(engine, goal, body, summed, item, goal.key)
            engine.buffers.give(body)
        return
    upload = Multipart(engine, goal.store, goal.bucket, goal.key, item)
    await upload.begin(goal.all_headers(goal.key))

    async def pass_on(span: Span) -> None:
        async with engine.budget.hold(span.size):
            body = await read(span)
            summed = await engine.in_thread(digest, body, md5=fetch.md5 or not upload.crc32)
            await upload.send(span.number, body, summed)
            engine.buffers.give(body)

    try:
        await _told_if_changed(each(spans(head.size, part), engine.limits.parts, pass_on), item)
        if aligned or fetch.expected.kind is Kind.CRC32:
            if fetch.expected.kind is not Kind.MD5:
                compare([upload.digests[one] for one in sorted(upload.digests)], head.size, fetch.expected)
        else:
            item.add_note("what was read is verified by its size only: the source's parts are too large to be held")
        await upload.finish()
    except (Lost, StoreError, ProblemError, asyncio.CancelledError):
        await upload.give_up()
        raise


async def _told_if_changed(work: Awaitable[T], item: Item) -> T:
    """Awaits something; that the source is another one by now is told in words."""
    try:
        return await work
    except (ChangedError, StoreError) as error:
        if isinstance(error, StoreError) and error.status != 412:
            raise
        raise ProblemError(
            Problem(
                Cause.REJECTED, f"{item.source} has changed while it was copied; nothing was stored", str(error),
                "Copy it again.",
            )
        ) from error  # fmt: skip


async def _verify(engine: Engine, fetch: Fetch, goal: Goal, item: Item) -> None:
    """Compares a copy that the server made with its source.

    Raises:
        ProblemError: it is something else.
    """

    async def ask() -> Head:
        return await calls.head(goal.store, goal.bucket, goal.key)

    there = await persist(engine.job, item, ask, engine.limits.patience)
    copy, source = checksums.expected(there.headers), checksums.expected(fetch.head.headers)
    comparable = copy.kind is source.kind and copy.parts == source.parts
    if there.size != fetch.head.size or (comparable and copy.kind is Kind.CRC32 and copy.value != source.value):
        raise ProblemError(
            Problem(
                Cause.PROTOCOL, f"{item.target} is not what was copied",
                f"{copy.kind} {copy.value.hex()} of {there.size:,} bytes, not {source.value.hex()} of "
                f"{fetch.head.size:,}", "Do not use it; copy it again. The source is still there.",
            )
        )  # fmt: skip
    same = comparable and copy.value == source.value and copy.kind is not Kind.SIZE
    item.verified = copy.kind if same else "the server's own copy, by its size"


async def _headers(fetch: Fetch, item: Item) -> Mapping[str, str]:
    """What the copy is to have besides its content: the source's headers, metadata and tags."""
    origin, found = fetch.origin, fetch.head.headers
    headers = {name: found[name] for name in _KEPT if name in found}
    headers |= {name: value for name, value in found.items() if name.lower().startswith("x-amz-meta-")}
    query = {"tagging": "", **({"versionId": origin.version} if origin.version else {})}
    try:
        answer = await origin.store.exchange(Request("GET", origin.bucket, origin.key, query))
        tags = [(xml.text(one, "Key"), xml.text(one, "Value")) for one in xml.parse(answer).iter("Tag")]
        if tags:
            headers["x-amz-tagging"] = urlencode(tags, quote_via=quote)
    except (StoreError, Lost) as error:
        if not (isinstance(error, StoreError) and error.status in (404, 405, 501)):
            item.add_note(f"its tags could not be read, and were not copied: {error}")
    return headers
