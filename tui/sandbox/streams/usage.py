"""Figures of use: the kubelet's `stats/summary`, and metrics.k8s.io."""

from __future__ import annotations

from aiohttp import web

from tui.sandbox import selectors
from tui.sandbox.model import ApiError, Json, Objects, Pods

_VERSION = "metrics.k8s.io/v1beta1"


def summary(request: web.Request, pods: Pods, objects: Objects) -> Json:
    """The summary of a node.

    Raises:
        ApiError: there is no such node.
    """
    name = request.match_info["node"]
    if objects.get("nodes", "", name) is None:
        raise ApiError(404, "NotFound", f'nodes "{name}" not found', {"name": name, "kind": "nodes"})
    return pods.stats()


def pod_metrics(request: web.Request, pods: Pods) -> Json:
    """PodMetrics of all namespaces, of one, or of one pod.

    Raises:
        ApiError: that pod has none, or the selector makes no sense.
    """
    namespace, name = request.match_info.get("namespace"), request.match_info.get("pod")
    found = [one for one in pods.metrics() if namespace is None or one["metadata"].get("namespace") == namespace]
    return _answer(request, "Pod", found, name)


def node_metrics(request: web.Request, pods: Pods, objects: Objects) -> Json:
    """NodeMetrics of the nodes, or of one, from the same summary.

    Raises:
        ApiError: there is no such node, or the selector makes no sense.
    """
    node = pods.stats().get("node") or {}
    found = []
    if (about := objects.get("nodes", "", node.get("nodeName", ""))) is not None:
        cpu, memory = node.get("cpu") or {}, node.get("memory") or {}
        found.append(
            {
                "metadata": {"name": node["nodeName"], "labels": about["metadata"].get("labels") or {}},
                "timestamp": cpu.get("time"),
                "window": "10s",
                "usage": {
                    "cpu": f"{cpu.get('usageNanoCores', 0)}n",
                    "memory": f"{memory.get('workingSetBytes', 0) // 1024}Ki",
                },
            }
        )
    return _answer(request, "Node", found, request.match_info.get("node"))


def _answer(request: web.Request, kind: str, found: list[Json], name: str | None) -> Json:
    if name is None:
        meant = selectors.labels(request.query.get("labelSelector", ""))
        items = [one for one in found if meant is None or meant(one["metadata"].get("labels") or {})]
        return {"kind": f"{kind}MetricsList", "apiVersion": _VERSION, "metadata": {}, "items": items}
    one = next((one for one in found if one["metadata"]["name"] == name), None)
    if one is None:
        resource = f"{kind.lower()}s"
        details = {"name": name, "group": "metrics.k8s.io", "kind": resource}
        raise ApiError(404, "NotFound", f'{resource}.metrics.k8s.io "{name}" not found', details)
    return {"kind": f"{kind}Metrics", "apiVersion": _VERSION, **one}
