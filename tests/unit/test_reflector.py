"""Every way in which a list or a watch can go wrong, against a server that really speaks HTTP."""

import asyncio
import contextlib
import logging
import time

import pytest
from fake_api import FakeApi, FakeResource, status
from watching import Watching

from tui.kube import reflector as module
from tui.kube.backoff import Backoff
from tui.kube.feeds import Phase
from tui.kube.objects import Pod
from tui.kube.reflector import Reflector
from tui.kube.resources import ENDPOINTSLICES, PODS, STATEFULSETS
from tui.kube.server import Habits
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError


def pod(name, namespace="default", **meta):
    return {"metadata": {"name": name, "namespace": namespace, **meta}, "status": {"phase": "Running"}}


@pytest.fixture
async def server():
    async with FakeApi() as server:
        server.put("pods", pod("a"))
        server.put("pods", pod("b"))
        yield server


def asked(server, **query):
    """The requests for pods with these query parameters (None: without them)."""
    return [
        request
        for request in server.requests
        if request.path.endswith("/pods") and all(request.query.get(key) == value for key, value in query.items())
    ]


# --- the first list


async def test_a_streamed_list_goes_on_as_the_watch(server):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        assert w.names() == {"a", "b"}
        server.put("pods", pod("c"))
        await w.holds("a", "b", "c")
        server.delete("pods", "a")
        await w.holds("b", "c")
        server.put("pods", {**pod("b"), "status": {"phase": "Failed"}})
        await w.until(lambda: w.store.named("pods", "default", "b", Pod).status.phase == "Failed")
        assert w.feed.count == 2
    assert len(server.requests) == 1
    assert asked(server)[0].query["resourceVersion"] == "0"


async def test_where_lists_cannot_be_streamed_it_lists_and_remembers(server):
    server.watch_list = "reject"
    habits = Habits()
    async with Watching(server, habits=habits) as w:
        await w.phase(Phase.LIVE)
        assert w.names() == {"a", "b"}
        server.put("pods", pod("c"))
        await w.holds("a", "b", "c")
    assert habits.streams_lists is False
    server.requests.clear()
    async with Watching(server, STATEFULSETS, habits=habits) as w:
        await w.phase(Phase.LIVE)
    assert not [request for request in server.requests if "sendInitialEvents" in request.query]


async def test_a_server_that_ignores_the_wish_for_a_streamed_list_is_found_out(server, monkeypatch):
    monkeypatch.setattr(module, "STREAM_PATIENCE", 0.1)
    server.watch_list = "ignore"
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        assert w.names() == {"a", "b"}
        assert w.habits.streams_lists is False
    assert asked(server, watch=None)


async def test_a_bookmark_without_the_mark_of_the_end_means_that_lists_are_not_streamed(server):
    server.watch_list = "ignore"
    async with Watching(server) as w:
        await server.wait_for_watches()
        server.send_bookmarks()
        await w.phase(Phase.LIVE)
        assert w.names() == {"a", "b"}
        assert w.habits.streams_lists is False


async def test_a_streamed_list_that_breaks_off_leaves_the_store_untouched_and_starts_again(server):
    server.watch_list = "ignore"
    async with Watching(server) as w:
        await server.wait_for_watches()
        server.drop_watches()
        await w.until(lambda: w.feed.problem is not None)
        assert w.feed.phase is Phase.LISTING
        assert w.names() == set()
        server.watch_list = "on"
        await w.holds("a", "b")
        await w.phase(Phase.LIVE)
        assert w.feed.problem is None


async def test_pages_are_followed_and_an_expired_page_leads_to_one_whole_list(server, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 10)
    server.watch_list = "reject"
    wanted = {"a", "b"} | {f"p{n:02d}" for n in range(33)}
    for name in wanted:
        server.put("pods", pod(name))
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        assert w.names() == wanted
    assert len([request for request in asked(server, watch=None) if "continue" in request.query]) == 3

    server.requests.clear()
    expired = {**status(410, "Expired", "The provided continue parameter is too old")}
    fetch = server._list

    def list_or_expire(request, resource, namespace):
        if "continue" in request.query:
            server.rest(request.query["continue"])
        return fetch(request, resource, namespace)

    monkeypatch.setattr(server, "_list", list_or_expire)
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        assert w.names() == wanted
    assert expired["code"] == 410
    assert [request.query.get("limit") for request in asked(server, watch=None)][-1] is None


@pytest.mark.parametrize("how", ["on", "reject"])
async def test_a_huge_list_leaves_the_loop_its_turns(how, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 100_000)
    async with FakeApi() as server:
        server.watch_list = how
        padding = {"filler": "x" * 2000}
        for number in range(5000):
            server.put("pods", {**pod(f"p{number}"), "spec": {"containers": [{"name": "c", "env": [padding]}]}})
        turns = 0
        async with Watching(server) as w:

            async def count_turns():
                nonlocal turns
                while w.feed.phase is not Phase.LIVE:
                    turns += 1
                    await asyncio.sleep(0)

            counts = []
            w.reflector.state._notify = lambda: (counts.append(w.feed.count), w.told.set())
            counting = asyncio.create_task(count_turns())
            await w.until(lambda: w.feed.phase is Phase.LIVE, 60)
            await counting
            assert w.feed.count == 5000
        assert turns > 10
        assert any(0 < count < 5000 for count in counts), "the growing list was not shown"


# --- resuming


@pytest.mark.parametrize("how", ["drop", "end", "cut", "cut cleanly"])
async def test_an_interrupted_watch_is_resumed_without_loss_or_doubling(server, how):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        for number in range(20):
            server.put("pods", pod(f"p{number}"))
            await server.wait_for_watches()
            if number % 5 == 4:
                match how:
                    case "drop":
                        server.drop_watches()
                    case "end":
                        server.end_watches()
                    case "cut":
                        server.cut_watches()
                    case "cut cleanly":
                        server.cut_watches(clean=True)
                server.delete("pods", f"p{number - 1}")
                server.put("pods", pod(f"p{number - 2}", labels={"changed": "yes"}))
            await w.until(lambda number=number: f"p{number}" in w.names())
        await w.until(lambda: w.names() == {"a", "b"} | {f"p{n}" for n in range(20) if n % 5 != 3})
        await w.phase(Phase.LIVE)
        assert all(pod.metadata.labels for pod in w.store.all("pods", Pod) if pod.name in {"p2", "p7", "p12", "p17"})
        assert set(w.net().values()) <= {0, 1}
    assert len(asked(server, sendInitialEvents="true")) == 1, "it was listed again"
    assert not asked(server, watch=None)


async def test_a_watch_that_ends_in_good_order_is_never_shown_stale(server):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        for name in ("c", "d"):
            server.put("pods", pod(name))
            await w.until(lambda name=name: name in w.names())
            server.end_watches()
            await server.wait_for_watches()
        server.put("pods", pod("e"))
        await w.holds("a", "b", "c", "d", "e")
        assert w.phases == [Phase.LISTING, Phase.LIVE]


async def test_a_dead_server_makes_it_stale_and_what_is_held_stays(server):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        before = w.feed.since
        await server.stop()
        await w.phase(Phase.STALE)
        assert w.feed.problem.cause is Cause.UNREACHABLE
        assert w.names() == {"a", "b"}
        assert w.feed.since >= before
        server.put("pods", pod("c"))
        server.delete("pods", "a")
        await server.start()
        await w.holds("b", "c")
        await w.phase(Phase.LIVE)
        assert w.feed.problem is None
    assert len(asked(server, sendInitialEvents="true")) == 1


@pytest.mark.parametrize("gone", ["status", "event"])
async def test_an_expired_version_in_both_forms_leads_to_a_new_list(server, gone):
    server.gone = gone
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        fault = server.fail("/api/v1/pods", 503, watch=True)
        server.drop_watches()
        await w.phase(Phase.STALE)
        uid = w.store.named("pods", "default", "b", Pod).uid
        server.delete("pods", "a")
        server.delete("pods", "b")
        server.put("pods", pod("b"))
        server.put("pods", pod("c"))
        server.compact()
        server.faults.remove(fault)
        await w.until(lambda: w.names() == {"b", "c"})
        await w.phase(Phase.LIVE)
        assert w.store.named("pods", "default", "b", Pod).uid != uid
        assert w.net()[uid] == 0, "the consumer was not told that the former one is gone"
    assert asked(server, sendInitialEvents="true")[-1].query["resourceVersion"] == "", (
        "an old cache could be served again"
    )


async def test_bookmarks_move_the_position_on(server):
    async with Watching(server, STATEFULSETS) as w:
        await w.phase(Phase.LIVE)
        for number in range(5):
            server.put("pods", pod(f"p{number}"))
        server.send_bookmarks("statefulsets")
        server.put("statefulsets", {"metadata": {"name": "s"}})
        await w.holds("s")
        server.compact()
        server.end_watches()
        server.put("statefulsets", {"metadata": {"name": "t"}})
        await w.holds("s", "t")
    assert len([request for request in server.requests if "sendInitialEvents" in request.query]) == 1


# --- nonsense


async def test_an_unknown_type_is_skipped_and_noted(server, caplog):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        with caplog.at_level(logging.WARNING):
            server.send_event("RENAMED", {"metadata": {"name": "x", "uid": "x"}})
            server.put("pods", pod("c"))
            await w.holds("a", "b", "c")
        assert "RENAMED" in caplog.text
        assert w.phases == [Phase.LISTING, Phase.LIVE]
    assert len(server.requests) == 1


async def test_lines_that_make_no_sense_lead_to_a_list_and_never_to_a_loop(server):
    async with Watching(server, backoff=Backoff(0.05, 1)) as w:
        await w.phase(Phase.LIVE)
        async with asyncio.timeout(10):
            while not len(asked(server, sendInitialEvents="true")) > 1:
                await server.wait_for_watches()
                server.send_raw(b'{"type":"ADDED","object":{"metadata":{"name": what\n')
                await w.until(lambda: w.feed.problem is not None or w.feed.phase is Phase.LIVE)
                await asyncio.sleep(0.01)
        assert Phase.STALE in w.phases
        await w.phase(Phase.LIVE)
        server.put("pods", pod("c"))
        await w.holds("a", "b", "c")
    assert len(server.requests) < 12


async def test_an_error_event_is_waited_out_and_the_watch_resumed(server):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        server.send_event("ERROR", status(500, "InternalError", "etcdserver: leader changed"))
        await w.until(lambda: Phase.STALE in w.phases)
        server.put("pods", pod("c"))
        await w.holds("a", "b", "c")
        await w.phase(Phase.LIVE)
    assert len(asked(server, sendInitialEvents="true")) == 1


async def test_html_in_place_of_json_is_told_and_does_not_spin(server):
    server.fail("/api/v1/pods", 200, "<html><body>Please log in</body></html>")
    async with Watching(server, backoff=Backoff(0.05, 0.2)) as w:
        await w.until(lambda: w.feed.problem is not None)
        assert w.feed.phase is Phase.LISTING
        assert w.feed.problem.cause is Cause.PROTOCOL
        assert "log in" in w.feed.problem.evidence
        await asyncio.sleep(0.5)
        assert len(server.requests) <= 10
        server.heal()
        await w.phase(Phase.LIVE)


async def test_a_table_is_not_a_list(server):
    server.watch_list = "reject"
    server.fail("/api/v1/pods", 200, {"kind": "Table", "rows": []}, watch=False)
    async with Watching(server) as w:
        await w.until(lambda: w.feed.problem is not None)
        assert w.feed.problem.cause is Cause.PROTOCOL
        assert "Table" in w.feed.problem.what
        server.heal()
        await w.phase(Phase.LIVE)


async def test_an_object_with_an_odd_field_is_kept_with_its_metadata(server, caplog):
    server.put("pods", {"metadata": {"name": "odd"}, "spec": {"containers": "none of your business"}})
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        assert w.names() == {"a", "b", "odd"}
        assert "odd" in caplog.text
        server.put("pods", {"metadata": {"name": "odder"}, "status": 7})
        await w.holds("a", "b", "odd", "odder")


# --- refusals


@pytest.mark.parametrize("retry_after", [0.4])
async def test_retry_after_is_honoured(server, retry_after):
    server.fail("/api/v1/pods", 429, headers={"Retry-After": str(retry_after)}, times=1)
    began = time.monotonic()
    async with Watching(server) as w:
        await w.until(lambda: w.feed.problem is not None)
        assert w.feed.problem.cause is Cause.THROTTLED
        await w.phase(Phase.LIVE)
    assert time.monotonic() - began >= retry_after
    assert len(server.requests) == 2


async def test_server_errors_are_waited_out(server):
    server.fail("/api/v1/pods", 500, times=3)
    async with Watching(server) as w:
        await w.until(lambda: w.feed.problem is not None)
        assert w.feed.phase is Phase.LISTING
        await w.phase(Phase.LIVE)
    assert len(server.requests) == 4


async def test_list_without_watch_is_polled(server, monkeypatch):
    monkeypatch.setattr(module, "POLL", 0.05)
    server.rules = [{"verbs": ["list"], "resources": ["pods"]}]
    async with Watching(server) as w:
        await w.phase(Phase.POLLING)
        assert w.names() == {"a", "b"}
        since = w.feed.since
        server.put("pods", pod("c"))
        server.delete("pods", "a")
        await w.holds("b", "c")
        assert w.feed.since == since
        assert set(w.phases) == {Phase.LISTING, Phase.POLLING}
        await server.stop()
        await w.phase(Phase.STALE)
        await server.start()
        await w.phase(Phase.POLLING)
        server.rules = None
        w.reflector.retry_now()
        await w.phase(Phase.LIVE)
        server.put("pods", pod("d"))
        await w.holds("b", "c", "d")


async def test_forbidden_is_settled_and_tried_again_on_demand_only(server):
    server.rules = []
    async with Watching(server) as w:
        await w.phase(Phase.FORBIDDEN)
        assert w.feed.settled
        assert 'cannot list resource "pods"' in w.feed.problem.evidence
        count = len(server.requests)
        w.reflector.kick()  # the server came back: no reason to ask for what is forbidden
        await asyncio.sleep(0.1)
        assert len(server.requests) == count
        server.rules = None
        w.reflector.retry_now()
        await w.phase(Phase.LIVE)


async def test_a_right_that_is_taken_away_leaves_what_was_seen_marked_stale(server):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        server.rules = []
        server.end_watches()
        await w.phase(Phase.STALE)
        assert w.feed.problem.cause is Cause.FORBIDDEN
        assert w.names() == {"a", "b"}


async def test_absent_until_it_is_there(server):
    del server.resources["endpointslices"]
    async with Watching(server, ENDPOINTSLICES) as w:
        await w.phase(Phase.ABSENT)
        assert w.feed.settled
        assert {request.path.split("/")[3] for request in server.requests} == {"v1", "v1beta1"}
        server.add_resource(FakeResource("discovery.k8s.io", "v1beta1", "endpointslices", "EndpointSlice"))
        server.put("endpointslices", {"metadata": {"name": "s"}, "endpoints": None})
        w.reflector.retry_now()
        await w.phase(Phase.LIVE)
        assert w.names() == {"s"}
        del server.resources["endpointslices"]
        server.end_watches()
        await w.phase(Phase.ABSENT)
        assert w.names() == set()


# --- time


async def test_a_clock_that_is_set_back_changes_nothing(server, monkeypatch):
    real, offset = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        offset = -86_400.0
        server.fail("/api/v1/pods", 503, times=2)
        server.drop_watches()
        await w.until(lambda: Phase.STALE in w.phases)
        await w.phase(Phase.LIVE)
        server.put("pods", pod("c"))
        await w.holds("a", "b", "c")
        assert w.feed.since == pytest.approx(time.time(), abs=5)


class Scripted:
    """A server whose watches end at once."""

    def __init__(self):
        self.opened = 0

    async def get(self, path, **_):
        raise ProblemError(Problem(Cause.SERVER, "no lists"))

    @contextlib.asynccontextmanager
    async def stream(self, path, *, params, read_timeout):
        self.opened += 1

        async def lines():
            if "sendInitialEvents" in params:
                yield [
                    b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5",'
                    b'"annotations":{"k8s.io/initial-events-end":"true"}}}}'
                ]

        yield lines()


async def test_watches_that_end_at_once_do_not_spin():
    server = Scripted()
    reflector = Reflector(server, PODS, None, Store(), backoff=Backoff(0.05, 1))
    task = asyncio.create_task(reflector.run())
    await asyncio.sleep(0.5)
    task.cancel()
    assert 3 <= server.opened <= 8
    assert reflector.feed.phase is Phase.STALE


async def test_a_defect_is_told_and_survived(server, monkeypatch):
    async with Watching(server) as w:
        await w.phase(Phase.LIVE)
        put = w.store.put
        monkeypatch.setattr(w.store, "put", lambda *_: 1 / 0)
        server.put("pods", pod("c"))
        await w.phase(Phase.STALE)
        assert w.feed.problem.cause is Cause.INTERNAL
        monkeypatch.setattr(w.store, "put", put)
        await w.holds("a", "b", "c")
        await w.phase(Phase.LIVE)
