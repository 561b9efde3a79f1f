"""Watching a cluster whose components are killed, stopped and made to forget: stale, live again, and equal."""

import asyncio
import contextlib
import logging
import time

import pytest

from tests.contract.watch import Watch
from tui.kube.feeds import Phase
from tui.kube.objects import Object
from tui.kube.resources import BUILT_IN, CLAIMS, EVENTS, NODES, PODS
from tui.problem import Cause

#: A resource that statetui watches and that nothing but the tests changes here.
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "no-such-class",
        "resources": {"requests": {"storage": "1Mi"}},
    },
}


def claims(cluster, namespace, *names):
    cluster.admin.apply(*({**CLAIM, "metadata": {"name": name, "namespace": namespace}} for name in names))


def names(watch, resource, namespace):
    return {item.name for item in watch.cluster.store.in_namespace(resource.key, namespace, Object)}


async def all_live(watch):
    await watch.settled()
    await watch.until(lambda: {feed.phase for feed in watch.cluster.feeds.values()} == {Phase.LIVE})


async def all_equal(watch):
    for resource in BUILT_IN:
        if resource not in (EVENTS, NODES):
            await watch.equals_server(resource)


@pytest.mark.alone
async def test_an_api_server_that_is_killed_and_restarted(faults, namespace):
    async with Watch(faults) as watch:
        await all_live(watch)
        held = watch.held(PODS)
        faults.kill_api_server()
        await watch.state("stale", 5)
        assert watch.cluster.connection.problem.cause is Cause.UNREACHABLE
        assert watch.held(PODS) == held
        await asyncio.to_thread(faults.up)
        answered = time.monotonic()
        await watch.state("live", 30)
        await all_live(watch)
        assert time.monotonic() - answered < 5, "it took long to notice that the server is back"
        claims(faults, namespace, "after")
        await watch.until(lambda: names(watch, CLAIMS, namespace) == {"after"})
        await all_equal(watch)
        assert watch.states[-1] == "live"
        gone = {change.old.uid for change in watch.changes if change.new is None and change.resource == PODS.key}
        assert not gone & set(watch.held(PODS)), "a pod vanished for a moment though it was there all the time"


async def test_an_api_server_that_is_frozen(faults, namespace):
    claims(faults, namespace, "before")
    async with Watch(faults) as watch:
        await all_live(watch)
        with faults.frozen_api_server():
            wall = time.time()
            await watch.state("stale", 40)
            connection = watch.cluster.connection
            assert "nothing heard since" in connection.problem.evidence
            assert abs(connection.since - wall) < 6
            assert names(watch, CLAIMS, namespace) == {"before"}
        await watch.state("live", 15)
        await all_live(watch)
        claims(faults, namespace, "after")
        await watch.until(lambda: names(watch, CLAIMS, namespace) == {"before", "after"})
        await all_equal(watch)


class Relay:
    """A connection to the API server that can be cut, so that a watch sleeps while the world goes on."""

    def __init__(self, port):
        self.target, self.writers, self.open = port, set(), True

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()

    def cut(self):
        self.open = False
        for writer in self.writers:
            writer.transport.abort()

    def mend(self):
        self.open = True

    async def _accept(self, reader, writer):
        if not self.open:
            writer.transport.abort()
            return
        self.writers.add(writer)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self.writers.discard(writer)

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_history_is_forgotten_under_a_sleeping_watch(faults, namespace, caplog):
    caplog.set_level(logging.INFO, "tui.kube.reflector")
    claims(faults, namespace, "stays", "goes", "changes", "reborn")
    async with Relay(faults.port) as relay, Watch(faults, server=f"https://127.0.0.1:{relay.port}") as watch:
        await all_live(watch)
        reborn = watch.cluster.store.named(CLAIMS.key, namespace, "reborn", Object).uid
        relay.cut()
        await watch.state("stale", 20)
        for name in ("goes", "reborn"):
            faults.admin.delete("PersistentVolumeClaim", namespace, name, wait=True)
        claims(faults, namespace, "reborn", "new")
        faults.admin.patch("PersistentVolumeClaim", namespace, "changes", {"metadata": {"annotations": {"seen": "no"}}})
        await asyncio.to_thread(faults.forget_history)
        assert names(watch, CLAIMS, namespace) == {"stays", "goes", "changes", "reborn"}
        watch.changes.clear()
        relay.mend()
        await watch.until(lambda: names(watch, CLAIMS, namespace) == {"stays", "changes", "reborn", "new"})
        await watch.state("live", 40)
        await all_live(watch)
        await all_equal(watch)
        told = [change for change in watch.changes if change.resource == CLAIMS.key]
        gone = {change.old.uid for change in told if change.new is None}
        assert reborn in gone
        assert "stays" not in {(change.new or change.old).name for change in told}
    assert "too old resource version" in caplog.text, "the version had not expired: nothing was tested"
