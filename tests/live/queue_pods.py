"""RabbitMQ in pods of the tests' own, to be broken; a console in front of them."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live.consoles import ENTER, Program, opened
from tests.live.real import KUBECONFIG, apply, kubectl

IMAGE = "bitnami/rabbitmq:4"
PASSWORD = "tests-own-1"
F5 = "\x1b[15~"
_SCRIPT = """
host=$(hostname -f); export RABBITMQ_USE_LONGNAME=true RABBITMQ_NODENAME=rabbit@$host
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
export RABBITMQ_MNESIA_BASE=/data/mnesia RABBITMQ_LOGS=- HOME=/data
export RABBITMQ_CONFIG_FILE=/config/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=/config/enabled_plugins
mkdir -p /data/mnesia /var/lib/rabbitmq; printf TESTSCOOKIE >/data/.erlang.cookie; chmod 600 /data/.erlang.cookie
cp -p /data/.erlang.cookie /var/lib/rabbitmq/; chown -R rabbitmq:rabbitmq /data /var/lib/rabbitmq
exec setpriv --reuid rabbitmq --regid rabbitmq --clear-groups /usr/lib/rabbitmq/bin/rabbitmq-server
"""


def start(
    namespace: str, name: str, *lines: str, replicas: int = 1, plugins: Sequence[str] = ("rabbitmq_management",),
    files: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Applies brokers as the Bitnami chart labels them. `files`: of its Secret of certificates, at /files.

    A pod is ready while its node has no alarm, as with that chart; without the plugin, while AMQP listens.
    """
    labels = {"app.kubernetes.io/name": "rabbitmq", "app.kubernetes.io/instance": name, "helm.sh/chart": "rabbitmq-16"}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    conf = [
        "default_user = user", f"default_pass = {PASSWORD}", "loopback_users = none",
        "default_user_tags.administrator = true", "default_permissions.configure = .*",
        "default_permissions.read = .*", "default_permissions.write = .*", "disk_free_limit.absolute = 50MB",
        "collect_statistics_interval = 1000", *lines,
    ]  # fmt: skip
    if replicas > 1:
        conf.append("cluster_formation.peer_discovery_backend = classic_config")
        conf += [f"cluster_formation.classic_config.nodes.{at + 1} = rabbit@{name}-{at}.{name}.{namespace}.svc.cluster"
                 ".local" for at in range(replicas)]  # fmt: skip
    ready: dict[str, Any] = {"tcpSocket": {"port": 5672 if not plugins else 15671 if files else 15672}}
    if replicas > 1:
        words = f"curl -sf -u user:{PASSWORD} http://localhost:15672/api/health/checks/local-alarms"
        ready = {"exec": {"command": ["bash", "-c", words]}, "timeoutSeconds": 10}
    encrypted = {"amqp-ssl": 5671, "stats-tls": 15671} if files else {}
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "config", "mountPath": "/config"}]
    volumes: list[dict[str, Any]] = [{"name": "config", "configMap": {"name": name}}]
    variables = []
    if files:
        mounts.append({"name": "files", "mountPath": "/files"})
        volumes.append({"name": "files", "secret": {"secretName": f"{name}-certs"}})
        variables.append({"name": "RABBITMQ_SSL_CACERTFILE", "value": "/files/ca.crt"})
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-certs", "namespace": namespace},
               "stringData": files})  # fmt: skip
    container = {
        "name": "rabbitmq", "image": IMAGE, "imagePullPolicy": "Never", "command": ["bash", "-c", _SCRIPT],
        "env": variables, "volumeMounts": mounts,
        "readinessProbe": {**ready, "periodSeconds": 2, "failureThreshold": 1},
        "ports": [{"name": key, "containerPort": number}
                  for key, number in {"amqp": 5672, "stats": 15672, **encrypted}.items()],
    }  # fmt: skip
    apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"rabbitmq-password": PASSWORD}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {
            "rabbitmq.conf": "\n".join(conf) + "\n", "enabled_plugins": f"[{','.join(plugins)}].\n"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {
            "clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels,
            "ports": [{"name": key, "port": number} for key, number in
                      {"amqp": 5672, "stats": 15672, "epmd": 4369, **encrypted}.items()]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": {
            "serviceName": name, "replicas": replicas, "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 3, "volumes": volumes,
                "containers": [container]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "200Mi"}}}}]}},
    )  # fmt: skip


class Brokers:
    """The brokers of a workload.

    Attributes:
        namespace: where.
        name: of the workload.
    """

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name

    def pod(self, at: int, *words: str) -> str:
        """Runs something in a pod."""
        return kubectl("-n", self.namespace, "exec", f"{self.name}-{at}", "--", *words)

    def ctl(self, at: int, *words: str) -> str:
        """Runs rabbitmqctl in a pod."""
        script = (
            "cd /; export HOME=/data RABBITMQ_USE_LONGNAME=true; exec setpriv --reuid rabbitmq --regid rabbitmq"
            ' --clear-groups /usr/lib/rabbitmq/bin/rabbitmqctl -n "rabbit@$(hostname -f)" "$@"'
        )
        return self.pod(at, "bash", "-c", script, "ctl", *words)

    def on(self, nodes: Sequence[int], module: str, function: str, arguments: str) -> None:
        """Calls a function of Erlang on nodes, all at once from the first pod: rabbitmqctl takes seconds to start."""
        named = ", ".join(f"'rabbit@{self.name}-{at}.{self.name}.{self.namespace}.svc.cluster.local'" for at in nodes)
        self.ctl(0, "eval", f"rpc:multicall([{named}], {module}, {function}, {arguments}).")

    def api(self, method: str, path: str, body: Any = None, *, at: int = 0) -> Any:
        """Asks a node's management API from inside its pod; None for an empty answer."""
        more = ["-d", json.dumps(body)] if body is not None else []
        told = self.pod(at, "curl", "-s", "-u", f"user:{PASSWORD}", "-X", method, "-H",
                        "Content-Type: application/json", f"http://localhost:15672/api/{path}", *more)  # fmt: skip
        return json.loads(told) if told.strip() else None

    def fill(self, queue: str, count: int, **arguments: Any) -> None:
        """Makes a queue in the virtual host `/`, with messages."""
        self.api("DELETE", f"queues/%2F/{queue}")
        self.api("PUT", f"queues/%2F/{queue}", {"durable": True, "arguments": arguments})
        body = {"properties": {"delivery_mode": 2}, "routing_key": queue, "payload_encoding": "string"}
        for number in range(count):
            told = self.api("POST", "exchanges/%2F/amq.default/publish", {**body, "payload": f"message {number}"})
            assert told == {"routed": True}

    def command(self, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Runs `statetui queue` on it."""
        done = subprocess.run(
            [sys.executable, "-m", "tui", *before, "--kubeconfig", KUBECONFIG, "queue", "-n", self.namespace,
             self.name, *words], capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def lines(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """The lines of JSON that it prints."""
        done = self.command(*words)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def told(self, *words: str, code: int) -> str:
        """What it says to people."""
        done = self.command(*words)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr

    def console(self) -> AbstractAsyncContextManager[Program]:
        """A console, opened from the overview by its keys."""
        return opened(self.name, "m", namespace=self.namespace)


async def find(program: Program, queue: str) -> None:
    """Goes to a queue of the list by the filter, which must be empty."""
    program.type("/")
    await program.until(r"name, ~pattern")
    program.type(queue + ENTER)
    await program.until(rf" /{queue} 1\b")  # it was found: no list of before is shown
    await program.until(rf"▌{queue} ")


def so(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until something is so, and returns it."""
    deadline = time.monotonic() + seconds
    while not (told := what()):
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.5)
    return told


async def eventually(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until something is so; it is asked in a thread."""
    return await asyncio.to_thread(so, what, seconds)


def wait(namespace: str, *names: str) -> None:
    """Waits until brokers are ready: on a busy machine that takes minutes."""
    for name in names:
        kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=400s")


def certificate(*names: str) -> dict[str, str]:
    """A Secret's files as the RabbitMQ Cluster Operator wants them: `ca.crt`, and what it signed for these names."""
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    signed = []
    for subject, key, of in ((issuer, keys[0], ()), (x509.Name([]), keys[1], names)):
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + 30 * day)
            .add_extension(x509.BasicConstraints(ca=not of, path_length=None), critical=True)
        )  # fmt: skip
        if of:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(one) for one in of]), critical=True
            )
        signed.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return {"ca.crt": signed[0], "tls.crt": signed[1], "tls.key": private.decode()}
