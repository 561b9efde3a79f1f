"""A store without versions, tags, locks and policies: all that it lacks is said, and nothing is harmed by asking.

It refuses what it does not know, or takes no notice of it (see `bare_store`).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from bare_store import Bare
from bucket_servers import KEYS, LocalWay

from tui.services.bucket import deleting
from tui.services.bucket.model import Anonymous, Count, Product, Request, Security, StoreError
from tui.services.bucket.store import Store, open_store

SOON = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(params=[True, False], ids=["refuses", "ignores"])
def bare(request: pytest.FixtureRequest) -> Iterator[Bare]:
    server = Bare(0, refuse=request.param)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def store(bare: Bare) -> AsyncIterator[Store]:
    async def find() -> LocalWay:
        return LocalWay(bare.server_address[1])

    opened = await open_store(find, KEYS, Security(https=False))
    await opened.make_bucket("shop")
    for key in ("a.txt", "logs/b.txt"):
        await opened.session(Request("PUT", "shop", key, body=b"content"))
    yield opened
    await opened.close()


async def lacks(question: Awaitable[object]) -> None:
    with pytest.raises(StoreError) as refused:
        await question
    assert refused.value.lacking and refused.value.code == "NotImplemented"
    assert "This server does not have it." in refused.value.problem.remedy


async def test_what_it_lacks_is_said(store: Store, bare: Bare) -> None:
    assert store.product is Product.OTHER
    for question in (
        store.versioning, store.policy, store.lifecycle, store.locked, store.bucket_tags,
    ):  # fmt: skip
        await lacks(question("shop"))
    await lacks(store.page("shop", "", "", versions=True))
    await lacks(store.uploads("shop", ""))
    assert await store.anonymous("shop") is Anonymous.UNKNOWN
    detail = await store.detail("shop", "a.txt")
    assert (detail.size, detail.tags, detail.hold, detail.retention) == (7, None, None, None)
    assert [one.partition(":")[0] for one in detail.unknown] == ["tags", "retention", "legal hold"]
    told = {one.name: one.unknown for one in await store.dashboard()}
    assert all(told[name] for name in ("Objects", "Usage", "Drives", "Drain"))


async def test_without_buckets_there_are_no_objects(store: Store, bare: Bare) -> None:
    bare.stored.clear()
    told = {one.name: one.value for one in await store.dashboard()}
    assert (told["Buckets"], told["Objects"], told["Usage"]) == ("0", "0", "0B")


async def test_changing_what_it_lacks_changes_nothing(store: Store, bare: Bare) -> None:
    before = {name: dict(held) for name, held in bare.stored.items()}
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.set_hold("shop", "a.txt", on=True),
        lambda: store.set_hold("shop", "a.txt", on=False),
        lambda: store.set_retention("shop", "a.txt", "GOVERNANCE", SOON),
        lambda: store.set_tags("shop", "a.txt", {"team": "shop"}),
        lambda: store.set_tags("shop", "a.txt", {}),
        lambda: store.set_tags("shop", "", {}),
        lambda: store.set_policy("shop", ""),
        lambda: store.set_lifecycle("shop", ""),
        lambda: store.set_versioning("shop", on=True),
        lambda: store.set_anonymous("shop", Anonymous.READ),
    ]
    for change in changes:
        await lacks(change())
    assert bare.stored == before


async def test_empty_buckets_stay_when_their_settings_are_taken_away(store: Store, bare: Bare) -> None:
    await store.make_bucket("empty")
    for change in (store.set_tags("empty", "", {}), store.set_policy("empty", ""), store.set_lifecycle("empty", "")):
        await lacks(change)
    assert "empty" in bare.stored


async def test_a_bucket_is_made_and_what_it_lacks_is_said(store: Store, bare: Bare) -> None:
    for name, less, how in (("one", "versioning", {"versioning": True}), ("two", "object lock", {"lock": True})):
        with pytest.raises(StoreError) as refused:
            await store.make_bucket(name, **how)
        assert refused.value.problem.what == f"The bucket {name} was made, but without {less}"
        assert name in bare.stored


async def test_it_is_counted_and_emptied(store: Store, bare: Bare) -> None:
    def told(*_: object) -> None:
        pass

    assert await store.count("shop", "", told, all_versions=True) == Count(2, 14, None, 0, None)
    with pytest.raises(StoreError) as refused:
        await store.remove_bucket("shop")
    assert refused.value.code == "BucketNotEmpty"
    assert not await store.clear("shop", "", told, all_versions=True)
    await store.remove_bucket("shop")
    assert bare.stored == {}


async def test_without_deletions_of_many_keys_they_go_one_by_one(
    store: Store, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bare_store.LACKING", {"delete"})
    monkeypatch.setattr(bare, "refuse", True)
    failures = await deleting.delete(store.session, "shop", [("a.txt", ""), ("logs/b.txt", "")], lambda *_: None)
    assert not failures
    assert bare.stored["shop"] == {}
