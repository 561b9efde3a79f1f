"""Secrets and ConfigMaps in Kubernetes' protobuf, which helm sends: only what is written in them is read.

The envelope is `k8s\\0` and runtime.Unknown (1: TypeMeta, 2: the object); field numbers are of
k8s.io/api/core/v1/generated.proto and k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tui.sandbox.model import Json
from tui.sandbox.problems import bad

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise bad("the protobuf of the object cannot be read: a number does not end")


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
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
                raise bad("the protobuf of the object cannot be read: it ends too early")
            yield number, data[at : at + size]
            at += size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise bad(f"the protobuf of the object cannot be read: wire type {wire}")


def _text(value: bytes | int) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise bad("the protobuf of the object cannot be read: text that is not UTF-8") from None


def _bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else b""


def _pair(value: bytes | int) -> tuple[str, bytes]:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(1, b"")), _bytes(parts.get(2, b""))


_META = {1: "name", 2: "generateName", 3: "namespace", 5: "uid", 6: "resourceVersion"}


def _meta(data: bytes) -> Json:
    made: Json = {}
    for number, value in _fields(data):
        if number in _META and value:
            made[_META[number]] = _text(value)
        elif number in (11, 12):
            key, text = _pair(value)
            made.setdefault("labels" if number == 11 else "annotations", {})[key] = _text(text)
        elif number == 13:
            made.setdefault("ownerReferences", []).append(_owner(_bytes(value)))
        elif number == 14:
            made.setdefault("finalizers", []).append(_text(value))
    return made


def _owner(data: bytes) -> Json:
    names = {1: "kind", 3: "name", 4: "uid", 5: "apiVersion"}
    flags = {6: "controller", 7: "blockOwnerDeletion"}
    made: Json = {}
    for number, value in _fields(data):
        if number in names:
            made[names[number]] = _text(value)
        elif number in flags:
            made[flags[number]] = bool(value)
    return made


def decode(body: bytes) -> Json:
    """The object in an envelope.

    Raises:
        ApiError: 400 BadRequest when it is no Secret, ConfigMap or DeleteOptions, or cannot be read.
    """
    if not body.startswith(_MAGIC):
        raise bad("the object provided is unrecognized (must be of type runtime.Unknown): no protobuf prefix")
    outer = dict(_fields(body[len(_MAGIC) :]))
    kinds = dict(_fields(_bytes(outer.get(1, b""))))
    version, kind, raw = _text(kinds.get(1, b"")), _text(kinds.get(2, b"")), _bytes(outer.get(2, b""))
    made: Json = {"apiVersion": version, "kind": kind}
    if kind == "DeleteOptions":
        return made | _deletion(raw)
    if kind not in ("Secret", "ConfigMap") or version != "v1":
        raise bad(f"the sandbox reads only Secrets and ConfigMaps as protobuf, not {version} {kind}: send JSON")
    for number, value in _fields(raw):
        if number == 1:
            made["metadata"] = _meta(_bytes(value))
        elif number == 2 or (number == 3 and kind == "ConfigMap"):
            key, data = _pair(value)
            binary = kind == "Secret" or number == 3
            told = base64.b64encode(data).decode() if binary else _text(data)
            made.setdefault("data" if number == 2 else "binaryData", {})[key] = told
        elif number == 3:
            made["type"] = _text(value)
        elif number == 4 and kind == "Secret":
            key, data = _pair(value)
            made.setdefault("stringData", {})[key] = _text(data)
        elif number == (5 if kind == "Secret" else 4):
            made["immutable"] = bool(value)
    return made


def _deletion(data: bytes) -> Json:
    made: Json = {}
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            made["gracePeriodSeconds"] = value
        elif number == 2:
            parts = dict(_fields(_bytes(value)))
            made["preconditions"] = {"uid": _text(parts[1])} if 1 in parts else {}
        elif number == 4:
            made["propagationPolicy"] = _text(value)
        elif number == 5:
            made.setdefault("dryRun", []).append(_text(value))
    return made
