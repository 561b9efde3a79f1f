r"""The few kinds that clients in Go send in Kubernetes' protobuf: Secrets and ConfigMaps of helm, reviews, evictions.

The envelope is `k8s\0` and runtime.Unknown (1: TypeMeta, 2: the object); field numbers are those of the files
`generated.proto` of k8s.io/api and k8s.io/apimachinery. It is answered in JSON, which those clients read.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tui.sandbox.model import ApiError, Json
from tui.sandbox.problems import bad

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

#: message: number: name and type. `text`, `bytes`, `flag`, `number`, `{}text` and `{}bytes` (maps of strings), the name
#: of another message; `[]` before it: it may stand there more than once.
_MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "ObjectMeta": {
        1: ("name", "text"),
        2: ("generateName", "text"),
        3: ("namespace", "text"),
        5: ("uid", "text"),
        6: ("resourceVersion", "text"),
        11: ("labels", "{}text"),
        12: ("annotations", "{}text"),
        13: ("ownerReferences", "[]OwnerReference"),
        14: ("finalizers", "[]text"),
    },
    "OwnerReference": {
        1: ("kind", "text"),
        3: ("name", "text"),
        4: ("uid", "text"),
        5: ("apiVersion", "text"),
        6: ("controller", "flag"),
        7: ("blockOwnerDeletion", "flag"),
    },
    "v1.Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{}bytes"),
        3: ("type", "text"),
        4: ("stringData", "{}text"),
        5: ("immutable", "flag"),
    },
    "v1.ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{}text"),
        3: ("binaryData", "{}bytes"),
        4: ("immutable", "flag"),
    },
    "v1.Namespace": {1: ("metadata", "ObjectMeta")},
    "v1.DeleteOptions": {
        1: ("gracePeriodSeconds", "number"),
        2: ("preconditions", "Preconditions"),
        4: ("propagationPolicy", "text"),
        5: ("dryRun", "[]text"),
    },
    "Preconditions": {1: ("uid", "text"), 2: ("resourceVersion", "text")},
    "policy/v1.Eviction": {1: ("metadata", "ObjectMeta"), 2: ("deleteOptions", "v1.DeleteOptions")},
    "ResourceAttributes": {
        1: ("namespace", "text"),
        2: ("verb", "text"),
        3: ("group", "text"),
        4: ("version", "text"),
        5: ("resource", "text"),
        6: ("subresource", "text"),
        7: ("name", "text"),
    },
    "NonResourceAttributes": {1: ("path", "text"), 2: ("verb", "text")},
    "ReviewSpec": {
        1: ("resourceAttributes", "ResourceAttributes"),
        2: ("nonResourceAttributes", "NonResourceAttributes"),
        3: ("user", "text"),
        4: ("groups", "[]text"),
    },
    "RulesSpec": {1: ("namespace", "text")},
    "authorization.k8s.io/v1.SelfSubjectAccessReview": {2: ("spec", "ReviewSpec")},
    "authorization.k8s.io/v1.SubjectAccessReview": {2: ("spec", "ReviewSpec")},
    "authorization.k8s.io/v1.LocalSubjectAccessReview": {2: ("spec", "ReviewSpec")},
    "authorization.k8s.io/v1.SelfSubjectRulesReview": {2: ("spec", "RulesSpec")},
    "authentication.k8s.io/v1.SelfSubjectReview": {},
}


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


def _value(kind: str, value: bytes | int) -> object:
    match kind:
        case "text":
            return _text(value)
        case "bytes":
            return base64.b64encode(value if isinstance(value, bytes) else b"").decode()
        case "flag":
            return bool(value)
        case "number":
            signed = value if isinstance(value, int) else 0
            return signed - 2**64 if signed >= 2**63 else signed
    return _message(kind, value)


def _message(name: str, data: bytes | int) -> Json:
    made: Json = {}
    for number, value in _fields(data):
        key, kind = _MESSAGES[name].get(number, ("", ""))
        if not key or (kind == "text" and not value):
            continue
        if kind.startswith("[]"):
            made.setdefault(key, []).append(_value(kind[2:], value))
        elif kind.startswith("{}"):
            pair = dict(_fields(value))
            made.setdefault(key, {})[_text(pair.get(1, b""))] = _value(kind[2:], pair.get(2, b""))
        else:
            made[key] = _value(kind, value)
    return made


def decode(body: bytes) -> Json:
    """The object in an envelope.

    Raises:
        ApiError: 400 BadRequest when it is of another kind, or cannot be read.
    """
    if not body.startswith(_MAGIC):
        raise bad("the object provided is unrecognized (must be of type runtime.Unknown): no protobuf prefix")
    outer = dict(_fields(body[len(_MAGIC) :]))
    kinds = dict(_fields(outer.get(1, b"")))
    version, kind = _text(kinds.get(1, b"")), _text(kinds.get(2, b""))
    if f"{version}.{kind}" not in _MESSAGES:
        if kind != "DeleteOptions":
            raise bad(f"the sandbox does not read {version} {kind} as protobuf: send JSON")
        # Deletions name the version of what they delete.
        return {"apiVersion": "v1", "kind": kind} | _message("v1.DeleteOptions", outer.get(2, b""))
    return {"apiVersion": version, "kind": kind} | _message(f"{version}.{kind}", outer.get(2, b""))
