"""What objects look like: the fields of every kind with their types, and objects brought into that form.

`schema.json` was made from the OpenAPI documents of Kubernetes 1.36.3 by `tests/sandbox/make_schema.py`. Its entries
read: `string`, `bool`, `int32`, `int64`, `float64`, `bytes` (base64), `time`, `quantity`, `intstr`, `any`, or the name
of a type; `{}T` a map of strings to T; `[]T` a list that is one value; `[=]T` a set; `[k]T` a list whose elements are
told apart by the fields k; `[k!]T` the same, but not for strategic merges; `[~k]T` for strategic merges only. A `!`
before the type, or as one of its fields, says that it is one value for those who own fields.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, TypeAlias

from tui.sandbox.model import ApiError, Json

#: Anything that JSON can say.
Value: TypeAlias = Any

_SCALARS = frozenset({"string", "bool", "int32", "int64", "float64", "bytes", "time", "quantity", "intstr", "any"})
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
#: How deep an object may be; encoders and everything that walks an object recurse.
_DEPTH = 60


@dataclass(slots=True)
class Shape:
    """What a value must be.

    Attributes:
        type: a scalar of the module's list, `struct`, `map` or `list`.
        name: the type's name in Go, for messages.
        fields: of a struct.
        item: the values of a map or list.
        keys: what tells the elements of a list apart, `=` when each value does so itself; empty: the list is one value.
        merge: the same for strategic merges.
        atomic: whether it is one value for those who own fields.
        open: whether a struct keeps fields that it does not know.
    """

    type: str
    name: str = ""
    fields: dict[str, Shape] = field(default_factory=dict)
    item: Shape | None = None
    keys: tuple[str, ...] = ()
    merge: str = ""
    atomic: bool = False
    open: bool = False


ANY = Shape("any")
_STRUCTS: dict[str, Shape] = {}


@functools.cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resources.files("tui.sandbox").joinpath("schema.json").read_text("utf-8"))
    return loaded


@functools.cache
def _parse(text: str) -> Shape:
    if text.startswith("!"):
        inner = _parse(text[1:])
        return Shape(inner.type, inner.name, inner.fields, inner.item, atomic=True)
    if text.startswith("{}"):
        return Shape("map", "map", item=_parse(text[2:]))
    if text.startswith("["):
        inside, rest = text[1:].split("]", 1)
        keys = () if inside.startswith("~") else tuple(inside.rstrip("!").split(",")) if inside else ()
        merge = "" if inside.endswith("!") else inside.lstrip("~").split(",")[0]
        return Shape("list", "[]" + rest, item=_parse(rest), keys=keys, merge=merge)
    if text in _SCALARS:
        return Shape(text)
    return struct(text)


def struct(name: str) -> Shape:
    """A type of the schema."""
    if name not in _STRUCTS:
        # Put down before its fields are read: types refer to each other.
        made = _STRUCTS[name] = Shape("struct", name.rsplit(".", 1)[-1])
        entries = _schema()["types"][name]
        made.atomic = "!" in entries
        made.fields = {key: _parse(value) for key, value in entries.items() if key != "!"}
    return _STRUCTS[name]


def of_kind(group_version: str, kind: str) -> Shape | None:
    """The shape of a kind that Kubernetes brings, None for others."""
    name = _schema()["kinds"].get(f"{group_version}/{kind}")
    return struct(name) if name else None


def of_crd(schema: Json) -> Shape:
    """The shape that a CustomResourceDefinition's `openAPIV3Schema` describes, with apiVersion, kind and metadata."""
    made = _compile(schema, 0)
    if made.type != "struct":
        made = Shape("struct", "", open=True)
    made.fields |= {"apiVersion": Shape("string"), "kind": Shape("string"), "metadata": struct("ObjectMeta")}
    return made


def _compile(schema: object, depth: int) -> Shape:
    if not isinstance(schema, dict) or depth > _DEPTH:
        return ANY
    if schema.get("x-kubernetes-int-or-string"):
        return Shape("intstr")
    kind, name = schema.get("type"), ""
    if kind == "object":
        fields, rest = schema.get("properties"), schema.get("additionalProperties")
        atomic = schema.get("x-kubernetes-map-type") == "atomic"
        if isinstance(fields, dict) and fields:
            keep = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or bool(rest)
            inner = {str(key): _compile(value, depth + 1) for key, value in fields.items()}
            return Shape("struct", name, inner, open=keep, atomic=atomic)
        if rest:
            return Shape("map", name, item=_compile(rest, depth + 1), atomic=atomic)
        return Shape("struct", name, open=bool(schema.get("x-kubernetes-preserve-unknown-fields")), atomic=atomic)
    if kind == "array":
        keys: tuple[str, ...] = ()
        if schema.get("x-kubernetes-list-type") == "set":
            keys = ("=",)
        elif schema.get("x-kubernetes-list-type") == "map":
            named = schema.get("x-kubernetes-list-map-keys")
            keys = tuple(map(str, named)) if isinstance(named, list) else ()
        return Shape("list", name, item=_compile(schema.get("items"), depth + 1), keys=keys)
    scalars = {"string": "string", "boolean": "bool", "integer": "int64", "number": "float64"}
    return Shape(scalars.get(str(kind), "any"))


class _Wrong(Exception):
    """A value that cannot be what it must be."""


@dataclass(slots=True)
class Read:
    """An object in the form of its shape, and what was left out of it.

    Attributes:
        object: only fields that the shape knows; nothing is null, and nothing is shared with what was read.
        unknown: the paths of the fields that were dropped.
    """

    object: Json
    unknown: list[str]


def read(shape: Shape, value: object, kind: str, version: str) -> Read:
    """Brings an object into its shape, as the real server decodes it.

    Raises:
        ApiError: 400 BadRequest when a value has another type.
    """
    unknown: list[str] = []
    try:
        made = _read(shape, value, "", kind, unknown, 0)
    except _Wrong as problem:
        raise ApiError(
            400, "BadRequest", f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}'
        ) from None
    return Read(made, unknown)


def _told(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
    return "object"


_GO = {
    "quantity": "resource.Quantity",
    "time": "v1.Time",
    "intstr": "intstr.IntOrString",
    "bytes": "[]uint8",
    "map": "map[string]string",
}


def _refuse(shape: Shape, value: object, path: str, owner: str) -> _Wrong:
    told = f"number {value}" if isinstance(value, float) or _told(value) == "number" != shape.type else _told(value)
    if shape.type in ("string", "map", "struct", "list", "bool"):
        told = _told(value)
    name = _GO.get(shape.type) or (f"v1.{shape.name}" if shape.type == "struct" else shape.name or shape.type)
    return _Wrong(f"json: cannot unmarshal {told} into Go struct field {owner}.{path} of type {name}")


def _read(shape: Shape, value: object, path: str, owner: str, unknown: list[str], depth: int) -> Value:
    if depth > _DEPTH:
        raise _Wrong("json: the object is nested too deeply")
    if shape.type == "any":
        return _copied(value, depth)
    if shape.type == "struct":
        return _read_struct(shape, value, path, owner, unknown, depth)
    if shape.type == "map":
        if not isinstance(value, dict):
            raise _refuse(shape, value, path, owner)
        item = shape.item or ANY
        empty = {"string": "", "bytes": "", "quantity": "0"}.get(item.type)
        return {
            key: empty if inner is None else _read(item, inner, path, owner, unknown, depth + 1)
            for key, inner in value.items()
            if inner is not None or empty is not None
        }
    if shape.type == "list":
        if not isinstance(value, list):
            raise _refuse(shape, value, path, owner)
        item = shape.item or ANY
        return [
            _read(item, {} if inner is None and item.type == "struct" else inner, path, owner, unknown, depth + 1)
            for inner in value
            if inner is not None or item.type == "struct"
        ]
    return _scalar(shape, value, path, owner)


def _read_struct(shape: Shape, value: object, path: str, owner: str, unknown: list[str], depth: int) -> Json:
    if not isinstance(value, dict):
        raise _refuse(shape, value, path, owner)
    made: Json = {}
    for key, inner in value.items():
        known = shape.fields.get(key)
        here = f"{path}.{key}" if path else key
        if known is None:
            if shape.open:
                made[key] = _copied(inner, depth)
            else:
                unknown.append(here)
        elif inner is not None:
            made[key] = _read(known, inner, here, shape.name or owner, unknown, depth + 1)
    return made


def _copied(value: Value, depth: int) -> Value:
    """A copy of what may be anything that JSON can say, if it is neither too deep nor too large a number."""
    if depth > _DEPTH:
        raise _Wrong("json: the object is nested too deeply")
    if isinstance(value, dict):
        return {key: _copied(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copied(inner, depth + 1) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _Wrong(f"json: cannot unmarshal number {value} into Go value of type int64")
    return value


def _scalar(shape: Shape, value: object, path: str, owner: str) -> Value:
    match shape.type, value:
        case "bool", bool():
            return value
        case "int32" | "int64" | "float64" | "intstr", bool():
            pass
        case "int32" | "int64", int() | float():
            bound = 2**31 if shape.type == "int32" else 2**63
            if -bound <= value < bound and value == int(value):
                return int(value)
        case "float64", int() | float():
            return value
        case "intstr", int() if -(2**31) <= value < 2**31:
            return value
        case "intstr" | "string", str():
            return value
        case "bytes", str():
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise _Wrong(f"illegal base64 data in field {path}") from None
            return value
        case "time", str():
            if _TIME.fullmatch(value):
                return value
            raise _Wrong(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse field {path}')
        case "quantity", str() | int() | float() if not isinstance(value, bool):
            if _QUANTITY.fullmatch(text := str(value)):
                return text
            raise _Wrong("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    raise _refuse(shape, value, path, owner)
