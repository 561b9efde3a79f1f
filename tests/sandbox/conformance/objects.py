"""Manifests that mean the same in the sandbox and in a real cluster whose one image has the usual programs."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

#: A pod's program that serves its volume and prints what it does; it ends at once when it is asked to.
SERVE = "echo started $HOSTNAME; exec python3 -u -m http.server --bind 0.0.0.0 --directory /data 8000"


def text(*objects: Json) -> str:
    """A List, as kubectl reads it."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def pod_spec(image: str, script: str, **container: Any) -> Json:
    """A pod with one container, `main`, that runs a shell's script."""
    main = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
        **container,
    }
    return {"terminationGracePeriodSeconds": 1, "containers": [main]}


def pod(name: str, image: str, script: str = "exec sleep 1000", *, restart: str = "Never", **container: Any) -> Json:
    """A pod by itself."""
    spec = pod_spec(image, script, **container) | {"restartPolicy": restart}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def service(name: str, **spec: Any) -> Json:
    """A Service of the pods of that name, at their port `http`."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": {"app": name}, "ports": ports} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def stateful_set(image: str, *, name: str = "web", replicas: int = 2, script: str = SERVE, **spec: Any) -> Json:
    """A set whose pods serve their claims over HTTP."""
    template = pod_spec(
        image,
        script,
        ports=[{"name": "http", "containerPort": 8000}],
        readinessProbe={"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
        resources={"requests": {"cpu": "10m", "memory": "16Mi"}},
    )
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": template},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            **spec,
        },
    }


def deployment(image: str, *, name: str = "front", replicas: int = 2, script: str = "exec sleep 1000") -> Json:
    """A Deployment whose pods do nothing."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(image, script)},
        },
    }
