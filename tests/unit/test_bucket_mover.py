"""What the console is told of transfers: each stage, what went wrong, and how they end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tui.consoles.bucket.client import Stage, Transfer
from tui.consoles.bucket.live import LiveMover
from tui.services.bucket.errors import store_error
from tui.services.bucket.model import Keys, Request
from tui.services.bucket.signing import Signer
from tui.services.bucket.transfers.journal import DownloadRecord, Journal, UploadRecord
from tui.systems.bucketkeys import FoundKeys

CONTENT = b"Hello from the chapter.\n"


class Answer:
    """An answer with headers alone, or with a body."""

    def __init__(self, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.status = 200
        self.headers = headers
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def pieces(self, size: int = 1 << 18) -> AsyncIterator[bytes]:
        yield self._body


class Exchange:
    """A store that keeps small objects, and waits or refuses when it is told to."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.refusing = ""
        self.asked: list[tuple[str, str]] = []
        self.closed = False
        self.signer = Signer(Keys("a"))

    async def __call__(self, request: Request) -> bytes:
        return await (await self._answer(request)).read()

    def open(self, request: Request) -> Any:
        return _Context(self._answer(request))

    async def _answer(self, request: Request) -> Answer:
        self.asked.append((request.method, request.key))
        await self.gate.wait()
        if self.refusing and self.refusing in request.key:
            document = b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
            raise store_error(403, {}, document, f"{request.method} {request.bucket}/{request.key}", Keys("a"))
        if request.method == "PUT":
            assert isinstance(request.body, bytes | memoryview)
            self.kept[request.key] = bytes(request.body)
        body = self.kept[request.key]
        headers = {
            "ETag": f'"{hashlib.md5(body).hexdigest()}"', "Content-Length": str(len(body)),
            "x-amz-checksum-crc32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode(),
        }  # fmt: skip
        return Answer(headers, b"" if request.method in ("PUT", "HEAD") else body)

    async def close(self) -> None:
        self.closed = True


class _Context:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def __aenter__(self) -> Answer:
        found: Answer = await self._answer
        return found

    async def __aexit__(self, *error: object) -> None:
        pass


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def store() -> Exchange:
    return Exchange()


async def look() -> FoundKeys:
    raise AssertionError("its keys are good")


@pytest.fixture
async def mover(store: Exchange) -> AsyncIterator[LiveMover]:
    made = LiveMover(store, "test/store", look)  # type: ignore[arg-type]
    yield made
    await made.close()
    assert store.closed


def a_file(folder: Path, name: str = "test.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    return path


async def until(mover: LiveMover, met: Callable[[Transfer], object]) -> Transfer:
    """Waits for the only transfer to be so."""
    async with asyncio.timeout(30):
        while not met(mover.all()[0]):
            await asyncio.sleep(0.005)
    return mover.all()[0]


async def test_an_upload_waits_runs_and_is_done(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    store.gate.clear()
    mover.upload([a_file(tmp_path)], "shop", "in/")
    assert mover.all()[0].stage is Stage.WAITING
    assert mover.all()[0].title == "upload test.txt to shop/in/"
    running = await until(mover, lambda one: one.stage is Stage.RUNNING and one.current)
    assert (running.done, running.total, running.files) == (0, len(CONTENT), (0, 1))
    assert running.current.endswith("/test.txt")
    assert mover.unfinished == 1
    store.gate.set()
    done = await until(mover, lambda one: one.stage is Stage.DONE)
    assert (done.done, done.files, done.problem) == (len(CONTENT), (1, 1), None)
    assert store.kept == {"in/test.txt": CONTENT}
    assert mover.unfinished == 0
    mover.forget()
    assert mover.all() == []


async def test_a_folder_is_uploaded_under_its_name(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    for name in ("site/index.html", "site/css/a.css", "site/.hidden"):
        a_file(tmp_path, name)
    mover.upload([tmp_path / "site"], "shop", "")
    done = await until(mover, lambda one: one.stage is Stage.DONE)
    assert done.title == "upload site/ to shop/"
    assert sorted(store.kept) == ["site/.hidden", "site/css/a.css", "site/index.html"]
    assert (done.files, done.total) == ((3, 3), 3 * len(CONTENT))


async def test_it_rests_and_goes_on(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    for at in range(40):
        a_file(tmp_path, f"many/{at}")
    store.gate.clear()
    mover.upload([tmp_path / "many"], "shop", "")
    await until(mover, lambda one: one.stage is Stage.RUNNING and store.asked)
    mover.pause(1)
    assert mover.all()[0].stage is Stage.PAUSED
    store.gate.set()
    await asyncio.sleep(0.2)
    resting = len(store.kept)
    assert resting < 40, "what is on the wire comes to its end, and nothing new is begun"
    await asyncio.sleep(0.2)
    assert len(store.kept) == resting
    assert mover.all()[0].stage is Stage.PAUSED
    mover.pause(1)
    await until(mover, lambda one: one.stage is Stage.DONE)
    assert len(store.kept) == 40


async def test_it_is_given_up_and_begun_again(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    store.gate.clear()
    mover.upload([a_file(tmp_path)], "shop", "")
    await until(mover, lambda _: store.asked)
    mover.cancel(1)
    await until(mover, lambda one: one.stage is Stage.CANCELLED)
    assert store.kept == {} and mover.unfinished == 0
    mover.cancel(1)  # again changes nothing
    assert mover.all()[0].stage is Stage.CANCELLED
    store.gate.set()
    mover.retry(1)
    await until(mover, lambda one: one.stage is Stage.DONE)
    assert store.kept == {"test.txt": CONTENT}
    asked = len(store.asked)
    mover.retry(1)  # what is done may be done anew
    await until(mover, lambda one: one.stage is Stage.DONE and len(store.asked) > asked)


async def test_one_that_rests_can_be_given_up(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    store.gate.clear()
    mover.upload([a_file(tmp_path)], "shop", "")
    mover.pause(1)
    mover.cancel(1)
    await until(mover, lambda one: one.stage is Stage.CANCELLED)


async def test_a_refusal_is_told_in_the_stores_words(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    store.refusing = "test.txt"
    mover.upload([a_file(tmp_path)], "shop", "")
    failed = await until(mover, lambda one: one.stage is Stage.FAILED)
    assert failed.problem is not None
    assert failed.problem.evidence == "AccessDenied: Access Denied."
    store.refusing = ""
    mover.retry(1)
    assert (await until(mover, lambda one: one.stage is Stage.DONE)).problem is None


async def test_what_became_of_one_that_fails_is_told_beside_the_refusal(
    mover: LiveMover, store: Exchange, tmp_path: Path
) -> None:
    store.refusing = ".."
    mover.download("bucket", [("../up", "")], "", tmp_path)
    ended = await until(mover, lambda one: one.stage is Stage.FAILED)
    assert ended.problem is not None
    told = ended.problem.evidence.splitlines()
    assert "its key cannot be a file's name here" in told[0] and told[1].startswith("AccessDenied")


async def test_some_of_many_fail_and_the_others_arrive(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    for name in ("bad-1", "bad-2", "good"):
        a_file(tmp_path, f"three/{name}")
    store.refusing = "bad"
    mover.upload([tmp_path / "three"], "shop", "")
    failed = await until(mover, lambda one: one.stage is Stage.FAILED)
    assert failed.problem is not None
    assert failed.problem.what == "2 of 3 files failed"
    assert failed.problem.evidence.count("AccessDenied") == 2
    assert list(store.kept) == ["three/good"]


async def test_a_file_that_is_gone_and_a_folder_that_cannot_be(mover: LiveMover, tmp_path: Path) -> None:
    mover.upload([tmp_path / "none"], "shop", "")
    failed = await until(mover, lambda one: one.stage is Stage.FAILED)
    assert failed.problem is not None and "No such file" in failed.problem.evidence


async def test_a_download_lands_below_the_folder(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    store.kept = {"in/../../escape": CONTENT}
    (tmp_path / "out").mkdir()
    mover.download("shop", [("in/../../escape", "")], "in/", tmp_path / "out")
    done = await until(mover, lambda one: one.stage in (Stage.DONE, Stage.FAILED))
    assert done.stage is Stage.DONE, done.problem
    assert done.title == f"download ../../escape to {tmp_path / 'out'}"
    (found,) = [one for one in tmp_path.rglob("*escape*") if one.is_file()]
    assert found.is_relative_to(tmp_path / "out") and found.read_bytes() == CONTENT
    assert done.problem is not None and "cannot be a file's name" in done.problem.evidence


async def test_leaving_ends_what_runs(store: Exchange, tmp_path: Path) -> None:
    mover = LiveMover(store, "test/store", look)  # type: ignore[arg-type]
    store.gate.clear()
    mover.upload([a_file(tmp_path)], "shop", "")
    await until(mover, lambda _: store.asked)
    await asyncio.wait_for(mover.close(), 10)
    assert store.closed and mover.unfinished == 0
    assert store.kept == {}


async def test_what_an_earlier_run_left_is_offered_and_goes_on(
    store: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console that is opened again lists what stands half-way, begins nothing unasked, and goes on with it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path, target = a_file(tmp_path), tmp_path / "in" / "report.csv"
    store.kept["reports/report.csv"] = CONTENT
    records = [
        UploadRecord("test/store", "shop", "in/test.txt", "upload-1", str(path), len(CONTENT), 0, 5, False, 1.0),
        DownloadRecord(
            "test/store", "shop", "reports/report.csv", "", '"e"', str(target), ".statetui-x", len(CONTENT), 5, 2.0
        ),
        DownloadRecord("other/store", "shop", "k", "", '"e"', str(tmp_path / "k"), ".statetui-y", 1, 5, 3.0),
    ]
    for record in records:
        Journal().begin(record).close()
    made = LiveMover(store, "test/store", look)  # type: ignore[arg-type]
    try:
        assert [one.title for one in made.all()] == [
            "upload test.txt to shop/in/test.txt", f"download reports/report.csv to {target.parent}"
        ]  # fmt: skip
        assert [one.stage for one in made.all()] == [Stage.FAILED] * 2
        assert "stands half-way" in str(made.all()[0].problem) and "upload-1" in str(made.all()[0].problem)
        assert made.unfinished == 0 and "in/test.txt" not in store.kept and not target.exists()
        for one in made.all():
            made.retry(one.number)
        async with asyncio.timeout(30):
            while any(one.stage is not Stage.DONE for one in made.all()):
                assert not any(one.stage is Stage.FAILED for one in made.all()), made.all()
                await asyncio.sleep(0.005)
        assert store.kept["in/test.txt"] == CONTENT and target.read_bytes() == CONTENT
    finally:
        await made.close()


async def test_downloads_leave_no_descriptor_open(mover: LiveMover, store: Exchange, tmp_path: Path) -> None:
    store.kept["a.txt"] = CONTENT
    for at in range(3):
        mover.download("shop", [("a.txt", "")], "", tmp_path / f"out{at}")
    async with asyncio.timeout(30):
        while any(one.stage is not Stage.DONE for one in mover.all()):
            await asyncio.sleep(0.005)
    links = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [one for one in links if str(one.readlink()).startswith(str(tmp_path / "out"))]
