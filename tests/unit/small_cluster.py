"""A small cluster for the fake API server: a MySQL of two, of which one is not ready, with a claim each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fake_api import FakeApi

NODE = "worker-1"
GIB = 1 << 30


def put_mysql(server: FakeApi, name: str = "shop", namespace: str = "db", *, ready: int = 2) -> None:
    """A StatefulSet of two; pods from `ready` on wait in CrashLoopBackOff."""
    labels = {"app": name, "app.kubernetes.io/name": "mysql", "app.kubernetes.io/instance": name}
    server.put(
        "statefulsets",
        {
            "metadata": meta(name, namespace, labels),
            "spec": {
                "replicas": 2,
                "serviceName": name,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container()]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
            },
            "status": {"replicas": 2, "readyReplicas": ready, "currentRevision": "r1", "updateRevision": "r1"},
        },
    )
    uid = server.get("statefulsets", name, namespace)["metadata"]["uid"]  # type: ignore[index]
    owner = [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": uid, "controller": True}]
    for ordinal in range(2):
        put_claim(server, f"data-{name}-{ordinal}", namespace, labels)
        server.put("pods", pod(f"{name}-{ordinal}", namespace, labels, owner, ready=ordinal < ready))


def put_claim(server: FakeApi, name: str, namespace: str, labels: dict[str, str]) -> None:
    server.put(
        "persistentvolumeclaims",
        {
            "metadata": meta(name, namespace, labels),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "fast",
                "volumeName": f"pv-{name}",
            },
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
        },
    )


def pod(name: str, namespace: str, labels: dict[str, str], owner: list[Any], *, ready: bool) -> dict[str, Any]:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting \x1b[31mfailed\u202e"}}
    state = {"running": {"startedAt": "2026-01-01T00:00:05Z"}} if ready else waiting
    return {
        "metadata": {
            **meta(name, namespace, {**labels, "controller-revision-hash": "r1"}),
            "ownerReferences": owner,
        },
        "spec": {
            "nodeName": NODE,
            "containers": [container()],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {
                    "name": "mysql",
                    "ready": ready,
                    "restartCount": 0 if ready else 4,
                    "image": "mysql:8.4",
                    "state": state,
                }
            ],
        },
    }


def container() -> dict[str, Any]:
    return {
        "name": "mysql",
        "image": "mysql:8.4",
        "ports": [{"name": "mysql", "containerPort": 3306}],
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/mysql"}],
    }


def meta(name: str, namespace: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }


def summarise(server: FakeApi, *claims: str, namespace: str = "db", used: int = GIB // 4) -> None:
    """Lets the node report these claims' use."""
    volumes = [
        {
            "name": "data",
            "usedBytes": used,
            "capacityBytes": GIB,
            "availableBytes": GIB - used,
            "pvcRef": {"name": claim, "namespace": namespace},
        }
        for claim in claims
    ]
    server.summaries[NODE] = {"pods": [{"podRef": {"name": "x", "namespace": namespace}, "volume": volumes}]}


def kubeconfig(server: FakeApi, folder: Path, *, namespace: str = "db", token: str = "") -> str:
    """A kubeconfig file that leads to the server."""
    file = folder / "kubeconfig"
    file.write_text(
        f"""apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: tester, namespace: {namespace}}}}}]
clusters: [{{name: test, cluster: {{server: "{server.url}"}}}}]
users: [{{name: tester, user: {{token: "{token or "a-token"}"}}}}]
"""
    )
    return str(file)


def use_plugin(file: str, program: str) -> str:
    """Replaces the token of that kubeconfig file by an exec plugin: a Python program."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", program],
        "interactiveMode": "Never",
    }
    path = Path(file)
    path.write_text(path.read_text().replace('{token: "a-token"}', json.dumps({"exec": plugin})))
    return file
