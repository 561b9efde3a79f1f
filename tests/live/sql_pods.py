"""Database servers in pods, and sessions with them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.live.real import IMAGE, KUBECONFIG, MARIADB, POSTGRES, apply, kubectl
from tui.kube.options import ConnectOptions
from tui.services.sql.connect import open_session
from tui.services.sql.model import Login, Options, Rows, Session, Wire
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live
from tui.systems.sqlroutes import WorkloadRouter

CHAPTER = "stateful"

# --- servers


def start(
    namespace: str,
    name: str,
    script: str,
    port: int,
    *,
    replicas: int = 1,
    files: str = "",
    image: str = IMAGE,
    **labels: str,
) -> None:
    """Applies a StatefulSet of a server, and its Service. `files`: a Secret, at /files."""
    # A PostgreSQL that recovers listens already, and lets nobody in. Where connections are few, none is taken for that.
    ready: dict[str, Any] = {"tcpSocket": {"port": port}}
    if "/postgres " in script and not files:
        words = f"$(echo /usr/lib/postgresql/*/bin)/pg_isready -q -h 127.0.0.1 -p {port}"
        ready = {"exec": {"command": ["bash", "-c", words]}, "timeoutSeconds": 10}
    meta, labels = {"name": name, "namespace": namespace}, {"app": name, **labels}
    container: dict[str, Any] = {
        "name": name, "image": image, "imagePullPolicy": "Never", "command": ["bash", "-c", script],
        "ports": [{"name": "main", "containerPort": port}],
        "readinessProbe": {**ready, "periodSeconds": 1},
    }  # fmt: skip
    spec: dict[str, Any] = {"terminationGracePeriodSeconds": 2, "containers": [container]}
    if files:
        container["volumeMounts"] = [{"name": "files", "mountPath": "/files"}]
        spec["volumes"] = [{"name": "files", "secret": {"secretName": files}}]
    apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"name": "main", "port": port}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
         "spec": {"serviceName": name, "replicas": replicas, "podManagementPolicy": "Parallel",
                  "selector": {"matchLabels": {"app": name}},
                  "template": {"metadata": {"labels": labels}, "spec": spec}}},
    )  # fmt: skip


def wait_for(namespace: str, *names: str) -> None:
    """Waits for StatefulSets."""
    for name in names:
        kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=180s")


@contextlib.contextmanager
def own(namespace: str) -> Iterator[str]:
    """A namespace that goes afterwards."""
    kubectl("create", "namespace", namespace)
    try:
        yield namespace
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


#: What certificates the members of a server have, by ordinal.
GOOD, EXPIRED, NAMED, SELF_SIGNED = range(4)

_CERTIFIED = "o=${HOSTNAME##*-}; mkdir -p /data; cp /files/$o.pem /data.pem; cp /files/$o.key /data.key\n"
#: Forwards arrive at 127.0.0.1, which initdb trusts: its pg_hba.conf is replaced. Eight connections; `secured` gets in
#: by TLS with the password `right`, `bare` without TLS only.
TLS_POSTGRES = _CERTIFIED + POSTGRES.replace(
    "echo 'host all all 0.0.0.0/0 trust' >>/data/pg/pg_hba.conf\n",
    """chown postgres /data.pem /data.key; chmod 600 /data.key
printf '%s\\n' 'host all root 0.0.0.0/0 trust' 'hostssl all secured 0.0.0.0/0 scram-sha-256' \
 'hostnossl all bare 0.0.0.0/0 trust' 'host all many 0.0.0.0/0 trust' >/data/pg/pg_hba.conf
for sql in "CREATE ROLE secured LOGIN PASSWORD 'right'" 'CREATE ROLE bare LOGIN' 'CREATE ROLE many LOGIN'; do
echo "$sql" | $as $bin/postgres --single -D /data/pg postgres >/dev/null; done
""",
).replace("-p 5432", "-p 26257 -c ssl=on -c ssl_cert_file=/data.pem -c ssl_key_file=/data.key "
          "-c max_connections=8 -c max_wal_senders=0")  # fmt: skip
TLS_MARIADB = _CERTIFIED + MARIADB.replace(
    '"GRANT ALL ON *.* TO root@\'%\';"',
    "\"GRANT ALL ON *.* TO root@'%';\" \"CREATE USER secured@'%' IDENTIFIED BY 'right' REQUIRE SSL;\" "
    "\"CREATE USER many@'%';\"",
).replace("--skip-name-resolve", "--skip-name-resolve --ssl-cert=/data.pem --ssl-key=/data.key --max-connections=10 "
          "--innodb-buffer-pool-size=32M --max-allowed-packet=1G")  # fmt: skip
_MYSQL = """
base="--no-defaults --user=root --basedir=/opt/mysql --lc-messages-dir=/opt/mysql/share --datadir=/data/my"
base="$base --innodb-buffer-pool-size=32M --performance-schema=OFF --mysqlx=OFF --socket=/tmp/mysql.sock --skip-log-bin"
/opt/mysql/bin/mysqld $base --initialize-insecure
printf '%s\n' "CREATE USER root@'%';" "GRANT ALL ON *.* TO root@'%';" "CREATE USER many@'%';" \
 "CREATE USER secured@'%' IDENTIFIED BY 'right' REQUIRE SSL;" >/tmp/init.sql
exec /opt/mysql/bin/mysqld $base --pid-file=/tmp/mysql.pid --skip-name-resolve --max-connections=10 \
 --init-file=/tmp/init.sql --max-allowed-packet=1G --ssl-cert=/data.pem --ssl-key=/data.key
"""
TLS_MYSQL = _CERTIFIED + _MYSQL


def certificates(namespace: str, name: str) -> tuple[str, dict[str, str]]:
    """An authority, and by ordinal (`0.pem`, `0.key` …) what servers of a headless Service are to have."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)

    def certificate(common: str, key: Any, signer: Any, issuer: x509.Name | None, host: str, until: Any) -> str:
        me = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        builder = (
            x509.CertificateBuilder().subject_name(me).issuer_name(issuer or me).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - 30 * day).not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
        )  # fmt: skip
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    authority = certificate("Authority of a test", authority_key, authority_key, None, "", now + 30 * day)
    host = f"*.{name}.{namespace}.svc"
    files = {}
    for ordinal in (GOOD, EXPIRED, NAMED, SELF_SIGNED):
        key = rsa.generate_private_key(65537, 2048)
        signer, issuer = (key, None) if ordinal == SELF_SIGNED else (authority_key, subject)
        named = "elsewhere.example" if ordinal == NAMED else host
        until = now - day if ordinal == EXPIRED else now + 30 * day
        files[f"{ordinal}.pem"] = certificate(f"{name}-{ordinal}", key, signer, issuer, named, until)
        files[f"{ordinal}.key"] = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()
    return authority, files


# --- sessions


@contextlib.asynccontextmanager
async def live_in(namespace: str) -> AsyncIterator[Live]:
    """The workloads of a namespace; checks that all forwards are closed afterwards."""
    live = Live(ConnectOptions(kubeconfig=KUBECONFIG, namespace=namespace), load_catalogue([]), usage=False)
    complete = asyncio.Event()  # not `live.complete`: the objects are there a moment before all workloads are
    live.listeners.append(lambda update: complete.set() if update.complete else None)
    task = asyncio.create_task(live.run())
    try:
        await asyncio.wait_for(complete.wait(), 60)
        assert live.workloads
        yield live
        assert live.forwards is not None and not list(live.forwards), "a session closes its forward"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(wanted: Any, seconds: float = 60) -> None:
    """Waits for what a function says."""
    async with asyncio.timeout(seconds):
        while not wanted():
            await asyncio.sleep(0.02)


def key(live: Live, name: str) -> str:
    """The key of a workload."""
    return next(one for one in live.workloads if one.endswith(f"/{name}"))


async def opened(
    live: Live, name: str, wire: Wire, login: Login, role: str = "primary", member: str = "", **options: Any
) -> Session:
    """A session with a workload."""
    return await open_session(WorkloadRouter(live, key(live, name), role, member), wire, login, Options(**options))


async def run(session: Any, statement: str) -> tuple[list[Any], list[Any]]:
    """Rows and notices."""
    rows: list[Any] = []
    rest: list[Any] = []
    async with aclosing(session.run(statement)) as events:
        async for event in events:
            if isinstance(event, Rows):
                rows += event.rows
            else:
                rest.append(event)
    return rows, rest


def secret(name: str, item: str) -> str:
    """What a Secret of the chapter's holds."""
    data = json.loads(kubectl("-n", CHAPTER, "get", "secret", name, "-o", "json"))["data"]
    return base64.b64decode(data[item]).decode()


#: Script, port, members and image of the servers with certificates; a MySQL 8 is large, so it has no fourth. The images
#: are other names of the one that all are, by which they are known as databases.
SERVERS = {
    "pg": (TLS_POSTGRES, 26257, 4, "cockroachdb/cockroach:v24.3.0"),
    "maria": (TLS_MARIADB, 3306, 4, "mysql:8.4"),
    "mysql8": (TLS_MYSQL, 3306, 3, "mysql:8.4"),
}
WIRES = {"pg": Wire.POSTGRES, "maria": Wire.MYSQL, "mysql8": Wire.MYSQL}
LOGIN = {"pg": Login("root", "", "postgres"), "maria": Login("root", "", "mysql"), "mysql8": Login("root", "", "mysql")}


@dataclass(frozen=True, slots=True)
class Certified:
    """Where the servers with certificates are, and the PEM of the authority of each."""

    namespace: str
    authorities: dict[str, str]
