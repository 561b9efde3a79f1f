"""How full the claims are, and why that cannot be known."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from fake_api import FakeApi

from tui.kube import kubelet
from tui.kube.api import Api
from tui.kube.kubelet import UsagePoller, reason_of
from tui.kube.objects import (
    Capacity,
    ClaimSource,
    ClaimSpec,
    ClaimStatus,
    ObjectMeta,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    PodStatus,
    Volume,
)
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.kube.usagebook import DENIED, READING, SETTLING, TOO_OLD, UsageBook
from tui.problem import Cause, Problem

GI = 2**30


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def claim(name, uid="", *, size="10Gi", mode="Filesystem", cls="standard"):
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="ns", uid=uid or f"uid-{name}", resource_version=uid or "1"),
        spec=ClaimSpec(volume_mode=mode, storage_class_name=cls),
        status=ClaimStatus(phase="Bound", capacity=Capacity(storage=size)),
    )


def pod(name, *claims, node="node-1", phase="Running", started=3600.0, version="1"):
    return Pod(
        metadata=ObjectMeta(name=name, namespace="ns", uid=f"uid-{name}", resource_version=version),
        spec=PodSpec(
            node_name=node, volumes=[Volume(name=c, persistent_volume_claim=ClaimSource(claim_name=c)) for c in claims]
        ),
        status=PodStatus(phase=phase, start_time=ago(started)),
    )


def volume(name, used, capacity=10 * GI, **more):
    return {"name": "data", "pvcRef": {"name": name, "namespace": "ns"}, "usedBytes": used, "capacityBytes": capacity,
            "availableBytes": capacity - used, "inodes": 100, "inodesUsed": 5, **more}  # fmt: skip


def summary(*volumes):
    return {
        "node": {},
        "pods": [{"podRef": {"name": "p"}, "volume": [{"name": "kube-api-access"}, *volumes]}, {"podRef": {}}],
    }


class Reading:
    """A book with a poller, and a fake cluster behind them."""

    def __init__(self, server):
        self.server, self.store, self.clock = server, Store(), Clock()
        self.book = UsageBook(self.store, self.clock)
        self.api = Api(server.context())
        self.poller = UsagePoller(self.api, self.store, self.book)

    def has(self, *items):
        for item in items:
            self.store.put("pods" if isinstance(item, Pod) else "persistentvolumeclaims", item)

    async def again(self):
        """Reads every node now, however recently it was read."""
        for node in self.book.nodes.values():
            node.asked = float("-inf")
        await self.poller.look()


@pytest.fixture
async def reading():
    async with FakeApi() as server:
        reading = Reading(server)
        yield reading
        await reading.api.close()


async def test_figures_are_read_and_told_when_they_change(reading):
    reading.has(claim("a"), claim("b"), pod("p", "a", "b"))
    reading.server.summaries["node-1"] = summary(volume("a", GI), volume("b", 2 * GI))
    assert reading.book.get("ns", "a") == READING
    await reading.poller.look()
    found = reading.book.get("ns", "a")
    assert isinstance(found, Usage)
    assert (found.used, found.capacity, found.available, found.inodes, found.inodes_used) == (
        GI,
        10 * GI,
        9 * GI,
        100,
        5,
    )
    assert found.fraction == pytest.approx(0.1)
    assert not found.shared
    assert abs(found.at - time.time()) < 5
    assert reading.book.drain() == {("ns", "a"), ("ns", "b")}
    await reading.again()
    assert reading.book.drain() == set(), "nothing changed but the time of reading"
    reading.server.summaries["node-1"] = summary(volume("a", 3 * GI), volume("b", 2 * GI))
    await reading.again()
    assert reading.book.drain() == {("ns", "a")}


async def test_a_file_system_much_larger_than_its_claim_is_shared(reading):
    reading.has(claim("a", size="256Mi"), claim("b", size="10Gi"), pod("p", "a", "b"))
    reading.server.summaries["node-1"] = summary(volume("a", GI, 270 * GI), volume("b", GI, 9 * GI))
    await reading.poller.look()
    assert reading.book.get("ns", "a").shared
    assert not reading.book.get("ns", "b").shared


async def test_each_reason_is_told_apart(reading):
    reading.has(
        claim("quiet"),
        claim("classless", cls=""),
        claim("block", mode="Block"),
        claim("idle"),
        claim("pending"),
        claim("fresh"),
        pod("p", "quiet", "classless", "block"),
        pod("waits", "pending", node="", phase="Pending"),
        pod("new", "fresh", started=5),
    )
    reading.server.summaries["node-1"] = summary()
    await reading.poller.look()
    get = reading.book.get
    assert get("ns", "quiet") == "class standard reports no usage"
    assert get("ns", "classless") == "its volume reports no usage"
    assert get("ns", "block").startswith("block volume")
    assert get("ns", "idle") == "not mounted by any pod"
    assert get("ns", "pending") == "its pod is not running"
    assert get("ns", "fresh") == READING
    assert get("ns", "never-was") == "claim not found"
    reading.clock.now += SETTLING + 1  # a node whose clock is ahead must not keep us waiting for ever
    assert get("ns", "fresh") == "class standard reports no usage"


async def test_without_the_right_it_says_which_and_asks_no_more(reading):
    reading.has(claim("a"), claim("b"), pod("p", "a"), pod("q", "b", node="node-2"))
    reading.server.rules = [{"verbs": ["*"], "resources": ["pods"]}]
    await reading.poller.look()
    assert reading.book.get("ns", "a") == DENIED
    assert reading.book.get("ns", "b") == DENIED
    count = len(reading.server.requests)
    for _ in range(5):
        await reading.again()
    assert len(reading.server.requests) == count
    reading.server.rules = None
    reading.server.summaries = {"node-1": summary(volume("a", GI)), "node-2": summary(volume("b", GI))}
    reading.poller.retry_now()
    await reading.poller.look()
    await reading.poller.look()
    assert isinstance(reading.book.get("ns", "a"), Usage)
    assert isinstance(reading.book.get("ns", "b"), Usage)


async def test_the_last_figure_is_kept_for_three_minutes_and_then_named_as_old(reading):
    reading.has(claim("a"), pod("p", "a"))
    reading.server.summaries["node-1"] = summary(volume("a", GI))
    await reading.poller.look()
    reading.book.drain()
    reading.server.fail("/api/v1/nodes", 503, "error trying to reach service: dial tcp 10.0.0.1:10250: i/o timeout")
    await reading.again()
    assert isinstance(reading.book.get("ns", "a"), Usage)
    assert reading.book.drain() == set()
    reading.clock.now += TOO_OLD + 1
    await reading.again()
    said = reading.book.get("ns", "a")
    assert said.startswith("1Gi at ")
    assert said.endswith("API server cannot reach node-1")
    assert reading.book.drain() == {("ns", "a")}
    reading.server.heal()
    await reading.again()
    assert isinstance(reading.book.get("ns", "a"), Usage)


async def test_a_claim_made_anew_under_the_same_name_has_no_figure_yet(reading):
    reading.has(claim("a"), pod("p", "a"))
    reading.server.summaries["node-1"] = summary(volume("a", GI))
    await reading.poller.look()
    reading.has(claim("a", uid="another"), pod("p", "a", started=1, version="2"))
    assert reading.book.get("ns", "a") == READING


async def test_a_pod_that_restarts_has_its_node_read_again_sooner(reading):
    reading.has(claim("a"), pod("p", "a", started=5))
    reading.server.summaries["node-1"] = summary()
    await reading.poller.look()
    assert reading.book.get("ns", "a") == READING
    node = reading.book.node("node-1")
    await reading.poller.look()
    assert len(reading.server.requests) == 1
    node.asked -= kubelet.SOONER
    await reading.poller.look()
    assert len(reading.server.requests) == 2


async def test_only_nodes_that_host_claims_are_read_and_few_at_once(reading):
    reading.has(*(claim(f"c{n}") for n in range(20)), *(pod(f"p{n}", f"c{n}", node=f"node-{n}") for n in range(20)))
    reading.has(pod("stateless", node="node-x"))
    busy = most = 0
    get = reading.api.get

    async def counted(path, **options):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        try:
            await asyncio.sleep(0)
            return await get(path, **options)
        finally:
            busy -= 1

    reading.api.get = counted
    await reading.poller.look()
    assert most == kubelet.AT_ONCE
    assert {request.path.split("/")[4] for request in reading.server.requests} == {f"node-{n}" for n in range(20)}


async def test_what_is_mounted_no_more_is_forgotten_in_the_end(reading):
    reading.has(claim("a"), pod("p", "a"))
    reading.server.summaries["node-1"] = summary(volume("a", GI))
    await reading.poller.look()
    reading.book.drain()
    reading.store.remove("pods", "uid-p")
    await reading.poller.look()
    assert isinstance(reading.book.get("ns", "a"), Usage)
    reading.clock.now += TOO_OLD + 1
    await reading.poller.look()
    assert reading.book.drain() == {("ns", "a")}
    assert reading.book.get("ns", "a") == "not mounted by any pod"


async def test_nonsense_from_a_node_is_a_reason(reading):
    reading.has(claim("a"), pod("p", "a"))
    reading.server.fail("/api/v1/nodes", 200, {"pods": "many"})
    await reading.poller.look()
    assert reading.book.get("ns", "a") == "node-1 answered nonsense"


@pytest.mark.parametrize(
    ("cause", "evidence", "expected"),
    [
        (Cause.SERVER, "address not allowed", "API server refuses to proxy to n: address not allowed"),
        (
            Cause.REJECTED,
            'Get "https://127.0.0.1": proxy not allowed',
            "API server refuses to proxy to n: address not allowed",
        ),
        (Cause.SERVER, "error trying to reach service: dial tcp: no route", "API server cannot reach n"),
        (Cause.TIMEOUT, "", "no answer from n"),
        (Cause.UNREACHABLE, "refused", "the API server does not answer"),
        (Cause.CREDENTIALS, "", "credentials not accepted"),
        (Cause.ABSENT, 'nodes "n" not found', "node n is gone"),
        (Cause.ABSENT, "404 page not found", "n has no stats/summary"),
        (Cause.SERVER, "boom", "n: boom"),
    ],
)
def test_reasons_in_few_words(cause, evidence, expected):
    assert reason_of("n", Problem(cause, "x", evidence)) == expected
