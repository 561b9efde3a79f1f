"""Emptying buckets of servers that hide keys, or list them under names that they do not have."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from bucket_servers import KEYS, LocalWay, minio, seaweedfs

from tui.services.bucket.deleting import clear
from tui.services.bucket.model import Failure, Request, Security
from tui.services.bucket.store import Store, open_store

NO_MINIO = pytest.mark.skipif(not shutil.which("minio"), reason="MinIO is not on PATH")
#: So long may the machine take, busy as it is; what is tested would go on for ever.
LIMIT = 120


@pytest.fixture(scope="module", params=[pytest.param("minio", marks=NO_MINIO), "seaweedfs"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with {"minio": minio, "seaweedfs": seaweedfs}[request.param]() as running:
        yield running


@pytest.fixture
async def store(port: int) -> AsyncIterator[Store]:
    async def way() -> LocalWay:
        return LocalWay(port)

    opened = await open_store(way, KEYS, Security())
    yield opened
    await opened.close()


async def put(store: Store, bucket: str, *keys: str) -> None:
    for key in keys:
        await store.session(Request("PUT", bucket, key, body=b"x"))


async def emptied(store: Store, bucket: str) -> list[Failure]:
    async with asyncio.timeout(LIMIT):
        return list(await store.clear(bucket, "", lambda done, total: None, all_versions=True))


async def test_what_hides_behind_another_object_is_deleted_too(store: Store) -> None:
    await store.make_bucket("hiding", versioning=True)
    await put(store, "hiding", "a/one", "a/one", "a", "a/two/three", "z")
    assert await emptied(store, "hiding") == []
    await store.remove_bucket("hiding")
    assert "hiding" not in [bucket.name for bucket in await store.buckets()]


async def test_a_key_that_no_listing_names_is_told_and_ends_it(store: Store) -> None:
    await store.make_bucket("unnamed")
    await put(store, "unnamed", "with\x01control", "plain")
    failures = await emptied(store, "unnamed")
    left = [entry async for entries in store.pages("unnamed", "", all_versions=True) for entry in entries]
    assert [failure.key for failure in failures] == [entry.key for entry in left]
    assert "plain" not in [entry.key for entry in left]
    assert all("lists it still" in failure.said for failure in failures)


async def test_what_comes_meanwhile_was_not_meant_and_stays(store: Store) -> None:
    await store.make_bucket("busy")
    await put(store, "busy", "old")
    ahead = store.session.ahead
    begun = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead + 1)
    await asyncio.sleep(3)
    await put(store, "busy", "new")
    failures = await clear(store.session, "busy", "", lambda done, total: None, begun=begun, all_versions=True)
    assert [failure.key for failure in failures] == ["new"]
    assert "came while" in failures[0].said
    left = [entry.key async for entries in store.pages("busy", "") for entry in entries]
    assert left == ["new"]
