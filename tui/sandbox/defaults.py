"""What the API fills in: the values that controllers, kubectl and people find in objects that did not name them.

Each was read off a server of 1.36.3. What needs the other objects (addresses, ports, classes) is in `registry.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tui.sandbox.model import Json
from tui.sandbox.shapes import Value


def _image_policy(image: str) -> str:
    name = image.rsplit("/", 1)[-1]
    return "Always" if "@" not in name and (":" not in name or name.endswith(":latest")) else "IfNotPresent"


def _probe(probe: Json) -> None:
    probe |= {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3} | {
        key: value for key, value in probe.items() if value != 0 or not key.endswith(("Seconds", "Threshold"))
    }
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _env(variable: Json) -> None:
    reference = (variable.get("valueFrom") or {}).get("fieldRef")
    if reference is not None:
        reference.setdefault("apiVersion", "v1")


def _container(container: Json) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", _image_policy(container.get("image", "")))
    requests = container["resources"].get("requests", {})
    for name, value in container["resources"].get("limits", {}).items():
        requests.setdefault(name, value)
    if requests:
        container["resources"]["requests"] = requests
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", []):
        _env(variable)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])


def _volume(volume: Json) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if source in volume:
            volume[source].setdefault("defaultMode", 420)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for part in volume.get("projected", {}).get("sources", []):
        if "serviceAccountToken" in part:
            part["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in part.get("downwardAPI", {}).get("items", []):
            item.get("fieldRef", {}).setdefault("apiVersion", "v1")


def pod_spec(spec: Json) -> None:
    """Fills in the spec of a pod or of a template."""
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        _container(container)
    for volume in spec.get("volumes", []):
        _volume(volume)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if "serviceAccountName" in spec or "serviceAccount" in spec:
        name = spec.get("serviceAccountName") or spec.get("serviceAccount")
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _qos(spec: Json) -> str:
    resources = [container.get("resources", {}) for container in spec.get("containers", [])]
    if not any(part.get("requests") or part.get("limits") for part in resources):
        return "BestEffort"
    for part in resources:
        limits, requests = part.get("limits", {}), part.get("requests", {})
        if any(name not in limits or requests.get(name) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def _pod(pod: Json) -> None:
    spec = pod.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(toleration.get("key") in (key, None) for toleration in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    status = pod.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", _qos(spec))


def _template(spec: Json) -> None:
    pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))
    spec["template"].setdefault("metadata", {})


def _rolling(strategy: Json, kind: str, values: Json) -> None:
    strategy.setdefault("type", kind)
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = values | strategy.get("rollingUpdate", {})


def claim_spec(spec: Json) -> None:
    """Fills in the spec of a claim."""
    spec.setdefault("volumeMode", "Filesystem")
    spec.setdefault("resources", {})


def _stateful_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("revisionHistoryLimit", 10)
    spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain", "whenScaled": "Retain"} | spec.get(
        "persistentVolumeClaimRetentionPolicy", {}
    )
    _rolling(spec.setdefault("updateStrategy", {}), "RollingUpdate", {"partition": 0})
    # Of a feature that is off by default: the real server (seen on 1.36.3) drops it, and replaces one pod at a time.
    spec["updateStrategy"].get("rollingUpdate", {}).pop("maxUnavailable", None)
    for claim in spec.get("volumeClaimTemplates", []):
        claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        claim_spec(claim.setdefault("spec", {}))
        claim.setdefault("status", {}).setdefault("phase", "Pending")
    obj.setdefault("status", {}).setdefault("replicas", 0)
    obj["status"].setdefault("availableReplicas", 0)


def _deployment(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _rolling(spec.setdefault("strategy", {}), "RollingUpdate", {"maxUnavailable": "25%", "maxSurge": "25%"})
    obj.setdefault("status", {})


def _replica_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    spec.setdefault("replicas", 1)
    obj.setdefault("status", {}).setdefault("replicas", 0)


def _daemon_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _template(spec)
    spec.setdefault("revisionHistoryLimit", 10)
    _rolling(spec.setdefault("updateStrategy", {}), "RollingUpdate", {"maxUnavailable": 1, "maxSurge": 0})
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    obj["status"] = dict.fromkeys(counts, 0) | obj.get("status", {})


def _job_spec(spec: Json) -> None:
    _template(spec)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    failing = "podFailurePolicy" in spec
    spec.setdefault("podReplacementPolicy", "Failed" if failing else "TerminatingOrFailed")


def _job(obj: Json) -> None:
    spec, uid = obj.setdefault("spec", {}), obj["metadata"].get("uid")
    _job_spec(spec)
    if uid and not spec["manualSelector"] and "selector" not in spec:
        name = obj["metadata"].get("name", "")
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        labels = spec["template"]["metadata"].setdefault("labels", {})
        for prefix in ("batch.kubernetes.io/", ""):
            labels |= {f"{prefix}controller-uid": uid, f"{prefix}job-name": name}
    if spec["template"]["metadata"].get("labels"):
        # The template's labels become the job's when it names none.
        obj["metadata"].setdefault("labels", dict(spec["template"]["metadata"]["labels"]))
    obj.setdefault("status", {})


def _cron_job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {})
    _template(template.setdefault("spec", {}))
    obj.setdefault("status", {})


def _service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort", 0) in (0, ""):
            port["targetPort"] = port.get("port", 0)
    obj.setdefault("status", {}).setdefault("loadBalancer", {})
    if kind == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _secret(obj: Json) -> None:
    obj.setdefault("type", "Opaque")
    for key, value in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()


def _claim(obj: Json) -> None:
    claim_spec(obj.setdefault("spec", {}))
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _volume_object(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _namespace(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")


def _binding(obj: Json) -> None:
    obj.setdefault("roleRef", {}).setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in obj.get("subjects", []):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _storage_class(obj: Json) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _event(obj: Json) -> None:
    obj.setdefault("reportingComponent", (obj.get("source") or {}).get("component", ""))
    obj.setdefault("reportingInstance", "")
    obj.setdefault("source", {})


def _crd(obj: Json) -> None:
    spec = obj.get("spec", {})
    names = spec.get("names", {})
    if "kind" in names:
        names.setdefault("listKind", names["kind"] + "List")
        names.setdefault("singular", names["kind"].lower())
    spec.setdefault("conversion", {"strategy": "None"})


def _priority_class(obj: Json) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")
    obj.setdefault("value", 0)


def _status(obj: Json) -> None:
    obj.setdefault("status", {})


_DEFAULTS: dict[str, Callable[[Json], Any]] = {
    "pods": _pod,
    "services": _service,
    "secrets": _secret,
    "namespaces": _namespace,
    "nodes": _status,
    "events": _event,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume_object,
    "statefulsets.apps": _stateful_set,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "storageclasses.storage.k8s.io": _storage_class,
    "priorityclasses.scheduling.k8s.io": _priority_class,
    "customresourcedefinitions.apiextensions.k8s.io": _crd,
}


def fill(resource: str, obj: Json) -> None:
    """Fills in what an object of a resource does not name. The object has its shape (`shapes.read`)."""
    fill_one = _DEFAULTS.get(resource)
    if fill_one:
        fill_one(obj)


def from_schema(schema: object, value: Value, depth: int = 0) -> None:
    """Fills in the defaults of a CRD's schema."""
    if not isinstance(schema, dict) or depth > 40:
        return
    if isinstance(value, dict):
        properties = schema.get("properties")
        for key, inner in properties.items() if isinstance(properties, dict) else ():
            if isinstance(inner, dict) and key not in value and inner.get("default") is not None:
                value[key] = _copied(inner["default"])
            if key in value:
                from_schema(inner, value[key], depth + 1)
        for key in value if isinstance(schema.get("additionalProperties"), dict) else ():
            from_schema(schema["additionalProperties"], value[key], depth + 1)
    elif isinstance(value, list):
        for item in value:
            from_schema(schema.get("items"), item, depth + 1)


def _copied(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
