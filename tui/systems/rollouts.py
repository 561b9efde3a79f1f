"""Changes of revision under way, counted from the pods themselves, and why one does not move."""

from __future__ import annotations

from collections.abc import Sequence

from tui.kube.objects import StatefulSet
from tui.systems.model import Health, Member, Rollout


def rollout(stateful_set: StatefulSet, members: Sequence[Member]) -> Rollout | None:
    """The rollout of a StatefulSet; None when every pod runs the revision that is asked for.

    The set's own `currentRevision` is not asked: with OnDelete the controller never moves it.

    Args:
        stateful_set: the set.
        members: its members.
    """
    target = stateful_set.status.update_revision
    pods = [member for member in members if member.uid and member.revision]
    old = [member for member in pods if member.revision != target]
    if not target or not old:
        return None
    strategy = stateful_set.spec.update_strategy
    rolling = strategy.rolling_update
    partition = rolling.partition if rolling is not None else 0
    return Rollout(
        set_name=stateful_set.name,
        to_revision=target,
        updated=len(pods) - len(old),
        total=stateful_set.spec.replicas,
        partition=partition,
        stuck=_stuck(stateful_set, members, old, partition),
    )


def _stuck(stateful_set: StatefulSet, members: Sequence[Member], old: Sequence[Member], partition: int) -> str:
    if stateful_set.spec.update_strategy.type == "OnDelete":
        return "OnDelete: each pod changes when somebody deletes it"
    broken = next((member for member in old if member.health is Health.FAILING), None)
    if broken is not None:
        return f"{broken.pod} is broken on a former revision and the rollout waits for it: delete the pod"
    new = [member for member in members if member.uid and member.revision == stateful_set.status.update_revision]
    failing = next((member for member in new if member.health is Health.FAILING), None)
    if failing is not None:
        return f"{failing.pod} fails on the new revision: {failing.note or failing.phase}"
    if partition and all((member.ordinal or 0) < partition for member in old):
        return f"held by partition {partition}"
    return ""
