"""Discovery: which resources there are, in the old documents and in the aggregated one, and their OpenAPI."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tui.sandbox import problems, reviews
from tui.sandbox.kinds import Kind, Kinds
from tui.sandbox.model import Json
from tui.sandbox.shapes import Shape

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_STATUS_VERBS = ["get", "patch", "update"]
#: subresource: verbs, kind, group and version of that kind.
_SUBRESOURCES: dict[str, tuple[list[str], str, str, str]] = {
    "attach": (["create", "get"], "PodAttachOptions", "", ""),
    "binding": (["create"], "Binding", "", ""),
    "ephemeralcontainers": (_STATUS_VERBS, "Pod", "", ""),
    "eviction": (["create"], "Eviction", "policy", "v1"),
    "exec": (["create", "get"], "PodExecOptions", "", ""),
    "log": (["get"], "Pod", "", ""),
    "portforward": (["create", "get"], "PodPortForwardOptions", "", ""),
    "proxy": (["create", "delete", "get", "patch", "update"], "NodeProxyOptions", "", ""),
    "scale": (_STATUS_VERBS, "Scale", "autoscaling", "v1"),
    "finalize": (["update"], "Namespace", "", ""),
}
#: Subresources that are in the table of kinds, but that nobody serves.
_UNSERVED = frozenset({"binding", "ephemeralcontainers"})
#: What metrics.k8s.io shows; its handlers belong to the streams.
_METRICS = (("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True))
_ONLY_CREATE = ["create"]


def _resource(name: str, singular: str, namespaced: bool, kind: str, verbs: list[str]) -> Json:
    return {"name": name, "singularName": singular, "namespaced": namespaced, "kind": kind, "verbs": verbs}


class Discovery:
    """Tells what is served; what CRDs define comes and goes."""

    def __init__(self, kinds: Kinds, *, metrics: bool) -> None:
        self._kinds = kinds
        self._metrics = metrics

    def groups(self) -> dict[str, list[str]]:
        """All groups but the core one, with their versions."""
        made = self._kinds.groups()
        for group, _ in reviews.KINDS:
            made.setdefault(group, ["v1"])
        if self._metrics:
            made["metrics.k8s.io"] = ["v1beta1"]
        return made

    def resources(self, group: str, version: str) -> list[Json] | None:
        """The resources of a group in a version, as an `APIResourceList` tells them; None when there is none."""
        if version not in self.groups().get(group, ["v1"] if not group else []):
            return None
        made: list[Json] = []
        for kind in self._kinds.all():
            if (kind.group, kind.version) == (group, version):
                made += self._one(kind)
        for (review_group, plural), (name, namespaced) in reviews.KINDS.items():
            if review_group == group:
                made.append(_resource(plural, name.lower(), namespaced, name, _ONLY_CREATE))
        if group == "metrics.k8s.io":
            made += [_resource(plural, "", namespaced, kind, ["get", "list"]) for plural, kind, namespaced in _METRICS]
        return sorted(made, key=lambda one: str(one["name"]))

    @staticmethod
    def _one(kind: Kind) -> list[Json]:
        first = _resource(kind.plural, kind.singular, kind.namespaced, kind.name, list(kind.verbs))
        if kind.short:
            first["shortNames"] = list(kind.short)
        if kind.categories:
            first["categories"] = list(kind.categories)
        made = [first]
        for subresource in kind.subresources:
            if subresource in _UNSERVED:
                continue
            verbs, name, group, version = _SUBRESOURCES.get(subresource, (_STATUS_VERBS, kind.name, "", ""))
            one = _resource(f"{kind.plural}/{subresource}", "", kind.namespaced, name, verbs)
            made.append({**one, "group": group, "version": version} if version else one)
        return made

    def resource_list(self, group: str, version: str) -> Json:
        """The document at `/apis/GROUP/VERSION` or `/api/v1`.

        Raises:
            ApiError: 404 NotFound.
        """
        resources = self.resources(group, version)
        if resources is None:
            raise problems.no_resource()
        told = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": told, "resources": resources}

    def group(self, name: str) -> Json:
        """The document at `/apis/GROUP`.

        Raises:
            ApiError: 404 NotFound.
        """
        versions = self.groups().get(name)
        if not versions:
            raise problems.no_resource()
        told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": told, "preferredVersion": told[0]}

    def group_list(self) -> Json:
        """The document at `/apis`."""
        groups = [{key: value for key, value in self.group(name).items() if key in _GROUP} for name in self.groups()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def aggregated(self, *, core: bool) -> Json:
        """The aggregated document at `/api` (`core`) or `/apis`."""
        groups = {"": ["v1"]} if core else self.groups()
        items = [
            {
                "metadata": {**({"name": name} if name else {}), "creationTimestamp": None},
                "versions": [
                    {"version": version, "resources": self._aggregated(name, version), "freshness": "Current"}
                    for version in versions
                ],
            }
            for name, versions in groups.items()
        ]
        return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}

    def _aggregated(self, group: str, version: str) -> list[Json]:
        made: dict[str, Json] = {}
        for one in self.resources(group, version) or []:
            plural, _, subresource = one["name"].partition("/")
            kind = {"group": one.get("group", group), "version": one.get("version", version), "kind": one["kind"]}
            if subresource:
                inner = {"subresource": subresource, "responseKind": kind, "verbs": one["verbs"]}
                made[plural].setdefault("subresources", []).append(inner)
                continue
            made[plural] = {
                "resource": plural,
                "responseKind": kind,
                "scope": "Namespaced" if one["namespaced"] else "Cluster",
                "singularResource": one["singularName"],
                "verbs": one["verbs"],
                **({"shortNames": one["shortNames"]} if "shortNames" in one else {}),
                **({"categories": one["categories"]} if "categories" in one else {}),
            }
        return list(made.values())

    # ── OpenAPI v3 ───────────────────────────────────────────────────────────────────────────────────────────────────

    def openapi_index(self) -> Json:
        """The document at `/openapi/v3`; each hash changes with the document it stands for."""
        paths = {}
        for group, version in [("", "v1"), *((name, one) for name, all_ in self.groups().items() for one in all_)]:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            seed = json.dumps(self.resources(group, version)).encode() + str(self._kinds.generation).encode()
            mark = hashlib.sha256(seed).hexdigest()[:32].upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={mark}"}
        return {"paths": paths}

    def openapi(self, group: str, version: str) -> Json:
        """The OpenAPI v3 document of a group in a version.

        Raises:
            ApiError: 404 NotFound.
        """
        if self.resources(group, version) is None:
            raise problems.no_resource()
        schemas: dict[str, Any] = {}
        paths: dict[str, Any] = {}
        for kind in self._kinds.all():
            if (kind.group, kind.version) != (group, version):
                continue
            gvk = {"group": group, "kind": kind.name, "version": version}
            name = f"{group or 'core'}.{version}.{kind.name}"
            schemas[name] = {**_whole(kind, schemas), "x-kubernetes-group-version-kind": [gvk]}
            start = f"/apis/{group}/{version}" if group else f"/api/{version}"
            where = "/namespaces/{namespace}" if kind.namespaced else ""
            paths[f"{start}{where}/{kind.plural}/{{name}}"] = _path(gvk, name)
        info = {"title": "Kubernetes", "version": "v1.36.3"}
        return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


_GROUP = ("name", "versions", "preferredVersion")


def _path(gvk: Json, name: str) -> Json:
    def parameter(text: str) -> Json:
        return {"name": text, "in": "query", "schema": {"type": "string", "uniqueItems": True}}

    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": _reference(name)}}}}
    common = {"responses": answer, "x-kubernetes-group-version-kind": gvk}
    return {
        "get": {**common, "x-kubernetes-action": "get"},
        "patch": {**common, "x-kubernetes-action": "patch", "parameters": [parameter(text) for text in names]},
    }


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_TYPES: dict[str, Json] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float64": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intstr": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
}


def _whole(kind: Kind, schemas: dict[str, Any]) -> Json:
    """A kind's schema; a CRD's as it stands there, which knows more than its shape: what is required, enumerations."""
    told = _fields(kind.shape, schemas)
    if kind.rules is None:
        return told
    common = {key: told["properties"][key] for key in ("apiVersion", "kind", "metadata")}
    return {"type": "object", **kind.rules, "properties": {**(kind.rules.get("properties") or {}), **common}}


def _fields(shape: Shape, schemas: dict[str, Any]) -> Json:
    made: Json = {"type": "object"}
    if shape.fields:
        made["properties"] = {key: _schema(inner, schemas) for key, inner in sorted(shape.fields.items())}
    if shape.open:
        made["x-kubernetes-preserve-unknown-fields"] = True
    return made


def _schema(shape: Shape, schemas: dict[str, Any]) -> Json:
    if shape.type == "struct":
        if not shape.name:
            return _fields(shape, schemas)
        if shape.name not in schemas:
            # Put down before its fields are told: types refer to each other.
            schemas[shape.name] = {}
            schemas[shape.name] = _fields(shape, schemas)
        return _reference(shape.name)
    if shape.type == "map" and shape.item:
        return {"type": "object", "additionalProperties": _schema(shape.item, schemas)}
    if shape.type == "list" and shape.item:
        made: Json = {"type": "array", "items": _schema(shape.item, schemas)}
        if shape.keys and shape.keys != ("=",):
            made |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(shape.keys)}
        if shape.merge and shape.merge != "=":
            made |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": shape.merge}
        return made
    return dict(_TYPES.get(shape.type, {"x-kubernetes-preserve-unknown-fields": True}))
