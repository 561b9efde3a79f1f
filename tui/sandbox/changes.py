"""What of an object may not change, and what a CRD's schema wants of one."""

from __future__ import annotations

from tui.sandbox.kinds import Kind
from tui.sandbox.model import ApiError, Json
from tui.sandbox.problems import Causes
from tui.sandbox.shapes import Value

_MUTABLE = {
    "statefulsets.apps": (
        (
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        ),
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy',"
        " 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ),
    "persistentvolumeclaims": (
        ("resources", "volumeName", "volumeAttributesClassName", "storageClassName"),
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
    ),
}
_POD_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_IMMUTABLE = {
    "deployments.apps": ("selector",),
    "replicasets.apps": ("selector",),
    "daemonsets.apps": ("selector",),
    "jobs.batch": ("selector", "completions", "template", "completionMode"),
}


def _pod_frozen(spec: Json) -> Value:
    skipped = (
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "nodeName",
        "ephemeralContainers",
    )
    made = {key: value for key, value in spec.items() if key not in (*skipped, "containers", "initContainers")}
    for part in ("containers", "initContainers"):
        made[part] = [{**container, "image": ""} for container in spec.get(part, [])]
    return made


def check_change(kind: Kind, old: Json, new: Json) -> None:
    """Checks what may not change.

    Raises:
        ApiError: 422 Invalid.
    """
    causes = Causes()
    before, after = old.get("spec", {}), new.get("spec", {})
    if kind.key in _MUTABLE:
        free, why = _MUTABLE[kind.key]
        if any(before.get(part) != after.get(part) for part in {*before, *after} - set(free)):
            causes.forbidden("spec", why)
    for part in _IMMUTABLE.get(kind.key, ()):
        if before.get(part) != after.get(part):
            causes.invalid(f"spec.{part}", after.get(part), "field is immutable")
    if kind.key == "pods":
        if _pod_frozen(before) != _pod_frozen(after):
            causes.forbidden("spec", _POD_SPEC)
        if before.get("nodeName") not in (None, after.get("nodeName")):
            causes.forbidden("spec.nodeName", "may not be changed")
    if (
        kind.key == "services"
        and before.get("clusterIP") not in (None, "", after.get("clusterIP"))
        and "ExternalName" not in (before["type"], after["type"])
    ):
        causes.invalid("spec.clusterIPs[0]", [after.get("clusterIP")], "may not change once set")
    frozen = (
        ("data", "binaryData", "immutable") if kind.key in ("configmaps", "secrets") and old.get("immutable") else ()
    )
    if any(old.get(part) != new.get(part) for part in frozen):
        causes.forbidden("data", "field is immutable when `immutable` is set")
    if kind.key == "secrets" and old.get("type") != new.get("type"):
        causes.invalid("type", new.get("type"), "field is immutable")
    if kind.plural in ("rolebindings", "clusterrolebindings") and old.get("roleRef") != new.get("roleRef"):
        causes.invalid("roleRef", new.get("roleRef"), "cannot change roleRef")
    causes.check(kind, new["metadata"].get("name", ""))


def from_schema(schema: object, value: Value, path: str, causes: Causes, depth: int = 0) -> None:
    """Checks a value by a CRD's schema: required fields, enumerations and bounds.

    Patterns are not tried: one that never ends would hold up everybody.
    """
    if not isinstance(schema, dict) or depth > 40:
        return
    if isinstance(value, dict):
        for key in schema.get("required") or ():
            if isinstance(key, str) and key not in value:
                causes.required(f"{path}.{key}".lstrip("."))
        properties = schema.get("properties")
        for key, inner in properties.items() if isinstance(properties, dict) else ():
            if key in value and not (depth == 0 and key == "metadata"):
                from_schema(inner, value[key], f"{path}.{key}".lstrip("."), causes, depth + 1)
        if isinstance(schema.get("additionalProperties"), dict):
            for key, inner in value.items():
                from_schema(schema["additionalProperties"], inner, f"{path}[{key}]", causes, depth + 1)
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            from_schema(schema.get("items"), item, f"{path}[{index}]", causes, depth + 1)
        return
    _scalar(schema, value, path, causes)


def _scalar(schema: Json, value: Value, path: str, causes: Causes) -> None:
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        causes.unsupported(path, value, tuple(map(str, choices)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, int | float) and value < low:
            causes.invalid(path, value, f"{path} in body should be greater than or equal to {low}")
        if isinstance(high, int | float) and value > high:
            causes.invalid(path, value, f"{path} in body should be less than or equal to {high}")


def strict(unknown: list[str], kind: Kind) -> ApiError:
    """The refusal of unknown fields when `fieldValidation=Strict`."""
    told = ", ".join(f'unknown field "{path}"' for path in unknown)
    start = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
    return ApiError(400, "BadRequest", f"{start}strict decoding error: {told}")
