"""The API as the kubelet needs it, without one."""

from __future__ import annotations

import asyncio
import copy
import itertools
import time
import uuid
from typing import Any

from tui.sandbox.model import ApiError, Change, Json

_KINDS = {"pods": "Pod", "nodes": "Node", "persistentvolumeclaims": "PersistentVolumeClaim"}


def merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found


class FakeObjects:
    """Objects in a dictionary; events in a list."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str, str], Json] = {}
        self.events: list[tuple[str, str, str, str]] = []  # name, reason, message, kind
        self.history: list[Json] = []  # statuses of pods, one after the other
        self._revision = itertools.count(1)
        self._subscribers: list[tuple[set[str], asyncio.Queue[Change]]] = []

    def get(self, resource, namespace, name):
        return self.all.get((resource, namespace, name))

    def list(self, resource, namespace=None, labels=None):
        return [o for (r, n, _), o in sorted(self.all.items()) if r == resource and namespace in (None, n)]

    def create(self, resource, obj, *, manager="sandbox"):
        obj = copy.deepcopy(obj)
        meta = obj["metadata"]
        meta.setdefault("uid", str(uuid.uuid4()))
        namespace = "" if resource == "nodes" else meta.setdefault("namespace", "default")
        if (resource, namespace, meta["name"]) in self.all:
            raise ApiError(409, "AlreadyExists", f'{resource} "{meta["name"]}" already exists')
        obj.setdefault("kind", _KINDS.get(resource, resource))
        return self._put("ADDED", resource, (resource, namespace, meta["name"]), obj)

    def update(self, resource, obj, *, subresource="", manager="sandbox"):
        meta = obj["metadata"]
        return self._put("MODIFIED", resource, (resource, meta.get("namespace", ""), meta["name"]), copy.deepcopy(obj))

    def patch(self, resource, namespace, name, patch, *, subresource="", manager="sandbox"):
        key = (resource, namespace, name)
        if key not in self.all:
            raise ApiError(404, "NotFound", f'{resource} "{name}" not found')
        obj = self._put("MODIFIED", resource, key, merge(self.all[key], patch))
        if resource == "pods":
            self.history.append(obj["status"])
        return obj

    def delete(self, resource, namespace, name, *, uid="", grace=None, propagation="Background"):
        key = (resource, namespace, name)
        if key not in self.all:
            raise ApiError(404, "NotFound", f'{resource} "{name}" not found')
        obj = copy.deepcopy(self.all[key])
        if resource == "pods" and grace != 0:
            seconds = grace if grace is not None else obj["spec"].get("terminationGracePeriodSeconds", 30)
            obj["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": seconds}
            self._put("MODIFIED", resource, key, obj)
            return
        del self.all[key]
        self._tell(Change("DELETED", resource, obj, obj, next(self._revision)))

    async def subscribe(self, resources):
        queue: asyncio.Queue[Change] = asyncio.Queue()
        wanted = set(resources)
        for (resource, _, _), obj in sorted(self.all.items()):
            if resource in wanted:
                queue.put_nowait(Change("ADDED", resource, obj, None, 0))
        self._subscribers.append((wanted, queue))
        while True:
            yield await queue.get()

    def event(self, about, reason, message, *, kind="Normal", source=""):
        self.events.append((about["metadata"]["name"], reason, message, kind))

    def said(self, name: str, reason: str) -> list[str]:
        return [message for about, why, message, _ in self.events if (about, why) == (name, reason)]

    def pod(self, name: str, *containers: Json, namespace: str = "default", **spec: Any) -> Json:
        body = {"nodeName": "sandbox", "containers": list(containers), "restartPolicy": "Always", **spec}
        return self.create("pods", {"metadata": {"name": name, "namespace": namespace}, "spec": body})

    def claim(self, name: str, size: str = "1Gi", namespace: str = "default") -> None:
        self.create(
            "persistentvolumeclaims",
            {
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"volumeName": f"pv-{name}"},
                "status": {"phase": "Bound", "capacity": {"storage": size}},
            },
        )

    def _put(self, what, resource, key, obj):
        old = self.all.get(key)
        revision = next(self._revision)
        obj["metadata"]["resourceVersion"] = str(revision)
        self.all[key] = obj
        self._tell(Change(what, resource, obj, old, revision))
        return obj

    def _tell(self, change):
        for wanted, queue in self._subscribers:
            if change.resource in wanted:
                queue.put_nowait(change)


def sh(script: str, name: str = "app", **more: Any) -> Json:
    """A container that runs a shell script."""
    return {"name": name, "image": "sandbox/process", "command": ["sh", "-c", script], **more}


async def until(what, seconds: float = 90.0, told=lambda: "it did not come about"):
    """Waits until a function answers with something true, and answers with it; `told` says why it did not."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except (KeyError, IndexError, TypeError):
            found = None
        if found:
            return found
        assert time.monotonic() < end, told()
        await asyncio.sleep(0.02)
