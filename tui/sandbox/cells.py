"""What stands in the columns of each kind, one function for each, as the real server prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tui.sandbox import ages, podstatus, selectors
from tui.sandbox.model import Json


def name_of(obj: Json) -> str:
    """An object's name."""
    return str(obj["metadata"].get("name", ""))


def age_of(obj: Json) -> str:
    """How old an object is."""
    return ages.since(obj["metadata"].get("creationTimestamp"))


def or_none(value: object) -> str:
    """A value as text, `<none>` when it is empty."""
    return str(value) if value not in (None, "", []) else "<none>"


def containers_of(obj: Json) -> tuple[str, str]:
    """The names of a workload's containers, and their images."""
    spec = obj["spec"].get("jobTemplate", obj)["spec"]["template"]["spec"]
    parts = spec.get("containers", [])
    return ",".join(part.get("name", "") for part in parts), ",".join(part.get("image", "") for part in parts)


def labels_of(labels: Json | None) -> str:
    """Labels as one line, `<none>` when there are none."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def modes_of(spec: Json) -> str:
    """Access modes, abbreviated."""
    return ",".join(short for long, short in _MODES.items() if long in spec.get("accessModes", []))


def pod_cells(obj: Json) -> Sequence[Any]:
    """The cells of a pod."""
    spec, status = obj["spec"], obj.get("status", {})
    ready, reason, restarts = podstatus.cells(obj)
    gates = spec.get("readinessGates", [])
    met = {one["type"] for one in status.get("conditions", []) if one.get("status") == "True" and "type" in one}
    told = f"{sum(gate.get('conditionType') in met for gate in gates)}/{len(gates)}" if gates else "<none>"
    address, node, nominated = status.get("podIP"), spec.get("nodeName"), status.get("nominatedNodeName")
    return [
        name_of(obj),
        ready,
        reason,
        restarts,
        age_of(obj),
        or_none(address),
        or_none(node),
        or_none(nominated),
        told,
    ]


def port_of(port: Json) -> str:
    """A port of a Service, with its node port."""
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def service_cells(obj: Json) -> Sequence[Any]:
    """The cells of a service."""
    spec = obj["spec"]
    outside = spec.get("externalName") or ",".join(spec.get("externalIPs", []))
    if spec["type"] == "LoadBalancer":
        points = obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        outside = ",".join(point.get("ip") or point.get("hostname", "") for point in points) or "<pending>"
    ports = ",".join(port_of(port) for port in spec.get("ports", []))
    address = or_none(spec.get("clusterIP"))
    return [
        name_of(obj),
        spec["type"],
        address,
        or_none(outside),
        or_none(ports),
        age_of(obj),
        labels_of(spec.get("selector")),
    ]


def event_cells(obj: Json) -> Sequence[Any]:
    """The cells of a event."""
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
        name_of(obj),
    ]


def claim_cells(obj: Json) -> Sequence[Any]:
    """The cells of a claim."""
    spec, status = obj["spec"], obj.get("status", {})
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    size = status.get("capacity", {}).get("storage", "") if spec.get("volumeName") else ""
    modes = modes_of(status if spec.get("volumeName") else {})
    kind = spec.get("storageClassName", "")
    unset = spec.get("volumeAttributesClassName", "<unset>")
    return [
        name_of(obj),
        phase,
        spec.get("volumeName", ""),
        size,
        modes,
        kind,
        unset,
        age_of(obj),
        spec.get("volumeMode"),
    ]


def volume_cells(obj: Json) -> Sequence[Any]:
    """The cells of a volume."""
    spec, status = obj["spec"], obj.get("status", {})
    claim = spec.get("claimRef")
    return [
        name_of(obj),
        spec.get("capacity", {}).get("storage", ""),
        modes_of(spec),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", "<unset>"),
        status.get("reason", ""),
        age_of(obj),
        spec.get("volumeMode", ""),
    ]


def node_cells(obj: Json) -> Sequence[Any]:
    """The cells of a node."""
    status, labels = obj.get("status", {}), obj["metadata"].get("labels", {})
    ready = next((one.get("status") for one in status.get("conditions", []) if one.get("type") == "Ready"), None)
    # A node that is not heard (`Unknown`) is NotReady in the real server's table, too.
    told = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
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
        name_of(obj),
        told,
        or_none(roles),
        age_of(obj),
        info.get("kubeletVersion", ""),
        or_none(addresses.get("InternalIP")),
        or_none(addresses.get("ExternalIP")),
        info.get("osImage", "<unknown>"),
        kernel,
        info.get("containerRuntimeVersion", "<unknown>"),
    ]


def stateful_set_cells(obj: Json) -> Sequence[Any]:
    """The cells of a stateful set."""
    ready = f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"
    return [name_of(obj), ready, age_of(obj), *containers_of(obj)]


def deployment_cells(obj: Json) -> Sequence[Any]:
    """The cells of a deployment."""
    spec, status = obj["spec"], obj.get("status", {})
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [name_of(obj), ready, *counts, age_of(obj), *containers_of(obj), selectors.text_of(spec.get("selector"))]


def replica_set_cells(obj: Json) -> Sequence[Any]:
    """The cells of a replica set."""
    spec, status = obj["spec"], obj.get("status", {})
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name_of(obj), *counts, age_of(obj), *containers_of(obj), selectors.text_of(spec.get("selector"))]


def daemon_set_cells(obj: Json) -> Sequence[Any]:
    """The cells of a daemon set."""
    spec, status = obj["spec"], obj.get("status", {})
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    counts = [status.get(name, 0) for name in (*names, "numberAvailable")]
    where = labels_of(spec["template"]["spec"].get("nodeSelector"))
    return [name_of(obj), *counts, where, age_of(obj), *containers_of(obj), selectors.text_of(spec.get("selector"))]


def revision_cells(obj: Json) -> Sequence[Any]:
    """The cells of a revision."""
    owner = next((one for one in obj["metadata"].get("ownerReferences", []) if one.get("controller")), None)
    told = "<none>"
    if owner:
        group = owner["apiVersion"].rpartition("/")[0]
        told = f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}"
    return [name_of(obj), told, obj.get("revision", 0), age_of(obj)]


def job_cells(obj: Json) -> Sequence[Any]:
    """The cells of a job."""
    spec, status = obj["spec"], obj.get("status", {})
    met = [one.get("type") for one in status.get("conditions", []) if one.get("status") == "True"]
    state = next((one for one in ("Complete", "Failed", "Suspended") if one in met), "Running")
    if obj["metadata"].get("deletionTimestamp"):
        state = "Terminating"
    done = f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"
    took = ages.between(status.get("startTime"), status.get("completionTime"))
    return [name_of(obj), state, done, took, age_of(obj), *containers_of(obj), selectors.text_of(spec.get("selector"))]


def cron_job_cells(obj: Json) -> Sequence[Any]:
    """The cells of a cron job."""
    spec, status = obj["spec"], obj.get("status", {})
    last = ages.since(status["lastScheduleTime"]) if status.get("lastScheduleTime") else "<none>"
    suspended, active = str(spec.get("suspend", False)), len(status.get("active", []))
    zone = or_none(spec.get("timeZone"))
    return [
        name_of(obj),
        spec.get("schedule", ""),
        zone,
        suspended,
        active,
        last,
        age_of(obj),
        *containers_of(obj),
        "<none>",
    ]


def budget_cells(obj: Json) -> Sequence[Any]:
    """The cells of a budget."""
    spec = obj.get("spec", {})
    bounds = [str(spec.get(name, "N/A")) for name in ("minAvailable", "maxUnavailable")]
    return [name_of(obj), *bounds, obj.get("status", {}).get("disruptionsAllowed", 0), age_of(obj)]


def binding_cells(obj: Json) -> Sequence[Any]:
    """The cells of a binding."""
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for one in obj.get("subjects", []):
        prefix = f"{one.get('namespace', '')}/" if one.get("kind") == "ServiceAccount" else ""
        subjects.setdefault(one.get("kind", ""), []).append(prefix + one.get("name", ""))
    role = f"{obj['roleRef'].get('kind', '')}/{obj['roleRef'].get('name', '')}"
    told = (", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount"))
    return [name_of(obj), role, age_of(obj), *told]


def storage_class_cells(obj: Json) -> Sequence[Any]:
    """The cells of a storage class."""
    default = obj["metadata"].get("annotations", {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    name = name_of(obj) + (" (default)" if default else "")
    modes = [obj.get("reclaimPolicy", ""), obj.get("volumeBindingMode", "")]
    return [name, obj.get("provisioner", ""), *modes, bool(obj.get("allowVolumeExpansion")), age_of(obj)]


def slice_cells(obj: Json) -> Sequence[Any]:
    """The cells of a slice."""
    ports = ",".join(str(port.get("port", "")) for port in obj.get("ports", []))
    points = [address for point in obj.get("endpoints", []) for address in point.get("addresses", [])]
    told = ",".join(points[:3]) + (f" + {len(points) - 3} more..." if len(points) > 3 else "")
    return [name_of(obj), obj.get("addressType", ""), ports or "<unset>", told or "<unset>", age_of(obj)]


def endpoints_cells(obj: Json) -> Sequence[Any]:
    """The cells of a endpoints."""
    points = [
        f"{address.get('ip', '')}:{port.get('port', '')}"
        for subset in obj.get("subsets", [])
        for port in subset.get("ports", [])
        for address in subset.get("addresses", [])
    ]
    told = ",".join(points[:3]) + (f" + {len(points) - 3} more..." if len(points) > 3 else "")
    return [name_of(obj), told or "<none>", age_of(obj)]


def ingress_cells(obj: Json) -> Sequence[Any]:
    """The cells of a ingress."""
    spec = obj.get("spec", {})
    hosts = ",".join(rule.get("host", "*") for rule in spec.get("rules", [])) or "*"
    points = obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    address = ",".join(point.get("ip") or point.get("hostname", "") for point in points)
    ports = "80, 443" if spec.get("tls") else "80"
    return [name_of(obj), or_none(spec.get("ingressClassName")), hosts, address, ports, age_of(obj)]
