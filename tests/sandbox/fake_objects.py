"""The API as `Objects` describes it, in memory, and a kubelet that does at once what it is told."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tui.sandbox.controllers import Clock, build
from tui.sandbox.controllers.meta import is_controlled_by, timestamp
from tui.sandbox.model import ApiError, Change, Json, Meant, Propagation

_CLUSTER = ("nodes", "namespaces", "persistentvolumes", "storageclasses.storage.k8s.io")


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class FakeObjects:
    """Implements `Objects`. Objects that it handed out and that were changed since are found by `check`."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.kept: dict[tuple[str, str, str], Json] = {}
        self.texts: dict[int, tuple[Json, str]] = {}
        self.changes: list[Change] = []
        self.events: list[tuple[str, str, str]] = []
        self.counts: dict[str, int] = {}
        self.refuse: Callable[[str, str, Json], ApiError | None] = lambda verb, resource, obj: None
        self.watchers: list[tuple[set[str], asyncio.Queue[Change]]] = []
        self.revision = 0
        self.guard = True

    # What controllers see

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        return self.kept.get((resource, namespace, name))

    def select(self, resource: str, namespace: str, meant: Meant) -> list[Json]:
        def controller(obj: Json) -> str:
            owners = obj["metadata"].get("ownerReferences") or ()
            return next((one["uid"] for one in owners if one.get("controller")), "")

        every: Any = self.list(resource, namespace)
        return [obj for obj in every if meant(obj["metadata"].get("labels") or {}, controller(obj))]

    def list(self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Json]:
        found = [
            (key, obj)
            for key, obj in self.kept.items()
            if key[0] == resource
            and (namespace is None or key[1] == namespace)
            and (not labels or labels.items() <= dict(obj["metadata"].get("labels") or {}).items())
        ]
        return [obj for _, obj in sorted(found, key=lambda item: item[0])]

    def create(self, resource: str, obj: Json, *, manager: str = "sandbox") -> Json:
        self._verb("create", resource, obj)
        new = copy.deepcopy(obj)
        meta = new["metadata"]
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{self.revision + 1:05d}"
        space = meta.get("namespace", "")
        assert bool(space) != (resource in _CLUSTER), f"{resource} in namespace {space!r}"
        if self.get(resource, space, meta["name"]):
            raise ApiError(409, "AlreadyExists", f'{resource} "{meta["name"]}" already exists')
        meta |= {"uid": f"uid-{self.revision + 1}", "creationTimestamp": timestamp(self.now), "generation": 1}
        for empty in ("labels", "annotations", "finalizers", "ownerReferences"):
            if not meta.get(empty):
                meta.pop(empty, None)
        if resource == "pods":
            new["status"] = {"phase": "Pending"}
        return self._put("ADDED", resource, new, None)

    def update(self, resource: str, obj: Json, *, subresource: str = "", manager: str = "sandbox") -> Json:
        self._verb("update", resource, obj)
        old = self._old(resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        version = obj["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        new = copy.deepcopy({**old, "status": obj.get("status")} if subresource == "status" else obj)
        if subresource != "status" and "status" in old:
            new["status"] = copy.deepcopy(old["status"])
        return self._change(resource, old, new)

    def patch(
        self, resource: str, namespace: str, name: str, patch: Json, *, subresource: str = "", manager: str = "sandbox"
    ) -> Json:
        old = self._old(resource, namespace, name)
        self._verb("patch", resource, old)
        return self._change(resource, old, copy.deepcopy(merged(old, patch)))

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace: int | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        old = self._old(resource, namespace, name)
        self._verb("delete", resource, old)
        if uid and uid != old["metadata"]["uid"]:
            raise ApiError(409, "Conflict", "another uid")
        runs = resource == "pods" and (old.get("spec") or {}).get("nodeName") and grace != 0
        if runs or old["metadata"].get("finalizers") or (resource == "namespaces" and old["spec"].get("finalizers")):
            if not old["metadata"].get("deletionTimestamp"):
                new = copy.deepcopy(old)
                new["metadata"]["deletionTimestamp"] = timestamp(self.now)
                self._put("MODIFIED", resource, new, old)
            return
        self._remove(resource, old, propagation)

    def event(self, about: Json, reason: str, message: str, *, kind: str = "Normal", source: str = "") -> None:
        assert source
        assert kind in {"Normal", "Warning"}
        self.events.append((f"{about['kind']}/{about['metadata']['name']}", reason, message))

    async def subscribe(self, resources: Iterable[str]) -> AsyncIterator[Change]:
        queue: asyncio.Queue[Change] = asyncio.Queue()
        wanted = set(resources)
        for (resource, _, _), obj in sorted(self.kept.items(), key=lambda item: item[0]):
            if resource in wanted:
                queue.put_nowait(Change("ADDED", resource, obj, None, self.revision))
        self.watchers.append((wanted, queue))
        while True:
            yield await queue.get()

    # What is behind it

    def _verb(self, verb: str, resource: str, obj: Json) -> None:
        self.counts[verb] = self.counts.get(verb, 0) + 1
        if error := self.refuse(verb, resource, obj):
            raise error

    def _old(self, resource: str, namespace: str, name: str) -> Json:
        old = self.get(resource, namespace, name)
        if old is None:
            raise ApiError(404, "NotFound", f'{resource} "{name}" not found')
        return old

    def _change(self, resource: str, old: Json, new: Json) -> Json:
        new["metadata"] |= {key: old["metadata"][key] for key in ("uid", "creationTimestamp")}
        if new == old:
            return old
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        done = self._put("MODIFIED", resource, new, old)
        empty = not new["metadata"].get("finalizers") and not (
            resource == "namespaces" and new["spec"].get("finalizers")
        )
        # A pod goes with its last finalizer; with none, its kubelet decides.
        freed = resource != "pods" or bool(old["metadata"].get("finalizers"))
        if new["metadata"].get("deletionTimestamp") and empty and freed:
            self._remove(resource, done, "Background")
        return done

    def _put(self, kind: Any, resource: str, new: Json, old: Json | None) -> Json:
        self.revision += 1
        new["metadata"]["resourceVersion"] = str(self.revision)
        key = (resource, new["metadata"].get("namespace", ""), new["metadata"]["name"])
        if kind == "DELETED":
            del self.kept[key]
        else:
            self.kept[key] = new
        if self.guard:
            self.texts[id(new)] = (new, json.dumps(new))
        change = Change(kind, resource, new, old, self.revision)
        self.changes.append(change)
        for wanted, queue in self.watchers:
            if resource in wanted:
                queue.put_nowait(change)
        return new

    def _remove(self, resource: str, old: Json, propagation: str) -> None:
        self._put("DELETED", resource, copy.deepcopy(old), old)
        uid = old["metadata"]["uid"]
        for (kind, space, name), obj in list(self.kept.items()):
            references = obj["metadata"].get("ownerReferences") or []
            if (kind, space, name) in self.kept and any(one["uid"] == uid for one in references):
                if propagation == "Orphan":
                    left = [one for one in references if one["uid"] != uid]
                    self.update(kind, {**obj, "metadata": {**obj["metadata"], "ownerReferences": left}})
                else:
                    self.delete(kind, space, name)

    def check(self) -> None:
        for obj, text in self.texts.values():
            assert json.dumps(obj) == text, "an object that came from Objects was changed"


class World:
    """The controllers with the fake API, a kubelet and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.objects = FakeObjects()
        self.clock = Clock(wall=lambda: self.objects.now, ticks=lambda: self.objects.now)
        #: Whether a pod that runs is ready, and whether one that is to end has ended.
        self.ready: Callable[[Json], bool] = lambda pod: True
        self.ends: Callable[[Json], bool] = lambda pod: True
        self.addresses = 0
        self.restart()
        node = {"status": {"allocatable": {"pods": "1100"}}}
        self.add("nodes", "node-1", **node)
        self.add("namespaces", "a", spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
        provisioner = {"provisioner": "sandbox.statetui/directory", "reclaimPolicy": "Delete"}
        mark = {"storageclass.kubernetes.io/is-default-class": "true"}
        delayed = {"volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": True}
        self.add("storageclasses.storage.k8s.io", "standard", annotations=mark, **delayed, **provisioner)
        self.add("storageclasses.storage.k8s.io", "now", volumeBindingMode="Immediate", **provisioner)

    def restart(self) -> None:
        """Begins again with controllers that know nothing."""
        self.engine = build(self.objects, volumes=Path("/state/volumes"), clock=self.clock)
        self.objects.changes = [
            Change("ADDED", resource, obj, None, 0) for (resource, _, _), obj in self.objects.kept.items()
        ]

    def add(self, resource: str, name: str, *, labels: Any = None, annotations: Any = None, **body: Any) -> Json:
        meta: Json = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
        meta |= {} if resource in _CLUSTER else {"namespace": "a"}
        kinds = {
            "statefulsets.apps": ("apps/v1", "StatefulSet"),
            "deployments.apps": ("apps/v1", "Deployment"),
            "daemonsets.apps": ("apps/v1", "DaemonSet"),
            "replicasets.apps": ("apps/v1", "ReplicaSet"),
            "jobs.batch": ("batch/v1", "Job"),
            "poddisruptionbudgets.policy": ("policy/v1", "PodDisruptionBudget"),
            "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
        }
        version, kind = kinds.get(resource, ("v1", resource[:-1].capitalize()))
        return self.objects.create(resource, {"apiVersion": version, "kind": kind, "metadata": meta, **body})

    def get(self, resource: str, name: str) -> Json:
        obj = self.objects.get(resource, "" if resource in _CLUSTER else "a", name)
        assert obj is not None, f"no {resource} {name}"
        return obj

    def names(self, resource: str) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.objects.list(resource)]

    def pods(self) -> dict[str, Json]:
        return {obj["metadata"]["name"]: obj for obj in self.objects.list("pods")}

    def edit(self, resource: str, name: str, patch: Json) -> Json:
        return self.objects.patch(resource, "" if resource in _CLUSTER else "a", name, patch)

    def reasons(self, about: str) -> list[str]:
        return [reason for what, reason, _ in self.objects.events if what == about]

    def messages(self, about: str) -> list[str]:
        return [message for what, _, message in self.objects.events if what == about]

    # Time

    def control(self) -> None:
        """Lets the controllers do all that they can without anybody's help."""
        for _ in range(100_000):
            changes, self.objects.changes = self.objects.changes, []
            for change in changes:
                self.engine.notice(change)
            if self.engine.step() != 0 and not self.objects.changes:
                self.objects.check()
                return
        raise AssertionError("the controllers do not come to rest")

    def kubelet(self) -> bool:
        """One round of the kubelet; whether it did anything."""
        before, refuse = self.objects.revision, self.objects.refuse
        self.objects.refuse = lambda verb, resource, obj: None  # refusals are meant for the controllers
        for pod in self.objects.list("pods"):
            meta, status = pod["metadata"], pod["status"]
            if not isinstance(pod.get("spec"), dict) or not pod["spec"].get("nodeName"):
                continue
            if meta.get("deletionTimestamp"):
                if self.ends(pod):
                    self.objects.delete("pods", meta["namespace"], meta["name"], grace=0)
                continue
            if status["phase"] == "Pending":
                self.addresses += 1
                self.report(pod, phase="Running", podIP=f"127.0.0.{self.addresses}")
            elif status["phase"] == "Running":
                state = "True" if self.ready(pod) else "False"
                ready = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), {})
                if ready.get("status") != state:
                    others = [one for one in status.get("conditions", ()) if one["type"] != "Ready"]
                    new = {"type": "Ready", "status": state, "lastTransitionTime": timestamp(self.objects.now)}
                    self.report(pod, conditions=[*others, new])
        self.objects.refuse = refuse
        return self.objects.revision != before

    def report(self, pod: Json, **status: Any) -> None:
        self.objects.update("pods", {**pod, "status": {**pod["status"], **status}}, subresource="status")

    def settle(self, seconds: float = 0) -> None:
        """Lets everybody work until nothing happens any more, then so many seconds pass, one at a time."""
        end = self.objects.now + seconds
        while True:
            self.control()
            for _ in range(10_000):
                if not self.kubelet():
                    break
                self.control()
            if self.objects.now >= end:
                return
            self.objects.now += 1


def template(app: str, **spec: Any) -> Json:
    ports = [{"name": "http", "containerPort": 8080}]
    containers = [{"name": "c", "image": "i", "ports": ports}]
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers, **spec}}


def stateful_set(app: str = "web", replicas: int = 3, **spec: Any) -> Json:
    claim = {
        "metadata": {"name": "data", "labels": {"x": "z"}},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}},
    }
    selector = {"matchLabels": {"app": app}}
    return {
        "serviceName": app,
        "replicas": replicas,
        "selector": selector,
        "template": template(app),
        "volumeClaimTemplates": [claim],
        **spec,
    }


def owned(objects: FakeObjects, resource: str, owner: Json) -> list[Json]:
    return [obj for obj in objects.list(resource) if is_controlled_by(obj, owner)]
