"""Moves things through a store for tests: one call, one job."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from bucket_servers import KEYS, CuttingWay, LocalWay

from tui.services.bucket.model import Request, StoreError
from tui.services.bucket.signing import Signer
from tui.services.bucket.transfers import calls
from tui.services.bucket.transfers.calls import Store
from tui.services.bucket.transfers.download import download_file
from tui.services.bucket.transfers.engine import Engine, Limits, Task, listed
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.journal import Journal
from tui.services.bucket.transfers.names import LocalName
from tui.services.bucket.transfers.parts import MIB
from tui.services.bucket.transfers.progress import Item, Job
from tui.services.bucket.transfers.upload import Goal, upload_file, upload_stream
from tui.services.bucket.transfers.wire import Wire
from tui.services.bucket.transfers.writing import Folder

#: Small parts, so that little content makes many of them.
LIMITS = Limits(part=5 * MIB, objects=8, parts=3, memory=24 * MIB, patience=60.0)


class Mover:
    """One store, one bucket of its own, and a place on the disk."""

    def __init__(self, port: int, root: Path) -> None:
        self.port = port
        self.root = root
        self.bucket = f"test-{uuid.uuid4().hex[:12]}"
        self._wires: list[Wire] = []
        self.way: LocalWay = LocalWay(port)
        self.store = self._store(self.way)
        self.journal = Journal(root / "journal")
        self.limits = LIMITS

    def _store(self, way: LocalWay) -> Store:
        wire = Wire(lambda: way, Signer(KEYS))
        self._wires.append(wire)
        return Store(wire, "test/store")

    def through(self, way: CuttingWay) -> Store:
        """The same store over another way."""
        return self._store(way)

    async def make(self) -> None:
        await self.store.exchange(Request("PUT", self.bucket))

    async def close(self) -> None:
        for wire in self._wires:
            await wire.close()

    def file(self, size: int, name: str = "file") -> Path:
        path = self.root / name
        path.write_bytes(os.urandom(size))
        return path

    def engine(self, **limits: object) -> Engine:
        return Engine(Job("test"), self.journal, Limits(**{**_fields(self.limits), **limits}))  # type: ignore[arg-type]

    async def go(self, engine: Engine, item: Item, move: Callable[[], Awaitable[None]]) -> Item:
        engine.job.add(item)
        try:
            await engine.run(listed([Task(item, move)]))
        finally:
            engine.close()
        return item

    async def up(
        self, path: Path, key: str = "key", store: Store | None = None, engine: Engine | None = None, **options: bool
    ) -> Item:  # fmt: skip
        engine = engine or self.engine()
        item = Item(str(path), f"{self.bucket}/{key}", path.stat().st_size)
        goal = Goal(store or self.store, self.bucket, key)
        return await self.go(engine, item, lambda: upload_file(engine, goal, path, item, **options))

    async def down(
        self, key: str = "key", store: Store | None = None, engine: Engine | None = None, size: int | None = None,
        **options: bool,
    ) -> Item:  # fmt: skip
        engine = engine or self.engine()
        folder = Folder(self.root / "out")
        item = Item(f"{self.bucket}/{key}", "out/file", size)
        origin = Origin(store or self.store, self.bucket, key, size=size)
        name = LocalName((), "file", False)
        try:
            return await self.go(engine, item, lambda: download_file(engine, origin, folder, name, item, **options))
        finally:
            folder.close()

    async def stream(self, pieces: AsyncIterator[bytes], key: str = "key") -> Item:
        engine = self.engine()
        item = Item("-", f"{self.bucket}/{key}")
        return await self.go(
            engine, item, lambda: upload_stream(engine, Goal(self.store, self.bucket, key), pieces, item)
        )  # fmt: skip

    @property
    def out(self) -> Path:
        return self.root / "out" / "file"

    def beside(self) -> list[str]:
        """What is not whole in the folder of downloads."""
        return sorted(path.name for path in (self.root / "out").rglob(".statetui-*"))

    async def content(self, key: str = "key") -> bytes:
        return await self.store.exchange(Request("GET", self.bucket, key))

    async def exists(self, key: str = "key") -> bool:
        try:
            await calls.head(self.store, self.bucket, key)
        except StoreError as error:
            assert error.status == 404
            return False
        return True

    async def incomplete(self) -> int:
        """How many multipart uploads were begun and not ended."""
        answer = await self.store.exchange(Request("GET", self.bucket, "", {"uploads": "", "prefix": "key"}))
        return answer.count(b"<UploadId>")

    async def put(self, key: str, data: bytes = b"x") -> None:
        await self.store.exchange(Request("PUT", self.bucket, key, {}, {}, data))


def _fields(limits: Limits) -> dict[str, object]:
    return {name: getattr(limits, name) for name in ("part", "objects", "parts", "memory", "patience")}
