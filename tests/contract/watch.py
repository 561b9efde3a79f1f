"""A cluster that is being watched, whose progress can be awaited, and compared with what the server lists."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.contract.admin import Refused
from tests.contract.clusters import Cluster
from tui.kube.api import Api
from tui.kube.cluster import Cluster as Watched
from tui.kube.context import ConnectOptions, load_context
from tui.kube.objects import Object
from tui.kube.resources import BUILT_IN, Resource
from tui.kube.store import Change


class Watch:
    """statetui's own view of a cluster."""

    def __init__(self, cluster: Cluster, *, server: str = "", poll_usage: bool = False, **options: Any) -> None:
        context = load_context(ConnectOptions(kubeconfig=cluster.kubeconfig, **options))
        if server:
            context = replace(context, server=server)
        self._admin = cluster.admin
        self.api = Api(context)
        self.cluster = Watched(self.api, namespace=options.get("namespace"), poll_usage=poll_usage)
        self.changes: list[Change] = []
        self.states: list[str] = []
        self._told = asyncio.Event()
        self.cluster.on_feed.append(self._note)

    def _note(self) -> None:
        state = self.cluster.connection.state
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        self._told.set()

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self.cluster.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.api.close()

    async def until(self, wanted: Callable[[], bool], seconds: float = 60, what: str = "it never came to that") -> None:
        """Waits until something is so, looking whenever the store or a feed changes."""
        store = self.cluster.store
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.changes.extend(store.drain())
                    if wanted():
                        return
                    self._told.clear()
                    waits = [asyncio.ensure_future(store.changed()), asyncio.ensure_future(self._told.wait())]
                    try:
                        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=1)
                    finally:
                        for wait in waits:
                            wait.cancel()
        except TimeoutError:
            raise AssertionError(f"{what}; {self.cluster.connection}") from None

    async def settled(self) -> None:
        """Waits until every feed has settled."""
        await self.until(lambda: self.cluster.complete and len({key for key, _ in self.cluster.feeds}) >= len(BUILT_IN))
        await self.until(lambda: all(feed.settled for feed in self.cluster.feeds.values()))

    async def state(self, state: str, seconds: float = 60) -> None:
        await self.until(lambda: self.cluster.connection.state == state, seconds, f"never {state}")

    def held(self, resource: Resource, namespace: str | None = None) -> dict[str, str]:
        """Resource versions by uid, as the store has them."""
        items = self.cluster.store.all(resource.key, Object)
        return {
            item.uid: item.metadata.resource_version
            for item in items
            if namespace is None or item.namespace == namespace
        }

    async def equals_server(self, resource: Resource, namespace: str | None = None, seconds: float = 20) -> None:
        """Fails unless the store comes to hold exactly what the server lists, at the same versions."""
        deadline = time.monotonic() + seconds
        while True:
            listed = await asyncio.to_thread(self._listed, resource, namespace)
            with contextlib.suppress(AssertionError):
                await self.until(lambda listed=listed: self.held(resource, namespace) == listed, 1)
                return
            if time.monotonic() > deadline:
                held = self.held(resource, namespace)
                assert held == listed, f"{resource.plural} differ"

    def _listed(self, resource: Resource, namespace: str | None) -> dict[str, str]:
        for version in resource.versions:
            with contextlib.suppress(Refused):
                body = self._admin.request("GET", resource.path(version, namespace).lstrip("/"))
                return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in body["items"]}
        raise AssertionError(f"{resource.plural} cannot be listed")
