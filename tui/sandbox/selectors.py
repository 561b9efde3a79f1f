"""Which objects are meant: label selectors, set-based ones too, and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from tui.sandbox.model import ApiError, Json

#: Says of labels or fields whether they are meant.
Test = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(r"\s*(==|!=|=|>|<|!|\(|\)|,|[^\s=!<>(),]+)")


def _bad(message: str) -> ApiError:
    return ApiError(400, "BadRequest", f"unable to parse requirement: {message}")


def labels(text: str) -> Test | None:
    """A label selector as it stands in a query; None when everything is meant.

    Raises:
        ApiError: 400 BadRequest when it cannot be read.
    """
    if not text.strip():
        return None
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _bad(f"found '{text[at:]}', expected: identifier")
        tokens.append(found.group(1))
        at = found.end()
    tests = list(_requirements(tokens))
    return lambda have: all(test(have) for test in tests)


def _requirements(tokens: list[str]) -> Iterator[Test]:
    rest = [*tokens, ""]
    while rest[0]:
        yield _requirement(rest)
        if rest[0] == ",":
            rest.pop(0)
            if not rest[0]:
                raise _bad("found '', expected: identifier after ','")
        elif rest[0]:
            raise _bad(f"found '{rest[0]}', expected: ',' or 'end of string'")


def _word(rest: list[str], what: str = "identifier") -> str:
    if rest[0] in ("", "=", "==", "!=", ">", "<", "!", "(", ")", ","):
        raise _bad(f"found '{rest[0]}', expected: {what}")
    return rest.pop(0)


def _requirement(rest: list[str]) -> Test:
    if rest[0] == "!":
        rest.pop(0)
        absent = _word(rest)
        return lambda have: absent not in have
    key, operator = _word(rest), rest[0]
    if operator in ("", ","):
        return lambda have: key in have
    rest.pop(0)
    if operator in ("=", "==", "!="):
        value = "" if rest[0] in ("", ",") else _word(rest)
        return (lambda have: have.get(key) != value) if operator == "!=" else (lambda have: have.get(key) == value)
    if operator in (">", "<"):
        bound = _word(rest)
        if not bound.lstrip("-").isdecimal():
            raise _bad(f"for 'Gt', 'Lt' operators, the value must be an integer, not '{bound}'")
        sign = 1 if operator == ">" else -1
        return lambda have: _integer(have.get(key)) is not None and sign * (int(have[key]) - int(bound)) > 0
    if operator not in ("in", "notin"):
        raise _bad(f"found '{operator}', expected: in, notin, =, ==, !=, >, <")
    values = _values(rest)
    return (lambda have: have.get(key) in values) if operator == "in" else (lambda have: have.get(key) not in values)


def _values(rest: list[str]) -> set[str]:
    if rest[0] != "(":
        raise _bad(f"found '{rest[0]}', expected: '('")
    rest.pop(0)
    values = set()
    while True:
        values.add("" if rest[0] in (",", ")") else _word(rest))
        mark = rest.pop(0) if rest[0] else ""
        if mark == ")":
            return values
        if mark != ",":
            raise _bad(f"found '{mark}', expected: ',' or ')'")


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdecimal() else None


def _meets(requirement: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(requirement.get("key", "")), list(requirement.get("values") or ())
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:  # of nodes alone
            try:
                difference = int(value or "") - int(values[0])
            except (ValueError, IndexError):
                return False
            return difference > 0 if operator == "Gt" else difference < 0
    return False


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector meets labels. None meets nothing, an empty one everything.

    Operators that do not exist meet nothing, so a hostile selector adopts nothing.
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_meets(requirement, labels) for requirement in selector.get("matchExpressions") or ())


def text_of(selector: Json | None) -> str:
    """A `LabelSelector` as one line, as `kubectl get -o wide` shows it and as Scale carries it."""
    if selector is None:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression.get("key", ""), ",".join(sorted(expression.get("values") or []))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(forms.get(expression.get("operator", ""), f"!{key}"))
    return ",".join(parts)


#: The fields that can be selected, besides metadata.name and metadata.namespace, which all resources have.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "services": ("spec.clusterIP", "spec.type"),
    "jobs.batch": ("status.successful",),
    "replicasets.apps": ("status.replicas",),
}


def fields_of(resource: str, obj: Json) -> dict[str, str]:
    """The fields of an object that can be selected, as text; absent ones are empty."""
    meta = obj.get("metadata", {})
    made = {"metadata.name": meta.get("name", ""), "metadata.namespace": meta.get("namespace", "")}
    for path in FIELDS.get(resource, ()):
        value: object = obj
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if path == "source":
            value = (obj.get("source") or {}).get("component") or obj.get("reportingComponent")
        if isinstance(value, bool) or (value is None and path == "spec.unschedulable"):
            value = "true" if value else "false"
        made[path] = "" if value is None else str(value)
    return made


def fields(resource: str, text: str) -> Test | None:
    """A field selector as it stands in a query; None when everything is meant.

    Raises:
        ApiError: 400 BadRequest when it cannot be read or names a field that cannot be selected.
    """
    if not text.strip():
        return None
    known = {"metadata.name", "metadata.namespace", *FIELDS.get(resource, ())}
    tests: list[Test] = []
    for part in re.split(r"(?<!\\),", text):
        found = re.fullmatch(r"\s*([^=!\s]+)\s*(==|!=|=)(.*)", part, re.DOTALL)
        if found is None:
            raise ApiError(400, "BadRequest", f"invalid selector: '{text}'; can't understand '{part}'")
        key, operator, value = found.group(1), found.group(2), re.sub(r"\\(.)", r"\1", found.group(3))
        if key not in known:
            raise ApiError(400, "BadRequest", f"field label not supported: {key}")
        tests.append(_field(key, value, wanted=operator != "!="))
    return lambda have: all(test(have) for test in tests)


def _field(key: str, value: str, *, wanted: bool) -> Test:
    return lambda have: (have.get(key, "") == value) == wanted
