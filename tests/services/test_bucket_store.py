"""A connected store, in front of SeaweedFS and, where it is on PATH, MinIO: what both do, and what only one knows."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace

import aiohttp
import pytest
from bucket_servers import KEYS, CuttingWay, LocalWay, minio, seaweedfs

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Anonymous, Entry, Keys, Lost, Product, Request, Security, StoreError, Upload
from tui.services.bucket.store import Store, open_store
from tui.services.bucket.transfers.wire import over

NO_MINIO = pytest.mark.skipif(not shutil.which("minio"), reason="MinIO is not on PATH")
PRODUCTS = {"minio": Product.MINIO, "seaweedfs": Product.SEAWEEDFS}
HOUR = 3600.0
Bucket = str


@pytest.fixture(scope="module", params=[pytest.param("minio", marks=NO_MINIO), "seaweedfs"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Product, int]]:
    with {"minio": minio, "seaweedfs": seaweedfs}[request.param]() as port:
        yield PRODUCTS[request.param], port


@pytest.fixture
def product(server: tuple[Product, int]) -> Product:
    return server[0]


@pytest.fixture
def port(server: tuple[Product, int]) -> int:
    return server[1]


def finder(way: LocalWay) -> Callable[[], Awaitable[LocalWay]]:
    async def find() -> LocalWay:
        return way

    return find


@pytest.fixture
async def store(port: int) -> AsyncIterator[Store]:
    opened = await open_store(finder(LocalWay(port)), KEYS, Security())
    yield opened
    await opened.close()


@pytest.fixture
async def bucket(store: Store) -> Bucket:
    """A bucket of the test's own."""
    name = f"b-{secrets.token_hex(6)}"
    await store.make_bucket(name)
    return name


def silent(_: int, __: int | None) -> None:
    pass


async def put(store: Store, bucket: str, key: str, body: bytes = b"x", **headers: str) -> None:
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    await store.session(Request("PUT", bucket, key, {}, given, body))


async def fill(store: Store, bucket: str, keys: list[str]) -> None:
    gate = asyncio.Semaphore(16)

    async def one(key: str) -> None:
        async with gate:
            await put(store, bucket, key)

    await asyncio.gather(*map(one, keys))


async def listed(store: Store, bucket: str, prefix: str = "", **how: bool) -> list[Entry]:
    return [entry async for page in store.pages(bucket, prefix, **how) for entry in page]


async def fetch(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """As somebody without keys."""
    async with aiohttp.ClientSession() as client, client.request(method, url, data=body) as answer:
        return answer.status, await answer.read()


async def becomes(status: int, url: str, method: str = "GET", body: bytes | None = None) -> None:
    """Waits until somebody without keys is answered so: SeaweedFS takes a moment to heed a policy."""
    found = -1
    for _ in range(100):
        found, _ = await fetch(url, method, body)
        if found == status:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{method} {url} is answered with {found}, not {status}")


# --- who it is


async def test_it_says_what_it_is(store: Store, product: Product) -> None:
    facts = store.facts
    assert (facts.product, facts.tls, facts.access, facts.region) == (product, "off", "testkeys", "us-east-1")
    assert abs(facts.skew) < 30
    assert facts.version


async def test_keys_that_it_does_not_know(port: int) -> None:
    for keys, code in ((Keys("nobody", "x" * 12), "InvalidAccessKeyId"),
                       (Keys(KEYS.access, "wrong-secret", source="a Secret"), "SignatureDoesNotMatch")):  # fmt: skip
        with pytest.raises(StoreError) as refused:
            await open_store(finder(LocalWay(port)), keys, Security())
        assert refused.value.code == code
        assert refused.value.problem.cause is Cause.CREDENTIALS
        assert keys.secret not in str(refused.value) and keys.secret not in repr(refused.value)


async def test_https_where_there_is_none_is_said(port: int) -> None:
    with pytest.raises(ProblemError) as failed:
        await open_store(finder(LocalWay(port)), KEYS, Security(https=True))
    assert failed.value.problem.cause is Cause.UNREACHABLE


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["behind", "ahead"])
async def test_a_clock_that_is_an_hour_off_is_corrected(
    port: int, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 refuses what was signed 15 minutes before or after the server's time."""
    real, now = time.time, dt.datetime.now
    off = SimpleNamespace(
        datetime=SimpleNamespace(now=lambda zone: now(zone) - dt.timedelta(seconds=ahead)),
        UTC=dt.UTC, timedelta=dt.timedelta,
    )  # fmt: skip
    monkeypatch.setattr("tui.services.bucket.signing.dt", off)
    monkeypatch.setattr("tui.services.bucket.session.time", SimpleNamespace(time=lambda: real() - ahead))
    monkeypatch.setattr("miniopy_async.time.utcnow", lambda: now(dt.UTC) - dt.timedelta(seconds=ahead))
    store = await open_store(finder(LocalWay(port)), KEYS, Security())
    try:
        assert abs(store.facts.skew - ahead) < 30
        name = f"b-{secrets.token_hex(6)}"
        await store.make_bucket(name, versioning=True)
        await put(store, name, "key")
        assert [entry.key for entry in await listed(store, name)] == ["key"]
        assert await store.versioning(name) == "Enabled", "what the client library signs is corrected, too"
        status, body = await fetch(store.presign("GET", name, "key", 60, f"http://127.0.0.1:{port}"))
        assert (status, body) == (200, b"x")
    finally:
        await store.close()


async def test_a_clock_that_is_set_while_one_is_connected(store: Store, bucket: Bucket) -> None:
    """As when a machine's time is set right by NTP: what was refused for its time is sent once more, signed anew."""
    wire, signer = over(store.session), store.session.signer
    try:
        for send in (store.session, wire):
            signer.skew = -HOUR
            await send(Request("PUT", bucket, "key", {}, {}, b"content"))
            assert signer.skew == 0
            signer.skew = HOUR
            assert await send(Request("GET", bucket, "key")) == b"content"
        signer.skew = HOUR
        await store.set_versioning(bucket, on=True)
        assert signer.skew == 0, "what the client library sends is heeded, too"
        assert await store.versioning(bucket) == "Enabled"
    finally:
        await wire.close()


# --- listing


async def test_pages_folders_and_all_that_is_below(store: Store, bucket: Bucket) -> None:
    keys = [f"many/{at:05}" for at in range(2300)]
    await fill(store, bucket, [*keys, "a.txt", "other/deep/b", "other/c"])
    top = await store.page(bucket, "", "")
    assert [(one.key, one.folder) for one in top.entries] == [("many/", True), ("other/", True), ("a.txt", False)]
    assert not top.more
    first = await store.page(bucket, "many/", "")
    assert [one.key for one in first.entries] == keys[:1000]
    second = await store.page(bucket, "many/", first.more)
    third = await store.page(bucket, "many/", second.more)
    assert [one.key for one in (*second.entries, *third.entries)] == keys[1000:]
    assert not third.more
    assert [one.key for one in await listed(store, bucket, "other/")] == ["other/c", "other/deep/b"]
    told: list[int] = []
    count = await store.count(bucket, "", lambda done, whole: told.append(done))
    assert (count.objects, count.size, count.versions) == (2303, 2303, None)
    assert told == sorted(told) and told[-1] == 2303

    # Deletion by thousands: all that is named, and nothing else.
    progress: list[tuple[int, int | None]] = []
    named = [(key, "") for key in keys]
    assert await store.delete(bucket, named, lambda done, whole: progress.append((done, whole))) == []
    assert progress == [(1000, 2300), (2000, 2300), (2300, 2300)]
    assert [one.key for one in await listed(store, bucket)] == ["a.txt", "other/c", "other/deep/b"]
    assert await store.clear(bucket, "other/", silent, all_versions=False) == []
    assert [one.key for one in await listed(store, bucket)] == ["a.txt"]


async def test_an_empty_bucket_and_one_that_is_not_there(store: Store, bucket: Bucket) -> None:
    assert (await store.page(bucket, "", "")).entries == ()
    assert await listed(store, bucket, all_versions=True) == []
    with pytest.raises(StoreError) as refused:
        await store.page(f"{bucket}-none", "", "")
    assert (refused.value.code, refused.value.problem.cause) == ("NoSuchBucket", Cause.ABSENT)


async def test_buckets_by_name(store: Store, bucket: Bucket) -> None:
    found = [one for one in await store.buckets() if one.name == bucket]
    assert len(found) == 1
    assert found[0].created is not None
    assert abs((dt.datetime.now(dt.UTC) - found[0].created).total_seconds()) < 300
    with pytest.raises(StoreError) as again:
        await store.make_bucket(bucket)
    assert again.value.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
    with pytest.raises(StoreError) as wrong:
        await store.make_bucket("My_Bucket")
    assert wrong.value.code == "InvalidBucketName"


async def test_a_bucket_that_is_not_empty_stays(store: Store, bucket: Bucket) -> None:
    await put(store, bucket, "one")
    with pytest.raises(StoreError) as refused:
        await store.remove_bucket(bucket)
    assert refused.value.code == "BucketNotEmpty"
    assert [entry.key for entry in await listed(store, bucket)] == ["one"]
    await store.delete(bucket, [("one", "")], silent)
    await store.remove_bucket(bucket)
    assert bucket not in [one.name for one in await store.buckets()]


# --- versions


async def test_versions_markers_and_coming_back(store: Store, bucket: Bucket) -> None:
    assert await store.versioning(bucket) == ""
    await store.set_versioning(bucket, on=True)
    assert await store.versioning(bucket) == "Enabled"
    await put(store, bucket, "doc", b"first")
    await put(store, bucket, "doc", b"second!")
    await store.delete(bucket, [("doc", "")], silent)
    assert await listed(store, bucket) == []
    marker, second, first = await listed(store, bucket, all_versions=True)
    assert (marker.deleted, marker.latest, marker.size) == (True, True, None)
    assert [(one.size, one.latest, one.deleted) for one in (second, first)] == [(7, False, False), (5, False, False)]
    assert len({marker.version, second.version, first.version}) == 3
    assert await store.read(bucket, "doc", first.version, 100) == b"first"
    count = await store.count(bucket, "", silent, all_versions=True)
    assert (count.objects, count.versions, count.old_size, count.uploads) == (0, 3, 12, 0)

    await store.delete(bucket, [("doc", marker.version)], silent)
    assert await store.read(bucket, "doc", "", 100) == b"second!"
    await store.copy(bucket, "doc", first.version, bucket, "doc")
    assert await store.read(bucket, "doc", "", 100) == b"first"
    assert len(await listed(store, bucket, all_versions=True)) == 3

    await store.set_versioning(bucket, on=False)
    assert await store.versioning(bucket) == "Suspended"
    with pytest.raises(StoreError, match="BucketNotEmpty"):
        await store.remove_bucket(bucket)
    assert await store.clear(bucket, "", silent, all_versions=True) == []
    await store.remove_bucket(bucket)


async def test_pages_of_versions_lose_none(store: Store, bucket: Bucket) -> None:
    await store.set_versioning(bucket, on=True)
    keys = [f"k{at:04}" for at in range(700)]
    await fill(store, bucket, keys)
    await fill(store, bucket, keys)
    found = await listed(store, bucket, all_versions=True)
    assert [one.key for one in found] == [key for key in keys for _ in range(2)]
    assert len({one.version for one in found}) == 1400
    assert [one.latest for one in found] == [True, False] * 700


# --- single objects


async def test_what_is_known_of_an_object(store: Store, bucket: Bucket) -> None:
    headers = {"Content_Type": "text/x-chapter", "x_amz_meta_owner": "shop", "Cache_Control": "no-store"}
    await put(store, bucket, "doc", b"content", **headers)
    await store.set_tags(bucket, "doc", {"team": "shop", "stage": "test"})
    told = await store.detail(bucket, "doc")
    assert (told.key, told.size, told.content_type) == ("doc", 7, "text/x-chapter")
    assert told.metadata == {"owner": "shop"}
    assert told.tags == {"team": "shop", "stage": "test"}
    assert told.modified is not None and told.etag == '"9a0364b9e99bb480dd25e1f0284c8555"'
    assert told.retention is None and not told.hold
    await store.set_tags(bucket, "doc", {})
    assert (await store.detail(bucket, "doc")).tags == {}
    with pytest.raises((StoreError, ProblemError)):
        await store.set_tags(bucket, "doc", {"x" * 200: "y"})
    await store.set_tags(bucket, "", {"cost": "42"})
    assert await store.bucket_tags(bucket) == {"cost": "42"}


async def test_a_bounded_piece_is_read(store: Store, bucket: Bucket) -> None:
    await put(store, bucket, "large", bytes(range(256)) * 4096)
    await put(store, bucket, "empty", b"")
    assert await store.read(bucket, "large", "", 300) == bytes(range(256)) + bytes(range(44))
    assert await store.read(bucket, "empty", "", 300) == b""
    with pytest.raises(StoreError) as refused:
        await store.read(bucket, "none", "", 300)
    assert refused.value.code == "NoSuchKey"


# --- settings


async def test_a_policy_lets_everybody_read_and_is_taken_away(
    store: Store, bucket: Bucket, port: int, product: Product
) -> None:
    await put(store, bucket, "page", b"hello")
    url = f"http://127.0.0.1:{port}/{bucket}/page"
    assert await store.anonymous(bucket) is Anonymous.NONE
    assert await store.policy(bucket) == ""
    assert (await fetch(url))[0] == 403
    for access, reads, writes in (
        (Anonymous.READ, 200, 403), (Anonymous.WRITE, 403, 200), (Anonymous.BOTH, 200, 200),
    ):  # fmt: skip
        await store.set_anonymous(bucket, access)
        assert await store.anonymous(bucket) is access
        await becomes(reads, url)
        if product is Product.MINIO:  # SeaweedFS 4 takes nothing from anybody without keys, whatever the policy says
            await becomes(writes, f"{url}-2", "PUT", b"x")
    await store.set_anonymous(bucket, Anonymous.NONE)
    assert await store.policy(bucket) == ""
    await becomes(403, url)


async def test_a_policy_that_is_none_is_not_sent(store: Store, bucket: Bucket) -> None:
    await store.set_anonymous(bucket, Anonymous.READ)
    before = actions(await store.policy(bucket))
    for text in ("{", "[]", '{"Statement": [{"Effect": "Allow"}]}'):
        with pytest.raises(ProblemError) as wrong:
            await store.set_policy(bucket, text)
        assert wrong.value.problem.remedy == "Nothing was changed."
    assert actions(await store.policy(bucket)) == before


def actions(policy: str) -> list[list[str]]:
    """What is allowed; MinIO tells it in another order each time."""
    return [sorted(one["Action"]) for one in json.loads(policy)["Statement"]]


async def test_lifecycle_rules_come_back_as_they_were_written(store: Store, bucket: Bucket) -> None:
    assert await store.lifecycle(bucket) == ""
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    await store.set_lifecycle(bucket, json.dumps({"Rules": [rule]}))
    (found,) = json.loads(await store.lifecycle(bucket))["Rules"]
    assert {name: found[name] for name in rule} == rule
    with pytest.raises(ProblemError):
        await store.set_lifecycle(bucket, "[1]")
    await store.set_lifecycle(bucket, "")
    assert await store.lifecycle(bucket) == ""


async def test_what_a_lock_keeps_is_told_and_stays(store: Store) -> None:
    bucket = f"b-{secrets.token_hex(6)}"
    await store.make_bucket(bucket, lock=True)
    assert await store.settings.locked(bucket)
    assert await store.versioning(bucket) == "Enabled"
    await put(store, bucket, "held")
    await put(store, bucket, "free")
    await store.settings.set_hold(bucket, "held", on=True)
    assert (await store.detail(bucket, "held")).hold is True
    until = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
    await store.settings.set_retention(bucket, "held", "GOVERNANCE", until)
    assert (await store.detail(bucket, "held")).retention == ("GOVERNANCE", until)

    failures = await store.clear(bucket, "", silent, all_versions=True)
    assert [one.key for one in failures] == ["held"]
    assert failures[0].said and failures[0].version
    assert [one.key for one in await listed(store, bucket)] == ["held"]
    await store.settings.set_hold(bucket, "held", on=False)
    (left,) = [one for one in await listed(store, bucket, all_versions=True) if not one.deleted]
    from tui.services.bucket import deleting  # noqa: PLC0415

    assert await deleting.delete(store.session, bucket, [("held", left.version)], silent, bypass=True) == []
    assert not await store.settings.locked(await plain(store))


async def plain(store: Store) -> str:
    """A bucket without a lock."""
    name = f"b-{secrets.token_hex(6)}"
    await store.make_bucket(name)
    return name


async def test_incomplete_uploads_are_found_below_a_prefix_and_given_up(store: Store, bucket: Bucket) -> None:
    for key in ("in/one", "in/two", "out"):
        answer = await store.session(Request("POST", bucket, key, {"uploads": ""}))
        upload = answer.decode().split("<UploadId>")[1].split("<")[0]
        query = {"partNumber": "1", "uploadId": upload}
        await store.session(Request("PUT", bucket, key, query, body=bytes(1 << 20)))
    found = await store.uploads(bucket, "in/")
    assert [(one.key, held) for one, held in found] == [("in/one", 1 << 20), ("in/two", 1 << 20)]
    assert all(one.begun is not None for one, _ in found)
    assert await listed(store, bucket) == []
    await store.abort(bucket, found[0][0])
    await store.abort(bucket, found[0][0])  # somebody else may have done it
    assert [one.key for one, _ in await store.uploads(bucket, "")] == ["in/two", "out"]
    await store.abort(bucket, Upload("never", "no-such-id", None))
    assert await store.clear(bucket, "", silent, all_versions=True) == []
    assert await store.uploads(bucket, "") == []


# --- links


async def test_links_work_without_keys_and_only_as_they_were_signed(store: Store, bucket: Bucket, port: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    link = store.presign("PUT", bucket, "a b/ü?&.txt", 60, endpoint)
    assert (await fetch(link, "PUT", b"content"))[0] == 200
    assert [entry.key for entry in await listed(store, bucket)] == ["a b/ü?&.txt"]
    link = store.presign("GET", bucket, "a b/ü?&.txt", 60, endpoint)
    assert await fetch(link) == (200, b"content")
    assert (await fetch(link, "PUT", b"other"))[0] == 403
    elsewhere = store.presign("GET", bucket, "a b/ü?&.txt", 60, "http://s3.example.com")
    assert (await fetch(elsewhere.replace("s3.example.com", f"127.0.0.1:{port}")))[0] == 403
    short = store.presign("GET", bucket, "a b/ü?&.txt", 1, endpoint)
    await asyncio.sleep(2.1)
    assert (await fetch(short))[0] == 403


@pytest.mark.parametrize(
    ("endpoint", "seconds"), [("ftp://x", 60), ("https://x/path", 60), ("https://", 60), ("https://x", 0),
                              ("https://x", 7 * 86400 + 1)],
)  # fmt: skip
async def test_links_that_nobody_could_use(store: Store, endpoint: str, seconds: int) -> None:
    with pytest.raises(ProblemError, match="works nowhere else"):
        store.presign("GET", "bucket", "key", seconds, endpoint)


# --- dashboard


async def test_the_dashboard_knows_or_says_why_not(store: Store, bucket: Bucket, product: Product) -> None:
    told = {one.name: one for one in await store.dashboard()}
    assert int(told["Buckets"].value) >= 1
    assert all(one.value or one.unknown for one in told.values())
    if product is Product.MINIO:
        assert told["Health"].ink == "ready"
        assert told["Drives"].value == "1 online, 0 offline, 0 healing"
        assert told["Drain"].value.startswith("no:"), "without its only server nothing is written"
        assert await store.quota(bucket) == 0
        await store.set_quota(bucket, 1 << 30)
        assert await store.quota(bucket) == 1 << 30
        await store.set_quota(bucket, 0)
        assert await store.quota(bucket) == 0
    else:
        assert told["Drives"].unknown == "SeaweedFS has no health API like MinIO's"
        before = [one.name for one in await store.buckets()]
        for ask in (store.quota(bucket), store.set_quota(bucket, 1)):
            with pytest.raises(ProblemError, match="SeaweedFS has no quotas"):
                await ask
        assert [one.name for one in await store.buckets()] == before, "a question to MinIO's API made a bucket"


# --- what is not sent, and what gets lost


async def test_read_only_sends_nothing_that_changes(store: Store, bucket: Bucket, port: int) -> None:
    await put(store, bucket, "kept")
    locked = await open_store(finder(LocalWay(port)), KEYS, Security(), writes=False)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    changes: list[Awaitable[object]] = [
        locked.make_bucket(f"{bucket}-2"), locked.remove_bucket(bucket), locked.delete(bucket, [("kept", "")], silent),
        locked.clear(bucket, "", silent, all_versions=True), locked.copy(bucket, "kept", "", bucket, "copy"),
        locked.set_tags(bucket, "kept", {"a": "b"}), locked.set_tags(bucket, "", {}),
        locked.set_versioning(bucket, on=True), locked.set_policy(bucket, ""),
        locked.set_anonymous(bucket, Anonymous.BOTH), locked.set_lifecycle(bucket, ""),
        locked.settings.set_hold(bucket, "kept", on=True),
        locked.settings.set_retention(bucket, "kept", "GOVERNANCE", until), locked.settings.set_quota(bucket, 1),
        locked.abort(bucket, Upload("kept", "id", None)), put(locked, bucket, "other"),
    ]  # fmt: skip
    try:
        for change in changes:
            with pytest.raises((ProblemError, StoreError)) as refused:
                await change
            if isinstance(refused.value, StoreError):
                assert refused.value.code == "BucketNotEmpty", "it is looked at before it is removed"
            else:
                assert refused.value.problem.cause is Cause.FORBIDDEN
                assert "was not sent" in refused.value.problem.what
        assert await locked.read(bucket, "kept", "", 10) == b"x"
        assert [entry.key for entry in await listed(locked, bucket)] == ["kept"]
    finally:
        await locked.close()
    assert await store.versioning(bucket) == ""
    assert await store.anonymous(bucket) is Anonymous.NONE


async def test_a_connection_that_breaks_is_lost_and_no_refusal(store: Store, bucket: Bucket, port: int) -> None:
    await put(store, bucket, "large", bytes(1 << 20))
    # The first attempt is TLS, the second finds out; what comes then is for the test.
    way = CuttingWay(port)
    broken = await open_store(finder(way), KEYS, Security(https=False))
    try:
        way.cuts = [None] * way.made + [(None, 200_000), (None, 200_000)]
        await broken.session.use(https=False, context=None)
        with pytest.raises(Lost) as lost:
            await broken.session(Request("GET", bucket, "large"))
        assert not lost.value.unsure, "what only reads can be asked again by whoever wants to"
        assert lost.value.problem.cause is Cause.UNREACHABLE

        # aiohttp would send PUT and DELETE again.
        for method in ("PUT", "DELETE", "POST"):
            made = way.made
            way.cuts = [None] * made + [(None, 1)]
            await broken.session.use(https=False, context=None)
            with pytest.raises(Lost) as lost:
                await broken.session(Request(method, bucket, "change", {"uploads": ""} if method == "POST" else {}))
            assert lost.value.unsure, "it may have been done"
            assert way.made == made + 1, "it was sent twice"
        made = way.made
        sent: list[bytes] = []
        # Enough for the question whether the server knows versions, and not for the change after it.
        way.cuts, way.heard = [None] * made + [(900, None)], sent.append
        await broken.session.use(https=False, context=None)
        with pytest.raises(Lost):
            await broken.set_versioning(bucket, on=True)
        way.heard = None
        said = b"".join(sent)
        assert (said.count(b"GET /"), said.count(b"PUT /")) == (1, 1), "the client library sent it twice"
        assert way.made == made + 1

        made = way.made
        way.refusing = 1
        await broken.session.use(https=False, context=None)
        with pytest.raises(Lost, match="no member is ready") as lost:
            await broken.session(Request("PUT", bucket, "change"))
        assert not lost.value.unsure, "nothing was sent"
        assert way.made == made
        assert "large" in [entry.key for entry in await listed(broken, bucket)]
    finally:
        await broken.close()


async def test_a_way_that_says_why_it_ended_is_quoted(store: Store, bucket: Bucket, port: int) -> None:
    class Ended(CuttingWay):
        def ended(self) -> Problem | None:
            return Problem(Cause.UNREACHABLE, "Pod store-0 was deleted", "deleted by the test")

    way = Ended(port)
    opened = await open_store(finder(way), KEYS, Security(https=False))
    try:
        way.cuts = [None] * way.made + [(None, 10)] * 2
        await opened.session.use(https=False, context=None)
        with pytest.raises(Lost, match="Pod store-0 was deleted"):
            await opened.page(bucket, "", "")
    finally:
        await opened.close()
