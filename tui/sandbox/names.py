"""What names, labels, selectors and other parts of any object must be."""

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


_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    " 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def check_key(text: str, path: str, causes: Causes) -> None:
    """Checks a key of a ConfigMap or Secret: it becomes a file's name."""
    if not _KEY.fullmatch(text):
        causes.invalid(path, text, _KEY_TEXT)
    elif len(text) > 253:
        causes.invalid(path, text, "must be no more than 253 characters")
    if text == ".":
        causes.invalid(path, text, "must not be '.'")
    elif text.startswith(".."):
        causes.invalid(path, text, "must not be '..'" if text == ".." else "must not start with '..'")


def check_port(value: object, path: str, causes: Causes) -> None:
    """Checks the number of a port; a name of one is not a number."""
    if isinstance(value, int) and not 1 <= value <= 65535:
        causes.invalid(path, value, "must be between 1 and 65535, inclusive")


def at_least(spec: Json, names: tuple[str, ...], path: str, causes: Causes) -> None:
    """Checks that counts are not negative."""
    for part in names:
        if spec.get(part, 0) < 0:
            causes.invalid(f"{path}.{part}", spec[part], "must be greater than or equal to 0")


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
