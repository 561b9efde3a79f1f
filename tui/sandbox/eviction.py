"""Evictions: deletions of pods that heed PodDisruptionBudgets."""

from __future__ import annotations

from tui.sandbox import problems, selectors
from tui.sandbox.model import ApiError, Json
from tui.sandbox.objects import Deletion
from tui.sandbox.registry import Registry


def _healthy(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def _count(value: int | str, total: int) -> int:
    """A number or a share of pods; shares are rounded up."""
    if isinstance(value, int):
        return value
    digits = value.removesuffix("%")
    return -(-int(digits) * total // 100) if digits.isdecimal() else 0


def _allowed(registry: Registry, budget: Json, pods: list[Json]) -> tuple[int, int, int]:
    """How many pods of a budget may go, how many are healthy, and how many must be."""
    spec, total = budget.get("spec", {}), _expected(registry, pods)
    healthy = sum(_healthy(pod) for pod in pods)
    if "maxUnavailable" in spec:
        wanted = max(total - _count(spec["maxUnavailable"], total), 0)
    else:
        wanted = _count(spec.get("minAvailable", 1), total)
    return max(healthy - wanted, 0), healthy, wanted


def _expected(registry: Registry, pods: list[Json]) -> int:
    """How many pods there should be: what their controllers want, and one for each pod without."""
    total, seen = 0, set()
    for pod in pods:
        owner = next((one for one in pod["metadata"].get("ownerReferences", []) if one.get("controller")), None)
        kind = registry.kinds.of_kind(owner["apiVersion"], owner["kind"]) if owner else None
        found = registry.get(kind.key, pod["metadata"]["namespace"], owner["name"]) if kind and owner else None
        if found is None or "replicas" not in found.get("spec", {}):
            total += 1
        elif found["metadata"]["uid"] not in seen:
            seen.add(found["metadata"]["uid"])
            total += found["spec"]["replicas"]
    return total


def evict(registry: Registry, namespace: str, name: str, body: object) -> Json:
    """Evicts a pod.

    Raises:
        ApiError: 400; 404; 429 TooManyRequests when a budget forbids it; 500 when more than one has it.
    """
    eviction = body if isinstance(body, dict) else {}
    meta = eviction.get("metadata")
    if isinstance(meta, dict) and meta.get("name", name) != name:
        raise problems.bad("name in URL does not match name in Eviction object")
    pods = registry.kind("pods")
    pod = registry.fetch(pods, namespace, name)
    if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed", "Pending"):
        _heed(registry, namespace, pod)
    asked = eviction.get("deleteOptions")
    options = asked if isinstance(asked, dict) else {}
    grace = options.get("gracePeriodSeconds")
    before = options.get("preconditions")
    uid = str(before.get("uid", "")) if isinstance(before, dict) else ""
    dry = bool(options.get("dryRun"))
    registry.remove(pods, namespace, name, Deletion(uid, grace=grace if isinstance(grace, int) else None, dry=dry))
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _heed(registry: Registry, namespace: str, pod: Json) -> None:
    labels = pod["metadata"].get("labels", {})
    budgets = [
        budget
        for budget in registry.list("poddisruptionbudgets.policy", namespace)
        if selectors.selects(budget.get("spec", {}).get("selector"), labels)
    ]
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "InternalError", message)
    if not budgets:
        return
    budget = budgets[0]
    selector = budget.get("spec", {}).get("selector")
    pods = registry.select("pods", namespace, lambda labels, _: selectors.selects(selector, labels))
    allowed, healthy, wanted = _allowed(registry, budget, pods)
    # A pod that is not ready may go when those that are suffice without it (IfHealthyBudget, the default).
    if allowed < 1 if _healthy(pod) else healthy < wanted:
        name = budget["metadata"]["name"]
        told = f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        message = "Cannot evict pod as it would violate the pod's disruption budget."
        raise ApiError(429, "TooManyRequests", message, {"causes": [{"reason": "DisruptionBudget", "message": told}]})
