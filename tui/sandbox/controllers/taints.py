"""What taints with the effect NoExecute do to pods that run already: those that do not tolerate them have to go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from tui.sandbox.controllers.engine import Clock, Key
from tui.sandbox.controllers.meta import is_deleted, name_of, namespace_of, seconds_of, timestamp, with_condition
from tui.sandbox.controllers.placing import is_heartbeat, tolerates
from tui.sandbox.controllers.pods import delete_pod, is_finished, set_status
from tui.sandbox.model import Change, Json, Objects

_SOURCE = "taint-eviction-controller"
_WHY = "Taint manager: deleting due to NoExecute taint"


def _patience(pod: Json, taint: Json) -> float | None:
    """For how many seconds a pod stays with a taint; None: for ever. The shortest that it names holds."""
    bearing = [one for one in pod["spec"].get("tolerations") or () if tolerates(one, taint)]
    if not bearing:
        return 0.0
    seconds = [float(one["tolerationSeconds"]) for one in bearing if one.get("tolerationSeconds") is not None]
    return max(0.0, min(seconds)) if seconds else None


def _place(node: str, taint: Json) -> tuple[str, str, str]:
    return node, str(taint.get("key")), str(taint.get("value") or "")


class Taints:
    """Evicts pods from nodes whose taints they do not tolerate, or not any longer."""

    resources: ClassVar[tuple[str, ...]] = ("nodes", "pods")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock
        #: When a taint without a time was first seen, by node, key and value: `kubectl taint` writes none.
        self._seen: dict[tuple[str, str, str], float] = {}

    def concerned(self, change: Change) -> Iterable[Key]:
        """The pod itself, when it comes to a node; all pods of a node whose taints may have changed."""
        if change.resource == "pods":
            if change.object["spec"].get("nodeName"):
                yield namespace_of(change.object), name_of(change.object)
        elif not is_heartbeat(change):
            node = name_of(change.object)
            there = {_place(node, taint) for taint in change.object.get("spec", {}).get("taints") or ()}
            self._seen = {place: at for place, at in self._seen.items() if place[0] != node or place in there}
            for pod in self._objects.list("pods"):
                if pod["spec"].get("nodeName") == node:
                    yield namespace_of(pod), name_of(pod)

    def reconcile(self, key: Key) -> float | None:
        """Evicts one pod, or says when it will be time to."""
        pod = self._objects.get("pods", *key)
        if pod is None or is_deleted(pod) or is_finished(pod):
            return None
        node = self._objects.get("nodes", "", str(pod["spec"].get("nodeName") or ""))
        taints = [taint for taint in (node or {}).get("spec", {}).get("taints") or () if taint["effect"] == "NoExecute"]
        now = self._clock.wall()
        waits = []
        for taint in taints:
            patience = _patience(pod, taint)
            if patience is not None:
                place = _place(str(pod["spec"]["nodeName"]), taint)
                since = seconds_of(taint.get("timeAdded")) or self._seen.setdefault(place, now)
                waits.append(since + patience - now)
        if not waits:
            return None
        if (wait := min(waits)) > 0:
            return wait
        self._evict(pod)
        return None

    def _evict(self, pod: Json) -> None:
        status, now = pod.get("status") or {}, timestamp(self._clock.wall())
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": _WHY}
        told = with_condition(status.get("conditions"), condition, now)
        set_status(self._objects, "pods", pod, {**status, "conditions": told})
        note = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
        self._objects.event(pod, "TaintManagerEviction", note, source=_SOURCE)
        delete_pod(self._objects, pod)
