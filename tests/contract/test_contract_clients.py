"""Programs and drivers that people use, through forwards, while the pods behind them are deleted in a loop.

PostgreSQL is the real one; the server behind `mysql` is a MariaDB, which stands in for MySQL here.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import forwarding
import pytest
from conftest import apply, kubectl
from test_forward import Bench, bench_in

from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.targets import PodTarget, ServiceTarget

POSTGRES = """
bin=$(echo /usr/lib/postgresql/*/bin); mkdir -p /data /run/postgresql; chown postgres /data /run/postgresql
as="setpriv --reuid postgres --regid postgres --clear-groups"
$as $bin/initdb -D /data/pg -E UTF8 --locale=C.UTF-8 -A trust -U root >/dev/null
echo 'host all all 0.0.0.0/0 trust' >>/data/pg/pg_hba.conf
exec $as $bin/postgres -D /data/pg -c listen_addresses='*' -p 5432
"""
MARIADB = """
mkdir -p /data /run/mysqld
mariadb-install-db --user=root --datadir=/data --auth-root-authentication-method=normal >/dev/null
echo "CREATE USER root@'%'; GRANT ALL ON *.* TO root@'%';" >/tmp/init.sql
exec mariadbd --user=root --datadir=/data --bind-address=0.0.0.0 --skip-name-resolve --init-file=/tmp/init.sql
"""
WEB = "mkdir /web; echo here >/web/index.html; exec python3 -m http.server -d /web 8000"
#: Seconds after a pod's Ready within which the next connection is to succeed; Kubernetes tells whole seconds.
IN_TIME, WHOLE = 2.0, 1.0
DELETIONS = 4


@dataclass
class Client:
    """A program, what it must print, and how it went."""

    name: str
    script: str
    port: int
    command: list[str]
    prints: str
    good: int = 0
    broken: list[str] = field(default_factory=list)
    succeeded_at: list[float] = field(default_factory=list)


CLIENTS = (
    Client("pg", POSTGRES, 5432, ["psql", "-h", "127.0.0.1", "-p", "{port}", "-U", "root", "-d", "postgres", "-Atc",
                                  "SELECT 'it is ' || 42"], "it is 42"),
    Client("my", MARIADB, 3306, ["mysql", "-h", "127.0.0.1", "-P", "{port}", "-u", "root", "--skip-ssl", "-NBe",
                                 "SELECT CONCAT('it is ', 42)"], "it is 42"),
    Client("web", WEB, 8000, ["curl", "-sS", "http://127.0.0.1:{port}/"], "here"),
)  # fmt: skip


def start(namespace: str, client: Client, replicas: int = 1) -> None:
    meta = {"name": client.name, "namespace": namespace}
    container: dict[str, Any] = {
        "name": client.name, "image": forwarding.IMAGE, "imagePullPolicy": "Never",
        "command": ["bash", "-c", client.script], "ports": [{"name": "main", "containerPort": client.port}],
        "readinessProbe": {"tcpSocket": {"port": client.port}, "periodSeconds": 1},
    }  # fmt: skip
    apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"selector": {"app": client.name}, "ports": [{"name": "main", "port": client.port}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
         "spec": {"serviceName": client.name, "replicas": replicas, "podManagementPolicy": "Parallel",
                  "selector": {"matchLabels": {"app": client.name}},
                  "template": {"metadata": {"labels": {"app": client.name}},
                               "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]}}}},
    )  # fmt: skip


@pytest.fixture
def programs(namespace: str) -> Iterator[str]:
    missing = [client.command[0] for client in CLIENTS if shutil.which(client.command[0]) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (default-mysql-client, postgresql-client, curl)")
    for client in CLIENTS:
        start(namespace, client)
    for client in CLIENTS:
        kubectl("-n", namespace, "rollout", "status", f"statefulset/{client.name}", "--timeout=120s")
    yield namespace


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


async def test_programs_while_their_pods_are_deleted_in_a_loop(programs: str) -> None:
    async with bench_in(programs) as bench:
        forwards = {}
        for client in CLIENTS:
            forward = bench.book.add(PodTarget(bench.store, programs, f"{client.name}-0", client.port), patience=45)
            await forward.listen(TcpAddress(0))
            forwards[client.name] = forward
        deleting = asyncio.gather(*(delete_again_and_again(bench, client) for client in CLIENTS))
        await asyncio.gather(*(ask_again_and_again(client, forwards[client.name], deleting) for client in CLIENTS))
        readies = deleting.result()
        for client, ready in zip(CLIENTS, readies, strict=True):
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
        await asyncio.to_thread(kubectl, "-n", bench.namespace, "delete", "pod", f"{client.name}-0")
        arguments = ("-n", bench.namespace, "wait", "--for=condition=Ready", f"pod/{client.name}-0", "--timeout=90s")
        deadline = time.monotonic() + 90
        while True:
            try:
                await asyncio.to_thread(kubectl, *arguments)
                break
            except AssertionError:  # not there yet
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
        pod = json.loads(
            await asyncio.to_thread(kubectl, *arguments[:2], "get", "pod", f"{client.name}-0", "-o", "json")
        )
        ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
        moments.append(datetime.fromisoformat(ready["lastTransitionTime"]).timestamp())
        await asyncio.sleep(2.5)
    return moments


async def test_a_cancel_reaches_the_server_of_its_query(namespace: str) -> None:
    """asyncpg cancels over a second connection: through a Service that spreads, that would be another server."""
    start(namespace, CLIENTS[0], replicas=3)
    kubectl("-n", namespace, "rollout", "status", "statefulset/pg", "--timeout=120s")
    async with bench_in(namespace) as bench:
        forward = bench.book.add(ServiceTarget(bench.store, namespace, "pg", "main"), sticky=False)
        for _ in range(6):
            async with forward.pinned(".s.PGSQL.5432") as directory:
                connection = await asyncpg.connect(host=str(directory), port=5432, user="root", database="postgres")
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    await connection.fetch("SELECT pg_sleep(30)", timeout=0.3)
                # The connection is free again only because the server has stopped the query.
                assert await connection.fetchval("SELECT 42") == 42
                assert time.monotonic() - began < 3
                await connection.close()
