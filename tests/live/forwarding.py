"""Pods to forward to: a StatefulSet of `peer.py`, with its Services, in a namespace of the test's own."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from conftest import apply, kubectl

IMAGE = "registry.test/services:2"
HERE = Path(__file__).parent


def peers(namespace: str, *, replicas: int = 2, name: str = "peer", delay: float = 0, probe: bool = True) -> None:
    """Starts the set and waits until it is ready."""
    meta = {"name": name, "namespace": namespace}
    apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
         "data": {"peer.py": (HERE / "peer.py").read_text()}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"selector": {"app": name}, "ports": [
             {"name": "echo", "port": 7, "targetPort": "echo"}, {"name": "name", "port": 9007}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
         "spec": {"serviceName": name, "replicas": replicas, "podManagementPolicy": "Parallel",
                  "selector": {"matchLabels": {"app": name}},
                  "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(name, delay, probe=probe)}}},
    )  # fmt: skip
    kubectl("-n", namespace, "rollout", "status", f"statefulset/{name}", "--timeout=90s")


def pod_spec(config_map: str, delay: float = 0, *, probe: bool = True) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "peer", "image": IMAGE, "imagePullPolicy": "Never",
        "command": ["python3", "/peer/peer.py", str(delay)],
        "ports": [{"name": "echo", "containerPort": 9001}, {"name": "name", "containerPort": 9007}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        ],
        "volumeMounts": [{"name": "peer", "mountPath": "/peer"}],
    }  # fmt: skip
    if probe:
        container["readinessProbe"] = {"tcpSocket": {"port": 9001}, "periodSeconds": 1}
    return {
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "peer", "configMap": {"name": config_map}}],
    }


def pod(namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("-n", namespace, "get", "pod", name, "-o", "json"))
    return found


def age(namespace: str, name: str) -> float:
    """Seconds since a pod's container started."""
    started = pod(namespace, name)["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    return time.time() - datetime.fromisoformat(started).timestamp()


def pod_gone(namespace: str, name: str, seconds: float = 60) -> None:
    """Waits until a pod is no more; `kubectl wait` of old versions misses a pod that goes just then."""
    deadline = time.monotonic() + seconds
    while kubectl("-n", namespace, "get", "pod", name, "--ignore-not-found", "-o", "name"):
        assert time.monotonic() < deadline, f"{name} is still there"
        time.sleep(0.2)


def server_minor() -> int:
    """The server's version: 36 for 1.36."""
    return int(json.loads(kubectl("version", "-o", "json"))["serverVersion"]["minor"].rstrip("+"))
