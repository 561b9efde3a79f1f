"""A StatefulSet whose pods are processes and have a claim each, as text for `kubectl apply`."""

from __future__ import annotations

import json
from typing import Any


def stateful_set(name: str, script: str, *, replicas: int = 1, storage: str = "16Mi", **container: Any) -> str:
    """One in the namespace `default`, with the claim `data` at /data.

    Args:
        name: of the set, its container and its Service.
        script: what each pod's shell runs.
        replicas: how many pods.
        storage: what each claims.
        container: more of the container's fields.
    """
    runs = {
        "name": name,
        "image": "sandbox/process",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        **container,
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    made = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [runs]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        },
    }
    return json.dumps(made)
