"""What a request means: the resource, the object and the verb that its path and method name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui.sandbox.rbac import Asked

_METHODS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "HEAD": "get"}
#: Connections into a pod: who opens them by GET must also be allowed to create them (Kubernetes since 1.35).
CONNECTIONS = frozenset({"exec", "attach", "portforward"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; `plural` is empty when it is about no resource."""

    verb: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""
    path: str = ""

    def asked(self) -> list[Asked]:
        """What its sender must be allowed, all of it."""
        if not self.plural:
            return [Asked(self.verb, path=self.path)]
        first = Asked(self.verb, self.group, self.plural, self.subresource, self.name, self.namespace)
        if self.plural == "pods" and self.subresource in CONNECTIONS and self.verb == "get":
            return [first, Asked("create", self.group, self.plural, self.subresource, self.name, self.namespace)]
        return [first]


def parse(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Reads what a request is about."""
    parts = [part for part in path.split("/") if part]
    verb = _METHODS.get(method, method.lower())
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(method.lower(), path=path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1 and not group:
        # An object of kind Namespace belongs to its own namespace, as far as rights go.
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    elif rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name, subresource = (rest[1] if len(rest) > 1 else ""), "/".join(rest[2:3])
    if verb == "get" and query.get("watch", "").lower() in ("1", "true"):
        verb = "watch"
    elif not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return Target(verb, group, version, namespace, rest[0], name, subresource, path)
