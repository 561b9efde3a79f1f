"""What names, labels, selectors and the specs of pods must be."""

from __future__ import annotations

import re

from tui.sandbox.kinds import Kind
from tui.sandbox.model import Json
from tui.sandbox.problems import Causes

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
SERVICE_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character,"
    " and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is"
    " '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def name(kind: Kind, text: str, causes: Causes) -> None:
    """Checks an object's name by the rules of its kind."""
    path = "metadata.name"
    if kind.group == "rbac.authorization.k8s.io":
        if text in (".", "..") or "/" in text or "%" in text:
            causes.invalid(path, text, "may not be '.' or '..', nor contain '/' or '%'")
        return
    if kind.key == "namespaces":
        pattern, told, most = LABEL, LABEL_TEXT, 63
    elif kind.key == "services":
        pattern, told, most = _SERVICE, SERVICE_TEXT, 63
    else:
        pattern, told, most = SUBDOMAIN, SUBDOMAIN_TEXT, 253
    if not pattern.fullmatch(text):
        causes.invalid(path, text, told)
    if len(text) > most:
        causes.invalid(path, text, f"must be no more than {most} bytes")


def _qualified(text: str) -> str:
    prefix, slash, last = text.rpartition("/")
    if slash and not (len(prefix) <= 253 and SUBDOMAIN.fullmatch(prefix)):
        return "prefix part " + SUBDOMAIN_TEXT
    if not last or not _VALUE.fullmatch(last):
        return _NAME_TEXT
    return "name part must be no more than 63 bytes" if len(last) > 63 else ""


def check_labels(labels: dict[str, str], path: str, causes: Causes) -> None:
    """Checks labels: their keys and their values."""
    for key, value in labels.items():
        if problem := _qualified(key):
            causes.invalid(path, key, problem)
        if not _VALUE.fullmatch(value):
            causes.invalid(path, value, _VALUE_TEXT)
        elif len(value) > 63:
            causes.invalid(path, value, "must be no more than 63 bytes")


def meta(kind: Kind, obj: Json, causes: Causes) -> None:
    """Checks `metadata`."""
    metadata = obj["metadata"]
    if not metadata.get("name"):
        causes.required("metadata.name", "name or generateName is required")
    else:
        name(kind, metadata["name"], causes)
    check_labels(metadata.get("labels", {}), "metadata.labels", causes)
    annotations = metadata.get("annotations", {})
    for key in annotations:
        if problem := _qualified(key.lower()):
            causes.invalid("metadata.annotations", key, problem)
    if sum(len(key) + len(value) for key, value in annotations.items()) > 256 << 10:
        causes.invalid("metadata.annotations", "", "Too long: may not be more than 262144 bytes")
    for index, owner in enumerate(metadata.get("ownerReferences", [])):
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                causes.invalid(f"metadata.ownerReferences[{index}].{part}", "", f"{part} must not be empty")
    for text in metadata.get("finalizers", []):
        if problem := _qualified(text):
            causes.invalid("metadata.finalizers", text, problem)


def check_port(value: object, path: str, causes: Causes) -> None:
    """Checks the number of a port; a name of one is not a number."""
    if isinstance(value, int) and not 1 <= value <= 65535:
        causes.invalid(path, value, "must be between 1 and 65535, inclusive")


def at_least(spec: Json, names: tuple[str, ...], path: str, causes: Causes) -> None:
    """Checks that counts are not negative."""
    for part in names:
        if spec.get(part, 0) < 0:
            causes.invalid(f"{path}.{part}", spec[part], "must be greater than or equal to 0")


_PROBES = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def _container(container: Json, volumes: set[str], path: str, causes: Causes) -> None:
    text = container.get("name", "")
    if not text:
        causes.required(f"{path}.name")
    elif not LABEL.fullmatch(text):
        causes.invalid(f"{path}.name", text, LABEL_TEXT)
    if not container.get("image"):
        causes.required(f"{path}.image")
    for index, port in enumerate(container.get("ports", [])):
        if not port.get("containerPort"):
            causes.required(f"{path}.ports[{index}].containerPort")
        check_port(port.get("containerPort") or 1, f"{path}.ports[{index}].containerPort", causes)
        if port["protocol"] not in ("TCP", "UDP", "SCTP"):
            causes.unsupported(f"{path}.ports[{index}].protocol", port["protocol"], ("SCTP", "TCP", "UDP"))
    _environment(container, path, causes)
    _mounts(container, volumes, path, causes)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        at_least(container.get(probe, {}), _PROBES, f"{path}.{probe}", causes)
    if container["imagePullPolicy"] not in ("Always", "IfNotPresent", "Never"):
        allowed = ("Always", "IfNotPresent", "Never")
        causes.unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], allowed)
    for part in ("limits", "requests"):
        for key, value in container["resources"].get(part, {}).items():
            if value.startswith("-"):
                causes.invalid(f"{path}.resources.{part}[{key}]", value, "must be greater than or equal to 0")


def _environment(container: Json, path: str, causes: Causes) -> None:
    for index, variable in enumerate(container.get("env", [])):
        told = variable.get("name", "")
        if not told:
            causes.required(f"{path}.env[{index}].name")
        elif "=" in told or not (told.isascii() and told.isprintable()):
            why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            causes.invalid(f"{path}.env[{index}].name", told, why)


def _mounts(container: Json, volumes: set[str], path: str, causes: Causes) -> None:
    seen = set()
    for index, mount in enumerate(container.get("volumeMounts", [])):
        if mount.get("name") not in volumes:
            causes.missing(f"{path}.volumeMounts[{index}].name", mount.get("name", ""))
        if not mount.get("mountPath"):
            causes.required(f"{path}.volumeMounts[{index}].mountPath")
        elif mount["mountPath"] in seen:
            causes.invalid(f"{path}.volumeMounts[{index}].mountPath", mount["mountPath"], "must be unique")
        seen.add(mount.get("mountPath"))
        if ".." in mount.get("subPath", "").split("/") or mount.get("subPath", "").startswith("/"):
            causes.invalid(f"{path}.volumeMounts[{index}].subPath", mount["subPath"], "must not contain '..'")


def pod_spec(spec: Json, path: str, causes: Causes, *, restart: tuple[str, ...], claims: set[str]) -> None:
    """Checks the spec of a pod or a template; `claims` are volumes that come from elsewhere."""
    volumes = set(claims)
    for index, volume in enumerate(spec.get("volumes", [])):
        text = volume.get("name", "")
        if not text:
            causes.required(f"{path}.volumes[{index}].name")
        elif not LABEL.fullmatch(text):
            causes.invalid(f"{path}.volumes[{index}].name", text, LABEL_TEXT)
        elif text in volumes - claims:
            causes.duplicate(f"{path}.volumes[{index}].name", text)
        volumes.add(text)
        if len(volume) > 2:
            causes.forbidden(f"{path}.volumes[{index}]", "may not specify more than 1 volume type")
    if not spec.get("containers"):
        causes.required(f"{path}.containers")
    names: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part, [])):
            _container(container, volumes, f"{path}.{part}[{index}]", causes)
            if container.get("name", "") in names:
                causes.duplicate(f"{path}.{part}[{index}].name", container["name"])
            names.add(container.get("name", "") or f"{part}{index}")
    if spec["restartPolicy"] not in restart:
        causes.unsupported(f"{path}.restartPolicy", spec["restartPolicy"], restart)
    at_least(spec, ("terminationGracePeriodSeconds", "activeDeadlineSeconds"), path, causes)


def selector(value: Json | None, path: str, causes: Causes) -> None:
    """Checks a label selector."""
    check_labels((value or {}).get("matchLabels", {}), f"{path}.matchLabels", causes)
    for index, expression in enumerate((value or {}).get("matchExpressions", [])):
        at, operator = f"{path}.matchExpressions[{index}]", expression.get("operator", "")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            causes.invalid(f"{at}.operator", operator, "not a valid selector operator")
        elif (operator in ("In", "NotIn")) != bool(expression.get("values")):
            if operator in ("In", "NotIn"):
                causes.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
            else:
                causes.forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        if problem := _qualified(expression.get("key", "")):
            causes.invalid(f"{at}.key", expression.get("key", ""), problem)
