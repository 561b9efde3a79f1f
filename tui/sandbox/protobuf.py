r"""Objects in Kubernetes' protobuf, which kubectl and helm send for the kinds that Kubernetes brings.

The envelope is `k8s\0` and runtime.Unknown (1: TypeMeta, 2: the object). `protobuf.json` was made from the files
`generated.proto` of k8s.io/api and k8s.io/apimachinery 0.36.1 by `tests/sandbox/make_protobuf.py`. It is answered in
JSON, which those clients read.
"""

from __future__ import annotations

import base64
import functools
import json
import time
from collections.abc import Iterator
from importlib import resources
from typing import Any

from tui.sandbox.model import ApiError, Json
from tui.sandbox.problems import bad
from tui.sandbox.shapes import ANY, Shape, Value, of_kind

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
#: How deep an object may be.
_DEPTH = 60


@functools.cache
def _proto() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resources.files("tui.sandbox").joinpath("protobuf.json").read_text("utf-8"))
    return loaded


def _unreadable(why: str) -> ApiError:
    return bad(f"the protobuf of the object cannot be read: {why}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise _unreadable("a number does not end")


def _fields(data: bytes | int) -> Iterator[tuple[int, bytes | int]]:
    if isinstance(data, int):
        raise _unreadable("a number stands where a message should")
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise _unreadable("it ends too early")
            yield number, data[at : at + size]
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise _unreadable(f"wire type {wire}")


def _text(value: bytes | int) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise _unreadable("text that is not UTF-8") from None


def _number(value: bytes | int) -> int:
    signed = value if isinstance(value, int) else 0
    return signed - 2**64 if signed >= 2**63 else signed


def _special(kind: str, data: bytes | int) -> Value:
    """Types whose JSON is no object: quantities, times, and numbers that may be names."""
    parts = dict(_fields(data))
    if kind == "Quantity":
        return _text(parts.get(1, b"")) or "0"
    if kind == "IntOrString":
        return _text(parts.get(3, b"")) if parts.get(1) else _number(parts.get(2, 0))
    if not parts:
        return None
    seconds = min(max(_number(parts.get(1, 0)), 0), 253402300799)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _value(kind: str, value: bytes | int, shape: Shape, depth: int) -> Value:
    match kind:
        case "string":
            return _text(value)
        case "bytes":
            return base64.b64encode(value if isinstance(value, bytes) else b"").decode()
        case "bool":
            return bool(value)
        case "int32" | "int64":
            return _number(value)
    last = kind.rpartition(".")[2]
    if last in ("Quantity", "Time", "MicroTime", "IntOrString"):
        return _special(last, value)
    return _message(kind, value, shape, depth + 1)


def _message(name: str, data: bytes | int, shape: Shape, depth: int) -> Json:
    if depth > _DEPTH:
        raise _unreadable("it is nested too deeply")
    made: Json = {}
    known = _proto()["messages"].get(name, {})
    for number, value in _fields(data):
        key, kind = known.get(str(number), ("", "double"))
        plain = kind.removeprefix("[]").removeprefix("{}")
        if plain == "double" or (kind == "string" and not value):
            continue
        inner = shape.fields.get(key)
        if inner is None and kind == plain and "." in kind:
            # What Go embeds has a field of its own here, and none in JSON.
            made |= _message(kind, value, shape, depth + 1)
        elif inner is None:
            continue
        elif kind.startswith("[]"):
            made.setdefault(key, []).append(_value(plain, value, inner.item or ANY, depth))
        elif kind.startswith("{}"):
            pair = dict(_fields(value))
            made.setdefault(key, {})[_text(pair.get(1, b""))] = _value(
                plain, pair.get(2, b""), inner.item or ANY, depth
            )
        else:
            made[key] = _value(kind, value, inner, depth)
    return {key: value for key, value in made.items() if value is not None}


def decode(body: bytes) -> Json:
    """The object in an envelope.

    Raises:
        ApiError: 400 BadRequest when it is of a kind that is not known, or cannot be read.
    """
    if not body.startswith(_MAGIC):
        raise bad("the object provided is unrecognized (must be of type runtime.Unknown): no protobuf prefix")
    outer = dict(_fields(body[len(_MAGIC) :]))
    kinds = dict(_fields(outer.get(1, b"")))
    version, kind = _text(kinds.get(1, b"")), _text(kinds.get(2, b""))
    if kind == "DeleteOptions":
        # Deletions name the version of what they delete.
        version = "v1"
    message, shape = _proto()["kinds"].get(f"{version}/{kind}"), of_kind(version, kind)
    if message is None or shape is None:
        raise bad(f"the sandbox does not read {version} {kind} as protobuf: send JSON")
    return {"apiVersion": version, "kind": kind} | _message(message, outer.get(2, b""), shape, 0)
