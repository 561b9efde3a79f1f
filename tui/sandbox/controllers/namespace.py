"""Namespaces: what each has from the beginning, and how one goes with all that is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from tui.sandbox.controllers.engine import Clock, Key
from tui.sandbox.controllers.meta import is_deleted, name_of, namespace_of, timestamp, with_condition
from tui.sandbox.controllers.pods import set_status
from tui.sandbox.model import ApiError, Change, Json, Objects

NAMESPACES = "namespaces"
_CUSTOM = "customresourcedefinitions.apiextensions.k8s.io"
#: Owners before what they own, so that nothing is made anew meanwhile; events last, for they tell of the rest.
_CONTENT = (
    "cronjobs.batch",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "replicasets.apps",
    "replicationcontrollers",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
    "pods",
    "services",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "controllerrevisions.apps",
    "persistentvolumeclaims",
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "leases.coordination.k8s.io",
    "limitranges",
    "resourcequotas",
    "podtemplates",
    "events",
)
#: Seconds until a namespace that still has something is looked at again.
_AGAIN = 1.0
#: How much is deleted at once: the API answers between.
_BURST = 500


class Namespaces:
    """Looks after Namespaces."""

    resources: ClassVar[tuple[str, ...]] = (NAMESPACES, "pods", "persistentvolumeclaims")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The namespace itself, or that of something that is gone."""
        if change.resource == NAMESPACES:
            yield "", name_of(change.object)
        elif change.type == "DELETED":
            yield "", namespace_of(change.object)

    def reconcile(self, key: Key) -> float | None:
        """Empties a namespace that is being deleted, then lets it go."""
        namespace = self._objects.get(NAMESPACES, *key)
        if namespace is None:
            return None
        if not is_deleted(namespace):
            self._furnish(key[1])
            return None
        if self._empty(key[1]):
            return 0.0
        left, finalizers = self._left(key[1])
        namespace = self._tell(namespace, left, finalizers)
        if left:
            return _AGAIN
        spec = namespace.get("spec") or {}
        kept = [one for one in spec.get("finalizers") or () if one != "kubernetes"]
        if kept != (spec.get("finalizers") or []):
            self._objects.update(
                NAMESPACES, {**namespace, "spec": {**spec, "finalizers": kept}}, subresource="finalize"
            )
        return None

    def _furnish(self, name: str) -> None:
        """Every namespace has the account that pods run under when they name none."""
        if self._objects.get("serviceaccounts", name, "default") is None:
            metadata = {"name": "default", "namespace": name}
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
            self._objects.create("serviceaccounts", account)

    def _resources(self) -> list[str]:
        custom = [
            f"{one['spec']['names']['plural']}.{one['spec']['group']}"
            for one in self._list(_CUSTOM, None)
            if one["spec"].get("scope") == "Namespaced"
        ]
        return [*custom, *_CONTENT]

    def _list(self, resource: str, namespace: str | None) -> list[Json]:
        try:
            return self._objects.list(resource, namespace)
        except ApiError as error:  # this sandbox may know fewer resources than this list
            if error.reason != "NotFound":
                raise
            return []

    def _empty(self, name: str) -> bool:
        """Deletes what is there, at most a burst; whether there may be more to delete."""
        deleted = 0
        for resource in self._resources():
            for obj in self._list(resource, name):
                if not is_deleted(obj):
                    if deleted == _BURST:
                        return True
                    self._delete(resource, obj)
                    deleted += 1
        return False

    def _left(self, name: str) -> tuple[Counter[str], Counter[str]]:
        """Counts what is still there, and what it waits for."""
        left: Counter[str] = Counter()
        finalizers: Counter[str] = Counter()
        for resource in self._resources():
            for obj in self._list(resource, name):
                left[resource] += 1
                finalizers.update(obj["metadata"].get("finalizers") or ())
        return left, finalizers

    def _delete(self, resource: str, obj: Json) -> None:
        try:
            self._objects.delete(resource, namespace_of(obj), name_of(obj), uid=obj["metadata"]["uid"])
        except ApiError as error:
            if error.reason not in {"NotFound", "Conflict"}:
                raise

    def _tell(self, namespace: Json, left: Counter[str], finalizers: Counter[str]) -> Json:
        good = ("All content successfully removed", "ContentRemoved", "False")
        freed = ("All content-preserving finalizers finished", "ContentHasNoFinalizers", "False")
        if left:
            each = ", ".join(f"{what}. has {count} resource instances" for what, count in sorted(left.items()))
            good = (f"Some resources are remaining: {each}", "SomeResourcesRemain", "True")
        if finalizers:
            each = ", ".join(f"{what} in {count} resource instances" for what, count in sorted(finalizers.items()))
            freed = (f"Some content in the namespace has finalizers remaining: {each}", "SomeFinalizersRemain", "True")
        told = {
            "NamespaceDeletionDiscoveryFailure": (
                "All resources successfully discovered",
                "ResourcesDiscovered",
                "False",
            ),
            "NamespaceDeletionGroupVersionParsingFailure": (
                "All legacy kube types successfully parsed",
                "ParsedGroupVersions",
                "False",
            ),
            "NamespaceDeletionContentFailure": (
                "All content successfully deleted, may be waiting on finalization",
                "ContentDeleted",
                "False",
            ),
            "NamespaceContentRemaining": good,
            "NamespaceFinalizersRemaining": freed,
        }
        status, now = namespace.get("status") or {}, timestamp(self._clock.wall())
        conditions: list[Json] = list(status.get("conditions") or ())
        for kind, (message, reason, truth) in told.items():
            condition = {"type": kind, "status": truth, "reason": reason, "message": message}
            conditions = with_condition(conditions, condition, now)
        set_status(self._objects, NAMESPACES, namespace, {"phase": "Terminating", "conditions": conditions})
        return self._objects.get(NAMESPACES, "", name_of(namespace)) or namespace
