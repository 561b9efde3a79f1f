"""Transfers to the real MinIO of the real cluster survive what Kubernetes does to its pods."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from real import KUBECONFIG, kubectl
from test_sql_sessions import key, live_in, until

from tui.services.bucket.model import Lost, Request, StoreError
from tui.services.bucket.opening import open_session
from tui.services.bucket.transfers import calls, wire
from tui.services.bucket.transfers.download import download_file
from tui.services.bucket.transfers.engine import Engine, Limits, Task, listed
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.journal import Journal
from tui.services.bucket.transfers.names import LocalName
from tui.services.bucket.transfers.parts import MIB
from tui.services.bucket.transfers.progress import Item, Job, Stage
from tui.services.bucket.transfers.upload import Goal, upload_file
from tui.services.bucket.transfers.writing import Folder
from tui.systems.bucketkeys import find_keys
from tui.systems.bucketroutes import StoreFinder

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]
BUCKET = f"statetui-transfers-{os.getpid()}"
SIZE = int(os.environ.get("STATETUI_TEST_TRANSFER_MIB", "256")) * MIB


@pytest.fixture
async def tenant() -> AsyncIterator[wire.Wire]:
    """The chapter's tenant over the way that the program finds, with the keys that it finds."""
    async with live_in("stateful") as live:
        named = key(live, "my-tenant")
        assert live.api is not None and live.cluster is not None
        await until(lambda: live.workloads[named].ready == 2, 180)
        found = await find_keys(live.api, live.cluster.store, live.workloads[named], live.catalogue)
        session = await open_session(StoreFinder(live, named), found.keys[0], found.security, found.region)
        ours = wire.over(session)
        await ours(Request("PUT", BUCKET))
        try:
            yield ours
        finally:
            # The pod that was deleted is back for whoever comes next, and the bucket is gone.
            await until(lambda: live.workloads[named].ready == 2, 180)
            await remove(ours, "big")
            await remove(ours, "")
            await ours.close()
            await session.close()


async def remove(store: wire.Wire, key: str) -> None:
    """Deletes an object, or the bucket: for a while after a pod's return the store has no quorum for it.

    It says so (503), or waits for it for longer than an answer is waited for.
    """
    async with asyncio.timeout(120):
        while True:
            try:
                await store(Request("DELETE", BUCKET, key))
            except (StoreError, Lost) as error:
                if isinstance(error, StoreError) and error.status == 404:
                    return  # by a request before, whose answer did not come
                if isinstance(error, StoreError) and error.status != 503:
                    raise
                await asyncio.sleep(0.5)
            else:
                return


@pytest.mark.alone
async def test_both_ways_survive_the_deletion_of_the_pod_that_is_talked_to(tenant: wire.Wire, tmp_path: Path) -> None:
    path = tmp_path / "big"
    crc, md5 = 0, hashlib.md5()
    with path.open("wb") as out:
        for _ in range(SIZE // MIB):
            piece = os.urandom(MIB)
            out.write(piece)
            crc = zlib.crc32(piece, crc)
            md5.update(piece)
    store = calls.Store(tenant, "live/tenant")

    async def moved(engine: Engine, item: Item, move: object) -> None:
        engine.job.add(item)
        work = asyncio.create_task(engine.run(listed([Task(item, move)])))  # type: ignore[arg-type]
        await until(lambda: item.done > SIZE // 4 or work.done(), 120)
        assert not work.done(), item.problem
        kubectl("-n", "stateful", "delete", "pod", tenant.way.member, "--wait=false")
        await work
        engine.close()
        assert item.stage is Stage.DONE, item.problem
        assert item.retries > 0, "nothing was lost: the pod was not talked to"
        assert item.done == SIZE and item.verified == "CRC-32"

    up = Engine(Job("up"), Journal(tmp_path / "journal"), Limits())
    item = Item("big", f"{BUCKET}/big", SIZE)
    await moved(up, item, lambda: upload_file(up, Goal(store, BUCKET, "big"), path, item))
    head = await calls.head(store, BUCKET, "big")
    assert head.headers["x-amz-checksum-crc32"] == calls.checksums.packed(crc)
    answer = await tenant(Request("GET", BUCKET, "", {"uploads": ""}))
    assert b"<UploadId>" not in answer

    down = Engine(Job("down"), Journal(tmp_path / "journal"), Limits())
    folder, name, back = Folder(tmp_path / "out"), LocalName((), "big", False), Item(f"{BUCKET}/big", "out/big", SIZE)
    await moved(down, back, lambda: download_file(down, Origin(store, BUCKET, "big"), folder, name, back))
    with (tmp_path / "out" / "big").open("rb") as file:
        assert hashlib.file_digest(file, "md5").digest() == md5.digest()
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["big"]
    assert Journal(tmp_path / "journal").unfinished() == []
