"""Stores for tests: from recorded objects in tests/fixtures, or from short descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tui.kube import objects as o
from tui.kube import resources as r
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.systems.catalogue import Catalogue, load_catalogue
from tui.systems.model import Member, Workload
from tui.systems.recognise import Recogniser

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CATALOGUE: Catalogue = load_catalogue()
RESOURCES = {resource.plural: resource for resource in (*r.BUILT_IN, *CATALOGUE.customs)}
KINDS = {resource.kind: resource for resource in RESOURCES.values()}
_numbers = count(1)


class FakeUsage:
    """Usage by (namespace, claim)."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Usage] = {}

    def get(self, namespace: str, claim: str) -> Usage | str:
        return self.known.get((namespace, claim), "the node does not report it")


class World:
    """A store with a recogniser on it."""

    def __init__(self) -> None:
        self.store = Store()
        self.usage = FakeUsage()
        self.recogniser = Recogniser(self.store, self.usage, CATALOGUE)

    def put(self, *items: o.Object, resource: str = "") -> o.Object:
        """Puts objects, whatever their type; custom resources need their key."""
        for item in items:
            self.store.put(resource or key_of(item), item)
        return items[-1]

    def remove(self, item: o.Object) -> None:
        self.store.remove(key_of(item), item.uid)

    def apply(self) -> set[str]:
        """Follows the changes; returns the keys that changed or went."""
        delta = self.recogniser.apply(self.store.drain())
        return {workload.key for workload in delta.changed} | set(delta.gone)

    @property
    def workloads(self) -> Mapping[str, Workload]:
        self.apply()
        return self.recogniser.workloads

    @property
    def only(self) -> Workload:
        """The one workload there is."""
        (found,) = self.workloads.values()
        return found

    def member(self, pod: str) -> Member:
        for workload in self.workloads.values():
            for member in workload.members:
                if member.pod == pod:
                    return member
        raise KeyError(pod)


def key_of(item: o.Object) -> str:
    for resource in r.BUILT_IN:
        if type(item) is resource.struct:
            return resource.key
    assert isinstance(item, o.CustomResource)
    return KINDS[item.kind].key


def recorded(*folders: str, without: Iterable[str] = ()) -> World:
    """A world of recorded objects; what a later folder has of a resource replaces what an earlier one had."""
    files: dict[str, Path] = {}
    for folder in folders:
        files |= {file.stem: file for file in sorted((FIXTURES / folder).glob("*.yaml"))}
    world = World()
    for plural, file in files.items():
        if plural not in without:
            resource = RESOURCES[plural]
            items = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
            world.store.replace(resource.key, None, [msgspec.convert(item, resource.struct) for item in items])
    return world


def make(kind: str, name: str, *, namespace: str = "shop", uid: str = "", **rest: Any) -> o.Object:
    """An object of a kind; `labels`, `owner`, `annotations`, `deletion` go into its metadata, the rest beside it."""
    resource = KINDS[kind]
    meta: dict[str, Any] = {
        "name": name,
        "namespace": namespace if resource.namespaced else "",
        "uid": uid or f"{kind}/{namespace}/{name}",
        "resourceVersion": str(next(_numbers)),
        "generation": 1,
        "creationTimestamp": "2026-11-23T12:00:00Z",
    }
    owner = rest.pop("owner", None)
    if owner is not None:
        meta["ownerReferences"] = [owner_reference(owner) if isinstance(owner, o.Object) else owner]
    meta |= {key: rest.pop(key) for key in list(rest) if key in META}
    data: dict[str, Any] = {"metadata": meta, **rest}
    if resource.struct is o.CustomResource:
        data["kind"] = kind
        data["apiVersion"] = f"{resource.group}/{resource.versions[0]}"
    return msgspec.convert(data, resource.struct)


META = (
    "labels", "annotations", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
    "creationTimestamp", "resourceVersion",
)  # fmt: skip


def owner_reference(owner: o.Object) -> dict[str, Any]:
    resource = RESOURCES[key_of(owner).partition(".")[0]]
    version = f"{resource.group}/{resource.versions[0]}" if resource.group else resource.versions[0]
    return {"kind": resource.kind, "apiVersion": version, "name": owner.name, "uid": owner.uid, "controller": True}


def template(
    image: str, labels: Mapping[str, str], *, container: str = "server", claim: str = "", ports: Iterable[int] = ()
) -> dict[str, Any]:
    """A pod template with one container; `claim` names a volume that it mounts."""
    spec: dict[str, Any] = {
        "containers": [{"name": container, "image": image, "ports": [{"containerPort": port} for port in ports]}]
    }
    if claim:
        spec["containers"][0]["volumeMounts"] = [{"name": claim, "mountPath": "/data"}]
    return {"metadata": {"labels": dict(labels)}, "spec": spec}


def stateful_set(
    name: str,
    image: str,
    labels: Mapping[str, str] | None = None,
    *,
    replicas: int = 3,
    claims: Iterable[str] = ("data",),
    container: str = "server",
    revision: str = "r1",
    ports: Iterable[int] = (),
    spec: Mapping[str, Any] | None = None,
    **rest: Any,
) -> o.StatefulSet:
    """A StatefulSet; `labels` are its own and its pods'."""
    own = dict(labels if labels is not None else {"app": name})
    claim_names = list(claims)
    body = {
        "replicas": replicas,
        "selector": {"matchLabels": own},
        "template": template(image, own, container=container, claim=claim_names[0] if claim_names else "", ports=ports),
        "volumeClaimTemplates": [{"metadata": {"name": claim}} for claim in claim_names],
        "updateStrategy": {"type": "RollingUpdate"},
        **(spec or {}),
    }
    status = {"updateRevision": f"{name}-{revision}", "currentRevision": f"{name}-r1", "observedGeneration": 1}
    made = make("StatefulSet", name, labels=own, spec=body, status=status, **rest)
    assert isinstance(made, o.StatefulSet)
    return made


def pods_of(owner: o.StatefulSet, *ordinals: int, **changes: Any) -> list[o.Pod]:
    """Ready pods of a StatefulSet, changed as `pod` takes it."""
    return [pod_of(owner, ordinal, **changes) for ordinal in ordinals]


def pod_of(
    owner: o.StatefulSet, ordinal: int, *, revision: str = "r1", labels: Mapping[str, str] | None = None, **changes: Any
) -> o.Pod:
    name = f"{owner.name}-{ordinal}"
    volumes = [
        {"name": item.metadata.name, "persistentVolumeClaim": {"claimName": f"{item.metadata.name}-{name}"}}
        for item in owner.spec.volume_claim_templates
    ]
    own = {
        **owner.spec.template.metadata.labels,
        "controller-revision-hash": f"{owner.name}-{revision}",
        "apps.kubernetes.io/pod-index": str(ordinal),
        **(labels or {}),
    }
    spec = msgspec.to_builtins(owner.spec.template.spec) | {"nodeName": "node-1", "volumes": volumes}
    return pod(name, spec=spec, labels=own, owner=owner, namespace=owner.namespace, **changes)


def pod(
    name: str, *, spec: Mapping[str, Any], ready: bool = True, status: Mapping[str, Any] | None = None, **rest: Any
) -> o.Pod:
    """A pod; running, and ready unless told otherwise."""
    body = dict(spec)
    running = {"state": {"running": {"startedAt": "2026-11-23T12:00:05Z"}}, "ready": ready, "started": True}
    if status is None:
        status = {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "conditions": [
                {"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized")
            ] + [
                {"type": kind, "status": "True" if ready else "False", "lastTransitionTime": "2026-11-23T12:01:00Z"}
                for kind in ("ContainersReady", "Ready")
            ],
            "containerStatuses": [
                {"name": item["name"], "image": item.get("image", ""), **running} for item in body["containers"]
            ],
        }  # fmt: skip
    made = make("Pod", name, spec=body, status=dict(status), **rest)
    assert isinstance(made, o.Pod)
    return made


def claim(
    name: str,
    *,
    phase: str = "Bound",
    size: str = "10Gi",
    storage_class: str | None = "fast",
    volume: str = "",
    **rest: Any,
) -> o.PersistentVolumeClaim:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "volumeName": volume,
    }
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    status = {"phase": phase, **({"capacity": {"storage": size}} if phase == "Bound" else {}), **rest.pop("status", {})}
    made = make("PersistentVolumeClaim", name, spec=spec, status=status, **rest)
    assert isinstance(made, o.PersistentVolumeClaim)
    return made


def event(
    about: o.Object,
    reason: str,
    message: str,
    *,
    at: str = "2026-11-23T12:05:00Z",
    kind: str = "Warning",
    count: int = 1,
) -> o.Event:
    name = f"{about.name}.{next(_numbers)}"
    reference = owner_reference(about)
    made = make(
        "Event",
        name,
        namespace=about.namespace,
        type=kind,
        reason=reason,
        message=message,
        count=count,
        lastTimestamp=at,
        involvedObject={"kind": reference["kind"], "name": about.name, "namespace": about.namespace, "uid": about.uid},
    )
    assert isinstance(made, o.Event)
    return made


def whole(owner: o.StatefulSet, **changes: Any) -> list[o.Object]:
    """A StatefulSet with all of its pods ready and all of its claims bound."""
    found: list[o.Object] = [owner]
    for ordinal in range(owner.spec.replicas):
        found.append(pod_of(owner, ordinal, **changes))
        found += [
            claim(
                f"{item.metadata.name}-{owner.name}-{ordinal}",
                namespace=owner.namespace,
                labels=owner.spec.selector.match_labels,
            )
            for item in owner.spec.volume_claim_templates
        ]
    return found
