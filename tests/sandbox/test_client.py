"""statetui's own client against the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from api_client import Sandbox

import manifests
from tui.kube.api import Api
from tui.kube.cluster import Cluster
from tui.kube.context import ConnectOptions, load_context
from tui.kube.objects import Object
from tui.kube.resources import PODS, STATEFULSETS


@contextlib.asynccontextmanager
async def running(sandbox: Sandbox, context: str) -> AsyncIterator[Cluster]:
    api = Api(load_context(ConnectOptions(kubeconfig=str(sandbox.server.kubeconfig), context=context)))
    cluster = Cluster(api, poll_usage=False)
    task = asyncio.create_task(cluster.run())
    yield cluster
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await api.close()


async def until(wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not wanted():
            await asyncio.sleep(0.02)


async def test_it_follows_what_becomes_of_workloads(sandbox: Sandbox) -> None:
    registry = sandbox.registry
    registry.create("statefulsets.apps", manifests.made("StatefulSet"))
    async with running(sandbox, "sandbox") as cluster:

        def names(resource: object) -> set[str]:
            return {item.name for item in cluster.store.all(resource.key, Object)}

        await until(lambda: cluster.connection.state == "live" and names(STATEFULSETS) == {"db"})
        registry.create("pods", manifests.made("Pod"))
        await until(lambda: names(PODS) == {"one"})
        registry.delete("pods", "default", "one")
        await until(lambda: names(PODS) == set())
        await until(lambda: cluster.server_version.startswith("v1.36"))


async def test_who_sees_one_namespace_sees_that_one(sandbox: Sandbox) -> None:
    sandbox.registry.create("namespaces", {"metadata": {"name": "other"}})
    for namespace in ("default", "other"):
        pod = manifests.made("Pod", f"in-{namespace}")
        pod["metadata"]["namespace"] = namespace
        sandbox.registry.create("pods", pod)
    async with running(sandbox, "sandbox-viewer") as cluster:
        await until(lambda: {item.name for item in cluster.store.all(PODS.key, Object)} == {"in-default"})
