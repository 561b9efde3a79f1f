"""Helpers for the tests of watching: a reflector or a cluster whose progress can be awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tui.kube.api import Api
from tui.kube.backoff import Backoff
from tui.kube.cluster import Cluster
from tui.kube.objects import Object
from tui.kube.reflector import Reflector
from tui.kube.resources import PODS
from tui.kube.server import Habits
from tui.kube.store import Change, Store


async def reaches(
    store: Store, told: asyncio.Event, wanted: Callable[[], bool], seen: list[Change], seconds: float = 10
):
    """Waits until something is so, looking again whenever the store or a state changes."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                seen.extend(store.drain())
                if wanted():
                    return
                told.clear()
                waits = [asyncio.ensure_future(store.changed()), asyncio.ensure_future(told.wait())]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
                finally:
                    for wait in waits:
                        wait.cancel()
    except TimeoutError:
        raise AssertionError("it never came to that") from None


class Watching:
    """One running reflector against a fake server."""

    def __init__(self, server, resource=PODS, namespace=None, *, habits=None, store=None, api=None, backoff=None):
        self.api = api or Api(server.context())
        self.store = store or Store()
        self.told = asyncio.Event()
        self.habits = habits or Habits()
        self.resource = resource
        self.changes: list[Change] = []
        self.reflector = Reflector(
            self.api, resource, namespace, self.store, habits=self.habits, notify=self._notified,
            backoff=backoff or Backoff(0.01, 0.2),
        )  # fmt: skip
        self.phases: list[str] = []

    def _notified(self):
        feed = self.reflector.feed
        if not self.phases or self.phases[-1] != feed.phase:
            self.phases.append(feed.phase)
        self.told.set()

    async def __aenter__(self):
        self.task = asyncio.create_task(self.reflector.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.api.close()

    @property
    def feed(self):
        return self.reflector.feed

    def names(self) -> set[str]:
        return {item.name for item in self.store.all(self.resource.key, Object)}

    async def until(self, wanted: Callable[[], bool], seconds: float = 10):
        await reaches(self.store, self.told, wanted, self.changes, seconds)

    async def phase(self, phase):
        await self.until(lambda: self.feed.phase == phase)

    async def holds(self, *names: str):
        await self.until(lambda: self.names() == set(names))

    def net(self) -> dict[str, int]:
        """For each uid: additions minus deletions that a consumer was told of, which must be 0 or 1."""
        counted: dict[str, int] = {}
        for change in self.changes:
            uid = (change.new or change.old).uid
            counted[uid] = counted.get(uid, 0) + (change.old is None) - (change.new is None)
        return counted


class Running:
    """One running cluster against a fake server."""

    def __init__(self, server, *, context_namespace="default", poll_usage=False, **options):
        self.api = Api(server.context(namespace=context_namespace))
        self.cluster = Cluster(self.api, poll_usage=poll_usage, **options)
        self.told = asyncio.Event()
        self.cluster.on_feed.append(self.told.set)
        self.changes: list[Change] = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.cluster.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.api.close()

    async def until(self, wanted: Callable[[], bool], seconds: float = 10):
        await reaches(self.cluster.store, self.told, wanted, self.changes, seconds)

    async def state(self, state: str, seconds: float = 10):
        await self.until(lambda: self.cluster.connection.state == state, seconds)

    async def complete(self):
        await self.until(lambda: self.cluster.complete)

    def names(self, resource) -> set[str]:
        return {item.name for item in self.cluster.store.all(resource.key, Object)}
