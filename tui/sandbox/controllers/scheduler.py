"""The scheduler: gives pods their node, or says in Kubernetes' own words why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from tui.sandbox.controllers import claims
from tui.sandbox.controllers.claims import CLAIMS, CLASSES, DIRECTORY, SELECTED_NODE, VOLUMES
from tui.sandbox.controllers.engine import Clock, Key
from tui.sandbox.controllers.meta import (
    annotations_of,
    condition_of,
    is_deleted,
    name_of,
    namespace_of,
    timestamp,
    with_condition,
)
from tui.sandbox.controllers.placing import UNSCHEDULABLE, is_heartbeat, matches, repelling
from tui.sandbox.controllers.pods import is_finished, set_status
from tui.sandbox.model import Change, Json, Objects
from tui.sandbox.quantities import quantity

_SOURCE = "default-scheduler"
#: Seconds until a pod that found no room is looked at again: what it waits for may be no change of an object.
_AGAIN = 30.0


def waits_for_node(pod: Json) -> bool:
    """Whether a pod is the scheduler's business."""
    spec = pod.get("spec") or {}
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and (spec.get("schedulerName") or _SOURCE) == _SOURCE
        and not is_deleted(pod)
        and not is_finished(pod)
    )


class Scheduler:
    """Looks after pods without a node. What a pod requests and other pods play no part."""

    resources: ClassVar[tuple[str, ...]] = ("pods", "nodes", CLAIMS, CLASSES, VOLUMES)

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock
        # Who waits for which claims and who is where, as far as the changes have told: looking through all pods at
        # each change of a claim would cost most of the time that a start takes. A restart hears of all pods anew.
        self._waiting: dict[Key, list[str]] = {}
        self._placed: dict[Key, str] = {}

    def concerned(self, change: Change) -> Iterable[Key]:
        """The pod itself; the pods that wait for a claim; all that wait when a node, a class or a volume changes."""
        obj, resource = change.object, change.resource
        if resource == "pods":
            yield from self._note(change)
        elif not is_heartbeat(change):
            namespace, name = namespace_of(obj), name_of(obj)
            for key, names in list(self._waiting.items()):
                if resource != CLAIMS or (key[0] == namespace and name in names):
                    yield key

    def _note(self, change: Change) -> Iterable[Key]:
        pod = change.object
        key = (namespace_of(pod), name_of(pod))
        self._waiting.pop(key, None)
        self._placed.pop(key, None)
        if change.type == "DELETED":
            return
        node = (pod.get("spec") or {}).get("nodeName")
        if waits_for_node(pod):
            self._waiting[key] = claims.claims_of(pod)
            yield key
        elif node and not is_finished(pod):
            self._placed[key] = str(node)

    def reconcile(self, key: Key) -> float | None:
        """Binds one pod, or says why it cannot be."""
        pod = self._objects.get("pods", *key)
        if pod is None or not waits_for_node(pod):
            return None
        nodes = self._objects.list("nodes")
        if not nodes:
            return self._refuse(pod, "no nodes available to schedule pods")
        every = f"0/{len(nodes)} nodes are available: "
        missing, delayed = self._claims(pod)
        if missing:
            return self._refuse(pod, f"{every}{missing}")
        objections = [(node, self._objection(pod, node, delayed)) for node in nodes]
        good = [node for node, objection in objections if not objection]
        if not good:
            reasons = Counter(objection for _, objection in objections)
            told = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
            useless = f"0/{len(nodes)} nodes are available: {len(nodes)} Preemption is not helpful for scheduling."
            return self._refuse(pod, f"{every}{told}. no new claims to deallocate, preemption: {useless}")
        node = name_of(good[0])
        unbound = [claim for claim in delayed if not claims.is_bound(claim)]
        for claim in unbound:
            if annotations_of(claim).get(SELECTED_NODE) != node:
                patch = {"metadata": {"annotations": {SELECTED_NODE: node}}}
                self._objects.patch(CLAIMS, namespace_of(claim), name_of(claim), patch)
        if unbound:  # the volumes are made now; the pod is bound when they are there
            return None
        self._bind(pod, node)
        return None

    def _claims(self, pod: Json) -> tuple[str, list[Json]]:
        """Why a pod cannot be placed because of its claims, and the claims that are bound when it is placed."""
        delayed = []
        for name in claims.claims_of(pod):
            claim = self._objects.get(CLAIMS, namespace_of(pod), name)
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found. not found', []
            if is_deleted(claim):
                return f'persistentvolumeclaim "{name}" is being deleted. not found', []
            if claims.phase(claim) == "Lost":
                volume = claim["spec"].get("volumeName")
                return (
                    f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}". not found',
                    [],
                )
            if claims.is_bound(claim):
                continue
            if not claims.waits(claims.class_of(self._objects, claim)):
                return "pod has unbound immediate PersistentVolumeClaims. not found", []
            delayed.append(claim)
        return "", delayed

    def _objection(self, pod: Json, node: Json, delayed: list[Json]) -> str:
        """Why a pod cannot run on a node, empty when it can."""
        taint = repelling(pod, node)
        if taint and taint.get("key") == UNSCHEDULABLE:
            return "node(s) were unschedulable"
        if taint:
            return "node(s) had untolerated taint(s)"
        if not matches(pod, node):
            return "node(s) didn't match Pod's node affinity/selector"
        most = ((node.get("status") or {}).get("allocatable") or {}).get("pods")
        if most is not None and list(self._placed.values()).count(name_of(node)) >= quantity(most):
            return "Too many pods"
        for claim in delayed:
            provisioner = (claims.class_of(self._objects, claim) or {}).get("provisioner")
            if provisioner != DIRECTORY and claims.find_volume(self._objects.list(VOLUMES), claim) is None:
                return "node(s) didn't find available persistent volumes to bind"
        return ""

    def _bind(self, pod: Json, node: str) -> None:
        bound = self._objects.patch("pods", namespace_of(pod), name_of(pod), {"spec": {"nodeName": node}})
        self._placed[namespace_of(pod), name_of(pod)] = node
        self._condition(bound, {"type": "PodScheduled", "status": "True"})
        note = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        self._objects.event(pod, "Scheduled", note, source=_SOURCE)

    def _refuse(self, pod: Json, message: str) -> float:
        """Says why a pod waits, once for each reason."""
        if (condition_of(pod, "PodScheduled") or {}).get("message") != message:
            scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            self._condition(pod, scheduled)
            self._objects.event(pod, "FailedScheduling", message, kind="Warning", source=_SOURCE)
        return _AGAIN

    def _condition(self, pod: Json, condition: Json) -> None:
        status, now = pod.get("status") or {}, timestamp(self._clock.wall())
        generation = pod["metadata"].get("generation")
        new = {**condition, "lastProbeTime": None} | ({"observedGeneration": generation} if generation else {})
        conditions = with_condition(status.get("conditions"), new, now)
        set_status(self._objects, "pods", pod, {"phase": "Pending", **status, "conditions": conditions})
