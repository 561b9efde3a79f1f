"""Why is it not ready? A chain from the effect to its cause, each step with its evidence and what can be done."""

from __future__ import annotations

from collections.abc import Iterator

from tui.kube import events, times
from tui.kube.objects import Node, PersistentVolume, PersistentVolumeClaim, Pod, PodDisruptionBudget, StatefulSet
from tui.kube.store import Store, claims_of
from tui.systems.claims import CLAIMS, VOLUMES, pending
from tui.systems.members import (
    create_failure,
    node_trouble,
    short_refusal,
    state_gated,
    terminating_since,
)
from tui.systems.model import Health, Member, Reason, Workload
from tui.systems.podcauses import pod_causes
from tui.systems.podphase import condition, is_ready

__all__ = ["Reason", "diagnose"]

#: How far a chain of "waits for the one before" is followed.
_DEEPEST = 8


def diagnose(store: Store, workload: Workload, member: Member | None) -> tuple[Reason, ...]:
    """Tells why a member is not ready, or (without a member) what concerns the workload as a whole.

    Args:
        store: the objects.
        workload: whose.
        member: one of its members; None for the workload.

    Returns:
        Steps from effect to cause; empty when all is well.
    """
    if member is None:
        return tuple(_whole(store, workload))
    if member.health is Health.READY:
        return ()
    return tuple(_member(store, workload, member, 0))


def _whole(store: Store, workload: Workload) -> Iterator[Reason]:
    well = all(member.health is Health.READY for member in workload.members)
    if workload.health is not Health.READY and (well or not workload.members):
        yield Reason(0, workload.why or f"it is {workload.health.value}")
    if workload.health not in (Health.READY, Health.STOPPED) and not well:
        yield from _budgets(store, workload)
    for claim in workload.claims:
        if claim.phase in ("Lost", "Missing") or (claim.phase == "Pending" and claim in workload.spare_claims):
            yield Reason(0, f"claim {claim.name} is {claim.phase}: {claim.note}")
    if workload.system == "rabbitmq" and workload.desired > 1:
        yield Reason(
            0,
            "not checked: whether the nodes form one cluster",
            "Kubernetes knows of ready pods only; nodes that never joined each other are ready too.",
            "Ask the nodes: GET /api/nodes of the management API, or rabbitmqctl cluster_status.",
        )


def _budgets(store: Store, workload: Workload) -> Iterator[Reason]:
    labels = [
        pod.metadata.labels
        for member in workload.members
        if member.uid and (pod := store.by_uid("pods", member.uid, Pod)) is not None
    ]
    for item in store.in_namespace("poddisruptionbudgets", workload.namespace, PodDisruptionBudget):
        wanted = item.spec.selector.match_labels if item.spec.selector is not None else {}
        status = item.status
        if not wanted or status.disruptions_allowed or status.current_healthy >= status.expected_pods:
            continue  # a budget that never allows a disruption (CloudNativePG's of the primary) is no news
        if any(all(own.get(key) == value for key, value in wanted.items()) for own in labels):
            yield Reason(
                0,
                f"PodDisruptionBudget {item.name} lets no further member be evicted",
                f"disruptionsAllowed: 0, healthy {status.current_healthy} of {status.expected_pods}, "
                f"{status.desired_healthy} needed",
            )


def _member(store: Store, workload: Workload, member: Member, depth: int) -> Iterator[Reason]:
    if not member.uid:
        yield from _absent(store, workload, member, depth)
        return
    pod = store.by_uid("pods", member.uid, Pod)
    if pod is None:
        yield Reason(depth, f"{member.pod} is gone")
        return
    if member.health is Health.STOPPED:
        yield from _stopped(workload, member, depth)
        return
    ready = condition(pod, "Ready")
    since = times.parse(ready.last_transition_time) if ready is not None and ready.status != "True" else None
    yield Reason(depth, f"{member.pod} is {_how(member)}", at=since)
    if pod.metadata.deletion_timestamp is not None:
        yield from _leaving(store, pod, depth + 1)
        return
    node = store.named("nodes", "", pod.spec.node_name, Node) if pod.spec.node_name else None
    if (trouble := node_trouble(node)) and node is not None:
        told = next((item for item in node.status.conditions if item.type == "Ready"), None)
        yield Reason(
            depth + 1,
            trouble,
            f"{told.reason}: {told.message}" if told is not None else "",
            "Its pods are replaced when the node is back or is removed: a StatefulSet never runs one member twice.",
            times.parse(told.last_transition_time) if told is not None else None,
        )
        return
    scheduled = condition(pod, "PodScheduled")
    if not pod.spec.node_name and pod.status.phase == "Pending":
        yield from _unscheduled(store, pod, depth + 1, scheduled.message if scheduled is not None else "")
        return
    yield from pod_causes(store, pod, depth + 1)
    yield from _claims(store, pod, depth + 1)


def _how(member: Member) -> str:
    return f"not ready ({member.phase})" if member.health is not Health.TERMINATING else "on its way out"


def _stopped(workload: Workload, member: Member, depth: int) -> Iterator[Reason]:
    said = next((item for item in workload.warnings if member.pod in item.text or item.health is Health.STOPPED), None)
    remedy = ""
    if "fenced" in member.note:
        remedy = (
            f"It starts again when {member.pod} is taken out of the annotation cnpg.io/fencedInstances of the Cluster."
        )
    elif "hibernat" in member.note:
        remedy = "It is woken by setting the annotation cnpg.io/hibernation of the Cluster to off; its claims are kept."
    yield Reason(
        depth,
        f"{member.pod} is stopped on purpose: {member.note or member.phase}",
        said.evidence if said else "",
        remedy,
    )


def _absent(store: Store, workload: Workload, member: Member, depth: int) -> Iterator[Reason]:
    if member.health is Health.STOPPED:
        yield from _stopped(workload, member, depth)
        return
    yield Reason(depth, f"{member.pod} does not exist")
    stateful_set = store.named("statefulsets", workload.namespace, member.set_name, StatefulSet)
    if stateful_set is None:
        said = f"operator says: {workload.operator_status}" if workload.operator_status else ""
        yield Reason(depth + 1, "its operator has not made it", said, _operator_remedy(workload))
        return
    failed = create_failure(store, stateful_set.uid, member.pod)
    if failed is not None:
        refusal = short_refusal(failed.message)
        remedy = "Raise the quota, or ask for less." if "exceeded quota" in refusal else ""
        yield Reason(depth + 1, "the API server refuses it", failed.message, remedy, events.last_seen(failed))
        return
    if stateful_set.status.observed_generation < stateful_set.metadata.generation:
        yield Reason(
            depth + 1,
            "the StatefulSet controller has not seen the latest change",
            f"generation {stateful_set.metadata.generation}, observed {stateful_set.status.observed_generation}",
            "If this lasts, look at the kube-controller-manager.",
        )
        return
    before = _first_unready(workload, member)
    if before is not None and stateful_set.spec.pod_management_policy != "Parallel" and depth < _DEEPEST:
        yield Reason(
            depth + 1,
            f"members are made one after the other, and {before.pod} is not ready",
            f"podManagementPolicy: {stateful_set.spec.pod_management_policy}",
        )
        yield from _member(store, workload, before, depth + 2)


def _first_unready(workload: Workload, member: Member) -> Member | None:
    for other in workload.members:
        if other.set_name == member.set_name and (other.ordinal or 0) < (member.ordinal or 0) \
                and other.health is not Health.READY:  # fmt: skip
            return other
    return None


def _operator_remedy(workload: Workload) -> str:
    return "See whether the operator runs, and what its log says." if workload.owner.kind == "operator" else ""


def _leaving(store: Store, pod: Pod, depth: int) -> Iterator[Reason]:
    meta = pod.metadata
    grace = meta.deletion_grace_period_seconds or 0
    text = f"it was deleted, and has {_duration(grace)} to end"
    if is_ready(pod):
        text += "; it still answers its readiness probe while it drains"
    yield Reason(
        depth,
        text,
        f"deletionTimestamp {meta.deletion_timestamp} is the end of the grace period of {grace} s, not its beginning",
        at=terminating_since(pod),
    )
    node = store.named("nodes", "", pod.spec.node_name, Node) if pod.spec.node_name else None
    if trouble := node_trouble(node):
        yield Reason(depth + 1, f"{trouble}: nobody there can confirm that it has ended")
    failed = events.newest(store.events_of(pod.uid), "FailedKillPod", "FailedPreStopHook")
    if failed is not None:
        yield Reason(
            depth + 1, "the kubelet could not end it as it should", failed.message, at=events.last_seen(failed)
        )


def _unscheduled(store: Store, pod: Pod, depth: int, message: str) -> Iterator[Reason]:
    if state_gated(pod):
        yield Reason(depth, "scheduling gates hold it back", message, "Whoever set the gates lifts them.")
        return
    text = "the scheduler finds no node for it" if message else "it has not been scheduled yet"
    yield Reason(depth, text, message, _scheduling_remedy(message))
    yield from _claims(store, pod, depth + 1)


def _scheduling_remedy(message: str) -> str:
    if "node affinity" in message and "volume" in message.lower():
        return "Its volume can be reached from some nodes only, and none of those takes the pod."
    if "Insufficient" in message:
        return "Free capacity, add a node, or ask for less (resources.requests)."
    if "taint" in message:
        return "The nodes are tainted: wait until they are well, or give the pod a toleration."
    return ""


def _claims(store: Store, pod: Pod, depth: int) -> Iterator[Reason]:
    """Each claim of the pod that is not bound, and why."""
    for name in claims_of(pod):
        item = store.named(CLAIMS, pod.namespace, name, PersistentVolumeClaim)
        if item is None:
            if store.count(CLAIMS, pod.namespace):
                yield Reason(
                    depth,
                    f"claim {name} does not exist",
                    remedy="A StatefulSet makes it again when its pod is deleted.",
                )
        elif item.status.phase == "Lost":
            yield Reason(
                depth, f"claim {name} is Lost: its volume {item.spec.volume_name} is gone",
                remedy="Restore the volume under its name, or give the claim (and its data) up.",
            )  # fmt: skip
        elif item.status.phase != "Bound":
            why = pending(store, item)
            yield Reason(depth, f"claim {name} is not bound", at=times.parse(item.metadata.creation_timestamp))
            if why.text == why.evidence:
                yield Reason(depth + 1, "no volume can be made for it", why.evidence, why.remedy, why.at)
            else:
                yield Reason(depth + 1, why.text, why.evidence, why.remedy, why.at)
        elif item.spec.volume_name:
            volume = store.named(VOLUMES, "", item.spec.volume_name, PersistentVolume)
            if volume is not None and volume.status.phase == "Failed":
                yield Reason(depth, f"volume {volume.name} has failed", volume.status.message or volume.status.reason)


def _duration(seconds: int) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds} s"
