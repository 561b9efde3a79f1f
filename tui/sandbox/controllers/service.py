"""Services: which pods answer for one, as EndpointSlices and as the older Endpoints."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from tui.sandbox.controllers.engine import Clock, Key
from tui.sandbox.controllers.meta import (
    annotations_of,
    is_deleted,
    labels_of,
    name_of,
    namespace_of,
    reference_to,
    timestamp,
)
from tui.sandbox.controllers.pods import is_finished, is_ready
from tui.sandbox.model import Change, Json, Objects
from tui.sandbox.selectors import selects

SERVICES, SLICES, ENDPOINTS = "services", "endpointslices.discovery.k8s.io", "endpoints"
#: So many endpoints a slice holds at most, as in Kubernetes by default.
MOST = 100
_NAME, _MANAGED = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
_MANAGER = "endpointslice-controller.k8s.io"
_LEGACY = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
_CHANGED = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass(slots=True)
class _Group:
    """Pods that answer on the same ports."""

    ports: list[Json]
    pods: list[Json] = field(default_factory=list)


def _number(pod: Json, target: object, protocol: str) -> int | None:
    """The number of a target port in a pod: pods may mean different ones by the same name."""
    if isinstance(target, int):
        return target
    if isinstance(target, str) and target.isdecimal():
        return int(target)
    spec = pod.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _ports(service: Json, pod: Json) -> list[Json]:
    """The ports of a service as a pod has them; those that it lacks are left out."""
    ports = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        number = _number(pod, port.get("targetPort") or port["port"], protocol)
        if number is not None:
            found = {"name": port.get("name") or "", "port": number, "protocol": protocol}
            ports.append(found | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}))
    return ports


def _groups(service: Json, pods: Iterable[Json]) -> list[_Group]:
    groups: dict[str, _Group] = {}
    for pod in pods:
        ports = _ports(service, pod)
        # A pod that has none of the ports cannot answer, unless the service asks for none.
        if ports or not service["spec"].get("ports"):
            groups.setdefault(repr(ports), _Group(ports)).pods.append(pod)
    return list(groups.values())


def _endpoint(service: Json, pod: Json) -> Json:
    ready, terminating = is_ready(pod), is_deleted(pod)
    public = bool(service["spec"].get("publishNotReadyAddresses"))
    conditions = {"ready": public or (ready and not terminating), "serving": ready, "terminating": terminating}
    return {"addresses": [pod["status"]["podIP"]], "conditions": conditions, **_whose(service, pod)}


def _whose(service: Json, pod: Json) -> Json:
    spec = pod["spec"]
    target = {"kind": "Pod", "name": name_of(pod), "namespace": namespace_of(pod), "uid": pod["metadata"]["uid"]}
    whose: Json = {"targetRef": target}
    if spec.get("nodeName"):
        whose["nodeName"] = spec["nodeName"]
    if spec.get("hostname") and spec.get("subdomain") == name_of(service):
        whose["hostname"] = spec["hostname"]
    return whose


def _is_headless(service: Json) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


class Services:
    """Looks after the endpoints of Services. Those of a Service without a selector are its author's."""

    resources: ClassVar[tuple[str, ...]] = (SERVICES, SLICES, ENDPOINTS, "pods")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The Service itself, that of its endpoints, and those that select a pod."""
        obj, namespace = change.object, namespace_of(change.object)
        if change.resource == SLICES:
            name = labels_of(obj).get(_NAME)
            yield from [(namespace, name)] if name else []
        elif change.resource != "pods":
            yield namespace, name_of(obj)
        else:
            both = [labels_of(one) for one in (obj, change.old) if one]
            for service in self._objects.list(SERVICES, namespace):
                selector = service["spec"].get("selector")
                if selector and any(selects({"matchLabels": selector}, labels) for labels in both):
                    yield namespace, name_of(service)

    def reconcile(self, key: Key) -> float | None:
        """Writes the endpoints of one Service, or takes them away with it."""
        service = self._objects.get(SERVICES, *key)
        if service is None or is_deleted(service):
            self._forget(key)
            return None
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return None
        pods = [
            pod
            for pod in self._objects.list("pods", key[0], selector)
            if (pod.get("status") or {}).get("podIP") and not is_finished(pod)
        ]
        self._write_slices(service, _groups(service, pods))
        public = service["spec"].get("publishNotReadyAddresses")
        self._write_legacy(service, _groups(service, [pod for pod in pods if public or not is_deleted(pod)]))
        return None

    def _forget(self, key: Key) -> None:
        namespace, name = key
        for piece in self._objects.list(SLICES, namespace, {_NAME: name, _MANAGED: _MANAGER}):
            self._objects.delete(SLICES, namespace, name_of(piece))
        legacy = self._objects.get(ENDPOINTS, namespace, name)
        if legacy is not None and _LEGACY.items() <= labels_of(legacy).items():
            self._objects.delete(ENDPOINTS, namespace, name)

    def _write_slices(self, service: Json, groups: list[_Group]) -> None:
        namespace, name = namespace_of(service), name_of(service)
        there = [
            piece
            for piece in self._objects.list(SLICES, namespace, {_NAME: name, _MANAGED: _MANAGER})
            if piece.get("addressType") == "IPv4" and not is_deleted(piece)
        ]
        wanted = [piece for group in groups for piece in self._slices(service, group)]
        if not wanted:  # one that is empty says that the service is known
            wanted = [self._slice(service, [], [])]
        # Each goes into one of the same ports if there is one: watchers see the endpoints move as little as can be.
        pairs: list[tuple[Json, Json | None]] = []
        for piece in wanted:
            same = next((old for old in there if (old.get("ports") or []) == (piece["ports"] or [])), None)
            pairs.append((piece, same))
            there = [old for old in there if old is not same]
        for piece, same in pairs:
            old = same or (there.pop(0) if there else None)
            if old is None:
                self._objects.create(SLICES, piece)
            else:
                self._renew(old, piece)
        for old in there:
            self._objects.delete(SLICES, namespace, name_of(old))

    def _slices(self, service: Json, group: _Group) -> Iterator[Json]:
        for at in range(0, len(group.pods), MOST):
            yield self._slice(service, group.ports, [_endpoint(service, pod) for pod in group.pods[at : at + MOST]])

    def _slice(self, service: Json, ports: list[Json], endpoints: list[Json]) -> Json:
        labels = {**labels_of(service), _MANAGED: _MANAGER, _NAME: name_of(service)}
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": name_of(service) + "-",
                "namespace": namespace_of(service),
                "labels": self._marked(service, labels),
                "annotations": {_CHANGED: timestamp(self._clock.wall())},
                "ownerReferences": [reference_to({**service, "apiVersion": "v1", "kind": "Service"})],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        }

    @staticmethod
    def _marked(service: Json, labels: dict[str, str]) -> dict[str, str]:
        labels.pop("service.kubernetes.io/headless", None)
        return labels | ({"service.kubernetes.io/headless": ""} if _is_headless(service) else {})

    def _renew(self, old: Json, new: Json) -> None:
        same = all((old.get(part) or []) == (new[part] or []) for part in ("endpoints", "ports"))
        if same and labels_of(old) == labels_of(new):
            return
        changed = copy.deepcopy(old)
        changed["metadata"]["labels"] = labels_of(new)
        changed["endpoints"], changed["ports"] = new["endpoints"], new["ports"]
        if not same:
            changed["metadata"]["annotations"] = {**annotations_of(old), **annotations_of(new)}
        self._objects.update(SLICES, changed)

    def _write_legacy(self, service: Json, groups: list[_Group]) -> None:
        subsets = []
        for group in groups:
            by_state: dict[bool, list[Json]] = {True: [], False: []}
            for pod in group.pods:
                endpoint = _endpoint(service, pod)
                by_state[endpoint["conditions"]["ready"]].append(
                    {"ip": endpoint["addresses"][0], **_whose(service, pod)}
                )
            subset: Json = {"addresses": by_state[True], "notReadyAddresses": by_state[False], "ports": group.ports}
            subsets.append({part: content for part, content in subset.items() if content})
        old = self._objects.get(ENDPOINTS, namespace_of(service), name_of(service))
        labels = self._marked(service, {**labels_of(service), **_LEGACY})
        if old is not None and (old.get("subsets") or []) == subsets and labels_of(old) == labels:
            return
        metadata = {
            **(old["metadata"] if old else {"name": name_of(service), "namespace": namespace_of(service)}),
            "labels": labels,
            "annotations": {_CHANGED: timestamp(self._clock.wall())},
        }
        new: Json = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        if subsets:
            new["subsets"] = subsets
        if old is None:
            self._objects.create(ENDPOINTS, new)
        else:
            self._objects.update(ENDPOINTS, new)
