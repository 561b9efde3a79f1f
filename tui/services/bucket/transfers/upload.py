"""Files and streams into buckets."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Lost, StoreError
from tui.services.bucket.transfers import calls, checksums, patience
from tui.services.bucket.transfers.calls import Body, Digest, Sent, Store
from tui.services.bucket.transfers.checksums import Kind
from tui.services.bucket.transfers.engine import Engine, each
from tui.services.bucket.transfers.journal import Slip, UploadRecord, now
from tui.services.bucket.transfers.multipart import Multipart, matches
from tui.services.bucket.transfers.parts import Span, part_size, spans, stream_part_size
from tui.services.bucket.transfers.patience import persist
from tui.services.bucket.transfers.progress import Item
from tui.services.bucket.transfers.reading import Source, digest

#: From so many parts of the usual size on they are longer, so many times, and fewer are on their way at once: a store
#: takes a large object about a tenth faster in half as many requests (MinIO, 16 MiB in place of 8).
_LARGE, _LONG = 16, 2
#: Bytes up to which a file is read as soon as it is opened: so little is not counted as memory.
_SMALL = 64 << 10


@dataclass(frozen=True, slots=True)
class Goal:
    """Where an object goes.

    Attributes:
        headers: the object's own (`Content-Type`, `x-amz-meta-…`); the content type is guessed by the name without one.
    """

    store: Store
    bucket: str
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self, name: str) -> dict[str, str]:
        """The headers with a content type."""
        guessed, encoding = mimetypes.guess_type(name)
        kind = "application/octet-stream" if encoding or not guessed else guessed
        return {"Content-Type": kind, **self.headers}


async def upload_file(engine: Engine, goal: Goal, path: Path, item: Item, *, remove: bool = False) -> None:
    """Uploads a file, or goes on with an upload of it that an earlier run has begun.

    Args:
        engine: whose job it is.
        goal: whereto.
        path: of the file.
        item: is told how far it is.
        remove: deletes the file once it is there and verified.

    Raises:
        ProblemError: the file changed meanwhile, or arrived as something else.
        StoreError, Lost: the store's refusal, or no answer for longer than patience lasts.
        OSError: the file cannot be read.
    """
    md5 = goal.store.keeps_crc32 is not True
    source, body, summed = await engine.acquire(lambda: _open(path, md5), lambda opened: opened[0].close())
    try:
        if summed is not None:
            await put_whole(engine, goal, body, summed, item, path.name)
        elif source.size <= engine.limits.part:
            await _at_once(engine, goal, source, item, md5=md5)
        else:
            await _in_parts(engine, goal, source, item)
        if remove:
            await engine.in_thread(source.remove)
    finally:
        source.close()


def _open(path: Path, md5: bool) -> tuple[Source, Body, Digest | None]:
    """Opens a file, and reads it at once when it is small: one way to a thread and back for each of many files."""
    source = Source(path)
    if source.size > _SMALL:
        return source, b"", None
    try:
        body = memoryview(bytearray(source.size))
        summed = source.read(Span(1, 0, source.size), body, md5=md5)
        source.verify_unchanged()
    except BaseException:
        source.close()
        raise
    return source, body, summed


async def _at_once(engine: Engine, goal: Goal, source: Source, item: Item, *, md5: bool) -> None:
    """Uploads a file that is one part, and not so small that its memory does not count."""
    async with engine.budget.hold(source.size):
        body = engine.buffers.take(source.size)
        summed = await engine.in_thread(source.read, Span(1, 0, source.size), body, md5=md5)
        await engine.in_thread(source.verify_unchanged)
        await put_whole(engine, goal, body, summed, item, source.path.name)
        engine.buffers.give(body)


async def put_whole(engine: Engine, goal: Goal, body: Body, summed: Digest, item: Item, name: str) -> Sent:
    """An object in one request; what has arrived is compared with what was sent.

    Raises:
        ProblemError: they differ.
        StoreError, Lost: as above.
    """
    store = goal.store

    async def send() -> Sent:
        return await calls.put(store, goal.bucket, goal.key, body, summed, goal.all_headers(name))

    async def look() -> Sent | None:
        # In a versioned bucket a second PUT would make a second version.
        try:
            found = await calls.head(store, goal.bucket, goal.key)
        except StoreError:
            return None
        there = checksums.expected(found.headers)
        same = (there.kind is Kind.CRC32 and there.value == summed.crc32.to_bytes(4, "big")) or (
            bool(summed.md5) and there.kind is Kind.MD5 and there.value == summed.md5
        )
        crc = found.headers.get("x-amz-checksum-crc32", "")
        return Sent(found.etag, crc, found.version) if same and found.size == summed.size else None

    sent = await persist(engine.job, item, send, engine.limits.patience, look=look)
    if not matches(sent, summed):
        raise ProblemError(
            Problem(
                Cause.PROTOCOL, f"{item.target} is not what was sent: its checksum differs",
                f"ETag {sent.etag}, CRC-32 {sent.crc32 or 'none'}", "Do not use it; upload it again.",
            )
        )  # fmt: skip
    if store.keeps_crc32 is None:
        store.keeps_crc32 = bool(sent.crc32)
    item.verified = Kind.CRC32 if sent.crc32 else Kind.MD5 if summed.md5 else ""
    engine.job.advance(item, summed.size)
    return sent


async def _in_parts(engine: Engine, goal: Goal, source: Source, item: Item) -> None:
    upload = Multipart(engine, goal.store, goal.bucket, goal.key, item)
    slip, size = await _continue(engine, goal, source, upload)

    async def send(span: Span) -> None:
        async with engine.budget.hold(span.size):
            body = engine.buffers.take(span.size)
            summed = await engine.in_thread(source.read, span, body, md5=not upload.crc32)
            await upload.send(span.number, body, summed)
            engine.buffers.give(body)

    try:
        if slip is None:
            await upload.begin(goal.all_headers(source.path.name))
            usual = engine.limits.part
            size = part_size(source.size, usual * _LONG if source.size >= _LARGE * usual else usual)
            slip = await _note(engine, upload, source, size)
        missing = (span for span in spans(source.size, size) if span.number not in upload.parts)
        at_once = -(-engine.limits.parts * engine.limits.part // size)
        await each(missing, at_once, send)
        await engine.in_thread(source.verify_unchanged)
        await upload.finish()
    except BaseException as error:
        await _leave(engine, upload, slip, error)
        raise
    if slip is not None:
        slip.forget()


async def _note(engine: Engine, upload: Multipart, source: Source, size: int) -> Slip | None:
    """Writes down that an upload was begun."""
    record = UploadRecord(
        upload.store.place, upload.bucket, upload.key, upload.upload, str(source.path), source.size, source.modified,
        size, upload.crc32, now(),
    )  # fmt: skip
    try:
        return await engine.acquire(lambda: engine.journal.begin(record), Slip.forget)
    except OSError as error:
        upload.item.add_note(f"it cannot go on after a restart: the journal cannot be written ({error.strerror})")
        return None


async def _leave(engine: Engine, upload: Multipart, slip: Slip | None, error: BaseException) -> None:
    """After a failure: keeps what may go on later and says so, aborts the rest."""
    cancelled = isinstance(error, asyncio.CancelledError)
    may_go_on = engine.keep if cancelled else patience.passes(error)
    if slip is not None and may_go_on:
        there = sum(part.size for part in upload.parts.values())
        upload.item.add_note(
            f"{there:,} bytes are kept in the incomplete upload {upload.upload}; the same command goes on with them"
        )
        slip.close()
    elif await upload.give_up():
        if slip is not None:
            slip.forget()
    elif slip is not None:
        slip.close()


async def _continue(engine: Engine, goal: Goal, source: Source, upload: Multipart) -> tuple[Slip | None, int]:
    """Takes up what an earlier run has begun: parts whose checksums are those of the file as it is now count as sent.

    Returns:
        The journal's record, None when there is nothing to go on with; and the size of its parts.
    """
    item, store = upload.item, goal.store
    found = await engine.in_thread(engine.journal.upload, store.place, goal.bucket, goal.key, str(source.path))
    if found is None:
        return None, 0
    record, slip = found
    upload.upload, upload.crc32 = record.upload, record.crc32
    if (record.size, record.modified) != (source.size, source.modified):
        item.add_note("the file has changed since its upload was begun: begun anew")
        if await upload.give_up():
            slip.forget()
        else:
            slip.close()
        upload.upload = ""
        return None, 0
    try:
        parts = await persist(
            engine.job, item, lambda: calls.stored_parts(store, goal.bucket, goal.key, record.upload),
            engine.limits.patience,
        )  # fmt: skip
    except StoreError as error:
        if error.status != 404:
            slip.close()
            raise
        item.add_note("the store has given up the upload that was begun: begun anew")
        slip.forget()
        upload.upload = ""
        return None, 0
    except BaseException:
        slip.close()
        raise
    known = {part.number: part for part in parts}
    spanned = {span.number: span for span in spans(source.size, record.part)}

    async def compare(number: int) -> None:
        span, part = spanned[number], known[number]
        if part.size != span.size:
            return
        async with engine.budget.hold(span.size):
            body = engine.buffers.take(span.size)
            summed = await engine.in_thread(source.read, span, body, md5=not part.crc32 or not record.crc32)
            engine.buffers.give(body)
        if matches(Sent(part.etag, part.crc32), summed):
            crc = part.crc32 or checksums.packed(summed.crc32)
            upload.note(calls.Stored(number, part.size, part.etag, crc), summed)
            engine.job.advance(item, span.size, resumed=True)

    try:
        await each(sorted(known.keys() & spanned.keys()), 2, compare)
    except BaseException:
        slip.close()
        raise
    return slip, record.part


async def upload_stream(engine: Engine, goal: Goal, stream: AsyncIterator[Body], item: Item) -> None:
    """Uploads what comes, however much it is. It cannot go on after a restart: what was read is gone.

    Args:
        engine: whose job it is.
        goal: whereto.
        stream: pieces of any size.
        item: is told how far it is.

    Raises:
        ProblemError, StoreError, Lost: as above; what was begun is aborted.
    """
    upload = Multipart(engine, goal.store, goal.bucket, goal.key, item)
    pieces = _cut(stream, engine)
    first = await anext(pieces)
    second = await anext(pieces, None)
    if second is None:
        summed = await engine.in_thread(digest, first, md5=goal.store.keeps_crc32 is not True)
        await put_whole(engine, goal, first, summed, item, goal.key)
        return
    turn = asyncio.Lock()
    await upload.begin(goal.all_headers(goal.key))
    ready = [(1, first), (2, second)]
    del first, second  # the workers give them back
    number = 2

    async def take() -> tuple[int, memoryview] | None:
        nonlocal number
        async with turn:
            if ready:
                return ready.pop(0)
            piece = await anext(pieces, None)
            if piece is None:
                return None
            number += 1
            return number, piece

    async def work(_: int) -> None:
        while (taken := await take()) is not None:
            at, body = taken
            summed = await engine.in_thread(digest, body, md5=not upload.crc32)
            await upload.send(at, body, summed)
            engine.buffers.give(body)

    try:
        # Each worker holds one part; the sizes grow with the stream, so fewer of them work than for files.
        await each(range(max(1, engine.limits.parts - 1)), engine.limits.parts - 1 or 1, work)
        await upload.finish()
    except (Lost, StoreError, ProblemError, OSError, asyncio.CancelledError):
        await upload.give_up()
        raise


async def _cut(stream: AsyncIterator[Body], engine: Engine) -> AsyncIterator[memoryview]:
    """A stream in parts; at least one, which may be empty. They lie in the engine's buffers."""
    number, at, part = 1, 0, engine.buffers.take(stream_part_size(1, engine.limits.part))
    async for piece in stream:
        rest = memoryview(piece)
        while rest.nbytes:
            if at == len(part):
                yield part
                number, at = number + 1, 0
                part = engine.buffers.take(stream_part_size(number, engine.limits.part))
            count = min(len(part) - at, len(rest))
            part[at : at + count] = rest[:count]
            at, rest = at + count, rest[count:]
    if at or number == 1:
        yield part[:at]
