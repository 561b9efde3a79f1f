"""Writes `tui/sandbox/schema.json` from OpenAPI v3 documents of a real API server (`kubectl get --raw /openapi/v3/…`).

Usage: python tests/sandbox/make_schema.py DOCUMENT… > tui/sandbox/schema.json
Descriptions are left out; how the entries read is said in `tui/sandbox/shapes.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SCALARS = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
}


def short(name: str) -> str:
    """A type's short name; those of core and meta without their package."""
    parts = name.split(".")
    package = parts[-3]
    return parts[-1] if package in ("core", "meta") else f"{package}.{parts[-1]}"


def text(schema: dict[str, Any]) -> str:
    """A field's type as `shapes.py` reads it."""
    reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", []) if "$ref" in part), "")
    atomic = "!" if schema.get("x-kubernetes-map-type") == "atomic" else ""
    if reference:
        name = reference.rsplit("/", 1)[1]
        return SCALARS.get(name) or atomic + short(name)
    kind = schema.get("type")
    if kind == "array":
        keys, merge = schema.get("x-kubernetes-list-map-keys", []), schema.get("x-kubernetes-patch-merge-key", "")
        inside = ",".join(keys)
        if schema.get("x-kubernetes-list-type") == "set" or (
            schema.get("x-kubernetes-patch-strategy") == "merge" and not merge and not keys
        ):
            inside = "="
        elif keys and merge != keys[0]:
            inside += "!"
        elif merge and not keys:
            inside = "~" + merge
        return f"[{inside}]" + text(schema["items"])
    if kind == "object":
        inner = schema.get("additionalProperties")
        return atomic + ("{}" + text(inner) if inner else "any")
    formats = {"integer": schema.get("format", "int64"), "boolean": "bool", "number": "float64"}
    if kind == "string":
        return {"byte": "bytes", "date-time": "time"}.get(schema.get("format", ""), "string")
    return formats.get(kind or "", "any")


def main() -> None:
    """Reads the documents that are named, writes the schema."""
    types: dict[str, dict[str, str]] = {}
    kinds: dict[str, str] = {}
    for path in sys.argv[1:]:
        for name, schema in json.loads(Path(path).read_text("utf-8"))["components"]["schemas"].items():
            if name in SCALARS or (name.endswith(("List", ".WatchEvent")) and "items" in schema.get("properties", {})):
                continue
            types[short(name)] = {field: text(inner) for field, inner in schema.get("properties", {}).items()}
            if schema.get("x-kubernetes-map-type") == "atomic":
                types[short(name)]["!"] = "atomic"
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                if len(schema["x-kubernetes-group-version-kind"]) == 1:
                    kinds[f"{gvk['group']}/{gvk['version']}/{gvk['kind']}".lstrip("/")] = short(name)
    used: set[str] = set()
    todo = list(kinds.values())
    while todo:
        name = todo.pop()
        if name in used or name not in types:
            continue
        used.add(name)
        todo += [value.lstrip("!").split("]")[-1].removeprefix("{}").split("]")[-1] for value in types[name].values()]
    kept = {name: types[name] for name in sorted(used)}
    print("{")
    print('"kinds": ' + json.dumps(dict(sorted(kinds.items())), indent=0) + ",")
    print('"types": {')
    print(",\n".join(f"{json.dumps(name)}: {json.dumps(fields, sort_keys=True)}" for name, fields in kept.items()))
    print("}}")


if __name__ == "__main__":
    main()
