"""StatefulSets: pods with names that stay, one after the other.

What is done in which order is that of Kubernetes' own controller, watched on 1.36: first the pods that are missing or
have failed, from the first ordinal on; then those too many, from the last; then those of an old revision, likewise.
An ordered set does one of these at a time and waits for the pod to be ready; a parallel one only waits with a roll-out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from tui.sandbox.controllers import revisions
from tui.sandbox.controllers.engine import Clock, Key, owners
from tui.sandbox.controllers.meta import is_deleted, labels_of, name_of, namespace_of
from tui.sandbox.controllers.pods import (
    BURST,
    available_in,
    claim,
    delete_pod,
    is_finished,
    is_ready,
    orphans_owners,
    phase_of,
    selects_own,
    set_status,
    wanted,
)
from tui.sandbox.controllers.setpods import CLAIMS, claim_names, make_claims, ordinal_of, retain_claims, set_pod
from tui.sandbox.model import ApiError, Change, Json, Objects

log = logging.getLogger(__name__)

SETS = "statefulsets.apps"
_SOURCE = "statefulset-controller"


@dataclass(slots=True)
class _Round:
    """One look at a set.

    Attributes:
        the_set: as it stands.
        replicas: the pods that it should have, by ordinal; None where one is missing.
        condemned: the pods that it should not have, the lowest ordinal first.
        current: the revision that the set comes from.
        update: the revision that the set goes to.
        now: the wall clock.
        status: what will be written at the end.
        wait: after how many seconds to look again.
    """

    the_set: Json
    replicas: dict[int, Json | None]
    condemned: list[Json]
    current: Json
    update: Json
    now: float
    status: Json = field(default_factory=dict)
    wait: float | None = None

    @property
    def ordered(self) -> bool:
        """Whether the set goes one by one."""
        return bool(self.the_set["spec"].get("podManagementPolicy") != "Parallel")

    @property
    def partition(self) -> int:
        """How many of the first pods keep the current revision."""
        strategy = self.the_set["spec"].get("updateStrategy") or {}
        return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)

    @property
    def rolls(self) -> bool:
        """Whether the controller replaces pods of an old revision itself."""
        strategy: Json = self.the_set["spec"].get("updateStrategy") or {}
        return strategy.get("type") != "OnDelete"

    def available(self, pod: Json) -> bool:
        """Whether a pod runs and has been ready for long enough; if only that lacks, notes when to look again."""
        if phase_of(pod) != "Running":
            return False
        wait = available_in(pod, self.the_set["spec"].get("minReadySeconds") or 0, self.now)
        if wait:
            self.wait = min(wait, self.wait or wait)
        return wait == 0

    def healthy(self, pod: Json) -> bool:
        """Whether nothing has to wait for a pod."""
        return not is_deleted(pod) and self.available(pod)

    def revision_for(self, ordinal: int) -> Json:
        """What a new pod is made from: below the partition the revision of before, else the one to go to."""
        kept = ordinal < min(self.replicas, default=0) + self.partition
        return self.current if self.rolls and kept else self.update


class StatefulSets:
    """Looks after StatefulSets."""

    resources: ClassVar[tuple[str, ...]] = (SETS, "pods", CLAIMS)

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The set itself, a pod's set, the sets that may be waiting for a claim."""
        namespace, name = namespace_of(change.object), name_of(change.object)
        if change.resource == SETS:
            yield namespace, name
        elif change.resource == "pods":
            yield from owners(change, "StatefulSet")
            yield from orphans_owners(self._objects, change, SETS)
        elif change.type == "DELETED":
            for the_set in self._objects.list(SETS, namespace):
                ends = (claim for _, claim in claim_names(the_set, name_of(the_set)))
                if any(name.startswith(end + "-") for end in ends):
                    yield namespace, name_of(the_set)

    def reconcile(self, key: Key) -> float | None:
        """Does the next step for one set and writes its status."""
        the_set = self._objects.get(SETS, *key)
        if the_set is None or is_deleted(the_set) or not selects_own(the_set):
            return None
        history = revisions.sync(self._objects, the_set, label=revisions.SET_HASH)
        now = self._look(the_set, history)
        try:
            self._act(now)
        finally:
            # Also after a step that was refused: what there is has to be told.
            self._tell(now)
        named = {now.status["currentRevision"], now.status["updateRevision"]}
        pods = [pod for pod in now.replicas.values() if pod] + now.condemned
        named |= {labels_of(pod).get(revisions.HASH, "") for pod in pods}
        revisions.prune(self._objects, the_set, history, named)
        return now.wait

    def _look(self, the_set: Json, history: revisions.History) -> _Round:
        spec, status, name = the_set["spec"], the_set.get("status") or {}, name_of(the_set)
        start = int((spec.get("ordinals") or {}).get("start") or 0)
        replicas: dict[int, Json | None] = dict.fromkeys(range(start, start + wanted(spec.get("replicas"))))
        condemned: dict[int, Json] = {}
        pods = claim(
            self._objects, "pods", the_set, spec.get("selector"), lambda pod: ordinal_of(name, name_of(pod)) is not None
        )
        for pod in pods:
            ordinal = ordinal_of(name, name_of(pod))
            if ordinal in replicas:
                replicas[ordinal] = pod
            elif ordinal is not None:
                condemned[ordinal] = pod
        current = next((old for old in history.revisions if name_of(old) == status.get("currentRevision")), None)
        now = _Round(
            the_set,
            replicas,
            [condemned[ordinal] for ordinal in sorted(condemned)],
            current or history.update,
            history.update,
            self._clock.wall(),
        )
        now.status = {
            "observedGeneration": the_set["metadata"].get("generation"),
            "currentRevision": name_of(now.current),
            "updateRevision": name_of(now.update),
            "collisionCount": history.collisions,
        }
        self._count(now, [pod for pod in pods if ordinal_of(name, name_of(pod)) is not None])
        return now

    @staticmethod
    def _count(now: _Round, pods: list[Json]) -> None:
        status = now.status
        status["replicas"] = len(pods)
        status["readyReplicas"] = sum(phase_of(pod) == "Running" and is_ready(pod) for pod in pods) or None
        status["availableReplicas"] = sum(now.available(pod) for pod in pods)
        of = [labels_of(pod).get(revisions.HASH) for pod in pods if not is_deleted(pod)]
        status["currentReplicas"] = of.count(name_of(now.current)) or None
        status["updatedReplicas"] = of.count(name_of(now.update)) or None

    def _act(self, now: _Round) -> None:
        if self._fill(now) and self._shrink(now) and now.rolls:
            self._roll(now)

    def _fill(self, now: _Round) -> bool:
        """Makes what is missing; False when an ordered set has to wait before it does anything else."""
        name, made = name_of(now.the_set), 0
        for ordinal, pod in now.replicas.items():
            if pod is None:
                self._create(now, ordinal)
                made += 1
                if now.ordered or made == BURST:
                    return False
                continue
            if is_finished(pod) and not is_deleted(pod):
                failed = phase_of(pod) == "Failed"
                what = (
                    f"StatefulSet {namespace_of(pod)}/{name} is recreating {phase_of(pod).lower()} Pod {name_of(pod)}"
                )
                what = what.replace("succeeded", "terminated")
                reason = "RecreatingFailedPod" if failed else "RecreatingTerminatedPod"
                self._event(now.the_set, reason, what, warning=failed)
                self._delete(now, pod)
                if now.ordered:
                    return False
                continue
            if phase_of(pod) == "Pending" and not is_deleted(pod):
                make_claims(self._objects, now.the_set, name_of(pod))
            if now.ordered and not now.healthy(pod):
                return False
            retain_claims(self._objects, now.the_set, pod, condemned=False)
        return True

    def _shrink(self, now: _Round) -> bool:
        """Deletes what is too much, the last first; False when an ordered set has to wait."""
        for pod in now.condemned:
            retain_claims(self._objects, now.the_set, pod, condemned=True)
        first_unhealthy = next((pod for pod in now.condemned if not now.healthy(pod)), None)
        for pod in reversed(now.condemned):
            if is_deleted(pod):
                if now.ordered:
                    return False
                continue
            # Nothing healthy is taken away while something before it is not, but the unhealthy one itself may go.
            if now.ordered and not now.healthy(pod) and pod is not first_unhealthy:
                return False
            self._delete(now, pod)
            if now.ordered:
                return False
        return True

    def _roll(self, now: _Round) -> None:
        """Replaces the last pod of an old revision when all behind it are well."""
        start = min(now.replicas, default=0)
        for ordinal in sorted(now.replicas, reverse=True):
            pod = now.replicas[ordinal]
            if ordinal < start + now.partition or pod is None:
                return
            if labels_of(pod).get(revisions.HASH) != name_of(now.update) and not is_deleted(pod):
                self._delete(now, pod)
                return
            if not now.healthy(pod):
                return

    def _create(self, now: _Round, ordinal: int) -> None:
        the_set, revision = now.the_set, now.revision_for(ordinal)
        pod = set_pod(the_set, revision, ordinal)
        name = name_of(pod)
        if not make_claims(self._objects, the_set, name):
            return
        what = f"Pod {name} in StatefulSet {name_of(the_set)}"
        try:
            self._objects.create("pods", pod)
        except ApiError as error:
            self._event(the_set, "FailedCreate", f"create {what} failed error: {error}", warning=True)
            raise
        self._event(the_set, "SuccessfulCreate", f"Create {what} successful")
        now.status["replicas"] += 1
        self._shift(now, name_of(revision), 1)

    def _delete(self, now: _Round, pod: Json) -> None:
        if delete_pod(self._objects, pod):
            what = f"Delete Pod {name_of(pod)} in StatefulSet {name_of(now.the_set)} successful"
            self._event(now.the_set, "SuccessfulDelete", what)
            self._shift(now, labels_of(pod).get(revisions.HASH, ""), -1)

    @staticmethod
    def _shift(now: _Round, revision: str, by: int) -> None:
        """Counts a pod in or out. Both counts are of the same pods while nothing is rolled out."""
        for field_name, counted in (("currentReplicas", now.current), ("updatedReplicas", now.update)):
            if name_of(counted) == revision:
                now.status[field_name] = (now.status[field_name] or 0) + by or None

    def _tell(self, now: _Round) -> None:
        status = now.status
        count = status["replicas"]
        if now.rolls and (status["updatedReplicas"] or 0) == count == (status["readyReplicas"] or 0):
            status["currentRevision"], status["currentReplicas"] = status["updateRevision"], status["updatedReplicas"]
        set_status(self._objects, SETS, now.the_set, status)

    def _event(self, about: Json, reason: str, message: str, *, warning: bool = False) -> None:
        self._objects.event(about, reason, message, kind="Warning" if warning else "Normal", source=_SOURCE)
