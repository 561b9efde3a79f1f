"""Content goes up and comes down whole, on MinIO and on SeaweedFS."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import bucket_servers
import pytest
from transferring import Mover

from tui.services.bucket.model import Request
from tui.services.bucket.transfers import calls
from tui.services.bucket.transfers.calls import Store
from tui.services.bucket.transfers.copying import copy_object
from tui.services.bucket.transfers.download import download_stream
from tui.services.bucket.transfers.fetching import Origin
from tui.services.bucket.transfers.parts import MIB
from tui.services.bucket.transfers.planning import Options, copies, files, keys
from tui.services.bucket.transfers.progress import Item, Stage
from tui.services.bucket.transfers.upload import Goal, upload_file
from tui.services.bucket.transfers.writing import Folder


@pytest.fixture(scope="module", params=["minio", "seaweedfs"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    if request.param == "minio" and not shutil.which("minio"):
        pytest.skip("minio is not on PATH")
    with bucket_servers.minio() if request.param == "minio" else bucket_servers.seaweedfs() as running:
        yield running


@pytest.fixture
async def mover(port: int, tmp_path: Path) -> AsyncIterator[Mover]:
    mover = Mover(port, tmp_path)
    await mover.make()
    yield mover
    await mover.close()


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 5 * MIB + 1, 17 * MIB])
async def test_there_and_back(mover: Mover, size: int) -> None:
    path = mover.file(size)
    item = await mover.up(path)
    assert (item.stage, item.done, item.problem) == (Stage.DONE, size, None)
    assert item.verified == "CRC-32"
    for hint in (size, None):
        item = await mover.down(size=hint)
        assert (item.stage, item.done, item.size, item.problem) == (Stage.DONE, size, size, None)
        assert item.verified == "CRC-32"
        assert mover.out.read_bytes() == path.read_bytes()
        mover.out.unlink()
    assert mover.beside() == [] and mover.journal.unfinished() == [] and await mover.incomplete() == 0


async def test_etags_serve_where_no_checksum_is_kept(mover: Mover) -> None:
    """As other clients upload: one request, and parts of a size that is not ours."""
    small, large = os.urandom(1000), os.urandom(13 * MIB)
    await mover.put("small", small)
    begun = await mover.store.exchange(Request("POST", mover.bucket, "large", {"uploads": ""}))
    upload = begun.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    query = {"uploadId": upload}
    parts = []
    for number, start in enumerate(range(0, len(large), 6 * MIB), 1):
        body = large[start : start + 6 * MIB]
        request = Request("PUT", mover.bucket, "large", {**query, "partNumber": str(number)}, {}, body)
        async with mover.store.exchange.open(request) as answer:
            parts.append(calls.Stored(number, len(body), answer.headers["ETag"]))
            await answer.read()
    await calls.complete(mover.store, mover.bucket, "large", upload, parts, None)
    for key, content in (("small", small), ("large", large)):
        for size in (None, len(content)):
            item = await mover.down(key, size=size)
            assert item.stage is Stage.DONE, item.problem
            assert item.verified.startswith(("MD5", "CRC-32")), item
            assert mover.out.read_bytes() == content


async def test_streams(mover: Mover) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 100_000):
            yield b"0123456789" * 10_000

    for size in (0, 100_000, 12_000_000):
        item = await mover.stream(pieces(size))
        assert item.stage is Stage.DONE, item.problem
        assert await mover.content() == b"0123456789" * (size // 10)
        back = Item("key", "-")
        engine = mover.engine()
        engine.job.begin(back)
        got = b"".join(
            [piece async for piece in download_stream(engine, Origin(mover.store, mover.bucket, "key"), back)]
        )
        assert got == b"0123456789" * (size // 10) and back.verified
    assert await mover.incomplete() == 0


async def test_a_folder_there_and_back(mover: Mover, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("a", "b/c", "b/d é", "b/😀/x", "empty"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else os.urandom(100))
    (source / "link").symlink_to(source / "a")
    (source / "loop").symlink_to(source)
    os.mkfifo(source / "pipe")
    (source / os.fsdecode(b"bad\xff")).write_bytes(b"x")
    engine = mover.engine()
    await engine.run(files(engine, source, Goal(mover.store, mover.bucket, "pre/"), Options()))
    engine.close()
    job = engine.job
    assert job.counts == {Stage.DONE: 6, Stage.SKIPPED: 2, Stage.FAILED: 1} and job.planned
    assert {item.source.rpartition("/")[2]: item.note for item in job.remarkable if item.note} == {
        "loop": "it is a symbolic link to a folder, and those are not followed",
        "pipe": "it is neither a file nor a folder",
    }
    assert (job.done, job.size) == (500, 500)
    engine = mover.engine()
    folder = Folder(tmp_path / "back")
    await engine.run(keys(engine, Origin(mover.store, mover.bucket, "pre/"), folder, Options()))
    engine.close()
    got = {str(path.relative_to(folder.path)): path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert got == {name: (source / name).read_bytes() for name in ("a", "b/c", "b/d é", "b/😀/x", "empty", "link")}
    # a mirror has nothing to do now, in either direction
    for plan in (
        lambda engine: files(engine, source, Goal(mover.store, mover.bucket, "pre/"), Options(newer_only=True)),
        lambda engine: keys(engine, Origin(mover.store, mover.bucket, "pre/"), folder, Options(newer_only=True)),
    ):
        engine = mover.engine()
        await engine.run(plan(engine))
        engine.close()
        assert engine.job.counts[Stage.DONE] == 0, engine.job.counts


async def test_a_dry_run_moves_nothing(mover: Mover, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("x")
    engine = mover.engine()
    await engine.run(
        files(engine, tmp_path / "source", Goal(mover.store, mover.bucket, ""), Options(dry=True, remove=True))
    )
    assert engine.job.counts == {Stage.DONE: 1} and (tmp_path / "source" / "a").exists()
    assert not await mover.exists("a")


async def test_copies(mover: Mover, tmp_path: Path) -> None:
    content = os.urandom(12 * MIB)
    headers = {"Content-Type": "text/x-test", "x-amz-meta-who": "me", "x-amz-tagging": "a=1&b=x%20y"}
    path = tmp_path / "file"
    path.write_bytes(content)
    engine = mover.engine()
    item = Item("file", "key", len(content))
    goal = Goal(mover.store, mover.bucket, "key", headers)
    await mover.go(engine, item, lambda: upload_file(engine, goal, path, item))
    assert item.stage is Stage.DONE, item.problem
    other = Store(mover.store.exchange, "test/other")  # the same server, as if it were another one
    for key, store, largest in (
        ("whole", mover.store, 1 << 40),
        ("parts", mover.store, 5 * MIB),
        ("streamed", other, 1 << 40),
    ):
        engine = mover.engine()
        item = Item("key", key, len(content))
        origin, goal = Origin(mover.store, mover.bucket, "key"), Goal(store, mover.bucket, key)
        await mover.go(engine, item, lambda: copy_object(engine, origin, goal, item, largest=largest))  # noqa: B023
        assert item.stage is Stage.DONE, (key, item.problem)
        assert item.done == len(content) and item.verified
        assert zlib.crc32(await mover.content(key)) == zlib.crc32(content)
        found = await calls.head(mover.store, mover.bucket, key)
        assert (found.headers["Content-Type"], found.headers["x-amz-meta-who"]) == ("text/x-test", "me"), key
        tags = await mover.store.exchange(Request("GET", mover.bucket, key, {"tagging": ""}))
        assert tags.count(b"<Tag>") == 2, key
    assert await mover.incomplete() == 0


async def test_moves_delete_what_was_moved_and_nothing_else(mover: Mover, tmp_path: Path) -> None:
    path = mover.file(100)
    await mover.put("key2")
    assert (await mover.up(path, remove=True)).stage is Stage.DONE
    assert not path.exists()
    engine = mover.engine()
    await engine.run(copies(engine, Origin(mover.store, mover.bucket, "key"), Goal(mover.store, mover.bucket, "x/"),
                            Options(remove=True, pattern="key")))  # fmt: skip
    assert [await mover.exists(key) for key in ("key", "key2", "x/key", "x/key2")] == [False, True, True, False]
    assert (await mover.down("x/key", remove=True)).stage is Stage.DONE
    assert mover.out.stat().st_size == 100 and not await mover.exists("x/key")


async def test_a_copy_onto_itself_is_refused(mover: Mover) -> None:
    await mover.put("key")
    engine = mover.engine()
    item = Item("key", "key", 1)
    origin, goal = Origin(mover.store, mover.bucket, "key"), Goal(mover.store, mover.bucket, "key")
    await mover.go(engine, item, lambda: copy_object(engine, origin, goal, item, remove=True))
    assert item.stage is Stage.FAILED and "onto itself" in str(item.problem)
    assert await mover.exists("key")


async def test_sparse_objects_above_5_gib_are_planned_in_few_parts(mover: Mover, tmp_path: Path) -> None:
    """A hole of 100 MiB goes as it is; the arithmetic of larger ones is that of parts.py."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(100 * MIB)
    item = await mover.up(path)
    assert item.stage is Stage.DONE, item.problem
    assert (await calls.head(mover.store, mover.bucket, "key")).size == 100 * MIB
    item = await mover.down()
    with mover.out.open("rb") as file:
        assert hashlib.file_digest(file, "md5").hexdigest() == hashlib.md5(bytes(100 * MIB)).hexdigest()


async def test_pausing(mover: Mover) -> None:
    path = mover.file(20 * MIB)
    engine = mover.engine()
    engine.job.pause()
    task = asyncio.create_task(mover.up(path, engine=engine))
    await asyncio.sleep(0.3)
    assert engine.job.done == 0 and engine.job.remaining is None
    engine.job.resume()
    assert (await task).stage is Stage.DONE


async def test_nothing_to_read_and_nowhere_to_write(mover: Mover, tmp_path: Path) -> None:
    item = await mover.down("absent")
    assert item.stage is Stage.FAILED and item.problem is not None and "NoSuchKey" in str(item.problem)
    assert not mover.out.exists()
    item = Item("gone", "x", 10)
    engine = mover.engine()
    await mover.go(
        engine, item, lambda: upload_file(engine, Goal(mover.store, mover.bucket, "k"), tmp_path / "gone", item)
    )
    assert item.stage is Stage.FAILED and "No such file" in str(item.problem)
