"""Whether a pod may run on a node, as far as the node's labels and taints say."""

from __future__ import annotations

from typing import Any

from tui.sandbox.controllers.meta import labels_of, name_of
from tui.sandbox.model import Change, Json
from tui.sandbox.selectors import selects

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def _required(pod: Json) -> list[Json] | None:
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return (required.get("nodeSelectorTerms") or []) if required else None


def matches(pod: Json, node: Json) -> bool:
    """Whether a node meets a pod's `nodeSelector` and what its node affinity requires."""
    selector = (pod.get("spec") or {}).get("nodeSelector")
    if selector and not selects({"matchLabels": selector}, labels_of(node)):
        return False
    terms = _required(pod)
    return terms is None or any(_meets(term, node) for term in terms)


def _meets(term: Json, node: Json) -> bool:
    expressions, fields = term.get("matchExpressions"), term.get("matchFields")
    if not expressions and not fields:  # an empty term meets nothing
        return False
    return selects({"matchExpressions": expressions}, labels_of(node)) and selects(
        {"matchExpressions": fields}, {"metadata.name": name_of(node)}
    )


def tolerates(toleration: Json, taint: Json) -> bool:
    """Whether a toleration is for a taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")


def repelling(pod: Json, node: Json) -> dict[str, Any] | None:
    """The first taint of a node that keeps a pod away, None when none does. A cordoned node counts as tainted."""
    spec = node.get("spec") or {}
    taints = [taint for taint in spec.get("taints") or () if taint.get("effect") in ("NoSchedule", "NoExecute")]
    if spec.get("unschedulable"):
        taints.insert(0, {"key": UNSCHEDULABLE, "effect": "NoSchedule"})
    tolerations = (pod.get("spec") or {}).get("tolerations") or ()
    for taint in taints:
        if not any(tolerates(toleration, taint) for toleration in tolerations):
            return dict(taint)
    return None


def fits(pod: Json, node: Json) -> bool:
    """Whether a pod may be placed on a node."""
    return matches(pod, node) and repelling(pod, node) is None


def is_heartbeat(change: Change) -> bool:
    """Whether nothing about a node has changed that pods ask for: the kubelet reports every few seconds."""
    if change.resource != "nodes" or change.old is None:
        return False
    old, new = change.old, change.object
    return (
        old.get("spec") == new.get("spec")
        and old["metadata"].get("labels") == new["metadata"].get("labels")
        and (old.get("status") or {}).get("allocatable") == (new.get("status") or {}).get("allocatable")
    )
