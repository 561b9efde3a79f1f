"""The content of an object, part by part, and what it is compared with."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Answer, Lost, StoreError
from tui.services.bucket.transfers import calls, checksums
from tui.services.bucket.transfers.calls import Head, Store
from tui.services.bucket.transfers.checksums import Expected, Kind
from tui.services.bucket.transfers.engine import Engine
from tui.services.bucket.transfers.incoming import Incoming
from tui.services.bucket.transfers.parts import Span, part_size
from tui.services.bucket.transfers.patience import persist
from tui.services.bucket.transfers.progress import Item
from tui.services.bucket.transfers.writing import Target

#: Bytes that go to the disk at a time: one way to a thread and back for each.
_BATCH = 2 << 20
#: So many times the usual size has a part of a large download, which has as many of them at least: a store spends about
#: a quarter less on the same bytes in four times fewer requests (MinIO, 32 MiB in place of 8).
_LONG = 4
#: Other parts than ours are followed up to this size.
_LARGEST_FOREIGN = 1 << 30


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object is.

    Attributes:
        version: a certain one; empty for the latest.
        size: as a listing has it, a hint only; None when unknown.
    """

    store: Store
    bucket: str
    key: str
    version: str = ""
    size: int | None = None


class ChangedError(Exception):
    """The object is another one now."""


class Fetch:
    """The content of one object, by parts.

    Attributes:
        head: what the object is; parts of anything else are never joined with it.
        expected: what the whole is compared with.
        part: bytes of each part but the last.
        digests: of the parts that are there, by number.
    """

    def __init__(self, engine: Engine, origin: Origin, item: Item) -> None:
        self.engine = engine
        self.origin = origin
        self.item = item
        self.head = Head(0, "", None, "", {})
        self.expected = Expected(Kind.SIZE)
        self.part = 0
        self.digests: dict[int, calls.Digest] = {}

    async def look(self, *, long: bool = False) -> None:
        """Asks what the object is.

        Args:
            long: a part may be larger than fits in memory: it goes to the disk as it comes.
        """
        engine, origin = self.engine, self.origin

        async def ask() -> Head:
            return await calls.head(origin.store, origin.bucket, origin.key, version=origin.version)

        self.head = await persist(engine.job, self.item, ask, engine.limits.patience)
        self.expected = checksums.expected(self.head.headers)
        foreign = await foreign_part(engine, origin, self.head, self.expected, self.item)
        if self.expected.kind in (Kind.MD5_OF_PARTS, Kind.CRC32_OF_PARTS) and not 0 < foreign <= _LARGEST_FOREIGN:
            self.expected = Expected(Kind.SIZE)
            self.item.add_note(
                "verified by its size only: the store's checksum is of parts whose sizes it does not tell"
            )
        usual = engine.limits.part
        if long and self.head.size >= _LONG * _LONG * usual:
            usual *= _LONG
        self.part = foreign or part_size(self.head.size, usual)

    @property
    def md5(self) -> bool:
        """Whether MD5 is computed of each part."""
        return self.expected.kind is Kind.MD5_OF_PARTS

    async def into(self, target: Target, span: Span) -> None:
        """Fetches a part into a file; a connection that is lost is taken up where it broke."""
        engine, job, item = self.engine, self.engine.job, self.item
        done, crc = 0, 0
        md5 = hashlib.md5(usedforsecurity=False) if self.md5 else None

        async def write(data: memoryview) -> None:
            nonlocal done, crc
            crc = await engine.in_thread(target.write, data, span.start + done, crc, md5)
            done += len(data)
            job.advance(item, len(data))

        async def fetch() -> None:
            # One batch comes while the one before is written.
            writing: asyncio.Task[None] | None = None
            buffers = [engine.buffers.take(_BATCH) for _ in range(2)]
            try:
                async with aclosing(self._batches(span, done, buffers)) as batches:
                    async for batch in batches:
                        if writing is not None:
                            await writing
                        await job.go_ahead()
                        writing = asyncio.create_task(write(batch))
            finally:
                if writing is not None:
                    await writing
                for one in buffers:
                    engine.buffers.give(one)

        try:
            async with engine.budget.hold(2 * _BATCH):  # many files, each with several ranges, would hold too much
                while done < span.size:
                    await persist(job, item, fetch, engine.limits.patience)
        except BaseException:
            job.advance(item, -done)
            raise
        self.digests[span.number] = calls.Digest(span.size, crc, md5.digest() if md5 else b"")

    async def _batches(self, span: Span, skip: int, buffers: list[memoryview]) -> AsyncGenerator[memoryview, None]:
        """A part from a byte on, through two buffers in turn: a batch is good until the next but one is asked for.

        Raises:
            ChangedError: the object is another one by now.
            Lost: the connection broke; what had come was yielded before.
        """
        turn, left = 0, span.size - skip
        async with self._content(span, skip) as answer:
            fill = answer.fill if isinstance(answer, Incoming) and answer.counted else _Filler(answer).fill
            while left:
                count = await fill(buffers[turn][:left])
                if not count:
                    raise self._short(left)
                left -= count
                yield buffers[turn][:count]
                turn = 1 - turn

    async def pieces(self, span: Span, skip: int = 0) -> AsyncGenerator[bytes, None]:
        """The content of a part from a byte on.

        Raises:
            ChangedError: the object is another one by now.
        """
        left = span.size - skip
        async with self._content(span, skip) as answer:
            async for piece in answer.pieces():
                left -= len(piece)
                yield piece
        if left:
            raise self._short(left)

    @asynccontextmanager
    async def _content(self, span: Span, skip: int) -> AsyncIterator[Answer]:
        origin = self.origin
        wanted = (span.start + skip, span.size - skip)
        try:
            async with calls.get(
                origin.store, origin.bucket, origin.key, version=origin.version, span=wanted, etag=self.head.etag
            ) as answer:
                if answer.status != 206 and wanted != (0, self.head.size):
                    raise ProblemError(
                        Problem(Cause.PROTOCOL, "The store answers a range with another one", f"HTTP {answer.status}")
                    )  # fmt: skip
                yield answer
        except StoreError as error:
            if error.status == 412:
                raise ChangedError(str(error)) from error
            raise

    def _short(self, left: int) -> Lost:
        return Lost(Problem(Cause.UNREACHABLE, f"The content of {self.item.source} ends {left} bytes too early"))


class _Filler:
    """Fills memory from an answer that comes in pieces: chunked, or up to the end of the connection."""

    def __init__(self, answer: Answer) -> None:
        self._pieces = answer.pieces()
        self._rest = memoryview(b"")

    async def fill(self, view: memoryview) -> int:
        """See `Incoming.fill`; gives each piece as it came, without waiting for more."""
        if not self._rest:
            self._rest = memoryview(await anext(self._pieces, b""))
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def verify(pieces: list[memoryview], size: int, expected: Expected) -> None:
    """Compares content in memory with what the store says of it.

    Args:
        pieces: in the parts that the store's checksum is made of.
        size: bytes, as the store says.
        expected: what the store says.

    Raises:
        ProblemError: it is something else.
    """
    sums = [calls.Digest(len(one), *_sums(one, expected.kind)) for one in pieces]
    compare(sums, size, expected)


def _sums(data: memoryview, kind: Kind) -> tuple[int, bytes]:
    md5 = kind in (Kind.MD5, Kind.MD5_OF_PARTS)
    return zlib.crc32(data), hashlib.md5(data, usedforsecurity=False).digest() if md5 else b""


def compare(parts: list[calls.Digest], size: int, expected: Expected) -> None:
    """Compares the checksums of all parts with what the store says of the whole.

    Raises:
        ProblemError: it is something else.
    """
    value = b""
    if expected.kind is Kind.CRC32:
        value = checksums.joined([(one.crc32, one.size) for one in parts]).to_bytes(4, "big")
    elif expected.kind is Kind.CRC32_OF_PARTS:
        value = checksums.crc32_of_parts([one.crc32 for one in parts])
    elif expected.kind is Kind.MD5_OF_PARTS:
        value = checksums.md5_of_parts([one.md5 for one in parts])
    elif expected.kind is Kind.MD5:
        value = parts[0].md5 if len(parts) == 1 else b""
    came = sum(one.size for one in parts)
    if came != size or value != expected.value:
        raise ProblemError(
            Problem(
                Cause.PROTOCOL, "What has come is not what the store says it has: nothing was put under the final name",
                f"{expected.kind} {value.hex()} of {came:,} bytes, not {expected.value.hex()} of {size:,}",
                "Download it again; if this repeats, the object or the way to it is damaged.",
            )
        )  # fmt: skip


async def foreign_part(engine: Engine, origin: Origin, head: Head, expected: Expected, item: Item) -> int:
    """The size of the parts that the store's checksum is made of; 0 where that is the whole, or unknown."""
    if expected.kind not in (Kind.MD5_OF_PARTS, Kind.CRC32_OF_PARTS):
        return 0
    if expected.parts == 1:
        return max(head.size, 1)

    async def ask() -> int:
        store, version = origin.store, origin.version
        first = await calls.head(store, origin.bucket, origin.key, version=version, part=1)
        if first.size != head.size:
            return first.size
        # SeaweedFS heeds the part's number for GET only; its body is not waited for.
        async with calls.get(store, origin.bucket, origin.key, version=version, part=1) as answer:
            return int(answer.headers.get("Content-Length", "0"))

    size = await persist(engine.job, item, ask, engine.limits.patience)
    return size if size and -(-head.size // size) == expected.parts else 0
