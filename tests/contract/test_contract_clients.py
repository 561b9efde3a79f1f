"""Programs and drivers that people use, through forwards, while the pods behind them are deleted in a loop.

PostgreSQL is the real one; the server behind `mysql` is a MariaDB, which stands in for MySQL here.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from tests.contract.admin import Admin, Json, until
from tests.contract.clusters import Cluster
from tests.contract.test_contract_forward import Bench, bench_in
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.targets import PodTarget, ServiceTarget

#: Seconds after a pod's Ready within which the next connection is to succeed; Kubernetes tells whole seconds.
IN_TIME, WHOLE = 2.0, 1.0
DELETIONS = 3


def web(cluster: Cluster) -> Json:
    script = (
        "mkdir -p /data/web; echo here >/data/web/index.html; exec python3 -m http.server -b 0.0.0.0 -d /data/web 8000"
    )
    return {"image": cluster.image, "command": ["sh", "-c", script]}


@dataclass
class Client:
    """A program, what it must print, the server that it talks to, and how it went."""

    name: str
    server: Callable[[Cluster], Json]
    port: int
    command: list[str]
    prints: str
    good: int = 0
    broken: list[str] = field(default_factory=list)
    succeeded_at: list[float] = field(default_factory=list)


def clients() -> list[Client]:
    return [
        Client("pg", lambda cluster: cluster.postgres(), 5432,
               ["psql", "-h", "127.0.0.1", "-p", "{port}", "-U", "root", "-d", "postgres", "-Atc",
                "SELECT 'it is ' || 42"], "it is 42"),
        Client("my", lambda cluster: cluster.mariadb(), 3306,
               ["mysql", "-h", "127.0.0.1", "-P", "{port}", "-u", "root", "--skip-ssl", "-NBe",
                "SELECT CONCAT('it is ', 42)"], "it is 42"),
        Client("web", web, 8000, ["curl", "-sS", "http://127.0.0.1:{port}/"], "here"),
    ]  # fmt: skip


def start(cluster: Cluster, namespace: str, client: Client, replicas: int = 1) -> None:
    meta = {"name": client.name, "namespace": namespace}
    container: dict[str, Any] = {
        "name": client.name, "imagePullPolicy": "Never", "ports": [{"name": "main", "containerPort": client.port}],
        "readinessProbe": {"tcpSocket": {"port": client.port}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}], **client.server(cluster),
    }  # fmt: skip
    pod = {"terminationGracePeriodSeconds": 2, "containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}
    cluster.admin.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"selector": {"app": client.name}, "ports": [{"name": "main", "port": client.port}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
         "spec": {"serviceName": client.name, "replicas": replicas, "podManagementPolicy": "Parallel",
                  "selector": {"matchLabels": {"app": client.name}},
                  "template": {"metadata": {"labels": {"app": client.name}}, "spec": pod}}},
    )  # fmt: skip


@pytest.fixture
def programs(cluster: Cluster, namespace: str) -> Iterator[list[Client]]:
    """The clients, whose servers are ready."""
    found = clients()
    missing = [client.command[0] for client in found if shutil.which(client.command[0]) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (default-mysql-client, postgresql-client, curl)")
    for client in found:
        start(cluster, namespace, client)
    for client in found:
        cluster.admin.roll_out(namespace, client.name)
    yield found


async def ask(client: Client, forward: Forward) -> None:
    """Runs the program once, and notes how it went."""
    assert forward.listener is not None
    command = [word.replace("{port}", str(forward.listener.port)) for word in client.command]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, complaint = await asyncio.wait_for(process.communicate(), 60)  # nothing hangs
    if process.returncode == 0:
        assert out.decode().strip() == client.prints
        client.good += 1
        client.succeeded_at.append(time.time())
    else:
        client.broken.append(complaint.decode().strip())


async def ask_again_and_again(client: Client, forward: Forward, until: asyncio.Future[Any]) -> None:
    """Each at its own pace: one that waits for its pod holds up no other."""
    while not until.done():
        await ask(client, forward)
        await asyncio.sleep(0.05)


async def test_programs_while_their_pods_are_deleted_in_a_loop(
    cluster: Cluster, namespace: str, programs: list[Client]
) -> None:
    async with bench_in(cluster, namespace) as bench:
        forwards = {}
        for client in programs:
            forward = bench.book.add(PodTarget(bench.store, namespace, f"{client.name}-0", client.port), patience=45)
            await forward.listen(TcpAddress(0))
            forwards[client.name] = forward
        deleting = asyncio.gather(*(delete_again_and_again(bench, client) for client in programs))
        await asyncio.gather(*(ask_again_and_again(client, forwards[client.name], deleting) for client in programs))
        readies = deleting.result()
        for client, ready in zip(programs, readies, strict=True):
            await ask(client, forwards[client.name])
            assert client.good >= DELETIONS, client
            # A connection that was open when its pod went may break, and says so; none hangs, none succeeds wrongly.
            assert len(client.broken) <= DELETIONS, client
            for moment in ready:
                after = min(at for at in client.succeeded_at if at >= moment)
                assert after - moment < IN_TIME + WHOLE, (client.name, after - moment)


async def delete_again_and_again(bench: Bench, client: Client) -> list[float]:
    """Deletes the pod, waits for its successor to be ready, again and again; returns when they were ready."""
    moments = []
    for _ in range(DELETIONS):
        moments.append(await asyncio.to_thread(delete, bench.admin, bench.namespace, f"{client.name}-0"))
        deadline = time.monotonic() + 30
        while not any(at >= moments[-1] for at in client.succeeded_at) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
    return moments


def delete(admin: Admin, namespace: str, name: str) -> float:
    """Deletes a pod; returns when its successor was ready."""
    admin.delete("Pod", namespace, name, wait=True)
    ready = until(lambda: admin.ready_since(namespace, name), what=f"{name} did not come back")
    return datetime.fromisoformat(ready).timestamp()


async def test_a_cancel_reaches_the_server_of_its_query(cluster: Cluster, namespace: str) -> None:
    """asyncpg cancels over a second connection: through a Service that spreads, that would be another server."""
    start(cluster, namespace, clients()[0], replicas=2)
    cluster.admin.roll_out(namespace, "pg")
    async with bench_in(cluster, namespace) as bench:
        forward = bench.book.add(ServiceTarget(bench.store, namespace, "pg", "main"), sticky=False)
        for _ in range(6):
            async with forward.pinned(".s.PGSQL.5432") as directory:
                connection = await asyncpg.connect(host=str(directory), port=5432, user="root", database="postgres")
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    await connection.fetch("SELECT pg_sleep(30)", timeout=0.3)
                # The connection is free again only because the server has stopped the query.
                assert await connection.fetchval("SELECT 42") == 42
                assert time.monotonic() - began < 15, "the query ran to its end"
                await connection.close()
