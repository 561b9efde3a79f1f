"""What volumes, environment variables, probes and hooks of a pod may name, and which parts of it are needed."""

from __future__ import annotations

from tui.sandbox.model import Json
from tui.sandbox.names import SUBDOMAIN, SUBDOMAIN_TEXT, check_key, check_port
from tui.sandbox.problems import Causes

_HOST_PATHS = (*("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"),)
_RESOURCES = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_ORIGINS = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def relative(text: str, path: str, causes: Causes) -> None:
    """Checks a path inside a volume."""
    if text.startswith("/"):
        causes.invalid(path, text, "must be a relative path")
    if ".." in text.split("/"):
        causes.invalid(path, text, "must not contain '..'")


# ── Volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def volume(made: Json, path: str, causes: Causes) -> None:
    """Checks where a volume comes from."""
    if "persistentVolumeClaim" in made and not made["persistentVolumeClaim"].get("claimName"):
        causes.required(f"{path}.persistentVolumeClaim.claimName")
    if "hostPath" in made:
        place = made["hostPath"]
        if not place.get("path"):
            causes.required(f"{path}.hostPath.path")
        elif ".." in place["path"].split("/"):
            causes.invalid(f"{path}.hostPath.path", place["path"], "must not contain '..'")
        if place.get("type", "") not in _HOST_PATHS:
            causes.unsupported(f"{path}.hostPath.type", place["type"], _HOST_PATHS)
    for kind in ("configMap", "secret", "downwardAPI"):
        if kind in made:
            _source(kind, made[kind], "secretName" if kind == "secret" else "name", f"{path}.{kind}", causes)
    if "projected" in made:
        _mode(made["projected"], "defaultMode", f"{path}.projected", causes)
        for index, source in enumerate(made["projected"].get("sources", [])):
            at = f"{path}.projected.sources[{index}]"
            if len(source) > 1:
                causes.forbidden(at, "may not specify more than 1 volume type per source")
            for kind in ("configMap", "secret", "downwardAPI"):
                if kind in source:
                    _source(kind, source[kind], "name", f"{at}.{kind}", causes)
            if "serviceAccountToken" in source and not source["serviceAccountToken"].get("path"):
                causes.required(f"{path}.projected.path")


def _source(kind: str, source: Json, name: str, path: str, causes: Causes) -> None:
    _mode(source, "defaultMode", path, causes)
    if kind != "downwardAPI" and not source.get(name):
        causes.required(f"{path}.{name}")
    for index, item in enumerate(source.get("items", [])):
        at = path if kind == "downwardAPI" else f"{path}.items[{index}]"
        if kind == "downwardAPI":
            _downward(item, at, causes)
        elif not item.get("key"):
            causes.required(f"{at}.key")
        if not item.get("path"):
            causes.required(f"{at}.path")
        else:
            relative(item["path"], f"{at}.path", causes)
        _mode(item, "mode", at, causes)


def _downward(item: Json, path: str, causes: Causes) -> None:
    if "fieldRef" in item:
        if not item["fieldRef"].get("fieldPath"):
            causes.required(f"{path}.fieldRef.fieldPath")
        if "resourceFieldRef" in item:
            causes.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif "resourceFieldRef" in item:
        _resource(item["resourceFieldRef"], f"{path}.resourceFieldRef", causes)
    else:
        causes.required(path, "one of fieldRef and resourceFieldRef is required")


def _mode(made: Json, key: str, path: str, causes: Causes) -> None:
    if not 0 <= made.get(key, 0) <= 0o777:
        causes.invalid(f"{path}.{key}", made[key], "must be a number between 0 and 0777 (octal), both inclusive")


def _resource(reference: Json, path: str, causes: Causes) -> None:
    if not reference.get("resource"):
        causes.required(f"{path}.resource")
    elif reference["resource"] not in _RESOURCES:
        causes.unsupported(f"{path}.resource", reference["resource"], _RESOURCES)


# ── The environment ──────────────────────────────────────────────────────────────────────────────────────────────────


def environment(container: Json, path: str, causes: Causes) -> None:
    """Checks `env` and `envFrom` of a container."""
    for index, variable in enumerate(container.get("env", [])):
        at = f"{path}.env[{index}]"
        told = variable.get("name", "")
        if not told:
            causes.required(f"{at}.name")
        else:
            _variable(told, f"{at}.name", causes)
        if "valueFrom" in variable:
            if variable.get("value"):
                causes.invalid(f"{at}.valueFrom", "", "may not be specified when `value` is not empty")
            _origin(variable["valueFrom"], f"{at}.valueFrom", causes)
    for index, source in enumerate(container.get("envFrom", [])):
        at = f"{path}.envFrom[{index}]"
        if source.get("prefix"):
            _variable(source["prefix"], f"{at}.prefix", causes)
        kinds = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        if len(kinds) != 1:
            why = "must specify one of: `configMapRef` or `secretRef`"
            causes.invalid(at, "", "may not have more than one field specified at a time" if kinds else why)
        for kind in kinds:
            if not source[kind].get("name"):
                causes.required(f"{at}.{kind}.name")
            else:
                _named(source[kind]["name"], f"{at}.{kind}.name", causes)


def _variable(text: str, path: str, causes: Causes) -> None:
    if "=" in text or not (text.isascii() and text.isprintable()):
        why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
        causes.invalid(path, text, why)


def _named(text: str, path: str, causes: Causes) -> None:
    if not SUBDOMAIN.fullmatch(text):
        causes.invalid(path, text, SUBDOMAIN_TEXT)


def _origin(origin: Json, path: str, causes: Causes) -> None:
    kinds = [kind for kind in _ORIGINS if kind in origin]
    if not kinds:
        choices = ", ".join(f"`{kind}`" for kind in _ORIGINS[:-1])
        causes.invalid(path, "", f"must specify one of: {choices} or `{_ORIGINS[-1]}`")
    elif len(kinds) > 1:
        causes.invalid(path, "", "may not have more than one field specified at a time")
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in origin:
            _named(origin[kind].get("name", ""), f"{path}.{kind}.name", causes)
            if not origin[kind].get("key"):
                causes.required(f"{path}.{kind}.key")
            else:
                check_key(origin[kind]["key"], f"{path}.{kind}.key", causes)
    if "fieldRef" in origin and not origin["fieldRef"].get("fieldPath"):
        causes.required(f"{path}.fieldRef.fieldPath")
    if "resourceFieldRef" in origin:
        _resource(origin["resourceFieldRef"], f"{path}.resourceFieldRef", causes)


# ── Probes and hooks ─────────────────────────────────────────────────────────────────────────────────────────────────


def handler(made: Json, path: str, causes: Causes) -> None:
    """Checks what a probe or a hook does."""
    kinds = [kind for kind in _HANDLERS if kind in made]
    if not kinds:
        causes.required(path, "must specify a handler type")
    for extra in kinds[1:]:
        causes.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    if "exec" in made and not made["exec"].get("command"):
        causes.required(f"{path}.exec.command")
    for kind in ("httpGet", "tcpSocket", "grpc"):
        if kind in made:
            check_port(made[kind].get("port", 0), f"{path}.{kind}.port", causes)
    if "sleep" in made and made["sleep"].get("seconds", 0) < 0:
        why = "must be non-negative and less than terminationGracePeriodSeconds"
        causes.invalid(f"{path}.sleep", made["sleep"]["seconds"], why)
