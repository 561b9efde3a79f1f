"""Objects into files and streams."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import time
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Lost, StoreError
from tui.services.bucket.transfers import calls, checksums, patience
from tui.services.bucket.transfers.calls import Head
from tui.services.bucket.transfers.checksums import Expected, Kind
from tui.services.bucket.transfers.engine import DiskFullError, Engine, each
from tui.services.bucket.transfers.fetching import ChangedError, Fetch, Origin, compare, foreign_part, verify
from tui.services.bucket.transfers.incoming import Incoming
from tui.services.bucket.transfers.journal import DownloadRecord, Slip, now
from tui.services.bucket.transfers.names import LocalName
from tui.services.bucket.transfers.parts import Span, spans
from tui.services.bucket.transfers.patience import persist
from tui.services.bucket.transfers.progress import Item, Stage
from tui.services.bucket.transfers.writing import Folder, Target, disk_problem

#: How often an object that changes while it is downloaded is begun anew.
_ANEW = 3
#: Seconds between two attempts to read on in a stream.
_PAUSE = 0.5


async def download_file(
    engine: Engine, origin: Origin, folder: Folder, name: LocalName, item: Item, *, remove: bool = False
) -> None:
    """Downloads an object to a file, or goes on with what an earlier run has written.

    Args:
        engine: whose job it is.
        origin: what is downloaded.
        folder: the chosen one; nothing is written outside of it.
        name: of the file, below.
        item: is told how far it is.
        remove: deletes the object once the file is there, verified and flushed; only while it is still the same.

    Raises:
        ProblemError: it arrived as something else, or the file cannot be there.
        StoreError, Lost: the store's refusal, or no answer for longer than patience lasts.
        DiskFullError: the disk is full.
    """
    path = folder.path / name.path
    try:
        for attempt in range(_ANEW):
            try:
                if origin.size is not None and origin.size <= engine.limits.part:
                    head = await _small(engine, origin, folder, name, item, remove)
                else:
                    head = await _large(engine, origin, folder, name, item, remove)
                break
            except ChangedError as error:
                engine.job.advance(item, -item.done)
                if attempt == _ANEW - 1:
                    raise ProblemError(
                        Problem(
                            Cause.REJECTED, f"{item.source} changes again and again while it is downloaded", str(error),
                            "Download a version of it, or try it when nobody writes to it.",
                        )
                    ) from error  # fmt: skip
    except OSError as error:
        problem = disk_problem(error, path)
        raise (DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else ProblemError)(problem) from error
    if remove:
        await delete_same(engine, origin, head, item)


async def delete_same(engine: Engine, origin: Origin, head: Head, item: Item) -> None:
    """Deletes the object that was moved, unless another one has taken its place.

    Raises:
        ProblemError: it has changed since; it stays.
    """

    async def send() -> None:
        try:
            there = await calls.head(origin.store, origin.bucket, origin.key, version=origin.version)
        except StoreError as error:
            if error.status == 404:
                return
            raise
        if there.etag != head.etag:
            raise ProblemError(
                Problem(
                    Cause.REJECTED, f"{item.source} was copied, and has changed since; it was not deleted", "",
                    "Move it again to take the change with it.",
                )
            )  # fmt: skip
        await calls.delete(origin.store, origin.bucket, origin.key, origin.version)

    await persist(engine.job, item, send, engine.limits.patience)


def tag(origin: Origin, name: LocalName) -> str:
    """What tells the unfinished file of an object from those of others beside it, the same in each run.

    It must not tell which folder was named: `cp :b/logs/a logs/` goes on with what `cp -r :b/logs/ logs` has begun, as
    the journal knows both by the file's whole path.
    """
    text = "\0".join((origin.store.place, origin.bucket, origin.key, origin.version, name.name))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


# --- small ones: one request, one way to a thread


async def _small(
    engine: Engine, origin: Origin, folder: Folder, name: LocalName, item: Item, remove: bool
) -> Head:  # fmt: skip
    async def fetch() -> tuple[Head, memoryview]:
        async with calls.get(origin.store, origin.bucket, origin.key, version=origin.version) as answer:
            head = calls.head_of(answer.headers)
            if head.size > 2 * engine.limits.part:
                raise ChangedError(f"it has {head.size} bytes now")
            if not isinstance(answer, Incoming) or not answer.counted:
                return head, memoryview(await answer.read())
            content, at = engine.buffers.take(head.size), 0
            while at < head.size and (count := await answer.fill(content[at:])):
                at += count
            return head, content[:at]

    async with engine.budget.hold(origin.size or 0):
        head, content = await persist(engine.job, item, fetch, engine.limits.patience)
        wanted = checksums.expected(head.headers)
        modified = head.modified.timestamp() if head.modified else None
        foreign = await foreign_part(engine, origin, head, wanted, item)
        verified = await engine.in_thread(
            _write_small, folder, name, tag(origin, name), content, head.size, (wanted, foreign), modified, remove
        )
        engine.buffers.give(content)
    item.verified = verified
    if not item.size and head.size:
        item.size = head.size
    engine.job.advance(item, head.size)
    return head


def _write_small(
    folder: Folder, name: LocalName, tag_: str, content: memoryview, size: int, wanted: tuple[Expected, int],
    modified: float | None, flush: bool,
) -> Kind:  # fmt: skip
    """Writes, verifies and names a small file; nothing is left of it when that fails."""
    expected, foreign = wanted
    verify([content[span.start :][: span.size] for span in spans(size, foreign or size or 1)], size, expected)
    target = folder.open(name, tag_)
    try:
        target.write(content, 0, 0, None)
        target.finish(modified, flush=flush)
    except BaseException:
        target.discard()
        raise
    return expected.kind


# --- large ones: in parts, beside the target, noted in the journal


async def _large(
    engine: Engine, origin: Origin, folder: Folder, name: LocalName, item: Item, remove: bool
) -> Head:  # fmt: skip
    fetch = Fetch(engine, origin, item)
    await fetch.look(long=True)
    head = fetch.head
    if item.size is None:
        item.size = head.size
        engine.job.size += head.size
    target, slip = await _continue(engine, fetch, folder, name)
    digests = fetch.digests
    if target is None:
        target = await engine.acquire(lambda: folder.open(name, tag(origin, name)), Target.discard)
        record = DownloadRecord(
            origin.store.place, origin.bucket, origin.key, origin.version, head.etag, str(target.path), target.beside,
            head.size, fetch.part, now(),
        )  # fmt: skip
        try:
            slip = await engine.acquire(lambda: engine.journal.begin(record), Slip.forget)
        except OSError as error:
            item.add_note(f"it cannot go on after a restart: the journal cannot be written ({error.strerror})")
        except BaseException:
            await engine.in_thread(target.discard)
            raise
    there = target  # not None from here on

    async def part(span: Span) -> None:
        await fetch.into(there, span)
        if slip is not None:
            await engine.in_thread(slip.part, span.number)

    try:
        await engine.in_thread(there.require, head.size - sum(one.size for one in digests.values()))
        missing = (span for span in spans(head.size, fetch.part) if span.number not in digests)
        if head.size:
            await each(missing, engine.limits.parts, part)
        item.stage = Stage.VERIFYING
        if fetch.expected.kind is Kind.MD5:
            _, whole = await engine.in_thread(there.read, 0, head.size, md5=True)
            compare([calls.Digest(head.size, 0, whole)], head.size, fetch.expected)
        else:
            compare([digests[number] for number in sorted(digests)], head.size, fetch.expected)
        item.verified = fetch.expected.kind
        modified = head.modified.timestamp() if head.modified else None
        await engine.in_thread(there.finish, modified, flush=remove)
    except BaseException as error:
        await _leave(engine, there, slip, item, error)
        raise
    if slip is not None:
        slip.forget()
    return head


async def _leave(engine: Engine, target: Target, slip: Slip | None, item: Item, error: BaseException) -> None:
    """After a failure: keeps what may go on later and says so, removes the rest."""
    cancelled = isinstance(error, asyncio.CancelledError)
    if slip is not None and (engine.keep if cancelled else patience.passes(error)):
        item.add_note(f"{item.done:,} bytes are kept beside it in {target.beside}; the same command goes on with them")
        target.close()
        slip.close()
        return
    target.discard()
    if slip is not None:
        slip.forget()


async def _continue(
    engine: Engine, fetch: Fetch, folder: Folder, name: LocalName
) -> tuple[Target | None, Slip | None]:  # fmt: skip
    """Takes up what an earlier run has written of the same object: the parts are read again, none is believed.

    Returns:
        The file and the journal's record, None when there is nothing to go on with.
    """
    origin, path = fetch.origin, str(folder.path / name.path)
    store = origin.store
    found = await engine.in_thread(engine.journal.download, store.place, origin.bucket, origin.key, path)
    if found is None:
        return None, None
    record, parts, slip = found
    same = (record.version, record.etag, record.size) == (origin.version, fetch.head.etag, fetch.head.size)
    if not same:
        fetch.item.add_note("the object has changed since its download was begun: begun anew")
    if not same or record.part != fetch.part:
        slip.forget()
        return None, None
    try:
        target = await engine.acquire(lambda: folder.open(name, tag(origin, name), again=True), Target.close)
    except FileNotFoundError:
        slip.forget()
        return None, None

    async def read(span: Span) -> None:
        try:
            crc, md5 = await engine.in_thread(target.read, span.start, span.size, md5=fetch.md5)
        except EOFError:
            return
        fetch.digests[span.number] = calls.Digest(span.size, crc, md5)
        engine.job.advance(fetch.item, span.size, resumed=True)

    try:
        await each((span for span in spans(record.size, record.part) if span.number in parts), 2, read)
    except BaseException:
        target.close()
        slip.close()
        raise
    return target, slip


async def download_stream(engine: Engine, origin: Origin, item: Item) -> AsyncGenerator[bytes, None]:
    """The content of an object, in its order. It is verified at the end: what was given out before may be no good.

    Raises:
        ProblemError: what was given out is not what the store says it has.
        StoreError, Lost: as above.
    """
    fetch = Fetch(engine, origin, item)
    await fetch.look()
    item.size = fetch.head.size
    whole = fetch.expected.kind is Kind.MD5
    md5 = hashlib.md5(usedforsecurity=False) if whole or fetch.md5 else None
    digests: list[calls.Digest] = []
    failing: float | None = None  # since when nothing has come
    for span in spans(fetch.head.size, fetch.part) if fetch.head.size else ():
        crc, came = 0, 0
        if fetch.md5:
            md5 = hashlib.md5(usedforsecurity=False)
        while came < span.size:
            try:
                async with aclosing(fetch.pieces(span, came)) as pieces:
                    async for piece in pieces:
                        crc = zlib.crc32(piece, crc)
                        if md5 is not None:
                            md5.update(piece)
                        came, failing = came + len(piece), None
                        yield piece
                        engine.job.advance(item, len(piece))
            except (Lost, StoreError, ProblemError) as error:
                failing = time.monotonic() if failing is None else failing
                if not patience.passes(error) or time.monotonic() - failing > engine.limits.patience:
                    raise
                item.retries += 1
                await asyncio.sleep(_PAUSE)
            except ChangedError as error:
                raise ProblemError(
                    Problem(
                        Cause.REJECTED, f"{item.source} has changed while it was read; what came is incomplete",
                        str(error),
                        "Read it again.",
                    )
                ) from error  # fmt: skip
        digests.append(calls.Digest(span.size, crc, md5.digest() if md5 is not None and fetch.md5 else b""))
    if whole and md5 is not None:
        digests = [calls.Digest(fetch.head.size, 0, md5.digest())]
    compare(digests, fetch.head.size, fetch.expected)
    item.verified = fetch.expected.kind
