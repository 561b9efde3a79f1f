"""The way to a real MinIO and the keys in its Secrets: no port is opened, and any of its servers will do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from real import KUBECONFIG, kubectl
from test_sql_sessions import key, live_in, until

from tests.live.bucket_pods import seaweedfs
from tui.problem import ProblemError
from tui.services.bucket.model import Keys, Request, Security, StoreError
from tui.services.bucket.store import open_store
from tui.systems.bucketkeys import find_keys
from tui.systems.bucketroutes import StoreFinder
from tui.systems.live import Live
from tui.systems.portroutes import ForwardWay

pytestmark = pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG")


async def answer(way: ForwardWay, path: str = "/minio/health/live") -> str:
    """The first line of an answer."""
    connected = await way.connect()
    reader, writer = await asyncio.open_connection(sock=connected)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {way.host}\r\nConnection: close\r\n\r\n".encode())
    line = await asyncio.wait_for(reader.readline(), 60)
    writer.close()
    return line.decode().strip()


@pytest.fixture
async def chapter() -> AsyncIterator[Live]:
    async with live_in("stateful") as live:
        yield live


async def test_the_tenant_of_the_chapter(chapter: Live) -> None:
    named = key(chapter, "my-tenant")
    assert chapter.api is not None and chapter.cluster is not None
    found = await find_keys(chapter.api, chapter.cluster.store, chapter.workloads[named], chapter.catalogue)
    assert [(one.access, one.secret, one.source) for one in found.keys] == [
        ("CHAPTERACCESSKEY", "chapter-secret-key-0123456789", "Secret stateful/my-tenant-creds-secret, key secretkey"),
        ("console-user", "console-secret", "Secret stateful/my-tenant-console-secret, key CONSOLE_SECRET_KEY"),
    ]
    assert found.security.https is None
    assert found.security.authority.startswith("-----BEGIN CERTIFICATE-----")
    way = await StoreFinder(chapter, named)()
    try:
        assert (way.host, way.port, way.member) == ("minio.stateful.svc", 9000, "")
        assert await answer(way) == "HTTP/1.1 200 OK"
        assert way.member.startswith("my-tenant-zone-0-")
        assert way.ended() is None
        assert chapter.forwards is not None
        assert [(one.private, one.listener) for one in chapter.forwards] == [(True, None)]
    finally:
        await way.close()


@pytest.fixture(scope="module")
def weed() -> Iterator[str]:
    """Two SeaweedFS that know nothing of each other, with a Secret like that of their operator."""
    namespace = f"statetui-test-bucket-{os.getpid()}"
    kubectl("create", "namespace", namespace)
    seaweedfs(namespace, "weed", replicas=2)
    kubectl("-n", namespace, "rollout", "status", "statefulset/weed", "--timeout=120s")
    yield namespace
    kubectl("delete", "namespace", namespace, "--wait=false")


async def test_the_next_connection_finds_another_server_when_one_is_deleted(weed: str) -> None:
    async with live_in(weed) as live:
        named = key(live, "weed")
        assert live.api is not None and live.cluster is not None
        found = await find_keys(live.api, live.cluster.store, live.workloads[named], live.catalogue)
        assert [(one.access, one.secret) for one in found.keys] == [("AK", "SK")]
        await until(lambda: live.workloads[named].ready == 2)
        way = await StoreFinder(live, named, patience=60)()
        try:
            assert (await answer(way, "/")).startswith("HTTP/1.1 ")
            first = way.member
            held = await way.connect()
            reader, writer = await asyncio.open_connection(sock=held)
            kubectl("-n", weed, "delete", "pod", first, "--wait=false")
            began = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
            assert (await answer(way, "/")).startswith("HTTP/1.1 ")
            assert time.monotonic() - began < 60
            assert way.member in ("weed-0", "weed-1")
            ended = way.ended()
            assert ended is None or first in ended.what
        finally:
            await way.close()


async def test_what_seaweedfs_does_and_what_it_has_not(weed: str) -> None:
    """Versions and tags it has (4.48); what it lacks is told as unknown, with the reason, and asked of nobody."""
    async with live_in(weed) as live:
        named = key(live, "weed")
        await until(lambda: live.workloads[named].ready == 2)
        store = await open_store(StoreFinder(live, named, "weed-0", patience=60), Keys("AK", "SK"), Security())
        try:
            await store.make_bucket("versioned", versioning=True)
            assert await store.versioning("versioned") == "Enabled"
            for body in (b"one", b"two"):
                await store.session(Request("PUT", "versioned", "a", {}, {}, body))
            await store.set_tags("versioned", "a", {"of": "a test"})
            detail = await store.detail("versioned", "a")
            assert (detail.tags, detail.size) == ({"of": "a test"}, 3)
            page = await store.page("versioned", "", "", versions=True)
            assert [(one.key, one.latest) for one in page.entries] == [("a", True), ("a", False)]
            with pytest.raises(StoreError) as refused:
                await store.remove_bucket("versioned")
            assert refused.value.code == "BucketNotEmpty"
            assert "Remove it with its contents" in refused.value.problem.remedy
            with pytest.raises(ProblemError, match="SeaweedFS has no quotas"):
                await store.quota("versioned")
            told = {one.name: one.unknown for one in await store.dashboard()}
            assert told["Drives"] == told["Drain"] == "SeaweedFS has no health API like MinIO's"
            assert "count it" in told["Usage"]
            failed = await store.clear("versioned", "", lambda *_: None, all_versions=True)
            assert not failed
            await store.remove_bucket("versioned")
            assert await store.buckets() == []
        finally:
            await store.close()
