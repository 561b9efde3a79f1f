"""Five stateful workloads as their packagings make them: names, labels, containers and ports are those, the servers
are not; each container listens on its first port and says `here`, over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.contract.admin import Json
from tests.contract.clusters import Cluster

_NAME, _INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
_CHART = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": ""}


def _chart(name: str, instance: str, version: str, component: str = "") -> dict[str, str]:
    found = {_NAME: name, _INSTANCE: instance, **_CHART, "helm.sh/chart": f"{name}-{version}"}
    return found | ({"app.kubernetes.io/component": component} if component else {})


#: Set, image, labels, replicas, claims of each pod, containers with their ports.
SETS: list[tuple[str, str, dict[str, str], int, int, dict[str, dict[str, int]]]] = [
    ("mysql", "mysql:8.4", {"app": "mysql"}, 3, 1, {"mysql": {"mysql": 3306}, "xtrabackup": {"xtrabackup": 3307}}),
    ("my-tenant-zone-0", "minio/minio:latest", {"v1.min.io/tenant": "my-tenant", "v1.min.io/zone": "zone-0"}, 2, 2,
     {"minio": {"http-minio": 9000, "http-console": 9090}}),
    ("cdb-cockroachdb", "cockroachdb/cockroach:v24.3.0", _chart("cockroachdb", "cdb", "17.0.0", "cockroachdb"), 3, 1,
     {"db": {"grpc": 26257, "http": 8080}}),
    ("rabbitmq", "bitnami/rabbitmq:4", _chart("rabbitmq", "rabbitmq", "16.0.0"), 3, 1,
     {"rabbitmq": {"amqp": 5672, "stats": 15672}}),
    ("orders-mysql-primary", "bitnamilegacy/mysql:8.0", _chart("mysql", "orders", "14.0.3", "primary"), 1, 1,
     {"mysql": {"mysql": 3306}}),
    ("orders-mysql-secondary", "bitnamilegacy/mysql:8.0", _chart("mysql", "orders", "14.0.3", "secondary"), 1, 1,
     {"mysql": {"mysql": 3306}}),
]  # fmt: skip
#: It does not heed SIGTERM, as a container's first process does not on a real node: going takes the whole grace.
_LISTEN = "trap '' TERM; echo here >/tmp/index.html; exec python3 -m http.server -b 0.0.0.0 -d /tmp {port}"


def five(cluster: Cluster, namespace: str) -> None:
    """Starts them and waits until all are ready."""
    cluster.admin.apply(*_manifests(cluster, namespace))
    for name, *_ in SETS:
        cluster.admin.roll_out(namespace, name, 180)


def _manifests(cluster: Cluster, namespace: str) -> Iterator[Json]:
    for name, image, labels, replicas, claims, containers in SETS:
        meta = {"name": name, "namespace": namespace, "labels": labels}
        ports = {key: number for each in containers.values() for key, number in each.items()}
        yield {
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"selector": labels, "ports": [{"name": key, "port": port} for key, port in ports.items()]},
        }  # fmt: skip
        mounts = [{"name": f"data{number}", "mountPath": f"/export{number}"} for number in range(claims)]
        yield {
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
            "spec": {
                "serviceName": name, "replicas": replicas, "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {
                    "terminationGracePeriodSeconds": 2, "automountServiceAccountToken": False,
                    "containers": [_container(cluster, image, key, ports, mounts) for key, ports in containers.items()],
                }},
                "volumeClaimTemplates": [{"metadata": {"name": mount["name"]}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                    "resources": {"requests": {"storage": "16Mi"}},
                }} for mount in mounts],
            },
        }  # fmt: skip


def _container(
    cluster: Cluster, image: str, name: str, ports: dict[str, int], mounts: list[dict[str, str]]
) -> dict[str, Any]:
    first = next(iter(ports.values()))
    return {
        "name": name, "image": cluster.named(image), "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", _LISTEN.format(port=first)],
        "ports": [{"name": key, "containerPort": number} for key, number in ports.items()],
        "readinessProbe": {"tcpSocket": {"port": first}, "periodSeconds": 1},
        "volumeMounts": mounts,
    }  # fmt: skip
