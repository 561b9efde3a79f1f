"""The composed cluster with pods that run: kubectl and statetui's own client against it."""

from __future__ import annotations

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from stateful import stateful_set
from tool import Tool

from tui.kube.options import ConnectOptions
from tui.sandbox.cluster import Cluster, PartError
from tui.systems.catalogue import load_catalogue
from tui.systems.forwarding import Definition, address_of, target_of
from tui.systems.live import Live

Kubectl = Callable[..., Awaitable[str]]

_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 8000}]}
"""
_SCRIPT = "echo started $HOSTNAME; exec python3 -m http.server --bind 0.0.0.0 --directory /data 8000"
_SET = stateful_set(
    "web",
    _SCRIPT,
    replicas=2,
    ports=[{"name": "http", "containerPort": 8000}],
    readinessProbe={"tcpSocket": {"port": "http"}, "periodSeconds": 1},
)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path / "state")
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def kubectl(cluster: Cluster, kubectl_program: str, tmp_path: Path) -> Kubectl:
    environment = {**os.environ, "KUBECONFIG": str(cluster.server.kubeconfig), "HOME": str(tmp_path)}
    return partial(asyncio.to_thread, Tool(kubectl_program, environment, "default"))


async def _apply(cluster: Cluster, kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=_SERVICE)
    await kubectl("apply", "-f", "-", stdin=_SET)
    await kubectl("rollout", "status", "statefulset/web", "--timeout=120s")


async def test_a_stateful_set_lives(cluster: Cluster, kubectl: Kubectl) -> None:
    await _apply(cluster, kubectl)
    assert "started web-0" in await kubectl("logs", "web-0")
    await kubectl("exec", "web-1", "--", "sh", "-c", "echo kept > $STATETUI_MOUNT_DATA/note")
    before = cluster.registry.get("pods", "default", "web-1")
    await kubectl("delete", "pod", "web-1")
    await kubectl("rollout", "status", "statefulset/web", "--timeout=120s")
    after = cluster.registry.get("pods", "default", "web-1")
    assert before and after and before["metadata"]["uid"] != after["metadata"]["uid"]
    assert await kubectl("exec", "web-1", "--", "sh", "-c", "cat $STATETUI_MOUNT_DATA/note") == "kept\n"


async def test_scale_rollout_and_the_volume_that_goes(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    await _apply(cluster, kubectl)
    await kubectl("scale", "statefulset/web", "--replicas=3")
    await kubectl("rollout", "status", "statefulset/web", "--timeout=120s")
    await kubectl("set", "env", "statefulset/web", "COLOUR=blue")
    await kubectl("rollout", "status", "statefulset/web", "--timeout=120s")
    assert "blue" in await kubectl("exec", "web-0", "--", "env")
    await kubectl("scale", "statefulset/web", "--replicas=1")
    await kubectl("wait", "--for=delete", "pod/web-2", "pod/web-1", "--timeout=120s")
    volumes = tmp_path / "state" / "volumes"
    assert len(list(volumes.iterdir())) == 3
    await kubectl("delete", "pvc", "data-web-2")
    async with asyncio.timeout(90):
        while len(list(volumes.iterdir())) != 2:
            await asyncio.sleep(0.05)


async def test_statetui_sees_it_and_forwards_to_it(cluster: Cluster, kubectl: Kubectl) -> None:
    await _apply(cluster, kubectl)
    live = Live(ConnectOptions(kubeconfig=str(cluster.server.kubeconfig)), load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    try:
        async with asyncio.timeout(90):
            while not (found := [w for w in live.workloads.values() if w.name == "web"]) or not live.complete:
                await asyncio.sleep(0.05)
        assert [member.pod for member in found[0].members] == ["web-0", "web-1"]
        assert live.forwards is not None
        wanted = Definition("pod/web-1", 8000, local=0)
        target = target_of(wanted, live)
        forward = live.forwards.add(target)
        await forward.listen(address_of(wanted, target, live))
        url = f"http://{forward.view().address}/"
        answer = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=60).read())
        assert b"Directory listing" in answer
        await live.forwards.remove(forward, drain=0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await live.close()


async def test_everything_ends_when_a_part_dies(tmp_path: Path) -> None:
    made = Cluster(tmp_path / "state")
    try:
        await made.start()
        waiting = asyncio.create_task(made.run())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        supervisor = made.kubelet.host.processes._supervisor
        assert supervisor is not None
        supervisor.kill()
        with pytest.raises(PartError, match="kubelet"):
            await asyncio.wait_for(waiting, 60)
    finally:
        await made.stop()


async def test_a_directory_is_used_once(tmp_path: Path) -> None:
    first = Cluster(tmp_path / "state")
    with pytest.raises(BlockingIOError):
        Cluster(tmp_path / "state")
    await first.stop()
    second = Cluster(tmp_path / "state")
    await second.stop()
