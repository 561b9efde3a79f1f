"""Pods to forward to: a StatefulSet of `peer.py`, with its Services, in a namespace of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract.clusters import Cluster

HERE = Path(__file__).parent


def peers(
    cluster: Cluster, namespace: str, *, replicas: int = 2, name: str = "peer", delay: float = 0, probe: bool = True
) -> None:
    """Starts the set and waits until it is ready."""
    meta = {"name": name, "namespace": namespace}
    cluster.admin.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
         "data": {"peer.py": (HERE / "peer.py").read_text()}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"selector": {"app": name}, "ports": [
             {"name": "echo", "port": 7, "targetPort": "echo"}, {"name": "name", "port": 9007}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
         "spec": {"serviceName": name, "replicas": replicas, "podManagementPolicy": "Parallel",
                  "selector": {"matchLabels": {"app": name}},
                  "template": {"metadata": {"labels": {"app": name}},
                               "spec": pod_spec(cluster, name, delay, probe=probe)}}},
    )  # fmt: skip
    cluster.admin.roll_out(namespace, name)


def pod_spec(cluster: Cluster, config_map: str, delay: float = 0, *, probe: bool = True) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "peer", "image": cluster.image, "imagePullPolicy": "Never",
        # The address is among the words, where the sandbox puts the pod's own in its place.
        "command": ["python3", "/peer/peer.py", str(delay), "0.0.0.0"],
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
