"""DaemonSets: one pod on every node, which here is one node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from tui.sandbox.controllers import revisions
from tui.sandbox.controllers.engine import Clock, Key, owners
from tui.sandbox.controllers.meta import annotations_of, is_deleted, labels_of, name_of, namespace_of
from tui.sandbox.controllers.placing import fits
from tui.sandbox.controllers.pods import (
    availability,
    available_in,
    claim,
    delete_pod,
    is_finished,
    is_ready,
    new_pod,
    orphans_owners,
    selects_own,
    set_status,
)
from tui.sandbox.model import ApiError, Change, Json, Objects

DAEMON_SETS = "daemonsets.apps"
_SOURCE = "daemonset-controller"
_GENERATION = "deprecated.daemonset.template.generation"
#: What the pods of a DaemonSet stand though other pods do not: they come with the node and go with it.
_TOLERATED = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)


def _target(pod: Json) -> str:
    """The node that a pod was made for."""
    spec = pod.get("spec") or {}
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    try:
        required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        return str(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
    except (KeyError, IndexError, TypeError):
        return ""


class DaemonSets:
    """Looks after DaemonSets."""

    resources: ClassVar[tuple[str, ...]] = (DAEMON_SETS, "pods", "nodes")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The DaemonSet itself, a pod's, or all when a node comes, goes or is labelled."""
        if change.resource == DAEMON_SETS:
            yield namespace_of(change.object), name_of(change.object)
        elif change.resource == "pods":
            yield from owners(change, "DaemonSet")
            yield from orphans_owners(self._objects, change, DAEMON_SETS)
        elif change.old is None or labels_of(change.old) != labels_of(change.object) or change.type == "DELETED":
            for daemon_set in self._objects.list(DAEMON_SETS):
                yield namespace_of(daemon_set), name_of(daemon_set)

    def reconcile(self, key: Key) -> float | None:
        """Makes the pods that nodes lack, replaces old and ended ones, and writes the status."""
        daemon_set = self._objects.get(DAEMON_SETS, *key)
        if daemon_set is None or is_deleted(daemon_set) or not selects_own(daemon_set):
            return None
        history = revisions.sync(self._objects, daemon_set, label=revisions.HASH)
        wanted = revisions.hash_in(history.update, revisions.HASH)
        pods = claim(self._objects, "pods", daemon_set, daemon_set["spec"].get("selector"))
        model = self._pod(daemon_set, wanted, "")
        nodes = {name_of(node) for node in self._objects.list("nodes") if fits(model, node)}
        by_node: dict[str, list[Json]] = {name: [] for name in nodes}
        strays: list[Json] = []
        for pod in pods:
            (by_node[_target(pod)] if _target(pod) in nodes else strays).append(pod)
        self._end(daemon_set, strays)
        for node, there in by_node.items():
            self._fill(daemon_set, node, there, wanted)
        chosen = [max(there, key=_rank) for there in by_node.values() if there]
        wait = self._tell(daemon_set, len(nodes), len(strays), chosen, wanted)
        named = {f"{name_of(daemon_set)}-{labels_of(pod).get(revisions.HASH, '')}" for pod in pods}
        revisions.prune(self._objects, daemon_set, history, named | {name_of(history.update)})
        return wait

    def _pod(self, daemon_set: Json, wanted: str, node: str) -> Json:
        pod = new_pod(daemon_set, daemon_set["spec"].get("template") or {})
        pod["metadata"]["labels"] |= {
            revisions.HASH: wanted,
            "pod-template-generation": annotations_of(daemon_set).get(_GENERATION, "1"),
        }
        spec = pod["spec"]
        spec["tolerations"] = [
            *(spec.get("tolerations") or ()),
            *(
                {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
                for key, effect in _TOLERATED
            ),
        ]
        if node:
            field = {"key": "metadata.name", "operator": "In", "values": [node]}
            affinity = dict(spec.get("affinity") or {})
            affinity["nodeAffinity"] = {
                **(affinity.get("nodeAffinity") or {}),
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]},
            }
            spec["affinity"] = affinity
        return pod

    def _end(self, daemon_set: Json, pods: list[Json]) -> None:
        for pod in pods:
            if delete_pod(self._objects, pod):
                self._objects.event(daemon_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", source=_SOURCE)

    def _fill(self, daemon_set: Json, node: str, there: list[Json], wanted: str) -> None:
        if not there:
            try:
                pod = self._objects.create("pods", self._pod(daemon_set, wanted, node))
            except ApiError as error:
                note = f"Error creating: {error}"
                self._objects.event(daemon_set, "FailedCreate", note, kind="Warning", source=_SOURCE)
                raise
            self._objects.event(daemon_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}", source=_SOURCE)
            return
        # One node, so one pod may be missing (`maxUnavailable` is at least one): the old one goes, a new one follows.
        rolls = (daemon_set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"
        best = max(there, key=_rank)
        old = rolls and labels_of(best).get(revisions.HASH) != wanted
        self._end(daemon_set, [pod for pod in there if pod is not best or old or is_finished(pod)])

    def _tell(self, daemon_set: Json, nodes: int, strays: int, chosen: list[Json], wanted: str) -> float | None:
        seconds = daemon_set["spec"].get("minReadySeconds") or 0
        available, wait = availability(chosen, seconds, self._clock.wall())
        status = {
            "currentNumberScheduled": len(chosen),
            "desiredNumberScheduled": nodes,
            "numberMisscheduled": strays,
            "numberReady": sum(is_ready(pod) for pod in chosen),
            "numberAvailable": available or None,
            "numberUnavailable": nodes - available or None,
            "observedGeneration": daemon_set["metadata"].get("generation"),
            "updatedNumberScheduled": sum(labels_of(pod).get(revisions.HASH) == wanted for pod in chosen) or None,
        }
        set_status(self._objects, DAEMON_SETS, daemon_set, status)
        return wait


def _rank(pod: Json) -> tuple[bool, bool, bool, str]:
    """Which of two pods on a node stays: one that lives, then one that is available."""
    return not is_deleted(pod), not is_finished(pod), available_in(pod, 0, 0) == 0, name_of(pod)
