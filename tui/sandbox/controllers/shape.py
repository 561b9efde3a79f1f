"""Keeps objects of a wrong shape from those who look through all objects of a resource.

The registry refuses such objects. Should one slip through, it must not keep a controller from all others of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping

from tui.sandbox.model import Json, Meant, Objects


def _is_map(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_text_map(value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(text, str) for text in value.values()))


def _is_list_of_maps(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, dict) for item in value))


#: Resources whose objects are nothing without a `spec`.
_WITH_SPEC = {
    "daemonsets.apps",
    "deployments.apps",
    "jobs.batch",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets.policy",
    "pods",
    "replicasets.apps",
    "services",
    "statefulsets.apps",
}


def is_sound(resource: str, obj: Json) -> bool:
    """Whether an object is shaped as every object of Kubernetes is, and its labels, selector and taints too."""
    metadata, spec, status = obj.get("metadata"), obj.get("spec"), obj.get("status")
    if not isinstance(metadata, dict) or not _is_map(spec) or not _is_map(status):
        return False
    if spec is None and resource in _WITH_SPEC:
        return False
    if not _is_text_map(metadata.get("labels")) or not _is_text_map(metadata.get("annotations")):
        return False
    if not _is_list_of_maps(metadata.get("ownerReferences")):
        return False
    spec, status = spec or {}, status or {}
    maps = [spec.get("selector"), spec.get("template"), spec.get("claimRef"), status.get("allocatable")]
    lists = [spec.get("taints"), spec.get("volumes"), spec.get("ports"), status.get("conditions")]
    if not all(map(_is_map, maps)) or not all(map(_is_list_of_maps, lists)):
        return False
    selector, template = spec.get("selector") or {}, spec.get("template") or {}
    if resource != "services" and not (
        _is_map(selector.get("matchLabels")) and _is_list_of_maps(selector.get("matchExpressions"))
    ):
        return False
    if not _is_map(template.get("spec")) or not _is_map(template.get("metadata")):
        return False
    return _is_text_map((template.get("metadata") or {}).get("labels"))


class Sound:
    """The API without objects of a wrong shape; the changes of such are dropped by the engine."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.create, self.update, self.patch = objects.create, objects.update, objects.patch
        self.delete, self.event, self.subscribe = objects.delete, objects.event, objects.subscribe

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        """See `Objects`."""
        obj = self._objects.get(resource, namespace, name)
        return obj if obj is not None and is_sound(resource, obj) else None

    def select(self, resource: str, namespace: str, meant: Meant) -> list[Json]:
        """See `Objects`."""
        return [obj for obj in self._objects.select(resource, namespace, meant) if is_sound(resource, obj)]

    def list(self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Json]:
        """See `Objects`."""
        return [obj for obj in self._objects.list(resource, namespace, labels) if is_sound(resource, obj)]
