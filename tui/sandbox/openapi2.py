"""The OpenAPI v2 document, which kubectl still wants before it sends a List.

For the kind List, kubectl checks against this document, whatever it does with others (pkg/validation of k8s.io/kubectl
1.37), and reads it in protobuf alone. It skips what has no definition and has the server check each item strictly. So
this one defines nothing: the server's check is the better one, and `/openapi/v3` has the schemas.
"""

from __future__ import annotations

from tui.sandbox.model import Json

#: The name that Kubernetes gives to gnostic's `openapi.v2.Document` in protobuf.
MEDIA = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#: How clients ask for it: kubectl of today, and those before 1.25 with an `@`.
ASKED = ("com.github.proto-openapi.spec.v2.v1.0+protobuf", "com.github.proto-openapi.spec.v2@v1.0+protobuf")


def document(version: str) -> Json:
    """The document as JSON.

    Args:
        version: Kubernetes', `v1.36.3`.
    """
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": version}, "paths": {}, "definitions": {}}


def encoded(version: str) -> bytes:
    """The same in protobuf (gnostic's OpenAPIv2.proto: 1 swagger, 2 info with 1 title and 2 version, 8 paths)."""
    info = _text(1, b"Kubernetes") + _text(2, version.encode())
    return _text(1, b"2.0") + _text(2, info) + _text(8, b"")


def _text(number: int, data: bytes) -> bytes:
    if len(data) > 127:
        raise ValueError("longer than one byte tells")
    return bytes((number << 3 | 2, len(data))) + data
