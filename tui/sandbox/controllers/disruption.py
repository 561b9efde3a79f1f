"""PodDisruptionBudgets: how many of the pods that one guards may be evicted now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from tui.sandbox.controllers.deployment import DEPLOYMENTS
from tui.sandbox.controllers.engine import Clock, Key
from tui.sandbox.controllers.meta import (
    controller_of,
    is_deleted,
    labels_of,
    name_of,
    namespace_of,
    seconds_of,
    share,
    timestamp,
    with_condition,
)
from tui.sandbox.controllers.pods import is_finished, is_ready, set_status
from tui.sandbox.controllers.replicaset import REPLICA_SETS
from tui.sandbox.controllers.statefulset import SETS
from tui.sandbox.model import Change, Json, Objects
from tui.sandbox.selectors import selects

BUDGETS = "poddisruptionbudgets.policy"
#: For so many seconds an eviction that was granted counts though its pod is still there.
GRANTED = 120.0


class Budgets:
    """Looks after PodDisruptionBudgets."""

    resources: ClassVar[tuple[str, ...]] = (BUDGETS, "pods", SETS, REPLICA_SETS, DEPLOYMENTS)

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The budget itself; those that guard a pod; all of a namespace when a workload is scaled."""
        obj, old = change.object, change.old
        if change.resource == BUDGETS:
            yield namespace_of(obj), name_of(obj)
            return
        if change.resource != "pods" and old and old["spec"].get("replicas") == obj["spec"].get("replicas"):
            return
        both = [labels_of(one) for one in (obj, old) if one]
        for budget in self._objects.list(BUDGETS, namespace_of(obj)):
            if change.resource != "pods" or any(selects(budget["spec"].get("selector"), labels) for labels in both):
                yield namespace_of(budget), name_of(budget)

    def reconcile(self, key: Key) -> float | None:
        """Writes the status of one budget, which is what the eviction API goes by."""
        budget = self._objects.get(BUDGETS, *key)
        if budget is None or is_deleted(budget):
            return None
        selector = budget["spec"].get("selector")
        every = self._objects.select("pods", key[0], lambda labels, _: selects(selector, labels))
        pods = [pod for pod in every if not is_finished(pod)]
        granted, wait = self._granted(budget, pods)
        expected, least, problem = self._wanted(budget, pods)
        healthy = sum(is_ready(pod) and not is_deleted(pod) and name_of(pod) not in granted for pod in pods)
        allowed = 0 if problem or not expected else max(0, healthy - least)
        reason, message = ("SufficientPods" if allowed else "InsufficientPods"), ""
        if problem:
            reason, message = "SyncFailed", problem
        generation = budget["metadata"].get("generation")
        condition = {
            "type": "DisruptionAllowed",
            "status": "True" if allowed else "False",
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
        }
        old = budget.get("status") or {}
        status: dict[str, Any] = {
            "currentHealthy": healthy,
            "desiredHealthy": least,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
            "observedGeneration": generation,
            "disruptedPods": granted or None,
            "conditions": with_condition(old.get("conditions"), condition, timestamp(self._clock.wall())),
        }
        if not pods and not old.get("conditions"):
            self._objects.event(budget, "NoPods", "No matching pods found", source="controllermanager")
        set_status(self._objects, BUDGETS, budget, status)
        return wait

    def _granted(self, budget: Json, pods: list[Json]) -> tuple[dict[str, str], float | None]:
        """Evictions that were granted and have not begun, and after how many seconds the next is forgotten."""
        there = {name_of(pod) for pod in pods if not is_deleted(pod)}
        granted, waits, now = {}, [], self._clock.wall()
        for name, since in ((budget.get("status") or {}).get("disruptedPods") or {}).items():
            left = seconds_of(since) + GRANTED - now
            if name in there and left > 0:
                granted[name] = since
                waits.append(left)
        return granted, min(waits, default=None)

    def _wanted(self, budget: Json, pods: list[Json]) -> tuple[int, int, str]:
        """How many pods there should be, how many of them must be healthy, and why that cannot be told."""
        spec = budget["spec"]
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if most is None and not isinstance(least, str):
            return len(pods), max(0, int(1 if least is None else least)), ""
        expected = 0
        for kind, name in sorted({_controller(pod) for pod in pods}):
            count = self._scale(namespace_of(budget), kind, name)
            if count is None:
                nameless = next(name_of(pod) for pod in pods if _controller(pod) == (kind, name))
                return 0, 0, f'found no controllers for pod "{nameless}"'
            expected += count
        if most is None:
            return expected, share(least, expected, up=True), ""
        return expected, max(0, expected - share(most, expected, up=True)), ""

    def _scale(self, namespace: str, kind: str, name: str) -> int | None:
        """How many pods a controller wants; a ReplicaSet of a Deployment wants what that wants."""
        resource = {"StatefulSet": SETS, "ReplicaSet": REPLICA_SETS, "Deployment": DEPLOYMENTS}.get(kind)
        owner = self._objects.get(resource, namespace, name) if resource else None
        if owner is None:
            return None
        above = controller_of(owner)
        if above and above.get("kind") == "Deployment":
            return self._scale(namespace, "Deployment", str(above.get("name")))
        replicas = owner["spec"].get("replicas")
        return 1 if replicas is None else int(replicas)


def _controller(pod: Json) -> tuple[str, str]:
    reference = controller_of(pod) or {}
    return str(reference.get("kind") or ""), str(reference.get("name") or "")
