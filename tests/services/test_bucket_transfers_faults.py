"""What goes wrong on the way: connections that break anywhere, programs that end, files that change."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import bucket_servers
import pytest
from bucket_servers import CuttingWay
from transferring import Mover

from tui.problem import Cause, Problem
from tui.services.bucket.model import Answer, Exchange, Lost, Request, StoreError
from tui.services.bucket.transfers import calls, writing
from tui.services.bucket.transfers.engine import DiskFullError
from tui.services.bucket.transfers.parts import MIB
from tui.services.bucket.transfers.progress import Stage

#: Where connections break, in bytes that went to the store: in the head, in the body, at its end.
EARLY = [1, 200, 1000]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with bucket_servers.minio() if shutil.which("minio") else bucket_servers.seaweedfs() as running:
        yield running


@pytest.fixture
async def mover(port: int, tmp_path: Path) -> AsyncIterator[Mover]:
    mover = Mover(port, tmp_path)
    await mover.make()
    yield mover
    await mover.close()


@pytest.mark.parametrize("at", [*EARLY, MIB, 5 * MIB - 1, 5 * MIB, 5 * MIB + 300, 7 * MIB])
async def test_an_upload_survives_cuts_on_the_way_up(mover: Mover, at: int) -> None:
    path = mover.file(12 * MIB)
    way = CuttingWay(mover.port, cuts=[(at, None)] * 4, refusing=2)
    item = await mover.up(path, store=mover.through(way))
    assert item.stage is Stage.DONE, item.problem
    assert item.retries >= 2 and item.done == item.size
    assert await mover.content() == path.read_bytes()
    assert await mover.incomplete() == 0


@pytest.mark.parametrize("at", [0, 1, 100, 400, 900])
async def test_an_upload_survives_the_loss_of_answers(mover: Mover, at: int) -> None:
    """The request may have been carried out: the completion, too."""
    path = mover.file(12 * MIB)
    way = CuttingWay(mover.port, cuts=[(None, at)] * 6)
    item = await mover.up(path, store=mover.through(way))
    assert item.stage is Stage.DONE, item.problem
    assert item.done == item.size and await mover.content() == path.read_bytes()


async def test_a_completion_whose_answer_is_lost_is_no_failure(mover: Mover) -> None:
    path = mover.file(12 * MIB)

    class Deaf:
        """Carries out completions and loses their answers."""

        lost = 0

        async def __call__(self, request: Request) -> bytes:
            return await mover.store.exchange(request)

        def open(self, request: Request) -> object:
            context = mover.store.exchange.open(request)
            if request.method == "POST" and "uploadId" in request.query and not self.lost:
                self.lost += 1
                return _Losing(context)
            return context

    store = calls.Store(Deaf(), "test/store")  # type: ignore[arg-type]
    item = await mover.up(path, store=store)
    assert item.stage is Stage.DONE and item.retries == 1, item.problem
    assert await mover.content() == path.read_bytes()


class _Losing:
    def __init__(self, context: object) -> None:
        self.context = context

    async def __aenter__(self) -> object:
        async with self.context as answer:  # type: ignore[attr-defined]
            await answer.read()
        raise Lost(Problem(Cause.UNREACHABLE, "lost"), unsure=True)

    async def __aexit__(self, *error: object) -> None:
        pass


async def test_an_unsure_put_makes_one_version(mover: Mover) -> None:
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    await mover.store.exchange(Request("PUT", mover.bucket, "", {"versioning": ""}, {}, body))
    path = mover.file(1000)
    item = await mover.up(path, store=mover.through(CuttingWay(mover.port, cuts=[(None, 0), (None, 5)])))
    assert item.stage is Stage.DONE, item.problem
    answer = await mover.store.exchange(Request("GET", mover.bucket, "", {"versions": "", "prefix": "key"}))
    assert answer.count(b"<Version>") == 1


@pytest.mark.parametrize("at", [0, 1, 100, 600, MIB, 5 * MIB, 5 * MIB + 500, 6 * MIB])
async def test_a_download_survives_cuts(mover: Mover, at: int) -> None:
    content = os.urandom(12 * MIB)
    await mover.put("key", content)
    item = await mover.down(store=mover.through(CuttingWay(mover.port, cuts=[(None, at)] * 5, refusing=1)))
    assert item.stage is Stage.DONE, item.problem
    assert mover.out.read_bytes() == content and item.done == len(content)
    assert mover.beside() == []


async def test_an_upload_goes_on_in_another_run(mover: Mover) -> None:
    path = mover.file(22 * MIB)
    way = CuttingWay(mover.port, cuts=[(12 * MIB, None), *[(100, None)] * 50])
    engine = mover.engine(patience=0.2, parts=1)
    item = await mover.up(path, store=mover.through(way), engine=engine)
    assert item.stage is Stage.FAILED and "are kept in the incomplete upload" in item.note
    assert item.done > 0 and not await mover.exists()
    [record] = mover.journal.unfinished("test/store")
    assert (record.bucket, record.key, record.path) == (mover.bucket, "key", str(path))
    heard: list[bytes] = []
    item = await mover.up(path, store=mover.through(CuttingWay(mover.port, heard=heard.append)))
    assert item.stage is Stage.DONE, item.problem
    assert item.resumed >= 5 * MIB and item.done == item.size
    assert sum(map(len, heard)) < 22 * MIB - item.resumed + MIB
    assert await mover.content() == path.read_bytes()
    assert mover.journal.unfinished() == [] and await mover.incomplete() == 0


@pytest.mark.parametrize("keep", [True, False])
async def test_a_cancelled_upload_is_aborted_or_mentioned(mover: Mover, keep: bool) -> None:
    path = mover.file(22 * MIB)
    engine = mover.engine(parts=1)
    engine.keep = keep
    task = asyncio.create_task(mover.up(path, engine=engine))
    while engine.job.done < 10 * MIB:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.job.counts == {Stage.CANCELLED: 1} and not await mover.exists()
    assert await mover.incomplete() == (1 if keep else 0)
    assert len(mover.journal.unfinished()) == (1 if keep else 0)
    if keep:
        assert "are kept in the incomplete upload" in engine.job.remarkable[0].note
        item = await mover.up(path)
        assert item.stage is Stage.DONE and item.resumed >= 10 * MIB
        assert await mover.content() == path.read_bytes() and await mover.incomplete() == 0


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144])
async def test_cancelled_at_every_stage(mover: Mover, turns: int) -> None:
    path = mover.file(12 * MIB)
    task = asyncio.create_task(mover.up(path))
    for _ in range(turns):
        await asyncio.sleep(0)
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait([task])
    assert mover.journal.unfinished() == []
    if not task.cancelled():
        assert task.result().stage is Stage.DONE
    else:
        # Either nothing is left, or the completion had been sent and the object is whole.
        assert await mover.incomplete() == 0
        assert not await mover.exists() or await mover.content() == path.read_bytes()
    await mover.put("key", path.read_bytes())
    task = asyncio.create_task(mover.down())
    for _ in range(turns):
        await asyncio.sleep(0)
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait([task])
    assert mover.beside() == [] and mover.journal.unfinished() == []
    if mover.out.exists():
        assert mover.out.read_bytes() == path.read_bytes()
    elif not task.cancelled():
        raise AssertionError("it is done, and there is no file")


@pytest.mark.parametrize("change", ["content", "longer", "replaced"])
async def test_a_file_that_changed_between_two_runs_is_begun_anew(mover: Mover, change: str) -> None:
    path = mover.file(12 * MIB)
    engine = mover.engine(parts=1)
    engine.keep = True
    task = asyncio.create_task(mover.up(path, engine=engine))
    while engine.job.done < 5 * MIB:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    before = path.stat().st_mtime_ns
    mover.file({"longer": 12 * MIB + 1}.get(change, 12 * MIB))
    if change == "content":  # and somebody hides it: the parts' checksums tell
        os.utime(path, ns=(before, before))
    item = await mover.up(path)
    assert item.stage is Stage.DONE, item.problem
    assert item.resumed == 0
    assert await mover.content() == path.read_bytes() and await mover.incomplete() == 0


@pytest.mark.parametrize("change", ["written", "truncated", "replaced", "gone"])
async def test_a_file_that_changes_while_it_is_uploaded_is_refused(mover: Mover, change: str) -> None:
    path = mover.file(22 * MIB)
    engine = mover.engine(parts=1)
    task = asyncio.create_task(mover.up(path, engine=engine))
    while engine.job.done < 5 * MIB:
        await asyncio.sleep(0)
    if change == "written":
        with path.open("r+b") as file:
            file.write(b"xxx")
    elif change == "truncated":
        os.truncate(path, 6 * MIB)
    elif change == "replaced":
        other = mover.file(22 * MIB, "other")
        other.replace(path)
    else:
        path.unlink()
    item = await task
    assert item.stage is Stage.FAILED and "has changed while it was uploaded" in str(item.problem)
    assert not await mover.exists() and await mover.incomplete() == 0 and mover.journal.unfinished() == []


async def test_a_download_goes_on_in_another_run(mover: Mover) -> None:
    content = os.urandom(22 * MIB)
    await mover.put("key", content)
    engine = mover.engine(patience=0.2, parts=1)
    way = CuttingWay(mover.port, cuts=[(None, 12 * MIB), *[(None, 50)] * 50])
    item = await mover.down(store=mover.through(way), engine=engine)
    assert item.stage is Stage.FAILED and "kept beside it in .statetui-" in item.note, item
    assert not mover.out.exists() and len(mover.beside()) == 1
    item = await mover.down()
    assert item.stage is Stage.DONE, item.problem
    assert item.resumed >= 10 * MIB and mover.out.read_bytes() == content
    assert mover.beside() == [] and mover.journal.unfinished() == []


async def test_what_was_spoilt_between_two_runs_does_not_get_the_name(mover: Mover) -> None:
    content = os.urandom(22 * MIB)
    await mover.put("key", content)
    engine = mover.engine(patience=0.2, parts=1)
    way = CuttingWay(mover.port, cuts=[(None, 12 * MIB), *[(None, 50)] * 50])
    await mover.down(store=mover.through(way), engine=engine)
    [name] = mover.beside()
    with (mover.root / "out" / name).open("r+b") as file:
        file.write(b"spoilt")
    item = await mover.down()
    assert item.stage is Stage.FAILED and "not what the store says" in str(item.problem)
    assert not mover.out.exists() and mover.beside() == []
    assert (await mover.down()).stage is Stage.DONE and mover.out.read_bytes() == content


async def test_an_object_that_changed_between_two_runs_is_begun_anew(mover: Mover) -> None:
    await mover.put("key", os.urandom(22 * MIB))
    engine = mover.engine(patience=0.2, parts=1)
    way = CuttingWay(mover.port, cuts=[(None, 12 * MIB), *[(None, 50)] * 50])
    await mover.down(store=mover.through(way), engine=engine)
    content = os.urandom(22 * MIB)
    await mover.put("key", content)
    item = await mover.down()
    assert item.stage is Stage.DONE and item.resumed == 0 and "has changed since" in item.note
    assert mover.out.read_bytes() == content


async def test_an_object_that_changes_while_it_is_downloaded(mover: Mover) -> None:
    await mover.put("key", os.urandom(32 * MIB))
    engine = mover.engine(parts=1)
    task = asyncio.create_task(mover.down(engine=engine))
    while engine.job.done < 5 * MIB:
        await asyncio.sleep(0)
    engine.job.pause()
    content = os.urandom(32 * MIB)
    await mover.put("key", content)
    engine.job.resume()
    item = await task
    assert item.stage is Stage.DONE, item.problem
    assert mover.out.read_bytes() == content and item.done == item.size


async def test_a_full_disk_ends_the_job(mover: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    await mover.put("key", os.urandom(12 * MIB))
    written = 0
    pwritev = os.pwritev

    def full(handle: int, data: list[memoryview], at: int) -> int:
        """Takes less than it is given, and then no more."""
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwritev(handle, [data[0][:1000]], at)

    monkeypatch.setattr(writing.os, "pwritev", full)
    engine = mover.engine()
    with pytest.raises(DiskFullError, match="is full"):
        await mover.down(engine=engine)
    assert engine.job.counts == {Stage.FAILED: 1}
    assert not mover.out.exists() and mover.beside() == [] and mover.journal.unfinished() == []


class _Refusing:
    """Refuses a request as a store does, and carries out the others."""

    def __init__(self, exchange: Exchange, method: str, **query: str) -> None:
        self._exchange = exchange
        self._method = method
        self._query = query
        self.refused = 0

    async def __call__(self, request: Request) -> bytes:
        return await self._exchange(request)

    def open(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        if request.method == self._method and self._query.items() <= request.query.items():
            self.refused += 1
            raise StoreError(
                "QuotaExceeded", "no more", 400, Problem(Cause.REJECTED, "The store refuses it", "no more")
            )
        return self._exchange.open(request)


@pytest.mark.parametrize("query", [{"uploads": ""}, {"partNumber": "1"}, {"partNumber": "2"}], ids=str)
async def test_a_refused_upload_leaves_nothing(mover: Mover, query: dict[str, str]) -> None:
    refusing = _Refusing(mover.store.exchange, "POST" if "uploads" in query else "PUT", **query)
    item = await mover.up(mover.file(12 * MIB), store=calls.Store(refusing, "test/store"))
    assert refusing.refused == 1, "what a store refuses is not asked again"
    assert item.stage is Stage.FAILED and "no more" in str(item.problem)
    assert not await mover.exists()
    assert await mover.incomplete() == 0 and mover.journal.unfinished() == []


async def test_two_programs_do_not_take_up_the_same_transfer(mover: Mover) -> None:
    path = mover.file(12 * MIB)
    one, two = await asyncio.gather(mover.up(path), mover.up(path))
    assert one.stage is two.stage is Stage.DONE
    assert await mover.content() == path.read_bytes()
    assert await mover.incomplete() == 0 and mover.journal.unfinished() == []
