"""What an object must be beyond its shape: names, required fields, fields that may not change."""

from __future__ import annotations

import re
from collections.abc import Callable

from tui.sandbox import changes, names, podspecs, selectors
from tui.sandbox.kinds import Kind
from tui.sandbox.model import Json
from tui.sandbox.problems import Causes


def _workload(obj: Json, causes: Causes) -> None:
    spec = obj["spec"]
    counts = ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    names.at_least(spec, counts, "spec", causes)
    template = spec["template"]
    labels = template["metadata"].get("labels")
    if "selector" not in spec:
        causes.required("spec.selector")
    elif not spec["selector"]:
        causes.invalid("spec.selector", {}, f"empty selector is invalid for {obj.get('kind', '').lower()}")
    names.selector(spec.get("selector"), "spec.selector", causes)
    if not spec.get("selector") or not selectors.selects(spec["selector"], labels or {}):
        causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    names.check_labels(labels or {}, "spec.template.metadata.labels", causes)
    claims = {claim.get("metadata", {}).get("name", "") for claim in spec.get("volumeClaimTemplates", [])}
    podspecs.pod_spec(template["spec"], "spec.template.spec", causes, restart=("Always",), claims=claims)


def _stateful_set(obj: Json, causes: Causes) -> None:
    spec = obj["spec"]
    _workload(obj, causes)
    if spec["podManagementPolicy"] not in ("OrderedReady", "Parallel"):
        why = "must be 'OrderedReady' or 'Parallel'"
        causes.invalid("spec.podManagementPolicy", spec["podManagementPolicy"], why)
    if spec["updateStrategy"]["type"] not in ("RollingUpdate", "OnDelete"):
        why = "must be 'RollingUpdate' or 'OnDelete'"
        causes.invalid("spec.updateStrategy", spec["updateStrategy"], why)
    names.at_least(spec["updateStrategy"].get("rollingUpdate", {}), ("partition",), "spec.updateStrategy", causes)
    names.at_least(spec.get("ordinals", {}), ("start",), "spec.ordinals", causes)
    for part, value in spec["persistentVolumeClaimRetentionPolicy"].items():
        if value not in ("Retain", "Delete"):
            causes.unsupported(f"spec.persistentVolumeClaimRetentionPolicy.{part}", value, ("Delete", "Retain"))
    for index, claim in enumerate(spec.get("volumeClaimTemplates", [])):
        text = claim.get("metadata", {}).get("name", "")
        if not names.SUBDOMAIN.fullmatch(text):
            causes.invalid(f"spec.volumeClaimTemplates[{index}].metadata.name", text, names.SUBDOMAIN_TEXT)
        _claim_spec(claim["spec"], f"spec.volumeClaimTemplates[{index}].spec", causes)


def _job(obj: Json, causes: Causes, at: str = "spec") -> None:
    spec = obj["spec"]
    for part in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        names.at_least(spec, (part,), at, causes)
    restart = ("OnFailure", "Never")
    podspecs.pod_spec(spec["template"]["spec"], f"{at}.template.spec", causes, restart=restart, claims=set())


def _cron_job(obj: Json, causes: Causes) -> None:
    if not obj["spec"].get("schedule"):
        causes.required("spec.schedule")
    elif len(obj["spec"]["schedule"].split()) != 5 and not obj["spec"]["schedule"].startswith("@"):
        causes.invalid("spec.schedule", obj["spec"]["schedule"], "expected exactly 5 fields")
    template = {"spec": obj["spec"]["jobTemplate"]["spec"]}
    _job(template, causes, "spec.jobTemplate.spec")


def _claim_spec(spec: Json, path: str, causes: Causes) -> None:
    modes = spec.get("accessModes")
    if not modes:
        causes.required(f"{path}.accessModes", "at least 1 access mode is required")
    allowed = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
    for mode in modes or ():
        if mode not in allowed:
            causes.unsupported(f"{path}.accessModes", mode, allowed)
    wanted = spec["resources"].get("requests", {}).get("storage")
    if wanted is None:
        causes.required(f"{path}.resources[storage]")
    elif wanted.startswith("-") or not wanted.strip("0+.kMGTPEi"):
        causes.invalid(f"{path}.resources.requests.storage", wanted, "must be greater than zero")
    if spec["volumeMode"] not in ("Block", "Filesystem"):
        causes.unsupported(f"{path}.volumeMode", spec["volumeMode"], ("Block", "Filesystem"))


def _service(obj: Json, causes: Causes) -> None:
    spec = obj["spec"]
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        causes.unsupported("spec.type", spec["type"], kinds)
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        causes.required("spec.externalName")
    ports = spec.get("ports", [])
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        causes.required("spec.ports")
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, text = f"spec.ports[{index}]", port.get("name", "")
        if not text and len(ports) > 1:
            causes.required(f"{path}.name")
        elif text and not names.LABEL.fullmatch(text):
            causes.invalid(f"{path}.name", text, names.LABEL_TEXT)
        elif text and text in seen:
            causes.duplicate(f"{path}.name", text)
        seen.add(text)
        names.check_port(port.get("port", 0), f"{path}.port", causes)
        names.check_port(port["targetPort"], f"{path}.targetPort", causes)
        if port["protocol"] not in ("TCP", "UDP", "SCTP"):
            causes.unsupported(f"{path}.protocol", port["protocol"], ("SCTP", "TCP", "UDP"))
    names.check_labels(spec.get("selector", {}), "spec.selector", causes)


def _config(obj: Json, causes: Causes) -> None:
    for part in ("data", "binaryData"):
        for key in obj.get(part, {}):
            names.check_key(key, f"{part}[{key}]", causes)
    if sum(len(value) for value in obj.get("data", {}).values()) > (1 << 20) * 4 // 3:
        causes.invalid("data", "", "Too long: may not be more than 1048576 bytes")


def _pod(obj: Json, causes: Causes) -> None:
    restart = ("Always", "OnFailure", "Never")
    podspecs.pod_spec(obj["spec"], "spec", causes, restart=restart, claims=set())


def _budget(obj: Json, causes: Causes) -> None:
    spec = obj.get("spec", {})
    if "minAvailable" in spec and "maxUnavailable" in spec:
        causes.invalid("spec", {}, "minAvailable and maxUnavailable cannot be both set")
    for part in ("minAvailable", "maxUnavailable"):
        value = spec.get(part)
        if isinstance(value, int) and value < 0:
            causes.invalid(f"spec.{part}", value, "must be greater than or equal to 0")
        if isinstance(value, str) and not re.fullmatch(r"\d{1,3}%", value):
            causes.invalid(
                f"spec.{part}", value, "a valid percent string must be a numeric string followed by an ending '%'"
            )
    names.selector(spec.get("selector"), "spec.selector", causes)


def _binding(obj: Json, causes: Causes) -> None:
    reference = obj["roleRef"]
    if reference.get("kind") not in ("Role", "ClusterRole"):
        causes.unsupported("roleRef.kind", reference.get("kind", ""), ("Role", "ClusterRole"))
    if not reference.get("name"):
        causes.required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects", [])):
        if not subject.get("name"):
            causes.required(f"subjects[{index}].name")
        if subject.get("kind") not in ("User", "Group", "ServiceAccount"):
            allowed = ("ServiceAccount", "User", "Group")
            causes.unsupported(f"subjects[{index}].kind", subject.get("kind", ""), allowed)


def _role(obj: Json, causes: Causes) -> None:
    for index, rule in enumerate(obj.get("rules", [])):
        if not rule.get("verbs"):
            causes.required(f"rules[{index}].verbs", "verbs must contain at least one value")


def _event(obj: Json, causes: Causes) -> None:
    about = (obj.get("involvedObject") or {}).get("namespace", "")
    if (about or "default") != obj["metadata"].get("namespace"):
        causes.invalid("involvedObject.namespace", about, "does not match event.namespace")


def _crd(obj: Json, causes: Causes) -> None:
    spec = obj.get("spec", {})
    called = spec.get("names", {})
    for part in ("plural", "kind"):
        if not called.get(part):
            causes.required(f"spec.names.{part}")
    if not spec.get("group"):
        causes.required("spec.group")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        causes.unsupported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    wanted = f"{called.get('plural', '')}.{spec.get('group', '')}"
    if obj["metadata"].get("name") not in (wanted, None):
        why = 'must be spec.names.plural+"."+spec.group'
        causes.invalid("metadata.name", obj["metadata"]["name"], why)
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+", spec.get("group") or "a.b"):
        causes.invalid("spec.group", spec["group"], "should be a domain with at least one dot")
    versions = spec.get("versions", [])
    if sum(bool(version.get("storage")) for version in versions) != 1:
        causes.invalid("spec.versions", len(versions), "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        if not names.LABEL.fullmatch(version.get("name", "")):
            causes.invalid(f"spec.versions[{index}].name", version.get("name", ""), names.SERVICE_TEXT)
        if not isinstance((version.get("schema") or {}).get("openAPIV3Schema"), dict):
            causes.required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")


_CHECKS: dict[str, Callable[[Json, Causes], None]] = {
    "pods": _pod,
    "services": _service,
    "configmaps": _config,
    "secrets": _config,
    "events": _event,
    "persistentvolumeclaims": lambda obj, causes: _claim_spec(obj["spec"], "spec", causes),
    "statefulsets.apps": _stateful_set,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "daemonsets.apps": _workload,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "poddisruptionbudgets.policy": _budget,
    "roles.rbac.authorization.k8s.io": _role,
    "clusterroles.rbac.authorization.k8s.io": _role,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "customresourcedefinitions.apiextensions.k8s.io": _crd,
}


def check(kind: Kind, obj: Json) -> None:
    """Checks an object that has its shape and its defaults.

    Raises:
        ApiError: 422 Invalid with all that is wrong.
    """
    causes = Causes()
    names.meta(kind, obj, causes)
    test = _CHECKS.get(kind.key)
    if test:
        test(obj, causes)
    if kind.rules:
        changes.from_schema(kind.rules, obj, "", causes)
    causes.check(kind, obj["metadata"].get("name", ""))
