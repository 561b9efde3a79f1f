"""The history of a StatefulSet or DaemonSet: one ControllerRevision for each pod template that it has had."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from tui.sandbox.controllers.meta import annotations_of, labels_of, name_of, namespace_of, reference_to, safe_hash
from tui.sandbox.controllers.pods import claim
from tui.sandbox.model import ApiError, Json, Objects

REVISIONS = "controllerrevisions.apps"
#: On pods: which revision they were made from.
HASH = "controller-revision-hash"
#: On the revisions of a StatefulSet. Those of a DaemonSet bear the pods' label instead (seen on 1.36).
SET_HASH = "controller.kubernetes.io/hash"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one owner, the oldest first.

    Attributes:
        update: the one of the template as it stands.
        collisions: the owner's count of hashes that were taken by something else.
    """

    revisions: tuple[Json, ...]
    update: Json
    collisions: int


def _patch_of(owner: Json) -> Json:
    """What a revision keeps: a patch of the owner, as `kubectl rollout undo` sends it."""
    return {"spec": {"template": {**copy.deepcopy(owner["spec"]["template"]), "$patch": "replace"}}}


def sync(objects: Objects, owner: Json, *, label: str) -> History:
    """Reads an owner's history and adds the revision of its template.

    A template that it had before is not kept twice: its revision becomes the newest, as after a roll-back.

    Args:
        objects: the API.
        owner: a StatefulSet or a DaemonSet.
        label: which label bears the hash.
    """
    collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
    revisions = sorted(claim(objects, REVISIONS, owner, owner["spec"].get("selector")), key=_order)
    data = _patch_of(owner)
    last = int(revisions[-1].get("revision") or 0) if revisions else 0
    same = [revision for revision in revisions if revision.get("data") == data]
    if same:
        update = same[-1]
        if int(update.get("revision") or 0) < last:
            update = objects.update(REVISIONS, {**update, "revision": last + 1})
    else:
        update, collisions = _create(objects, owner, data, last + 1, collisions, label)
    others = [revision for revision in revisions if name_of(revision) != name_of(update)]
    return History((*others, update), update, collisions)


def _order(revision: Json) -> tuple[int, str, str]:
    return (
        int(revision.get("revision") or 0),
        str(revision["metadata"].get("creationTimestamp") or ""),
        name_of(revision),
    )


def _create(objects: Objects, owner: Json, data: Json, number: int, collisions: int, label: str) -> tuple[Json, int]:
    annotations = {key: value for key, value in annotations_of(owner).items() if key != _LAST_APPLIED}
    while True:
        text = safe_hash([data, collisions])
        revision = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"{name_of(owner)}-{text}",
                "namespace": namespace_of(owner),
                "labels": {**((owner["spec"]["template"].get("metadata") or {}).get("labels") or {}), label: text},
                "annotations": annotations,
                "ownerReferences": [reference_to(owner)],
            },
            "data": data,
            "revision": number,
        }
        try:
            return objects.create(REVISIONS, revision), collisions
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        # Somebody else's: the next hash. Somebody else may as well be an owner of this name that is just going away.
        collisions += 1


def prune(objects: Objects, owner: Json, history: History, in_use: set[str]) -> None:
    """Deletes the oldest revisions above `revisionHistoryLimit` that no pod and no status names."""
    limit = owner["spec"].get("revisionHistoryLimit")
    idle = [revision for revision in history.revisions if name_of(revision) not in in_use]
    for revision in idle[: max(0, len(idle) - (10 if limit is None else int(limit)))]:
        try:
            objects.delete(REVISIONS, namespace_of(owner), name_of(revision), uid=revision["metadata"]["uid"])
        except ApiError as error:
            if error.reason not in {"NotFound", "Conflict"}:
                raise


def hash_in(revision: Json, label: str) -> str:
    """The hash that a revision stands for, as its pods bear it."""
    return labels_of(revision).get(label, "")
