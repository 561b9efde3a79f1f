"""What the controllers of workloads share about pods: in what state one is, whose it is, how one is made."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

from tui.sandbox.controllers.engine import Key
from tui.sandbox.controllers.meta import (
    condition_of,
    controller_of,
    is_controlled_by,
    is_deleted,
    is_true,
    labels_of,
    name_of,
    namespace_of,
    reference_to,
    seconds_of,
)
from tui.sandbox.model import ApiError, Change, Json, Objects
from tui.sandbox.selectors import selects

#: So many pods one owner gets at most, whatever it asks for: a hostile count must not eat the machine's memory.
MOST = 1000
#: So many pods a controller makes or deletes before others have their turn; the changes bring it back for the rest.
BURST = 50


def wanted(replicas: int | None) -> int:
    """How many pods an owner gets that asks for some, or says nothing."""
    return 1 if replicas is None else max(0, min(int(replicas), MOST))


def phase_of(pod: Json) -> str:
    """A pod's phase; one that nobody has reported on is `Pending`."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_finished(pod: Json) -> bool:
    """Whether all of a pod's containers have ended for good."""
    return phase_of(pod) in {"Succeeded", "Failed"}


def is_ready(pod: Json) -> bool:
    """Whether a pod reports that it is ready."""
    return is_true(pod, "Ready")


def available_in(pod: Json, min_ready: float, now: float) -> float | None:
    """After how many seconds a pod counts as available: 0 for now, None when it is not even ready.

    Args:
        pod: the pod.
        min_ready: for how many seconds it must have been ready (`minReadySeconds`).
        now: the wall clock.
    """
    condition = condition_of(pod, "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    if not min_ready:
        return 0.0
    return max(0.0, seconds_of(condition.get("lastTransitionTime")) + min_ready - now)


def availability(pods: list[Json], min_ready: float, now: float) -> tuple[int, float | None]:
    """How many pods are available, and after how many seconds another one will be; None when none will."""
    waits = [wait for pod in pods if (wait := available_in(pod, min_ready, now)) is not None]
    return sum(not wait for wait in waits), min((wait for wait in waits if wait), default=None)


def new_pod(owner: Json, template: Json, *, name: str = "") -> Json:
    """A pod from a template, owned by its controller; with `generateName` when it gets no name."""
    metadata = template.get("metadata") or {}
    given = {"name": name} if name else {"generateName": name_of(owner) + "-"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **given,
            "namespace": namespace_of(owner),
            "labels": dict(metadata.get("labels") or {}),
            "annotations": dict(metadata.get("annotations") or {}),
            "finalizers": list(metadata.get("finalizers") or ()),
            "ownerReferences": [reference_to(owner)],
        },
        "spec": copy.deepcopy(template.get("spec") or {}),
    }


def selects_own(owner: Json) -> bool:
    """Whether a workload's selector meets its own template. If not, it would make pods without end and lose each."""
    spec = owner.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    return bool(labels) and selects(spec.get("selector"), labels)


def orphans_owners(objects: Objects, change: Change, resource: str) -> Iterable[Key]:
    """The objects of a resource that would adopt what changed, because it has no controller."""
    obj = change.object
    if controller_of(obj) is None:
        for owner in objects.list(resource, namespace_of(obj)):
            if selects((owner.get("spec") or {}).get("selector"), labels_of(obj)):
                yield namespace_of(obj), name_of(owner)


def claim(
    objects: Objects,
    resource: str,
    owner: Json,
    selector: Json | None,
    member: Callable[[Json], bool] = lambda _: True,
) -> list[Json]:
    """The objects of a resource that an owner controls; adopts and releases as its selector says.

    An orphan that the selector meets becomes the owner's; what the owner has and the selector no longer meets is let
    go. An owner that is being deleted takes and lets go nothing. What is no `member` is never adopted.
    """
    mine, uid = [], owner["metadata"]["uid"]
    # What another one controls is no concern of this one; it need not even be read.
    found = objects.select(
        resource,
        namespace_of(owner),
        lambda labels, controller: controller == uid or (not controller and selects(selector, labels)),
    )
    for obj in found:
        selected = selects(selector, labels_of(obj)) and member(obj)
        if is_controlled_by(obj, owner):
            if selected or is_deleted(owner):
                mine.append(obj)
            else:
                _refer(objects, resource, obj, None, owner)
        elif selected and controller_of(obj) is None and not is_deleted(obj) and not is_deleted(owner):
            adopted = _refer(objects, resource, obj, reference_to(owner), owner)
            mine += [adopted] if adopted else []
    return mine


def _refer(objects: Objects, resource: str, obj: Json, reference: Json | None, owner: Json) -> Json | None:
    """Gives an object an owner, or takes it away; None when the object is gone or has just changed."""
    changed = copy.deepcopy(obj)
    others = [
        old for old in changed["metadata"].get("ownerReferences") or () if old.get("uid") != owner["metadata"]["uid"]
    ]
    changed["metadata"]["ownerReferences"] = [*others, reference] if reference else others
    try:
        return objects.update(resource, changed)
    except ApiError as error:
        if error.reason not in {"NotFound", "Conflict"}:
            raise
        return None


def delete_pod(objects: Objects, pod: Json) -> bool:
    """Deletes this very pod, not a later one of its name. False when it is gone or going already."""
    if is_deleted(pod):
        return False
    try:
        objects.delete("pods", namespace_of(pod), name_of(pod), uid=pod["metadata"]["uid"])
    except ApiError as error:
        if error.reason not in {"NotFound", "Conflict"}:
            raise
        return False
    return True


def set_status(objects: Objects, resource: str, obj: Json, status: Json) -> None:
    """Writes a status that differs from what is there. Fields whose value is None are left away."""
    status = {key: value for key, value in status.items() if value is not None}
    if status != (obj.get("status") or {}):
        objects.update(resource, {**obj, "status": status}, subresource="status")
