"""ReplicaSets: so many pods, whichever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from tui.sandbox.controllers.engine import Clock, Key, owners
from tui.sandbox.controllers.meta import (
    is_deleted,
    labels_of,
    name_of,
    namespace_of,
    seconds_of,
    timestamp,
    with_condition,
)
from tui.sandbox.controllers.pods import (
    BURST,
    availability,
    claim,
    delete_pod,
    is_finished,
    is_ready,
    new_pod,
    orphans_owners,
    phase_of,
    selects_own,
    set_status,
    wanted,
)
from tui.sandbox.model import ApiError, Change, Json, Objects

REPLICA_SETS = "replicasets.apps"
_SOURCE = "replicaset-controller"


class ReplicaSets:
    """Looks after ReplicaSets."""

    resources: ClassVar[tuple[str, ...]] = (REPLICA_SETS, "pods")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The ReplicaSet itself, or a pod's."""
        if change.resource == REPLICA_SETS:
            yield namespace_of(change.object), name_of(change.object)
        else:
            yield from owners(change, "ReplicaSet")
            yield from orphans_owners(self._objects, change, REPLICA_SETS)

    def reconcile(self, key: Key) -> float | None:
        """Makes or deletes the pods that are too few or too many, and writes the status."""
        replica_set = self._objects.get(REPLICA_SETS, *key)
        if replica_set is None or not selects_own(replica_set):
            return None
        pods = claim(self._objects, "pods", replica_set, replica_set["spec"].get("selector"))
        alive = [pod for pod in pods if not is_finished(pod) and not is_deleted(pod)]
        refusal: ApiError | None = None
        if not is_deleted(replica_set):
            try:
                self._adjust(replica_set, alive)
            except ApiError as error:
                refusal = error
        wait = self._tell(replica_set, pods, alive, refusal)
        if refusal:
            raise refusal
        return wait

    def _adjust(self, replica_set: Json, alive: list[Json]) -> None:
        """Makes alive as many as wanted. `alive` itself stays: a status tells of what was there before."""
        count = wanted(replica_set["spec"].get("replicas"))
        for _ in range(min(BURST, count - len(alive))):
            try:
                pod = self._objects.create("pods", new_pod(replica_set, replica_set["spec"].get("template") or {}))
            except ApiError as error:
                self._objects.event(
                    replica_set, "FailedCreate", f"Error creating: {error}", kind="Warning", source=_SOURCE
                )
                raise
            self._objects.event(replica_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}", source=_SOURCE)
        for pod in sorted(alive, key=_worth)[: min(BURST, max(0, len(alive) - count))]:
            if delete_pod(self._objects, pod):
                self._objects.event(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", source=_SOURCE)

    def _tell(self, replica_set: Json, pods: list[Json], alive: list[Json], refusal: ApiError | None) -> float | None:
        now = self._clock.wall()
        available, wait = availability(alive, replica_set["spec"].get("minReadySeconds") or 0, now)
        template = ((replica_set["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
        conditions = [
            condition
            for condition in (replica_set.get("status") or {}).get("conditions") or ()
            if condition.get("type") != "ReplicaFailure"
        ]
        if refusal:
            failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": str(refusal)}
            conditions = with_condition((replica_set.get("status") or {}).get("conditions"), failure, timestamp(now))
        status = {
            "replicas": len(alive),
            "fullyLabeledReplicas": sum(template.items() <= labels_of(pod).items() for pod in alive) or None,
            "readyReplicas": sum(is_ready(pod) for pod in alive) or None,
            "availableReplicas": available or None,
            "terminatingReplicas": sum(is_deleted(pod) and not is_finished(pod) for pod in pods),
            "observedGeneration": replica_set["metadata"].get("generation"),
            "conditions": conditions or None,
        }
        set_status(self._objects, REPLICA_SETS, replica_set, status)
        return wait


def _worth(pod: Json) -> tuple[bool, bool, bool, float]:
    """What to delete last: pods on a node, then running, then ready ones, then the older ones."""
    return (
        bool((pod.get("spec") or {}).get("nodeName")),
        phase_of(pod) == "Running",
        is_ready(pod),
        -seconds_of(pod["metadata"].get("creationTimestamp")),
    )
