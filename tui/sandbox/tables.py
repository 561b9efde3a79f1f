"""The columns in which the API shows each kind: `Table` of meta.k8s.io, which is what `kubectl get` prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tui.sandbox import ages, cells, selectors
from tui.sandbox.kinds import Kind
from tui.sandbox.model import Json
from tui.sandbox.shapes import Value

Cells = Callable[[Json], Sequence[Any]]


class Columns(NamedTuple):
    """The columns of a kind: their definitions, and the cells of an object."""

    definitions: list[Json]
    cells: Cells


def _columns(text: str, show: Cells) -> Columns:
    """Columns named as `Name, Ready:integer, IP+`; a `+` is for those of `-o wide`."""
    made = []
    for part in text.split(", "):
        name, _, kind = part.rstrip("+").partition(":")
        made.append(_definition(name, kind or "string", int(part.endswith("+"))))
    return Columns(made, show)


def _definition(name: str, kind: str, priority: int, description: str = "") -> Json:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": kind, "format": form, "description": description or name, "priority": priority}


_CREATED = _columns("Name, Created At:date", lambda obj: [cells.name_of(obj), obj["metadata"].get("creationTimestamp")])
_AGED = _columns("Name, Age", lambda obj: [cells.name_of(obj), cells.age_of(obj)])
_BINDING = _columns("Name, Role, Age, Users+, Groups+, ServiceAccounts+", cells.binding_cells)
_EVENT = _columns(
    "Last Seen, Type, Reason, Object, Subobject+, Source+, Message, First Seen+, Count+, Name+", cells.event_cells
)
_RBAC = ".rbac.authorization.k8s.io"

_TABLES: dict[str, Columns] = {
    "pods": _columns(
        "Name, Ready, Status, Restarts, Age, IP+, Node+, Nominated Node+, Readiness Gates+", cells.pod_cells
    ),
    "services": _columns("Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector+", cells.service_cells),
    "configmaps": _columns(
        "Name, Data, Age",
        lambda obj: [cells.name_of(obj), len(obj.get("data", {})) + len(obj.get("binaryData", {})), cells.age_of(obj)],
    ),
    "secrets": _columns(
        "Name, Type, Data, Age",
        lambda obj: [cells.name_of(obj), obj.get("type", ""), len(obj.get("data", {})), cells.age_of(obj)],
    ),
    "events": _EVENT,
    "namespaces": _columns(
        "Name, Status, Age", lambda obj: [cells.name_of(obj), obj.get("status", {}).get("phase", ""), cells.age_of(obj)]
    ),
    "nodes": _columns(
        "Name, Status, Roles, Age, Version, Internal-IP+, External-IP+, OS-Image+, Kernel-Version+, Container-Runtime+",
        cells.node_cells,
    ),
    "persistentvolumeclaims": _columns(
        "Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age, VolumeMode+",
        cells.claim_cells,
    ),
    "persistentvolumes": _columns(
        "Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, Age,"
        " VolumeMode+",
        cells.volume_cells,
    ),
    "endpoints": _columns("Name, Endpoints, Age", cells.endpoints_cells),
    "limitranges": _CREATED,
    "statefulsets.apps": _columns("Name, Ready, Age, Containers+, Images+", cells.stateful_set_cells),
    "deployments.apps": _columns(
        "Name, Ready, Up-to-date, Available, Age, Containers+, Images+, Selector+", cells.deployment_cells
    ),
    "replicasets.apps": _columns(
        "Name, Desired:integer, Current:integer, Ready:integer, Age, Containers+, Images+, Selector+",
        cells.replica_set_cells,
    ),
    "daemonsets.apps": _columns(
        "Name, Desired:integer, Current:integer, Ready:integer, Up-to-date:integer, Available:integer, Node Selector,"
        " Age, Containers+, Images+, Selector+",
        cells.daemon_set_cells,
    ),
    "controllerrevisions.apps": _columns("Name, Controller, Revision, Age", cells.revision_cells),
    "jobs.batch": _columns(
        "Name, Status, Completions, Duration, Age, Containers+, Images+, Selector+", cells.job_cells
    ),
    "cronjobs.batch": _columns(
        "Name, Schedule, Timezone, Suspend:boolean, Active:integer, Last Schedule, Age, Containers+, Images+,"
        " Selector+",
        cells.cron_job_cells,
    ),
    "poddisruptionbudgets.policy": _columns(
        "Name, Min Available, Max Unavailable, Allowed Disruptions:integer, Age", cells.budget_cells
    ),
    "roles" + _RBAC: _CREATED,
    "clusterroles" + _RBAC: _CREATED,
    "rolebindings" + _RBAC: _BINDING,
    "clusterrolebindings" + _RBAC: _BINDING,
    "leases.coordination.k8s.io": _columns(
        "Name, Holder, Age",
        lambda obj: [cells.name_of(obj), obj.get("spec", {}).get("holderIdentity", ""), cells.age_of(obj)],
    ),
    "storageclasses.storage.k8s.io": _columns(
        "Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age", cells.storage_class_cells
    ),
    "endpointslices.discovery.k8s.io": _columns("Name, AddressType, Ports, Endpoints, Age", cells.slice_cells),
    "ingresses.networking.k8s.io": _columns("Name, Class, Hosts, Address, Ports, Age", cells.ingress_cells),
    "networkpolicies.networking.k8s.io": _columns(
        "Name, Pod-Selector, Age",
        lambda obj: [
            cells.name_of(obj),
            selectors.text_of(obj.get("spec", {}).get("podSelector")) or "<none>",
            cells.age_of(obj),
        ],
    ),
    "priorityclasses.scheduling.k8s.io": _columns(
        "Name, Value:integer, Global-Default:boolean, Age, PreemptionPolicy",
        lambda obj: [
            cells.name_of(obj),
            obj.get("value", 0),
            bool(obj.get("globalDefault")),
            cells.age_of(obj),
            obj.get("preemptionPolicy", ""),
        ],
    ),
    "customresourcedefinitions.apiextensions.k8s.io": _CREATED,
}

_STEP = re.compile(r"\.([\w/-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.([\w.]+)==[\"']([^\"']*)[\"']\)\]")


def _json_path(path: str, obj: Value) -> Value:
    """What a CRD's column shows: names, indices, and the one filter that operators use, `[?(@.type=="Ready")]`."""
    values = [obj]
    for step in _STEP.finditer(path.replace("\\.", "\x00")):
        name, index, key, wanted = step.group(1) or step.group(2), step.group(3), step.group(4), step.group(5)
        found: list[Any] = []
        for value in values:
            if name is not None and isinstance(value, dict):
                found += [value[name.replace("\x00", ".")]] if name.replace("\x00", ".") in value else []
            elif index is not None and isinstance(value, list):
                found += value if index == "*" else value[int(index) : int(index) + 1]
            elif key is not None and isinstance(value, list):
                found += [one for one in value if isinstance(one, dict) and str(one.get(key)) == wanted]
        values = found
    return values[0] if values else None


def of(kind: Kind) -> Columns:
    """The columns of a kind."""
    if kind.rules is None:
        return _TABLES.get(kind.key, _AGED)
    if not kind.columns:
        return _AGED
    columns = [column for column in kind.columns if column.get("name") and column.get("jsonPath")]
    definitions = [_definition("Name", "string", 0)] + [
        {
            **_definition(column["name"], column.get("type", "string"), column.get("priority", 0)),
            "description": column.get("description", ""),
        }
        for column in columns
    ]

    def show(obj: Json) -> Sequence[Any]:
        made: list[Any] = [cells.name_of(obj)]
        for column in columns:
            value = _json_path(column["jsonPath"], obj)
            made.append(ages.since(value) if column.get("type") == "date" and value else value)
        return made

    return Columns(definitions, show)


def table(kind: Kind, rows: Sequence[Json], meta: Json, *, include: str = "Metadata", heads: bool = True) -> Json:
    """A Table of objects; `include` is what comes with each row: None, Metadata or Object."""
    columns = of(kind)
    made: Json = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    made["columnDefinitions"] = columns.definitions if heads else None
    made["rows"] = [{"cells": list(columns.cells(obj)), "object": _included(obj, include)} for obj in rows]
    return made


def _included(obj: Json, include: str) -> Json | None:
    if include == "Object":
        return obj
    return partial(obj) if include != "None" else None


def partial(obj: Json) -> Json:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
