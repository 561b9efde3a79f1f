"""Deployments: one ReplicaSet for each template they have had, and the way from one to the next."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import ClassVar

from tui.sandbox.controllers.engine import Clock, Key, owners
from tui.sandbox.controllers.meta import (
    annotations_of,
    is_deleted,
    name_of,
    namespace_of,
    reference_to,
    safe_hash,
    seconds_of,
    share,
)
from tui.sandbox.controllers.pods import claim, is_finished, orphans_owners, selects_own, set_status, wanted
from tui.sandbox.controllers.replicaset import REPLICA_SETS
from tui.sandbox.controllers.rollout import Rollout, status_of
from tui.sandbox.model import ApiError, Change, Json, Objects

DEPLOYMENTS = "deployments.apps"
TEMPLATE_HASH = "pod-template-hash"
_GROUP = "deployment.kubernetes.io/"
REVISION, _DESIRED, _MOST = _GROUP + "revision", _GROUP + "desired-replicas", _GROUP + "max-replicas"
_HISTORY = _GROUP + "revision-history"
#: Annotations of a Deployment that its ReplicaSets do not get.
_OWN = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, _HISTORY, _DESIRED, _MOST}
_SOURCE = "deployment-controller"


def template_of(replica_set: Json) -> Json:
    """A ReplicaSet's pod template as its Deployment wrote it: without the hash."""
    template = copy.deepcopy(replica_set["spec"].get("template") or {})
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels.pop(TEMPLATE_HASH, None)
    return template


def revision_of(replica_set: Json) -> int:
    """A ReplicaSet's number in its Deployment's history, 0 without one."""
    text = annotations_of(replica_set).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def _surge(deployment: Json, replicas: int) -> tuple[int, int]:
    """How many pods a roll-out may have above, and lack below, what is wanted."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    above = share(rolling.get("maxSurge", "25%"), replicas, up=True)
    below = min(share(rolling.get("maxUnavailable", "25%"), replicas, up=False), replicas)
    # With both at nothing a roll-out could never begin.
    return (above, below) if above or below else (0, 1)


class Deployments:
    """Looks after Deployments."""

    resources: ClassVar[tuple[str, ...]] = (DEPLOYMENTS, REPLICA_SETS, "pods")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def concerned(self, change: Change) -> Iterable[Key]:
        """The Deployment itself, or a ReplicaSet's; a pod matters when it is gone, for `Recreate` waits for that."""
        if change.resource == DEPLOYMENTS:
            yield namespace_of(change.object), name_of(change.object)
        elif change.resource == REPLICA_SETS:
            yield from owners(change, "Deployment")
            yield from orphans_owners(self._objects, change, DEPLOYMENTS)
        elif change.type == "DELETED" or is_finished(change.object):
            for namespace, name in owners(change, "ReplicaSet"):
                replica_set = self._objects.get(REPLICA_SETS, namespace, name)
                if replica_set is not None:
                    yield from owners(Change("MODIFIED", REPLICA_SETS, replica_set, None, 0), "Deployment")

    def reconcile(self, key: Key) -> float | None:
        """Does the next step of a roll-out and writes the status."""
        deployment = self._objects.get(DEPLOYMENTS, *key)
        if deployment is None or is_deleted(deployment) or not selects_own(deployment):
            return None
        sets = claim(self._objects, REPLICA_SETS, deployment, deployment["spec"].get("selector"))
        sets = sorted((rs for rs in sets if not is_deleted(rs)), key=_age)
        template = deployment["spec"].get("template") or {}
        new = next((rs for rs in sets if template_of(rs) == template), None)
        old = [rs for rs in sets if new is None or name_of(rs) != name_of(new)]
        replicas = wanted(deployment["spec"].get("replicas"))
        above, below = _surge(deployment, replicas)
        rollout = Rollout(replicas, above, below, new, old)
        if deployment["spec"].get("paused"):
            self._carry_out(deployment, rollout, rollout.paused())
        else:
            if (deployment["spec"].get("strategy") or {}).get("type") != "Recreate":
                deployment = self._number(deployment, rollout, template)
                self._carry_out(deployment, rollout, rollout.rolling())
            elif not self._empty(deployment, rollout):
                deployment = self._number(deployment, rollout, template)
                self._carry_out(deployment, rollout, rollout.all_new())
            if rollout.is_complete(deployment):
                self._prune(deployment, rollout.old)
        current = self._objects.get(DEPLOYMENTS, *key) or deployment
        status, wait = status_of(current, rollout, self._clock.wall())
        set_status(self._objects, DEPLOYMENTS, current, status)
        return wait

    def _empty(self, deployment: Json, rollout: Rollout) -> bool:
        """Takes away all old pods; whether some are still there."""
        self._carry_out(deployment, rollout, [(rs, 0) for rs in rollout.old])
        uids = {rs["metadata"]["uid"] for rs in rollout.old}
        pods = self._objects.select("pods", namespace_of(deployment), lambda _, controller: controller in uids)
        return not all(map(is_finished, pods))

    def _number(self, deployment: Json, rollout: Rollout, template: Json) -> Json:
        """Makes the ReplicaSet of the template, or gives the one it had the newest number, as after a roll-back."""
        number = max((revision_of(rs) for rs in rollout.old), default=0) + 1
        if rollout.new is None:
            deployment, rollout.new = self._create(deployment, rollout, template, number)
        else:
            new, annotations = rollout.new, self._annotations(deployment, rollout, rollout.new)
            old_number = revision_of(new)
            if old_number < number:
                annotations[REVISION] = str(number)
                if old_number:
                    before = annotations.get(_HISTORY)
                    annotations[_HISTORY] = f"{before},{old_number}" if before else str(old_number)
            seconds = deployment["spec"].get("minReadySeconds") or 0
            if annotations != annotations_of(new) or seconds != (new["spec"].get("minReadySeconds") or 0):
                metadata = {**new["metadata"], "annotations": annotations}
                spec = {**new["spec"], "minReadySeconds": seconds}
                rollout.new = self._objects.update(REPLICA_SETS, {**new, "metadata": metadata, "spec": spec})
        text = annotations_of(rollout.new)[REVISION]
        if annotations_of(deployment).get(REVISION) != text:
            patch = {"metadata": {"annotations": {REVISION: text}}}
            deployment = self._objects.patch(DEPLOYMENTS, namespace_of(deployment), name_of(deployment), patch)
        return deployment

    @staticmethod
    def _annotations(deployment: Json, rollout: Rollout, new: Json | None) -> dict[str, str]:
        given = {key: text for key, text in annotations_of(deployment).items() if key not in _OWN}
        counts = {_DESIRED: str(rollout.replicas), _MOST: str(rollout.replicas + rollout.above)}
        return {**(annotations_of(new) if new else {}), **given, **counts}

    def _create(self, deployment: Json, rollout: Rollout, template: Json, number: int) -> tuple[Json, Json]:
        collisions = int((deployment.get("status") or {}).get("collisionCount") or 0)
        text = safe_hash([template, collisions])
        labelled = copy.deepcopy(template)
        labels = {**((template.get("metadata") or {}).get("labels") or {}), TEMPLATE_HASH: text}
        labelled.setdefault("metadata", {})["labels"] = labels
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), TEMPLATE_HASH: text}
        spec = {"replicas": rollout.first(), "selector": selector, "template": labelled}
        if deployment["spec"].get("minReadySeconds"):
            spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        annotations = {**self._annotations(deployment, rollout, None), REVISION: str(number)}
        metadata = {
            "name": f"{name_of(deployment)}-{text}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [reference_to(deployment)],
        }
        new = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
        try:
            created = self._objects.create(REPLICA_SETS, new)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                # Somebody else's of that name: the count makes another hash at the next try.
                status = {**(deployment.get("status") or {}), "collisionCount": collisions + 1}
                set_status(self._objects, DEPLOYMENTS, deployment, status)
            raise
        self._scaled(deployment, created, 0, spec["replicas"])
        return deployment, created

    def _carry_out(self, deployment: Json, rollout: Rollout, scales: list[tuple[Json, int]]) -> None:
        for replica_set, count in scales:
            before = int(replica_set["spec"].get("replicas") or 0)
            if before != count:
                spec = {**replica_set["spec"], "replicas": count}
                rollout.put(self._objects.update(REPLICA_SETS, {**replica_set, "spec": spec}))
                self._scaled(deployment, replica_set, before, count)

    def _scaled(self, deployment: Json, replica_set: Json, before: int, after: int) -> None:
        if before != after:
            way = "up" if after > before else "down"
            what = f"Scaled {way} replica set {name_of(replica_set)} from {before} to {after}"
            self._objects.event(deployment, "ScalingReplicaSet", what, source=_SOURCE)

    def _prune(self, deployment: Json, old: list[Json]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit")
        empty = [rs for rs in old if not rs["spec"].get("replicas") and not (rs.get("status") or {}).get("replicas")]
        empty.sort(key=revision_of)
        for replica_set in empty[: max(0, len(empty) - (10 if limit is None else int(limit)))]:
            uid = replica_set["metadata"]["uid"]
            self._objects.delete(REPLICA_SETS, namespace_of(replica_set), name_of(replica_set), uid=uid)


def _age(obj: Json) -> tuple[float, str]:
    return seconds_of(obj["metadata"].get("creationTimestamp")), name_of(obj)
