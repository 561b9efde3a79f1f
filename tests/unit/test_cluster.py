"""A whole cluster: order, rights, custom resources, outages."""

import asyncio
import time

import pytest
from aiohttp import web
from fake_api import FakeApi, FakeResource, status
from watching import Running

from tui.kube import cluster as module
from tui.kube import watchdog as watchdog_module
from tui.kube.feeds import Phase
from tui.kube.objects import Object
from tui.kube.reflector import Reflector
from tui.kube.resources import BUILT_IN, CLAIMS, PODS, STATEFULSETS, custom
from tui.kube.store import Store
from tui.kube.watchdog import Watchdog
from tui.problem import Cause, Problem, ProblemError

RABBITS = custom("rabbitmq.com", "rabbitmqclusters", "RabbitmqCluster", ("v1beta1",))
SHOPS = custom("postgresql.cnpg.io", "clusters", "Cluster", ("v1",))
RABBIT_CRD = FakeResource("rabbitmq.com", "v1beta1", "rabbitmqclusters", "RabbitmqCluster")


@pytest.fixture
async def server():
    async with FakeApi() as server:
        for namespace in ("default", "one", "two"):
            server.put("namespaces", {"metadata": {"name": namespace}})
            server.put("pods", {"metadata": {"name": f"pod-{namespace}", "namespace": namespace}})
            server.put("statefulsets", {"metadata": {"name": f"set-{namespace}", "namespace": namespace}})
        yield server


@pytest.fixture
def hurried(monkeypatch):
    """A watchdog that is a hundred times less patient."""
    monkeypatch.setattr(
        watchdog_module.Watchdog.__init__, "__kwdefaults__", {"beat": 0.1, "patience": 0.1, "urgent": 0.05}
    )


def grant(*namespaces, verbs=("get", "list", "watch"), resources=("*",)):
    return [{"verbs": list(verbs), "resources": list(resources), "namespace": namespace} for namespace in namespaces]


async def everything_live(r):
    await r.until(lambda: len(r.cluster.feeds) == len(BUILT_IN))
    await r.until(lambda: all(feed.phase is Phase.LIVE for feed in r.cluster.feeds.values()))


async def test_the_whole_cluster(server):
    async with Running(server) as r:
        await r.complete()
        assert r.names(PODS) == {"pod-default", "pod-one", "pod-two"}
        assert r.cluster.connection.state == "live"
        assert r.cluster.scope.text == "all namespaces"
        await everything_live(r)
        await r.until(lambda: r.cluster.server_version == "v1.36.3")
        assert await r.cluster.namespaces() == ["default", "one", "two"]
        assert "secrets" not in {key for key, _ in r.cluster.feeds}
    assert not [request for request in server.requests if "secret" in request.path or "selfsubject" in request.path]


def streamed_and_listed(server):
    streamed = {request.path.rpartition("/")[2] for request in server.requests if "sendInitialEvents" in request.query}
    listed = {request.path.rpartition("/")[2] for request in server.requests if "watch" not in request.query}
    return streamed, listed


async def test_everything_comes_as_watchlists_where_the_server_has_them(server):
    async with Running(server) as r:
        await r.complete()
        await everything_live(r)
    streamed, listed = streamed_and_listed(server)
    assert streamed == {resource.plural for resource in BUILT_IN}
    assert not streamed & listed


async def test_over_a_thin_line_everything_comes_as_lists_which_are_compressed(server):
    async with Running(server, low_bandwidth=True) as r:
        await r.complete()
        await everything_live(r)
    streamed, listed = streamed_and_listed(server)
    assert streamed == set()
    assert listed >= {resource.plural for resource in BUILT_IN}


async def test_what_the_first_table_needs_is_asked_for_first(server):
    server.latency = 0.05
    async with Running(server) as r:
        await r.complete()
    order = [request.path.split("/")[-1] for request in server.requests]
    assert set(order[:6]) == {
        "statefulsets",
        "pods",
        "persistentvolumeclaims",
        "deployments",
        "replicasets",
        "daemonsets",
    }


async def test_a_chosen_namespace_is_all_that_is_watched(server):
    async with Running(server, namespace="one") as r:
        await r.complete()
        await r.until(lambda: len(r.cluster.feeds) == len(BUILT_IN))
        assert r.names(PODS) == {"pod-one"}
        assert r.cluster.scope.namespaces == ("one",)
        assert r.cluster.scope.asked
        assert all(feed.namespace == ("one" if feed.resource.namespaced else None) for feed in r.cluster.feeds.values())


async def test_refused_cluster_wide_it_watches_the_namespaces_one_may_read(server):
    server.rules = [*grant("one", "two"), {"verbs": ["list"], "resources": ["namespaces"]}]
    async with Running(server) as r:
        await r.complete()
        await r.until(lambda: r.names(PODS) == {"pod-one", "pod-two"})
        assert r.cluster.scope.namespaces == ("one", "two")
        assert 'cannot list resource "' in r.cluster.scope.reason
        connection = r.cluster.connection
        assert connection.state == "live"
        assert "in all namespaces" in connection.detail
        assert "2 namespaces: one, two" in connection.detail
        await r.until(lambda: ("events", "two") in r.cluster.feeds)
        assert ("pods", None) not in r.cluster.feeds
    reviews = [request for request in server.requests if "selfsubject" in request.path]
    assert len(reviews) == 3, "one question for each namespace, however many resources"


async def test_where_namespaces_cannot_be_listed_the_contexts_own_is_watched(server):
    server.rules = grant("one")
    async with Running(server, context_namespace="one") as r:
        await r.complete()
        await r.until(lambda: r.names(PODS) == {"pod-one"})
        assert r.cluster.connection.state == "live"
        assert "namespace one" in r.cluster.connection.detail
        assert await r.cluster.namespaces() == ["one"]


async def test_one_resource_may_be_refused_alone(server):
    server.rules = [
        {"verbs": ["*"], "resources": [r.plural for r in BUILT_IN if r is not CLAIMS] + ["namespaces"]},
        *grant("two", resources=["persistentvolumeclaims"]),
    ]
    async with Running(server) as r:
        await r.complete()
        await r.until(lambda: ("persistentvolumeclaims", "two") in r.cluster.feeds)
        assert r.cluster.feeds["pods", None].phase is Phase.LIVE
        assert "no right to list persistentvolumeclaims in all namespaces" in r.cluster.connection.detail


async def test_no_rights_at_all_is_said_and_settles(server):
    server.rules = []
    async with Running(server) as r:
        await r.complete()
        connection = r.cluster.connection
        assert connection.state == "failed"
        assert connection.problem.cause is Cause.FORBIDDEN
        assert "no right to list anything" in connection.detail
        await r.until(lambda: len(r.cluster.feeds) == len(BUILT_IN))
        await r.until(lambda: all(feed.phase is Phase.FORBIDDEN for feed in r.cluster.feeds.values()))
        await r.until(lambda: r.cluster.server_version != "")
        count = len(server.requests)
        await asyncio.sleep(0.3)
        assert [q.path for q in server.requests[count:]] == []


async def test_rights_that_are_granted_later_are_taken_up_on_demand(server):
    server.rules = grant("one")
    async with Running(server, context_namespace="one") as r:
        await r.until(lambda: r.names(PODS) == {"pod-one"})
        await r.complete()
        server.rules = None
        r.cluster.retry_now()
        await r.until(lambda: r.names(PODS) == {"pod-default", "pod-one", "pod-two"})
        await r.until(lambda: r.names(STATEFULSETS) == {"set-default", "set-one", "set-two"})
        await r.until(lambda: r.cluster.scope.namespaces is None)
        assert ("pods", "one") not in r.cluster.feeds
        assert not [change for change in r.changes if change.new is None], "something flickered"


async def test_a_namespace_that_is_lost_disappears(server):
    server.rules = [*grant("one", "two"), {"verbs": ["list"], "resources": ["namespaces"]}]
    async with Running(server) as r:
        await r.until(lambda: r.names(PODS) == {"pod-one", "pod-two"})
        await r.complete()
        server.rules = [*grant("two"), {"verbs": ["list"], "resources": ["namespaces"]}]
        r.cluster.retry_now()
        await r.until(lambda: r.names(PODS) == {"pod-two"})
        await r.until(lambda: r.cluster.scope.namespaces == ("two",))


async def test_custom_resources_are_watched_when_their_definition_exists(server):
    server.add_resource(RABBIT_CRD)
    server.put("rabbitmqclusters", {"metadata": {"name": "orders"}, "spec": {"replicas": 3}})
    async with Running(server, customs=[RABBITS, SHOPS]) as r:
        await r.complete()
        assert r.names(RABBITS) == {"orders"}
        assert ("clusters.postgresql.cnpg.io", None) not in r.cluster.feeds
    assert not [request for request in server.requests if "cnpg" in request.path]


async def test_a_definition_that_appears_is_found_on_demand(server):
    async with Running(server, customs=[RABBITS]) as r:
        await r.complete()
        server.add_resource(RABBIT_CRD)
        server.put("rabbitmqclusters", {"metadata": {"name": "orders"}})
        r.cluster.retry_now()
        await r.until(lambda: r.names(RABBITS) == {"orders"})


async def test_where_discovery_fails_the_custom_resources_are_asked_for_themselves(server):
    server.add_resource(RABBIT_CRD)
    server.put("rabbitmqclusters", {"metadata": {"name": "orders"}})
    special = server._special

    async def broken(request):
        if request.path in ("/api", "/apis"):
            return web.Response(status=500, text="broken")
        return await special(request)

    server._special = broken
    async with Running(server, customs=[RABBITS, SHOPS]) as r:
        await r.complete()
        await r.until(lambda: r.names(RABBITS) == {"orders"})
        await r.until(lambda: r.cluster.feeds[SHOPS.key, None].phase is Phase.ABSENT)


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_broken_custom_resource_hides_nothing_else(server, monkeypatch, how):
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    server.add_resource(RABBIT_CRD)
    resource = server._resource

    async def broken(request, *, watching):
        if "rabbitmqclusters" in request.path:
            if how == "hangs":
                await asyncio.sleep(60)
            return web.json_response(status(500, "InternalError", "conversion webhook failed"), status=500)
        return await resource(request, watching=watching)

    server._resource = broken
    async with Running(server, customs=[RABBITS]) as r:
        began = time.monotonic()
        await r.complete()
        assert time.monotonic() - began >= 0.3
        connection = r.cluster.connection
        assert connection.state == "live"
        assert "rabbitmqclusters.rabbitmq.com cannot be read" in connection.detail
        if how == "fails":
            assert "conversion webhook failed" in connection.detail
        assert r.names(PODS) == {"pod-default", "pod-one", "pod-two"}
        server._resource = resource
        server.put("rabbitmqclusters", {"metadata": {"name": "orders"}})
        if how == "fails":
            r.cluster.retry_now()
            await r.until(lambda: r.names(RABBITS) == {"orders"})
            assert r.cluster.connection.detail == ""


async def test_without_pods_nothing_is_complete_and_the_connection_says_why(server, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    server.fail("/api/v1/pods", 500)
    async with Running(server) as r:
        await r.until(lambda: r.cluster.connection.problem is not None and r.names(STATEFULSETS))
        await asyncio.sleep(0.3)
        assert not r.cluster.complete
        assert r.cluster.connection.state == "connecting"
        assert "/api/v1/pods" in r.cluster.connection.problem.what
        server.heal()
        await r.complete()
        assert r.cluster.connection.problem is None


async def test_a_server_that_is_down_at_first_is_told_and_found_when_it_comes(server):
    server.add_resource(RABBIT_CRD)
    server.put("rabbitmqclusters", {"metadata": {"name": "orders"}})
    await server.stop()
    async with Running(server, customs=[RABBITS]) as r:
        await r.state("failed")
        assert r.cluster.connection.problem.cause is Cause.UNREACHABLE
        await asyncio.sleep(1)
        assert not r.cluster.complete
        await server.start()
        await r.complete()
        assert r.names(RABBITS) == {"orders"}, "complete without what discovery would have found"
        assert r.cluster.connection.state == "live"
        assert r.names(PODS) == {"pod-default", "pod-one", "pod-two"}


@pytest.mark.alone
async def test_killed_and_restarted_it_is_stale_and_live_again_and_equal(server):
    async with Running(server) as r:
        await r.complete()
        await r.state("live")
        await server.stop()
        await r.state("stale")
        stale = r.cluster.connection
        assert stale.problem.cause is Cause.UNREACHABLE
        assert r.names(PODS) == {"pod-default", "pod-one", "pod-two"}
        server.delete("pods", "pod-one", "one")
        server.put("pods", {"metadata": {"name": "new", "namespace": "two"}})
        await asyncio.sleep(1.5)
        assert r.cluster.connection.since == stale.since
        began = time.monotonic()
        await server.start()
        await r.state("live")
        assert time.monotonic() - began < 3
        await r.until(lambda: r.names(PODS) == {"pod-default", "pod-two", "new"})


async def test_a_frozen_server_is_stale_and_live_again_without_a_new_list(server, hurried):
    async with Running(server) as r:
        await everything_live(r)
        listed = len([q for q in server.requests if "sendInitialEvents" in q.query])
        server.freeze()
        server.put("pods", {"metadata": {"name": "meanwhile", "namespace": "one"}})
        await r.state("stale")
        connection = r.cluster.connection
        assert "nothing heard since" in connection.problem.evidence
        assert connection.since <= time.time()
        assert all(feed.phase is Phase.STALE for feed in r.cluster.feeds.values())
        server.thaw()
        await r.state("live")
        await r.until(lambda: "meanwhile" in r.names(PODS))
        assert all(feed.phase is Phase.LIVE for feed in r.cluster.feeds.values())
        assert len([q for q in server.requests if "sendInitialEvents" in q.query]) == listed
        assert set(_net(r.changes).values()) == {1}


def _net(changes):
    counted = {}
    for change in changes:
        uid = (change.new or change.old).uid
        counted[uid] = counted.get(uid, 0) + (change.old is None) - (change.new is None)
    return counted


async def test_connections_that_died_unnoticed_are_opened_anew_after_a_silence(server, hurried):
    async with Running(server) as r:
        await r.complete()
        await r.until(lambda: len(server.watchers) == len(BUILT_IN))
        dead = list(server.watchers)
        server.freeze()
        await r.state("stale")
        server.watchers.clear()  # what happens from now on never reaches them
        server.put("pods", {"metadata": {"name": "late"}})
        server.watchers.extend(dead)
        server.thaw()
        await r.until(lambda: "late" in r.names(PODS))
        await r.state("live")


async def test_a_stale_connection_names_the_moment_when_the_server_was_last_heard(server, hurried):
    async with Running(server) as r:
        await everything_live(r)
        frozen = time.time()
        server.freeze()
        await r.state("stale")
        assert abs(r.cluster.connection.since - frozen) < 0.5


class Still:
    """A server that answers some requests."""

    def __init__(self):
        self.answers = []
        self.asked = 0

    async def get(self, path, **_):
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else b"ok"
        if isinstance(answer, ProblemError):
            raise answer
        return answer

    def stream(self, path, *, params, read_timeout):
        raise NotImplementedError


def refusal(cause):
    return ProblemError(Problem(cause, "x"))


@pytest.mark.parametrize("cause", [Cause.FORBIDDEN, Cause.ABSENT, Cause.SERVER, Cause.CREDENTIALS, Cause.THROTTLED])
async def test_any_answer_is_a_sign_of_life(cause):
    server = Still()
    server.answers = [refusal(cause)] * 4
    dog = Watchdog(server, list, lambda: None)
    for _ in range(4):
        await dog._ask()
    assert dog.problem is None


async def test_one_request_without_answer_is_not_yet_a_silence():
    server = Still()
    server.answers = [refusal(Cause.TIMEOUT), b"ok", refusal(Cause.TIMEOUT), refusal(Cause.TIMEOUT)]
    dog = Watchdog(server, list, lambda: None)
    await dog._ask()
    assert dog.problem is None
    await dog._ask()
    await dog._ask()
    assert dog.problem is None
    await dog._ask()
    assert dog.problem is not None


class Spy(Reflector):
    """A reflector that only notes that it was told to open its watch anew."""

    def __init__(self):
        super().__init__(Still(), PODS, None, Store())
        self.recycled = 0

    following = True

    def recycle(self):
        self.recycled += 1


async def test_watches_without_any_byte_are_opened_anew():
    spy = Spy()
    dog = Watchdog(Still(), lambda: [spy], lambda: None)
    dog._look_at_quiet()
    assert spy.recycled == 0
    spy.state.heard -= watchdog_module.QUIET + 1
    dog._look_at_quiet()
    assert spy.recycled == 1


async def test_only_a_clock_that_leaps_ahead_means_that_the_machine_slept(monkeypatch):
    spy = Spy()
    dog = Watchdog(Still(), lambda: [spy], lambda: None)
    real, offset = time.time, -7200.0
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    dog._look_at_clocks()
    assert spy.recycled == 0
    offset = 600.0
    dog._look_at_clocks()
    assert spy.recycled == 1
    dog._look_at_clocks()
    assert spy.recycled == 1


async def test_listeners_are_told_once_for_many_changes(server):
    async with Running(server) as r:
        calls = []
        r.cluster.on_feed.append(lambda: calls.append(1))
        for _ in range(50):
            r.cluster._changed()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(calls) == 1


async def test_cancelling_ends_everything(server):
    async with Running(server) as r:
        await r.complete()
    assert r.task.cancelled()
    others = [task for task in asyncio.all_tasks() if (task.get_name() or "").startswith("watch ")]
    assert others == []


def test_needed_is_a_subset_of_what_is_built_in():
    assert set(module.NEEDED) <= set(BUILT_IN)
    assert all(isinstance(resource.struct(), Object) for resource in BUILT_IN)


async def test_a_misspelt_namespace_is_told_and_found_when_it_is_created(server, monkeypatch):
    monkeypatch.setattr("tui.kube.presence.SOON", 0.05)
    async with Running(server, namespace="twoo") as r:
        await r.until(lambda: r.cluster.lookout.presence is not None)
        assert r.cluster.lookout.presence.exists is False
        assert r.cluster.lookout.presence.near == ("two",)
        server.put("namespaces", {"metadata": {"name": "twoo"}})
        await r.until(lambda: r.cluster.lookout.presence.exists is True)


async def test_where_single_namespaces_may_not_be_read_the_list_tells(server):
    server.rules = [*grant("one"), {"verbs": ["list"], "resources": ["namespaces"]}]
    async with Running(server, namespace="one") as r:
        await r.until(lambda: r.cluster.lookout.presence is not None)
        assert r.cluster.lookout.presence.exists is True
    server.rules = grant("one")
    async with Running(server, namespace="one") as r:
        await r.until(lambda: r.cluster.lookout.presence is not None)
        assert r.cluster.lookout.presence.exists is None
        assert "forbidden" in r.cluster.lookout.presence.reason


async def test_nobody_looks_for_a_namespace_that_nobody_asked_for(server):
    async with Running(server) as r:
        await everything_live(r)
        assert r.cluster.lookout is None
    assert not [request for request in server.requests if "/namespaces" in request.path]
