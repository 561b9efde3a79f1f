"""Multipart uploads: parts in any order, one completion that is verified, and nothing left behind unmentioned."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Lost, StoreError
from tui.services.bucket.transfers import calls, checksums
from tui.services.bucket.transfers.calls import Body, Digest, Sent, Store, Stored
from tui.services.bucket.transfers.checksums import Kind
from tui.services.bucket.transfers.engine import Engine
from tui.services.bucket.transfers.patience import persist
from tui.services.bucket.transfers.progress import Item, Stage

#: Seconds for the request that gives an upload up; the program may be on its way out.
_ABORT = 10.0


class Multipart:
    """One upload in parts.

    Attributes:
        upload: its id.
        crc32: whether the server keeps CRC-32 checksums of it; MD5 and ETags it is otherwise.
        parts: what the server has of it, by number.
        digests: of the same parts, as they were computed here.
    """

    def __init__(self, engine: Engine, store: Store, bucket: str, key: str, item: Item) -> None:
        self.engine = engine
        self.store = store
        self.bucket = bucket
        self.key = key
        self.item = item
        self.upload = ""
        self.crc32 = False
        self.parts: dict[int, Stored] = {}
        self.digests: dict[int, Digest] = {}

    async def begin(self, headers: Mapping[str, str], *, checked: bool = True) -> None:
        """Begins it.

        Args:
            headers: of the object (content type, metadata).
            checked: asks for CRC-32 checksums; not when the server copies the parts by itself.
        """

        async def send() -> tuple[str, bool]:
            try:
                return await calls.begin(self.store, self.bucket, self.key, headers, checked=checked)
            except Lost as error:
                if error.unsure:
                    self.item.add_note(
                        "the answer to the beginning of its upload was lost: an incomplete upload without parts may be "
                        f"left of {self.bucket}/{self.key}"
                    )
                raise

        begun = asyncio.ensure_future(persist(self.engine.job, self.item, send, self.engine.limits.patience))
        try:
            self.upload, self.crc32 = await asyncio.shield(begun)
        except asyncio.CancelledError:
            # The store may be about to begin it, and its id is in the answer: without that it cannot be aborted.
            await asyncio.wait([begun], timeout=_ABORT)
            begun.cancel()
            if begun.done() and not begun.cancelled() and begun.exception() is None:
                self.upload, self.crc32 = begun.result()
                await self.give_up()
            raise
        if checked:
            self.store.keeps_crc32 = self.crc32

    async def send(self, number: int, body: Body, digest: Digest) -> None:
        """Sends a part, and verifies that it has arrived as it was.

        Raises:
            ProblemError: it arrived as something else.
        """
        sent = await persist(
            self.engine.job, self.item,
            lambda: calls.put_part(self.store, self.bucket, self.key, self.upload, number, body, digest),
            self.engine.limits.patience,
        )  # fmt: skip
        if not matches(sent, digest):
            raise ProblemError(
                Problem(
                    Cause.PROTOCOL, f"Part {number} of {self.item.source} has not arrived as it was sent",
                    f"The store says ETag {sent.etag}, CRC-32 {sent.crc32 or 'none'}", "Start it again.",
                )
            )  # fmt: skip
        self.note(Stored(number, digest.size, sent.etag, sent.crc32 or checksums.packed(digest.crc32)), digest)
        self.engine.job.advance(self.item, digest.size)

    def note(self, part: Stored, digest: Digest) -> None:
        """A part is there."""
        self.parts[part.number] = part
        self.digests[part.number] = digest

    async def finish(self) -> Sent:
        """Makes the object, and compares the whole's checksum with what the server says.

        Raises:
            ProblemError: they differ.
        """
        self.item.stage = Stage.VERIFYING
        parts = [self.parts[number] for number in sorted(self.parts)]
        digests = [self.digests[number] for number in sorted(self.parts)]
        whole = checksums.joined([(one.crc32, one.size) for one in digests]) if self.crc32 else None

        async def send() -> Sent:
            return await calls.complete(self.store, self.bucket, self.key, self.upload, parts, whole)

        async def look() -> Sent | None:
            """Whether an earlier request has done it although no answer came."""
            with contextlib.suppress(StoreError):
                found = await calls.head(self.store, self.bucket, self.key)
                sent = Sent(found.etag, found.headers.get("x-amz-checksum-crc32", ""), found.version)
                return sent if found.size == sum(one.size for one in digests) and self._is(sent, digests) else None
            return None

        sent = await persist(self.engine.job, self.item, send, self.engine.limits.patience, look=look)
        if not self._is(sent, digests):
            raise ProblemError(
                Problem(
                    Cause.PROTOCOL, f"{self.item.target} is not what was sent: its checksum differs",
                    f"ETag {sent.etag}, CRC-32 {sent.crc32 or 'none'}", "Do not use it; upload it again.",
                )
            )  # fmt: skip
        self.item.verified = Kind.CRC32 if self.crc32 else Kind.MD5_OF_PARTS
        self.upload = ""
        return sent

    def _is(self, sent: Sent, digests: list[Digest]) -> bool:
        """Whether an object is made of our parts."""
        if self.crc32 and sent.crc32:
            value = sent.crc32.partition("-")[0]
            crcs = [one.crc32 for one in digests]
            whole = checksums.joined([(one.crc32, one.size) for one in digests])
            return checksums.unpacked(value) in (whole.to_bytes(4, "big"), checksums.crc32_of_parts(crcs))
        if not self.crc32 and all(one.md5 for one in digests):
            wanted = f"{checksums.md5_of_parts([one.md5 for one in digests]).hex()}-{len(digests)}"
            return calls.bare(sent.etag) == wanted
        # The completion named the whole's CRC-32, and the server has accepted it.
        return calls.bare(sent.etag).endswith(f"-{len(digests)}")

    async def give_up(self) -> bool:
        """Aborts it, also while the program is on its way out.

        Returns:
            Whether nothing is left of it; the item says what is left otherwise.
        """
        if not self.upload:
            return True
        request = asyncio.ensure_future(calls.abort(self.store, self.bucket, self.key, self.upload))
        try:
            async with asyncio.timeout(_ABORT):
                await asyncio.shield(request)
        except (StoreError, Lost, ProblemError, TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not request.cancelled():
                await asyncio.wait([request], timeout=_ABORT)
                if request.done() and not request.exception():
                    return True
            request.cancel()
            self.item.add_note(
                f"the incomplete upload {self.upload} of {self.bucket}/{self.key} could not be aborted; it takes space "
                "until it is"
            )
            return False
        return True


def matches(sent: Sent, digest: Digest) -> bool:
    """Whether a store has what was sent: by its CRC-32, or by its MD5 where the ETag is one."""
    if sent.crc32:
        return sent.crc32 == checksums.packed(digest.crc32)
    if digest.md5 and len(calls.bare(sent.etag)) == 32:
        return calls.bare(sent.etag) == digest.md5.hex()
    return True  # the server verified the checksum that the request named, and shows none
