"""The API as an administrator calls it, with nothing of what is tested and without kubectl."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

Json = dict[str, Any]
Found = TypeVar("Found")
_RBAC = "apis/rbac.authorization.k8s.io/v1"
#: Group and version, plural, and whether it lives in a namespace.
_KINDS = {
    "ClusterRole": (_RBAC, "clusterroles", False),
    "ClusterRoleBinding": (_RBAC, "clusterrolebindings", False),
    "ConfigMap": ("api/v1", "configmaps", True),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices", True),
    "Namespace": ("api/v1", "namespaces", False),
    "Node": ("api/v1", "nodes", False),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims", True),
    "Pod": ("api/v1", "pods", True),
    "Role": (_RBAC, "roles", True),
    "RoleBinding": (_RBAC, "rolebindings", True),
    "Service": ("api/v1", "services", True),
    "StatefulSet": ("apis/apps/v1", "statefulsets", True),
}


class Refused(Exception):
    """The server says no: `code` is the status, the message is its words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def until(look: Callable[[], Found], seconds: float = 90, what: str = "it never came to that") -> Found:
    """Looks until something is found, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


class Admin:
    """The administrator of a kubeconfig's current context.

    Attributes:
        server: the API server's address.
    """

    def __init__(self, kubeconfig: str) -> None:
        read = yaml.safe_load(Path(kubeconfig).read_text("utf-8"))
        named = {key: {item["name"]: item[key[:-1]] for item in read[key]} for key in ("clusters", "contexts", "users")}
        context = named["contexts"][read["current-context"]]
        cluster, user = named["clusters"][context["cluster"]], named["users"][context["user"]]
        self.server: str = cluster["server"].rstrip("/")
        self._tls = ssl.create_default_context(cadata=_held(cluster, "certificate-authority"))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
            pair.write(_held(user, "client-certificate") + "\n" + _held(user, "client-key"))
            pair.flush()
            self._tls.load_cert_chain(pair.name)

    def request(self, method: str, path: str, body: Json | None = None, media: str = "application/json") -> Json:
        """What the server answers. Refused when it refuses, OSError when it cannot be reached."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.server}/{path}", data, {"Content-Type": media}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._tls) as response:
                answer: Json = json.loads(response.read())
                return answer
        except urllib.error.HTTPError as error:
            told = error.read().decode("utf-8", "replace")
            raise Refused(error.code, f"{method} {path}: {told}") from None

    def minor(self) -> int:
        """The server's version: 36 for 1.36."""
        return int(self.request("GET", "version")["minor"].rstrip("+"))

    def apply(self, *objects: Json) -> None:
        """Makes objects, or makes them what is said."""
        for one in objects:
            meta = one["metadata"]
            version = one["apiVersion"]
            path = _path(one["kind"], meta.get("namespace", ""), meta["name"], version=version)
            self.request("PATCH", f"{path}?fieldManager=statetui-test&force=true", one, "application/apply-patch+yaml")

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        try:
            return self.request("GET", _path(kind, namespace, name))
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def patch(self, kind: str, namespace: str, name: str, patch: Json, sub: str = "") -> Json:
        path = _path(kind, namespace, name) + (f"/{sub}" if sub else "")
        return self.request("PATCH", path, patch, "application/merge-patch+json")

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        self.patch("StatefulSet", namespace, name, {"spec": {"replicas": replicas}}, "scale")

    def restart(self, namespace: str, name: str) -> None:
        """Rolls a set, as `kubectl rollout restart` does."""
        note = {"kubectl.kubernetes.io/restartedAt": str(time.time())}
        self.patch("StatefulSet", namespace, name, {"spec": {"template": {"metadata": {"annotations": note}}}})

    def delete(self, kind: str, namespace: str, name: str, *, wait: bool = False) -> None:
        """Deletes an object, also one that is not there; waits until it is gone when asked to."""
        found = self.get(kind, namespace, name)
        if found is None:
            return
        try:
            self.request("DELETE", f"{_path(kind, namespace, name)}?propagationPolicy=Background")
        except Refused as refused:
            if refused.code != 404:
                raise
        if wait:
            self.gone(kind, namespace, name, found["metadata"]["uid"])

    def gone(self, kind: str, namespace: str, name: str, uid: str = "") -> None:
        """Waits until an object is no more, or another has its name."""
        if not uid:
            first = self.get(kind, namespace, name)
            if first is None:  # it went before anybody looked
                return
            uid = first["metadata"]["uid"]

        def no_more() -> bool:
            found = self.get(kind, namespace, name)
            return found is None or found["metadata"]["uid"] != uid

        until(no_more, what=f"{name} is still there")

    def pod(self, namespace: str, name: str) -> Json:
        found = self.get("Pod", namespace, name)
        assert found is not None, f"there is no pod {name}"
        return found

    def ready_since(self, namespace: str, name: str) -> str:
        """Since when a pod is ready, RFC 3339; empty when it is not, or is not there."""
        found = self.get("Pod", namespace, name) or {}
        conditions = found.get("status", {}).get("conditions") or []
        ready = (
            each["lastTransitionTime"] for each in conditions if (each["type"], each["status"]) == ("Ready", "True")
        )
        return next(ready, "")

    def rolled_out(self, namespace: str, name: str) -> bool:
        """Whether a set is what its manifest says, and all of it ready."""
        found = self.get("StatefulSet", namespace, name)
        assert found is not None, f"there is no set {name}"
        status, wanted = found["status"], found["spec"].get("replicas", 1)
        return (
            status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            and status.get("currentRevision") == status.get("updateRevision")
            and status.get("replicas", 0) == status.get("readyReplicas", 0) == wanted
        )

    def roll_out(self, namespace: str, name: str, seconds: float = 120) -> None:
        """Waits until a set has rolled out."""
        until(lambda: self.rolled_out(namespace, name), seconds, f"{namespace}/{name} was never ready")


def _path(kind: str, namespace: str, name: str, version: str = "") -> str:
    base, plural, namespaced = _KINDS[kind]
    if version:
        base = f"apis/{version}" if "/" in version else f"api/{version}"
    return f"{base}/namespaces/{namespace}/{plural}/{name}" if namespaced else f"{base}/{plural}/{name}"


def _held(holder: dict[str, str], what: str) -> str:
    if f"{what}-data" in holder:
        return base64.b64decode(holder[f"{what}-data"]).decode()
    return Path(holder[what]).read_text("utf-8")
