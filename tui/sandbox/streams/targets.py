"""Which container of which pod a request means, and why it cannot be had, in the words of the real server."""

from __future__ import annotations

from typing import Any, NoReturn

from aiohttp import web

from tui.sandbox.model import ApiError, Json, Objects


def flag(request: web.Request, name: str) -> bool:
    """A parameter of the query that is true or false: `?follow` and `?follow=maybe` are true, as in Kubernetes."""
    return request.query.get(name, "0").lower() not in ("0", "false")


def pod_of(objects: Objects, request: web.Request) -> Json:
    """The pod that a path names.

    Raises:
        ApiError: there is none.
    """
    name = request.match_info["pod"]
    pod = objects.get("pods", request.match_info["namespace"], name)
    if pod is None:
        raise ApiError(404, "NotFound", f'pods "{name}" not found', {"name": name, "kind": "pods"})
    return pod


def container_of(pod: Json, name: str) -> str:
    """The container that is meant: the named one, or the only one.

    Raises:
        ApiError: it must be named, or there is none of that name.
    """
    spec, about = pod.get("spec") or {}, pod["metadata"]["name"]
    plain = _names(spec, "containers")
    if not name and len(plain) == 1:
        return plain[0]
    every = _names(spec, "initContainers") + plain + _names(spec, "ephemeralContainers")
    if not name:
        choice = f", choose one of: [{' '.join(every)}]" if every else ""
        bad_request(f"a container name must be specified for pod {about}{choice}")
    if name not in every:
        bad_request(f"container {name} is not valid for pod {about}")
    return name


def require_node(pod: Json) -> None:
    """Refuses what needs a kubelet while the pod has none.

    Raises:
        ApiError: the pod is not scheduled.
    """
    if not (pod.get("spec") or {}).get("nodeName"):
        bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")


def status_of(pod: Json, container: str) -> Json | None:
    """What the kubelet last said of a container."""
    status = pod.get("status") or {}
    for group in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(group) or ():
            if one.get("name") == container:
                found: Json = one
                return found
    return None


def is_running(pod: Json, container: str) -> bool:
    """Whether a container runs, as far as its status says."""
    return "running" in ((status_of(pod, container) or {}).get("state") or {})


def require_log(pod: Json, container: str, *, previous: bool) -> None:
    """Refuses the log of a container that has none.

    Raises:
        ApiError: with the kubelet's words.
    """
    where = f'"{container}" in pod "{pod["metadata"]["name"]}"'
    status = status_of(pod, container)
    if status is None:
        bad_request(f"container {where} is not available")
    state, last = status.get("state") or {}, status.get("lastState") or {}
    if previous:
        if "terminated" not in last:
            bad_request(f"previous terminated container {where} not found")
        return
    if "running" in state or "terminated" in state or "terminated" in last:
        return
    if "waiting" not in state:
        bad_request(f"container {where} is waiting to start - no logs yet")
    reason = (state["waiting"] or {}).get("reason", "")
    words = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }.get(reason, reason)
    bad_request(f"container {where} is waiting to start: {words}")


def bad_request(message: str) -> NoReturn:
    """Answers 400.

    Raises:
        ApiError: always.
    """
    raise ApiError(400, "BadRequest", message)


def from_kubelet(status: int, message: str) -> web.Response:
    """What a kubelet answers and the API server only passes on: plain text, no Status."""
    return web.Response(status=status, text=message)


def _names(spec: Json, group: str) -> list[str]:
    containers: list[Any] = spec.get(group) or []
    return [one["name"] for one in containers]
