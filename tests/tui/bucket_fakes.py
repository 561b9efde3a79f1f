"""A store that keeps its objects in memory, and a bucket console in front of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fakes import FakeLive, app_for, sample
from textual.pilot import Pilot

from tui.consoles.bucket.client import Opened, Stage, Transfer
from tui.consoles.bucket.screen import BucketConsole
from tui.consoles.guard import Guard
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import (
    Anonymous,
    Bucket,
    Count,
    Detail,
    Entry,
    Facts,
    Failure,
    Keys,
    Page,
    Product,
    Progress,
    StoreError,
    Told,
    Upload,
)
from tui.systems.bucketkeys import FoundKeys
from tui.systems.credentialsearch import Looked, Outcome

SIZES = [(80, 24), (140, 40)]
WHEN = dt.datetime(2026, 11, 27, 12, 3, 7, tzinfo=dt.UTC)
ROOT = Keys("CHAPTERACCESSKEY", "hunter2-hunter2", source="Secret stateful/my-tenant-creds-secret, key secretkey")
CONSOLE = Keys("console-user", "swordfish", source="Secret stateful/my-tenant-console-secret, key CONSOLE_SECRET_KEY")
FOUND = FoundKeys((ROOT, CONSOLE))
FORBIDDEN = FoundKeys(
    (),
    looked=(
        Looked("Secret stateful/creds, key secretkey", Outcome.FORBIDDEN, 'secrets "creds" is forbidden',
               "get secrets/creds in namespace stateful"),
    ),
    access="CHAPTERACCESSKEY",
)  # fmt: skip
FACTS = Facts(Product.MINIO, "2026-02-07T10:41:15Z", "off", "CHAPTERACCESSKEY", "us-east-1", 0.2)
EVIL = "a\x1b[31mred\n\u202eevil[b]x[/b]"


def refused(code: str, message: str, what: str, remedy: str = "") -> StoreError:
    """As the client raises it."""
    return StoreError(code, message, 403, Problem(Cause.REJECTED, what, f"{message} ({code})", remedy))


def png(width: int, height: int) -> bytes:
    """A picture that goes from red to blue."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(
        b"\0" + b"".join(bytes((255 - 255 * x // width, 255 * y // height, 255 * x // width)) for x in range(width))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@dataclass
class Stored:
    """A bucket's content: keys with their bytes, or their size where nobody reads them."""

    objects: dict[str, bytes | int] = field(default_factory=dict)
    versions: list[Entry] = field(default_factory=list)
    anonymous: Anonymous = Anonymous.NONE
    versioning: str = ""
    policy: str = ""
    lifecycle: str = ""
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    uploads: list[tuple[Upload, int | None]] = field(default_factory=list)
    sizes: tuple[int, int] | None = None
    quota: int = 0
    lock: bool = False


class FakeStore:
    """As a connected store.

    Attributes:
        buckets_of: by name.
        asked: what was asked, in order.
        problem: raised by everything.
        gate: listings and counts wait for it.
        page_size: entries a page.
    """

    def __init__(self) -> None:
        self.facts = FACTS
        self.stored: dict[str, Stored] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.problem: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.page_size = 1000
        self.denied = ""
        self.closed = False

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.problem is not None:
            raise self.problem

    async def buckets(self) -> Sequence[Bucket]:
        self._ask("buckets")
        return [
            Bucket(name, WHEN, *(one.sizes or (None, None)), "the server's metrics of 12:04" if one.sizes else "")
            for name, one in sorted(self.stored.items())
        ]

    async def anonymous(self, bucket: str) -> Anonymous:
        return self.stored[bucket].anonymous

    async def page(self, bucket: str, prefix: str, more: str, *, deep: bool = False, versions: bool = False) -> Page:
        self._ask("page", bucket, prefix, more)
        if self.gate is not None:
            await self.gate.wait()
        if self.denied and prefix.startswith(self.denied):
            raise refused("AccessDenied", "Access Denied.", f"{prefix} may not be listed")
        if bucket not in self.stored:
            raise refused("NoSuchBucket", "The specified bucket does not exist", f"There is no bucket {bucket}")
        entries = self._entries(self.stored[bucket], prefix, deep=deep, versions=versions)
        start = int(more or 0)
        piece = entries[start : start + self.page_size]
        end = start + len(piece)
        return Page(tuple(piece), str(end) if end < len(entries) else "")

    def _entries(self, stored: Stored, prefix: str, *, deep: bool, versions: bool) -> list[Entry]:
        found: dict[str, Entry] = {}
        for key in sorted(stored.objects):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            folder, slash, _ = rest.partition("/")
            if slash and not deep:
                found.setdefault(prefix + folder + "/", Entry(prefix + folder + "/"))
            else:
                data = stored.objects[key]
                size = data if isinstance(data, int) else len(data)
                found[key] = Entry(key, size, WHEN, f'"{zlib.crc32(key.encode()):032x}"', "STANDARD")
        entries = list(found.values())
        if versions:
            names = {one.key for one in stored.versions}
            entries = [one for one in entries if one.key not in names]
            entries += [one for one in stored.versions if one.key.startswith(prefix)]
            entries.sort(key=lambda one: (one.key, not one.latest))
        return entries

    async def count(self, bucket: str, prefix: str, progress: Progress, *, all_versions: bool = False) -> Count:
        self._ask("count", bucket, prefix, all_versions)
        if self.gate is not None:
            await self.gate.wait()
        one = self.stored[bucket]
        below = [data for key, data in one.objects.items() if key.startswith(prefix)]
        progress(len(below), None)
        size = sum(data if isinstance(data, int) else len(data) for data in below)
        old = [each for each in one.versions if not each.latest or each.deleted]
        return Count(len(below), size, len(old) if all_versions else None, sum(each.size or 0 for each in old),
                     len(one.uploads) if all_versions else None)  # fmt: skip

    async def detail(self, bucket: str, key: str, version: str = "") -> Detail:
        self._ask("detail", bucket, key, version)
        one = self.stored[bucket]
        data = one.objects.get(key, b"")
        size = data if isinstance(data, int) else len(data)
        headers = {"Content-Type": "text/plain", "Cache-Control": "no-store", "ETag": "x"}
        return Detail(
            key, size, WHEN, '"d41d8cd98f00b204e9800998ecf8427e"', "text/plain", version, "STANDARD", headers,
            {"owner": "shop\x1b[2J"}, one.tags.get(key, {}), unknown=("hold: the server has no object lock",),
        )  # fmt: skip

    async def read(self, bucket: str, key: str, version: str, length: int) -> bytes:
        self._ask("read", bucket, key, length)
        data = self.stored[bucket].objects[key]
        return (data if isinstance(data, bytes) else b"\0" * data)[:length]

    async def make_bucket(self, bucket: str, *, versioning: bool = False, lock: bool = False) -> None:
        self._ask("make", bucket, versioning, lock)
        if bucket in self.stored:
            raise refused("BucketAlreadyOwnedByYou", "It is yours already", f"Bucket {bucket} exists")
        self.stored[bucket] = Stored(versioning="Enabled" if versioning else "")

    async def remove_bucket(self, bucket: str) -> None:
        self._ask("remove", bucket)
        if self.stored[bucket].objects:
            raise refused("BucketNotEmpty", "The bucket you tried to delete is not empty", f"{bucket} is not empty")
        del self.stored[bucket]

    async def delete(self, bucket: str, keys: Sequence[tuple[str, str]], progress: Progress) -> Sequence[Failure]:
        self._ask("delete", bucket, tuple(keys))
        failures = []
        for key, version in keys:
            if key.startswith("held"):
                failures.append(Failure(key, version, "Object is WORM protected (AccessDenied)"))
            elif version:
                stored = self.stored[bucket]
                stored.versions = [one for one in stored.versions if (one.key, one.version) != (key, version)]
            else:
                self.stored[bucket].objects.pop(key, None)
        progress(len(keys), len(keys))
        return failures

    async def clear(self, bucket: str, prefix: str, progress: Progress, *, all_versions: bool) -> Sequence[Failure]:
        self._ask("clear", bucket, prefix, all_versions)
        one = self.stored[bucket]
        one.objects = {key: data for key, data in one.objects.items() if not key.startswith(prefix)}
        return ()

    async def copy(self, bucket: str, key: str, version: str, to_bucket: str, to_key: str) -> None:
        self._ask("copy", bucket, key, version, to_bucket, to_key)
        self.stored[to_bucket].objects[to_key] = self.stored[bucket].objects[key]

    async def set_tags(self, bucket: str, key: str, tags: dict[str, str]) -> None:
        self._ask("tags", bucket, key, tags)
        self.stored[bucket].tags[key] = tags

    async def quota(self, bucket: str) -> int:
        return self.stored[bucket].quota

    async def set_quota(self, bucket: str, size: int) -> None:
        self._ask("quota", bucket, size)
        self.stored[bucket].quota = size

    async def locked(self, bucket: str) -> bool:
        return self.stored[bucket].lock

    async def set_hold(self, bucket: str, key: str, *, on: bool, version: str = "") -> None:
        self._ask("hold", bucket, key, on, version)

    async def set_retention(self, bucket: str, key: str, mode: str, until: dt.datetime, version: str = "") -> None:
        self._ask("retention", bucket, key, mode, until, version)

    async def bucket_tags(self, bucket: str) -> dict[str, str]:
        return self.stored[bucket].tags.get("", {})

    async def versioning(self, bucket: str) -> str:
        return self.stored[bucket].versioning

    async def set_versioning(self, bucket: str, *, on: bool) -> None:
        self._ask("versioning", bucket, on)
        self.stored[bucket].versioning = "Enabled" if on else "Suspended"

    async def policy(self, bucket: str) -> str:
        return self.stored[bucket].policy

    async def set_policy(self, bucket: str, text: str) -> None:
        self._ask("policy", bucket, text)
        self.stored[bucket].policy = text

    async def set_anonymous(self, bucket: str, access: Anonymous) -> None:
        self._ask("anonymous", bucket, access)
        self.stored[bucket].anonymous = access

    async def lifecycle(self, bucket: str) -> str:
        return self.stored[bucket].lifecycle

    async def set_lifecycle(self, bucket: str, text: str) -> None:
        self._ask("lifecycle", bucket, text)
        self.stored[bucket].lifecycle = text

    async def uploads(self, bucket: str, prefix: str) -> Sequence[tuple[Upload, int | None]]:
        self._ask("uploads", bucket)
        return self.stored[bucket].uploads

    async def abort(self, bucket: str, upload: Upload) -> None:
        self._ask("abort", bucket, upload.upload)
        one = self.stored[bucket]
        one.uploads = [each for each in one.uploads if each[0].upload != upload.upload]

    def presign(self, method: str, bucket: str, key: str, seconds: int, endpoint: str) -> str:
        self._ask("presign", method, bucket, key, seconds, endpoint)
        return f"{endpoint}/{bucket}/{key}?X-Amz-Expires={seconds}&X-Amz-Signature=0123"

    async def dashboard(self) -> Sequence[Told]:
        self._ask("dashboard")
        return [
            Told("Store", "buckets", f"{len(self.stored)}"), Told("Store", "objects", "3"),
            Told("Drives", "online", "4 of 4", ink="ready"), Told("Drives", "healing", "1", ink="warn"),
            Told("Drives", "write quorum", "", "metrics: AccessDenied"),
        ]  # fmt: skip

    async def close(self) -> None:
        self.closed = True


class FakeMover:
    """As what moves bytes: a test says how far it is."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.renewed: tuple[Keys, FoundKeys] | None = None
        self.transfers: list[Transfer] = []

    def all(self) -> Sequence[Transfer]:
        return self.transfers

    def put(self, *transfers: Transfer) -> None:
        self.transfers = list(transfers)

    def turn(self, number: int, **changes: Any) -> None:
        self.transfers = [replace(one, **changes) if one.number == number else one for one in self.transfers]

    def upload(self, paths: Sequence[Path], bucket: str, prefix: str) -> None:
        self.asked.append(("upload", list(paths), bucket, prefix))
        title = f"upload {paths[0].name} to {bucket}/{prefix}"
        self.transfers.append(
            Transfer(len(self.transfers) + 1, title, Stage.RUNNING, 43, 100, rate=12 * 2**20, remaining=8)
        )

    def download(self, bucket: str, keys: Sequence[tuple[str, str]], base: str, folder: Path) -> None:
        self.asked.append(("download", bucket, list(keys), base, folder))

    def pause(self, number: int) -> None:
        self.asked.append(("pause", number))
        self.turn(number, stage=Stage.PAUSED)

    def cancel(self, number: int) -> None:
        self.asked.append(("cancel", number))
        self.turn(number, stage=Stage.CANCELLED)

    def retry(self, number: int) -> None:
        self.asked.append(("retry", number))
        self.turn(number, stage=Stage.RUNNING, problem=None)

    def forget(self) -> None:
        self.transfers = [one for one in self.transfers if one.stage in (Stage.RUNNING, Stage.PAUSED)]

    def listen(self, heard: Callable[[Keys, FoundKeys], None]) -> None:
        self.heard = heard

    async def renew(self) -> bool:
        self.asked.append(("renew",))
        if self.renewed is None:
            return False
        self.heard(*self.renewed)
        return True

    @property
    def unfinished(self) -> int:
        return sum(one.stage in (Stage.RUNNING, Stage.PAUSED, Stage.WAITING) for one in self.transfers)

    async def close(self) -> None:
        self.asked.append(("close",))


class FakeAccess:
    """As `LiveAccess`."""

    def __init__(self, store: FakeStore, found: FoundKeys = FOUND) -> None:
        self.context = "real-cluster"
        self.store = store
        self.mover = FakeMover()
        self.found = found
        self.opened: list[tuple[Keys, bool]] = []
        self.problem: Problem | None = None
        self.gate: asyncio.Event | None = None

    @property
    def workload(self) -> Any:
        return next(one for one in sample() if one.system == "minio")

    async def look(self) -> FoundKeys:
        return self.found

    async def open(self, keys: Keys, found: FoundKeys, *, read_only: bool) -> Opened:
        self.opened.append((keys, read_only))
        if self.gate is not None:
            await self.gate.wait()
        if self.problem is not None:
            raise ProblemError(self.problem)
        return Opened(self.store, self.mover, keys)


def full_store() -> FakeStore:
    """Buckets of every kind."""
    store = FakeStore()
    text = "Hello from the chapter.\nGrüße aus dem Kapitel.\n".encode()
    store.stored["my-bucket"] = Stored(
        {"test.txt": text, "orders.json": b'{"orders": [{"id": 1, "total": 1.10}]}', "logo.png": png(64, 32),
         "dump.bin": bytes(range(256)), "photos/2026/a.png": 4000, "photos/2026/b.png": 5000, "photos/2025/c.png": 900,
         "empty": b""},
        sizes=(14_123, 8),
    )  # fmt: skip
    store.stored["public-site"] = Stored({"index.html": b"<h1>hi</h1>"}, anonymous=Anonymous.READ, sizes=(11, 1))
    store.stored["backups"] = Stored({f"{at:07}.dump": 2**20 * at for at in range(2500)})
    store.stored["archive"] = Stored(
        {"report.csv": b"a,b\n"},
        versions=[
            Entry("report.csv", 4, WHEN, '"aa"', "STANDARD", "v3-3333", True),
            Entry("report.csv", 3, WHEN, '"bb"', "STANDARD", "v2-2222", False),
            Entry("gone.csv", None, WHEN, "", "", "v9-9999", True, True),
            Entry("gone.csv", 7, WHEN, '"cc"', "STANDARD", "v8-8888", False),
        ],
        versioning="Enabled",
        uploads=[(Upload("big.iso", "upload-1", WHEN), 5 * 2**20), (Upload("other.iso", "upload-2", None), None)],
    )
    store.stored["hostile"] = Stored({EVIL: b"x", "../../etc/passwd": b"x", "/lead": b"x", "a//b": b"x", " ": b"x"})
    return store


def console(access: FakeAccess, **guard: Any) -> BucketConsole:
    """A console in front of a store; `guard` as for `Guard`."""
    return BucketConsole(access, "my-tenant", Guard(**guard))


def app(**more: Any) -> Any:
    """The app with the workloads that a console belongs to; `more` as for `app_for`."""
    return app_for(FakeLive(sample()), **more)


async def until(pilot: Pilot[Any], met: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until something holds."""
    end = asyncio.get_running_loop().time() + seconds
    while not met():
        assert asyncio.get_running_loop().time() < end, "it did not come about"
        await pilot.pause(0.02)


async def opened(pilot: Pilot[Any], access: FakeAccess, **guard: Any) -> BucketConsole:
    """The console, connected and with its buckets and the first one's keys read."""
    screen = console(access, **guard)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.browser is not None and screen.browser.loaded)
    await until(pilot, lambda: not screen.table.rows or (screen.keys_list.listing and screen.keys_list.listing.begun))
    return screen


async def enter(pilot: Pilot[Any], screen: BucketConsole, bucket: str) -> None:
    """Opens a bucket."""
    screen.table.focus()
    screen.table.move_to(bucket)
    await pilot.press("enter")
    await until(pilot, lambda: screen.place.bucket == bucket and screen.keys_list.listing
                and screen.keys_list.listing.begun and not screen.browser.reading)  # fmt: skip
    await until(pilot, lambda: screen.keys_list.has_focus)
