"""The columns in which the API shows each kind: `Table` of meta.k8s.io, which is what `kubectl get` prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tui.sandbox import ages, podstatus, selectors
from tui.sandbox.kinds import Kind
from tui.sandbox.model import Json
from tui.sandbox.shapes import Value

Cells = Callable[[Json], Sequence[Any]]


class Columns(NamedTuple):
    """The columns of a kind: their definitions, and the cells of an object."""

    definitions: list[Json]
    cells: Cells


def _columns(text: str, cells: Cells) -> Columns:
    """Columns named as `Name, Ready:integer, IP+`; a `+` is for those of `-o wide`."""
    made = []
    for part in text.split(", "):
        name, _, kind = part.rstrip("+").partition(":")
        made.append(_definition(name, kind or "string", int(part.endswith("+"))))
    return Columns(made, cells)


def _definition(name: str, kind: str, priority: int, description: str = "") -> Json:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": kind, "format": form, "description": description or name, "priority": priority}


def _name(obj: Json) -> str:
    return str(obj["metadata"].get("name", ""))


def _age(obj: Json) -> str:
    return ages.since(obj["metadata"].get("creationTimestamp"))


def _none(value: object) -> str:
    return str(value) if value not in (None, "", []) else "<none>"


def _containers(obj: Json) -> tuple[str, str]:
    spec = obj["spec"].get("jobTemplate", obj)["spec"]["template"]["spec"]
    parts = spec.get("containers", [])
    return ",".join(part.get("name", "") for part in parts), ",".join(part.get("image", "") for part in parts)


def _map(labels: Json | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(spec: Json) -> str:
    return ",".join(short for long, short in _MODES.items() if long in spec.get("accessModes", []))


def _pod(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    ready, reason, restarts = podstatus.cells(obj)
    gates = spec.get("readinessGates", [])
    met = {one["type"] for one in status.get("conditions", []) if one.get("status") == "True" and "type" in one}
    told = f"{sum(gate.get('conditionType') in met for gate in gates)}/{len(gates)}" if gates else "<none>"
    address, node, nominated = status.get("podIP"), spec.get("nodeName"), status.get("nominatedNodeName")
    return [_name(obj), ready, reason, restarts, _age(obj), _none(address), _none(node), _none(nominated), told]


def _port(port: Json) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def _service(obj: Json) -> Sequence[Any]:
    spec = obj["spec"]
    outside = spec.get("externalName") or ",".join(spec.get("externalIPs", []))
    if spec["type"] == "LoadBalancer":
        points = obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        outside = ",".join(point.get("ip") or point.get("hostname", "") for point in points) or "<pending>"
    ports = ",".join(_port(port) for port in spec.get("ports", []))
    address = _none(spec.get("clusterIP"))
    return [_name(obj), spec["type"], address, _none(outside), _none(ports), _age(obj), _map(spec.get("selector"))]


def _event(obj: Json) -> Sequence[Any]:
    about, source, series = obj.get("involvedObject", {}), obj.get("source", {}), obj.get("series", {})
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    told = about.get("kind", "").lower() + (f"/{about['name']}" if about.get("name") else "")
    who = source.get("component") or obj.get("reportingComponent", "")
    where = source.get("host") or obj.get("reportingInstance", "")
    count = series.get("count") or obj.get("count") or 1
    return [
        ages.since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        told,
        about.get("fieldPath", ""),
        f"{who}, {where}" if where else who,
        obj.get("message", "").strip(),
        ages.since(first),
        count,
        _name(obj),
    ]


def _claim(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    size = status.get("capacity", {}).get("storage", "") if spec.get("volumeName") else ""
    modes = _modes(status if spec.get("volumeName") else {})
    kind = spec.get("storageClassName", "")
    unset = spec.get("volumeAttributesClassName", "<unset>")
    return [_name(obj), phase, spec.get("volumeName", ""), size, modes, kind, unset, _age(obj), spec.get("volumeMode")]


def _volume(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    claim = spec.get("claimRef")
    return [
        _name(obj),
        spec.get("capacity", {}).get("storage", ""),
        _modes(spec),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", "<unset>"),
        status.get("reason", ""),
        _age(obj),
        spec.get("volumeMode", ""),
    ]


def _node(obj: Json) -> Sequence[Any]:
    status, labels = obj.get("status", {}), obj["metadata"].get("labels", {})
    ready = next((one.get("status") for one in status.get("conditions", []) if one.get("type") == "Ready"), "Unknown")
    told = {"True": "Ready", "False": "NotReady"}.get(str(ready), "Unknown")
    if obj.get("spec", {}).get("unschedulable"):
        told += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix)))
    info = status.get("nodeInfo", {})
    addresses = {one.get("type"): one.get("address") for one in status.get("addresses", [])}
    kernel = info.get("kernelVersion", "<unknown>")
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        _name(obj),
        told,
        _none(roles),
        _age(obj),
        info.get("kubeletVersion", ""),
        _none(addresses.get("InternalIP")),
        _none(addresses.get("ExternalIP")),
        info.get("osImage", "<unknown>"),
        kernel,
        info.get("containerRuntimeVersion", "<unknown>"),
    ]


def _stateful_set(obj: Json) -> Sequence[Any]:
    ready = f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"
    return [_name(obj), ready, _age(obj), *_containers(obj)]


def _deployment(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [_name(obj), ready, *counts, _age(obj), *_containers(obj), selectors.text_of(spec.get("selector"))]


def _replica_set(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, _age(obj), *_containers(obj), selectors.text_of(spec.get("selector"))]


def _daemon_set(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    counts = [status.get(name, 0) for name in (*names, "numberAvailable")]
    where = _map(spec["template"]["spec"].get("nodeSelector"))
    return [_name(obj), *counts, where, _age(obj), *_containers(obj), selectors.text_of(spec.get("selector"))]


def _revision(obj: Json) -> Sequence[Any]:
    owner = next((one for one in obj["metadata"].get("ownerReferences", []) if one.get("controller")), None)
    told = "<none>"
    if owner:
        group = owner["apiVersion"].rpartition("/")[0]
        told = f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}"
    return [_name(obj), told, obj.get("revision", 0), _age(obj)]


def _job(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    met = [one.get("type") for one in status.get("conditions", []) if one.get("status") == "True"]
    state = next((one for one in ("Complete", "Failed", "Suspended") if one in met), "Running")
    if obj["metadata"].get("deletionTimestamp"):
        state = "Terminating"
    done = f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"
    took = ages.between(status.get("startTime"), status.get("completionTime"))
    return [_name(obj), state, done, took, _age(obj), *_containers(obj), selectors.text_of(spec.get("selector"))]


def _cron_job(obj: Json) -> Sequence[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    last = ages.since(status["lastScheduleTime"]) if status.get("lastScheduleTime") else "<none>"
    suspended, active = str(spec.get("suspend", False)), len(status.get("active", []))
    zone = _none(spec.get("timeZone"))
    return [_name(obj), spec.get("schedule", ""), zone, suspended, active, last, _age(obj), *_containers(obj), "<none>"]


def _budget(obj: Json) -> Sequence[Any]:
    spec = obj.get("spec", {})
    bounds = [str(spec.get(name, "N/A")) for name in ("minAvailable", "maxUnavailable")]
    return [_name(obj), *bounds, obj.get("status", {}).get("disruptionsAllowed", 0), _age(obj)]


def _binding(obj: Json) -> Sequence[Any]:
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for one in obj.get("subjects", []):
        prefix = f"{one.get('namespace', '')}/" if one.get("kind") == "ServiceAccount" else ""
        subjects.setdefault(one.get("kind", ""), []).append(prefix + one.get("name", ""))
    role = f"{obj['roleRef'].get('kind', '')}/{obj['roleRef'].get('name', '')}"
    told = (", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount"))
    return [_name(obj), role, _age(obj), *told]


def _storage_class(obj: Json) -> Sequence[Any]:
    default = obj["metadata"].get("annotations", {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    name = _name(obj) + (" (default)" if default else "")
    modes = [obj.get("reclaimPolicy", ""), obj.get("volumeBindingMode", "")]
    return [name, obj.get("provisioner", ""), *modes, bool(obj.get("allowVolumeExpansion")), _age(obj)]


def _slice(obj: Json) -> Sequence[Any]:
    ports = ",".join(str(port.get("port", "")) for port in obj.get("ports", []))
    points = [address for point in obj.get("endpoints", []) for address in point.get("addresses", [])]
    told = ",".join(points[:3]) + (f" + {len(points) - 3} more..." if len(points) > 3 else "")
    return [_name(obj), obj.get("addressType", ""), ports or "<unset>", told or "<unset>", _age(obj)]


def _endpoints(obj: Json) -> Sequence[Any]:
    points = [
        f"{address.get('ip', '')}:{port.get('port', '')}"
        for subset in obj.get("subsets", [])
        for port in subset.get("ports", [])
        for address in subset.get("addresses", [])
    ]
    told = ",".join(points[:3]) + (f" + {len(points) - 3} more..." if len(points) > 3 else "")
    return [_name(obj), told or "<none>", _age(obj)]


def _ingress(obj: Json) -> Sequence[Any]:
    spec = obj.get("spec", {})
    hosts = ",".join(rule.get("host", "*") for rule in spec.get("rules", [])) or "*"
    points = obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    address = ",".join(point.get("ip") or point.get("hostname", "") for point in points)
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(obj), _none(spec.get("ingressClassName")), hosts, address, ports, _age(obj)]


_CREATED = _columns("Name, Created At:date", lambda obj: [_name(obj), obj["metadata"].get("creationTimestamp")])
_AGED = _columns("Name, Age", lambda obj: [_name(obj), _age(obj)])
_BINDING = _columns("Name, Role, Age, Users+, Groups+, ServiceAccounts+", _binding)
_EVENT = _columns("Last Seen, Type, Reason, Object, Subobject+, Source+, Message, First Seen+, Count+, Name+", _event)
_RBAC = ".rbac.authorization.k8s.io"

_TABLES: dict[str, Columns] = {
    "pods": _columns("Name, Ready, Status, Restarts, Age, IP+, Node+, Nominated Node+, Readiness Gates+", _pod),
    "services": _columns("Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector+", _service),
    "configmaps": _columns(
        "Name, Data, Age",
        lambda obj: [_name(obj), len(obj.get("data", {})) + len(obj.get("binaryData", {})), _age(obj)],
    ),
    "secrets": _columns(
        "Name, Type, Data, Age", lambda obj: [_name(obj), obj.get("type", ""), len(obj.get("data", {})), _age(obj)]
    ),
    "events": _EVENT,
    "namespaces": _columns(
        "Name, Status, Age", lambda obj: [_name(obj), obj.get("status", {}).get("phase", ""), _age(obj)]
    ),
    "nodes": _columns(
        "Name, Status, Roles, Age, Version, Internal-IP+, External-IP+, OS-Image+, Kernel-Version+, Container-Runtime+",
        _node,
    ),
    "persistentvolumeclaims": _columns(
        "Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age, VolumeMode+", _claim
    ),
    "persistentvolumes": _columns(
        "Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, Age,"
        " VolumeMode+",
        _volume,
    ),
    "endpoints": _columns("Name, Endpoints, Age", _endpoints),
    "limitranges": _CREATED,
    "statefulsets.apps": _columns("Name, Ready, Age, Containers+, Images+", _stateful_set),
    "deployments.apps": _columns(
        "Name, Ready, Up-to-date, Available, Age, Containers+, Images+, Selector+", _deployment
    ),
    "replicasets.apps": _columns(
        "Name, Desired:integer, Current:integer, Ready:integer, Age, Containers+, Images+, Selector+", _replica_set
    ),
    "daemonsets.apps": _columns(
        "Name, Desired:integer, Current:integer, Ready:integer, Up-to-date:integer, Available:integer, Node Selector,"
        " Age, Containers+, Images+, Selector+",
        _daemon_set,
    ),
    "controllerrevisions.apps": _columns("Name, Controller, Revision, Age", _revision),
    "jobs.batch": _columns("Name, Status, Completions, Duration, Age, Containers+, Images+, Selector+", _job),
    "cronjobs.batch": _columns(
        "Name, Schedule, Timezone, Suspend:boolean, Active:integer, Last Schedule, Age, Containers+, Images+,"
        " Selector+",
        _cron_job,
    ),
    "poddisruptionbudgets.policy": _columns(
        "Name, Min Available, Max Unavailable, Allowed Disruptions:integer, Age", _budget
    ),
    "roles" + _RBAC: _CREATED,
    "clusterroles" + _RBAC: _CREATED,
    "rolebindings" + _RBAC: _BINDING,
    "clusterrolebindings" + _RBAC: _BINDING,
    "leases.coordination.k8s.io": _columns(
        "Name, Holder, Age", lambda obj: [_name(obj), obj.get("spec", {}).get("holderIdentity", ""), _age(obj)]
    ),
    "storageclasses.storage.k8s.io": _columns(
        "Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age", _storage_class
    ),
    "endpointslices.discovery.k8s.io": _columns("Name, AddressType, Ports, Endpoints, Age", _slice),
    "ingresses.networking.k8s.io": _columns("Name, Class, Hosts, Address, Ports, Age", _ingress),
    "networkpolicies.networking.k8s.io": _columns(
        "Name, Pod-Selector, Age",
        lambda obj: [_name(obj), selectors.text_of(obj.get("spec", {}).get("podSelector")) or "<none>", _age(obj)],
    ),
    "priorityclasses.scheduling.k8s.io": _columns(
        "Name, Value:integer, Global-Default:boolean, Age, PreemptionPolicy",
        lambda obj: [
            _name(obj),
            obj.get("value", 0),
            bool(obj.get("globalDefault")),
            _age(obj),
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

    def cells(obj: Json) -> Sequence[Any]:
        made: list[Any] = [_name(obj)]
        for column in columns:
            value = _json_path(column["jsonPath"], obj)
            made.append(ages.since(value) if column.get("type") == "date" and value else value)
        return made

    return Columns(definitions, cells)


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
