"""The arithmetic of a Deployment's roll-out, and what its status says about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tui.sandbox.controllers.meta import condition_of, name_of, seconds_of, timestamp
from tui.sandbox.model import Json


def _spec(sets: Iterable[Json]) -> int:
    return sum(int(replica_set["spec"].get("replicas") or 0) for replica_set in sets)


def _status(sets: Iterable[Json], count: str) -> int:
    return sum(int((replica_set.get("status") or {}).get(count) or 0) for replica_set in sets)


@dataclass(slots=True)
class Rollout:
    """Where a roll-out stands.

    Attributes:
        replicas: how many pods are wanted.
        above: how many more there may be meanwhile (`maxSurge`).
        below: how many of them may be missing meanwhile (`maxUnavailable`).
        new: the ReplicaSet of the template as it stands.
        old: the others, the oldest first.
    """

    replicas: int
    above: int
    below: int
    new: Json | None
    old: list[Json]

    @property
    def sets(self) -> list[Json]:
        """All ReplicaSets."""
        return [*self.old, self.new] if self.new else list(self.old)

    def put(self, replica_set: Json) -> None:
        """Takes in what became of a ReplicaSet."""
        if self.new and name_of(self.new) == name_of(replica_set):
            self.new = replica_set
        self.old = [replica_set if name_of(old) == name_of(replica_set) else old for old in self.old]

    def first(self) -> int:
        """With how many pods a new ReplicaSet begins."""
        return max(0, min(self.replicas, self.replicas + self.above - _spec(self.old)))

    def all_new(self) -> list[tuple[Json, int]]:
        """Scale the new one to what is wanted."""
        return [(self.new, self.replicas)] if self.new else []

    def paused(self) -> list[tuple[Json, int]]:
        """A paused Deployment is scaled, but not rolled: the newest that has pods takes the difference."""
        active = [rs for rs in self.sets if _spec([rs])] or self.sets[-1:]
        if not active:
            return []
        return [(active[-1], max(0, self.replicas - _spec(active[:-1])))]

    def rolling(self) -> list[tuple[Json, int]]:
        """The next step: more of the new as long as there is room, else less of the old."""
        if self.new is None:
            return []
        now = _spec([self.new])
        if now > self.replicas:
            return [(self.new, self.replicas)]
        room = min(self.replicas + self.above - _spec(self.sets), self.replicas - now)
        if room > 0:
            return [(self.new, now + room)]
        return self._shrink()

    def _shrink(self) -> list[tuple[Json, int]]:
        assert self.new is not None  # noqa: S101 - `rolling` has looked
        least = self.replicas - self.below
        missing = max(0, _spec([self.new]) - _status([self.new], "availableReplicas"))
        budget = _spec(self.sets) - least - missing
        counts = {name_of(rs): _spec([rs]) for rs in self.old}
        # Pods that are not available go first: nobody misses them.
        for rs in self.old:
            cut = max(0, min(budget, counts[name_of(rs)] - _status([rs], "availableReplicas")))
            counts[name_of(rs)] -= cut
            budget -= cut
        spare = min(budget, _status(self.sets, "availableReplicas") - least)
        for rs in self.old:
            cut = max(0, min(spare, counts[name_of(rs)]))
            counts[name_of(rs)] -= cut
            spare -= cut
        return [(rs, counts[name_of(rs)]) for rs in self.old]

    def is_complete(self, deployment: Json) -> bool:
        """Whether all pods are of the new template and available, and no other is left."""
        new = [self.new] if self.new else []
        return (
            _status(new, "replicas") == self.replicas == _status(self.sets, "replicas")
            and _status(new, "availableReplicas") == self.replicas
            and not deployment["spec"].get("paused")
        )


def status_of(deployment: Json, rollout: Rollout, now: float) -> tuple[Json, float | None]:
    """A Deployment's status, and after how many seconds it would say that the roll-out takes too long."""
    old_status = deployment.get("status") or {}
    new = [rollout.new] if rollout.new else []
    available = _status(rollout.sets, "availableReplicas")
    status: dict[str, Any] = {
        "observedGeneration": deployment["metadata"].get("generation"),
        "replicas": _status(rollout.sets, "replicas") or None,
        "updatedReplicas": _status(new, "replicas") or None,
        "readyReplicas": _status(rollout.sets, "readyReplicas") or None,
        "availableReplicas": available or None,
        "unavailableReplicas": max(0, _spec(rollout.sets) - available) or None,
        "terminatingReplicas": _status(rollout.sets, "terminatingReplicas"),
        "collisionCount": old_status.get("collisionCount"),
    }
    enough = available >= rollout.replicas - rollout.below
    availability = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    if not enough:
        availability = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    progress, wait = _progress(deployment, rollout, status, now)
    given = (("Available", availability), ("Progressing", progress))
    conditions = [_condition(deployment, kind, new_one, now) for kind, new_one in given if new_one]
    failures = [condition_of(rs, "ReplicaFailure") for rs in rollout.sets]
    for failure in failures[::-1]:
        if failure:
            what = (failure.get("status", "True"), failure.get("reason", ""), failure.get("message", ""))
            conditions.append(_condition(deployment, "ReplicaFailure", what, now))
            break
    # Progress is news even when nothing but a count has moved.
    moved = any(status.get(key) != old_status.get(key) for key in ("updatedReplicas", "readyReplicas", "replicas"))
    if moved and progress and progress[1] == "ReplicaSetUpdated":
        conditions[1]["lastUpdateTime"] = timestamp(now)
    status["conditions"] = conditions
    return status, wait


def _progress(
    deployment: Json, rollout: Rollout, status: Json, now: float
) -> tuple[tuple[str, str, str] | None, float | None]:
    if rollout.new is None:
        old = condition_of(deployment, "Progressing")
        return ((old["status"], old["reason"], old["message"]) if old else None), None
    about = f'ReplicaSet "{name_of(rollout.new)}"'
    if deployment["spec"].get("paused"):
        return ("Unknown", "DeploymentPaused", "Deployment is paused"), None
    if rollout.is_complete(deployment):
        return ("True", "NewReplicaSetAvailable", f"{about} has successfully progressed."), None
    old = condition_of(deployment, "Progressing")
    going = ("True", "ReplicaSetUpdated", f"{about} is progressing.")
    if old is None:
        name = name_of(rollout.new)
        return ("True", "NewReplicaSetCreated", f'Created new replica set "{name}"'), None
    before = deployment.get("status") or {}
    if any(status.get(key) != before.get(key) for key in ("updatedReplicas", "readyReplicas", "replicas")):
        return going, None
    # Once it is done, a lost pod is no roll-out that takes too long; and one that took too long does until it moves.
    if old.get("reason") in {"NewReplicaSetAvailable", "ProgressDeadlineExceeded"} and about in old.get("message", ""):
        return (old["status"], old["reason"], old["message"]), None
    deadline = deployment["spec"].get("progressDeadlineSeconds") or 600
    left = seconds_of(old.get("lastUpdateTime")) + deadline - now
    if left <= 0:
        return ("False", "ProgressDeadlineExceeded", f"{about} has timed out progressing."), None
    return going, left


def _condition(deployment: Json, kind: str, what: tuple[str, str, str], now: float) -> Json:
    status, reason, message = what
    old, stamp = condition_of(deployment, kind) or {}, timestamp(now)
    same = (old.get("status"), old.get("reason"), old.get("message")) == what
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": old.get("lastUpdateTime") if same else stamp,
        "lastTransitionTime": old.get("lastTransitionTime") if old.get("status") == status else stamp,
    }
