"""What the words of `bucket cp` mean, the arithmetic of parts and checksums, and what is told of a job."""

from __future__ import annotations

import asyncio
import json
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tui import cli
from tui.commands import exits
from tui.commands.amounts import clock, size
from tui.commands.bucket_places import LocalPlace, StorePlace, place
from tui.commands.bucket_progress import Telling
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Lost, StoreError
from tui.services.bucket.transfers import checksums, patience
from tui.services.bucket.transfers.budget import Budget
from tui.services.bucket.transfers.checksums import Kind, expected
from tui.services.bucket.transfers.engine import DiskFullError, Engine, Limits, Task, each, listed
from tui.services.bucket.transfers.journal import DownloadRecord, Journal, UploadRecord
from tui.services.bucket.transfers.parts import LARGEST_OBJECT, MIB, MOST_PARTS, part_size, spans, stream_part_size
from tui.services.bucket.transfers.planning import Options
from tui.services.bucket.transfers.progress import Item, Job, Stage

# --- places


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a/b", LocalPlace("a/b")),
        ("./a:b", LocalPlace("./a:b")),
        ("/a:b/c", LocalPlace("/a:b/c")),
        ("-", LocalPlace("-")),
        (":b", StorePlace("", "b", "")),
        (":b/k/../x", StorePlace("", "b", "k/../x")),
        (":b//k", StorePlace("", "b", "/k")),
        ("w:b/k:x", StorePlace("w", "b", "k:x")),
        ("ns/w:b/", StorePlace("ns/w", "b", "")),
        (":b/logs/2*/x.gz", StorePlace("", "b", "logs/", "2*/x.gz")),
        (":b/*", StorePlace("", "b", "", "*")),
    ],
)
def test_places(text: str, found: object) -> None:
    assert place(text) == found


def test_places_without_patterns_and_without_colons() -> None:
    assert place(":b/a*", globs=False) == StorePlace("", "b", "a*")
    assert place("b/a", bare=True) == StorePlace("", "b", "a")
    with pytest.raises(ProblemError, match="no bucket"):
        place(":")


@pytest.mark.parametrize(
    ("pattern", "relative", "taken"),
    [
        ("", "a/b", True),
        ("*.gz", "a.gz", True),
        ("*.gz", "a/b.gz", False),
        ("**.gz", "a/b.gz", True),
        ("2*/x", "2026/x", True),
        ("2*/x", "2026/01/x", False),
        ("A", "a", False),
    ],
)
def test_patterns(pattern: str, relative: str, taken: bool) -> None:
    assert Options(pattern=pattern).takes(relative) is taken


@pytest.mark.parametrize(
    "words",
    [
        ("cp", "a"),
        ("nonsense",),
        (),
        ("cp", "a", ":b", "--nonsense"),
        ("cp", "a", ":b", "--metadata", "x"),
        ("mirror", "a", "b", ":c"),
    ],
)
def test_wrong_words(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["bucket", "w", *words])
    assert left.value.code == exits.USAGE and capsys.readouterr().err


# --- parts


def test_parts_of_large_objects() -> None:
    assert part_size(5 << 30) == 8 * MIB
    assert part_size(LARGEST_OBJECT) * MOST_PARTS >= LARGEST_OBJECT
    with pytest.raises(ValueError, match="5 TiB"):
        part_size(LARGEST_OBJECT + 1)
    assert sum(stream_part_size(number) for number in range(1, MOST_PARTS + 1)) > 350 << 30


@pytest.mark.parametrize("seed", range(30))
def test_parts_cover_all_and_nothing_twice(seed: int) -> None:
    dice = random.Random(seed)
    total, part = dice.randint(0, 10**6), dice.randint(1, 10**5)
    at = 0
    for number, span in enumerate(spans(total, part), 1):
        assert (span.number, span.start) == (number, at) and (0 < span.size <= part or total == 0)
        at += span.size
    assert at == total


# --- checksums


@pytest.mark.parametrize("seed", range(30))
def test_the_checksums_of_parts_join_to_that_of_the_whole(seed: int) -> None:
    dice = random.Random(seed)
    pieces = [dice.randbytes(dice.randint(0, 3000)) for _ in range(dice.randint(0, 8))]
    joined = checksums.joined([(zlib.crc32(piece), len(piece)) for piece in pieces])
    assert joined == zlib.crc32(b"".join(pieces))


@pytest.mark.parametrize(
    ("headers", "kind", "parts"),
    [
        ({"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}, Kind.MD5, 0),
        ({"ETag": '"d41d8cd98f00b204e9800998ecf8427e-12"'}, Kind.MD5_OF_PARTS, 12),
        ({"ETag": '"x"', "x-amz-checksum-crc32": "AAAAAA=="}, Kind.CRC32, 0),
        ({"ETag": '"d41d8cd98f00b204e9800998ecf8427e-2"', "x-amz-checksum-crc32": "AAAAAA==-2",
          "x-amz-checksum-type": "COMPOSITE"}, Kind.CRC32_OF_PARTS, 2),
        ({"ETag": '"d41d8cd98f00b204e9800998ecf8427e"', "x-amz-server-side-encryption": "aws:kms"}, Kind.SIZE, 0),
        ({"ETag": '"not a digest"'}, Kind.SIZE, 0),
        ({}, Kind.SIZE, 0),
    ],
)  # fmt: skip
def test_what_servers_say_of_content(headers: dict[str, str], kind: Kind, parts: int) -> None:
    found = expected(headers)
    assert (found.kind, found.parts) == (kind, parts)


# --- patience, memory, parallel work


def refusal(code: str, status: int) -> StoreError:
    return StoreError(code, "", status, Problem(Cause.SERVER, code))


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (Lost(Problem(Cause.UNREACHABLE, "x")), True),
        (refusal("SlowDown", 503), True),
        (refusal("InternalError", 200), True),
        (refusal("ClientDisconnected", 499), True),
        (refusal("AccessDenied", 403), False),
        (refusal("XMinioStorageFull", 507), False),
        (refusal("NoSuchUpload", 404), False),
        (ProblemError(Problem(Cause.UNREACHABLE, "no pod")), True),
        (ProblemError(Problem(Cause.REJECTED, "changed")), False),
        (OSError("x"), False),
    ],
)
def test_what_passes_by_itself(error: Exception, wanted: bool) -> None:
    assert patience.passes(error) is wanted


@pytest.mark.parametrize(
    ("errors", "until"),
    [
        (lambda now: refusal("InternalError", 500), 60),
        (lambda now: Lost(Problem(Cause.UNREACHABLE, "x")), 300),
        # A pod that was away for a while, and answers so while it starts.
        (lambda now: refusal("InternalError", 500) if now > 200 else Lost(Problem(Cause.UNREACHABLE, "x")), 260),
    ],
    ids=["a server that is up", "none", "one that comes back"],
)
async def test_how_long_something_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, errors: Callable[[float], Exception], until: float
) -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async def send() -> None:
        raise errors(now)

    monkeypatch.setattr(patience, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: now))
    job, item = Job("x"), Item("a", "b")
    job.add(item)
    with pytest.raises((StoreError, Lost)):
        await patience.persist(job, item, send)
    assert until < now < until + 15
    assert item.stage is Stage.RETRYING and item.problem is not None


async def test_a_budget_is_kept_and_nobody_starves() -> None:
    budget, held, most, order = Budget(10), 0, 0, []

    async def hold(count: int) -> None:
        nonlocal held, most
        async with budget.hold(count):
            held += min(count, 10)
            most = max(most, held)
            order.append(count)
            await asyncio.sleep(0)
            held -= min(count, 10)

    await asyncio.gather(*(hold(count) for count in (3, 8, 1, 99, 2, 2)))
    assert most <= 10 and budget.free == 10 and order.index(99) < order.index(2)
    waiting = [asyncio.create_task(hold(10)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.wait(waiting)
    assert budget.free == 10


async def test_the_first_failure_ends_the_others() -> None:
    seen = []

    async def work(number: int) -> None:
        seen.append(number)
        await asyncio.sleep(0)
        if number == 3:
            raise ValueError

    with pytest.raises(ValueError):
        await each(range(1000), 2, work)
    assert len(seen) < 10


def engine(tmp_path: Path, job: Job, **limits: int) -> Engine:
    return Engine(job, Journal(tmp_path), Limits(**limits))


async def test_one_failure_does_not_end_a_job_and_a_full_disk_does(tmp_path: Path) -> None:
    async def fail(error: Exception | None) -> None:
        await asyncio.sleep(0)
        if error:
            raise error

    def tasks(job: Job, errors: list[Exception | None]) -> list[Task]:
        found = [Task(Item(str(at), ""), lambda error=error: fail(error)) for at, error in enumerate(errors)]  # type: ignore[misc]
        for task in found:
            job.add(task.item)
        return found

    job = Job("x")
    await engine(tmp_path, job).run(
        listed(tasks(job, [None, OSError(5, "Input/output error"), ValueError("secret"), None]))
    )
    assert job.counts == {Stage.DONE: 2, Stage.FAILED: 2} and job.planned
    assert [str(item.problem) for item in job.remarkable] == [
        "A local file cannot be read or written: Input/output error",
        "A defect of statetui's own: ValueError. The log file has the details.",
    ]
    job = Job("x")
    full = DiskFullError(Problem(Cause.REJECTED, "full"))
    with pytest.raises(DiskFullError):
        await engine(tmp_path, job, objects=1).run(listed(tasks(job, [None, full, *[None] * 50])))
    assert job.counts == {Stage.DONE: 1, Stage.FAILED: 1}


# --- the journal


def test_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "transfers")
    upload = UploadRecord("p", "b", "k", "id", "/f", 10, 20, 5, True, 1.0)
    download = DownloadRecord("p", "b", "k", "v1", "etag", "/f", ".x", 10, 5, 2.0)
    slips = [journal.begin(upload), journal.begin(download)]
    slips[1].part(2)
    slips[1].part(7)
    assert journal.unfinished() == [] and journal.upload("p", "b", "k", "/f") is None, "somebody is at them"
    for slip in slips:
        slip.close()
    assert journal.unfinished() == [upload, download] and journal.unfinished("other") == []
    found = journal.download("p", "b", "k", "/f")
    assert found is not None and found[:2] == (download, {2, 7})
    found[2].forget()
    taken = journal.upload("p", "b", "k", "/f")
    assert taken is not None and taken[0] == upload
    taken[1].close()
    [file] = (tmp_path / "transfers").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    file.write_bytes(file.read_bytes()[:30])
    assert journal.upload("p", "b", "k", "/f") is None and journal.unfinished() == []
    file.write_bytes(os.urandom(100))
    assert journal.unfinished() == []


# --- what is told


def job_of(*items: Item) -> Job:
    job = Job("x")
    for item in items:
        job.add(item)
        job.begin(item)
    return job


def test_rate_and_remaining_time() -> None:
    now = 0.0
    job = Job("x", clock=lambda: now)
    item = Item("a", "b", 1000)
    job.add(item)
    job.begin(item)
    assert job.rate == 0 and job.remaining is None
    job.advance(item, 500, resumed=True)
    for _ in range(10):
        now += 1
        job.advance(item, 10)
    assert job.rate == pytest.approx(10, rel=0.2)
    assert job.remaining is None, "not all is planned"
    job.planned = True
    assert job.remaining == pytest.approx(40, rel=0.2)
    job.pause()
    assert job.remaining is None
    job.resume()
    now += 1
    job.end(item, Stage.DONE)
    job.close()
    assert job.rate == pytest.approx(100 / 11), "of what was moved in this run"


def test_the_bar_fits_and_says_how_far() -> None:
    job = job_of(Item("a", "b", 1000))
    job.planned = True
    job.advance(job.running[0], 500)
    assert job.running[0].done == 500
    for width in (200, 79, 40, 10):
        text = Telling(job).bar(width)
        assert len(text) <= width
    assert " 50 %" in Telling(job).bar(79) and "#" in Telling(job).bar(79)


async def test_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(Item("a\x1b[31m", "b", 3), Item("c", "d"))
    async with Telling(job, lines=True):
        one, two = list(job.running)
        job.advance(one, 3)
        one.verified = "CRC-32"
        job.end(one, Stage.DONE)
        two.problem = Problem(Cause.REJECTED, "no\x1b[2J")
        job.end(two, Stage.FAILED)
    out, err = capsys.readouterr()
    first, second, last = (json.loads(line) for line in out.splitlines())
    assert (first["source"], first["status"], first["verified"]) == ("a\x1b[31m", "done", "CRC-32")
    assert (second["status"], second["error"]) == ("failed", "no\x1b[2J")
    assert (last["files"], last["bytes"], last["done"], last["failed"]) == (2, 3, 1, 1)
    assert "\x1b" not in out + err and "no␛[2J" in err


async def test_lines_tell_of_retries_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(Item("a", "b", 3))
    (item,) = job.running

    def fail(problem: Problem) -> None:
        item.retries += 1
        item.stage, item.problem = Stage.RETRYING, problem

    async def lines() -> list[dict[str, object]]:
        async with asyncio.timeout(20):
            while True:
                await asyncio.sleep(0.01)
                if out := capsys.readouterr().out:
                    return [json.loads(line) for line in out.splitlines()]

    async with Telling(job, lines=True):
        fail(Problem(Cause.UNREACHABLE, "gone", "connection reset"))
        (line,) = await lines()
        assert line == {
            "status": "retrying", "source": "a", "target": "b", "size": 3, "done": 0, "retries": 1,
            "error": "gone: connection reset", "waits": "for the store to be reached again",
        }  # fmt: skip
        await asyncio.sleep(0.3)
        assert not capsys.readouterr().out, "it is told once"
        job.advance(item, 2)
        fail(Problem(Cause.SERVER, "refused", "InternalError"))
        (line,) = await lines()
        assert (line["retries"], line["done"], line["waits"]) == (2, 2, "for the store to be well again")
        item.problem = None
        job.end(item, Stage.DONE)
    done, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (done["status"], done["retries"], summary["status"]) == ("done", 2, "summary")


async def test_who_pipes_an_object_is_not_told_of_retries_among_its_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(Item("a", "-"))
    (item,) = job.running
    async with Telling(job, lines=True, quiet=True):
        item.retries, item.stage, item.problem = 1, Stage.RETRYING, Problem(Cause.SERVER, "refused")
        await asyncio.sleep(0.3)
        job.end(item, Stage.DONE)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (300 << 20, "300 MiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_clocks() -> None:
    assert [clock(one) for one in (0.4, 65, 7200)] == ["0:00", "1:05", "2:00:00"]
