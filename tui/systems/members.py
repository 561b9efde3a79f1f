"""Members: pods in their order, the places of those that should exist, and why one is not ready."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tui.kube import events, times
from tui.kube.objects import Event, Node, PersistentVolumeClaim, Pod, StatefulSet
from tui.kube.store import Store, claims_of
from tui.systems.claims import CLAIMS, ClaimBook
from tui.systems.model import Claim, Health, Member, Role
from tui.systems.placing import Controller
from tui.systems.podphase import PodState, condition, ended, is_ready, pod_state

REVISION = "controller-revision-hash"
#: How the note of a place begins whose turn has not come.
WAITS_FOR = "not created: waits for "
_NUMBER = re.compile(r"(\d+)")
_PULL = frozenset(("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable"))


@dataclass(slots=True)
class PodSet:
    """A controller with its pods, or pods whose controller is not seen.

    Attributes:
        name: the controller's name; for bare pods that of the custom resource they belong to.
        kind: the controller's kind, "Pod" for bare pods.
        controller: the controller, None where it cannot be seen.
        pods: the pods that exist.
        prefix: what the labels of its members begin with, when the workload has several sets.
    """

    name: str
    kind: str
    controller: Controller | None
    pods: list[Pod] = field(default_factory=list)
    prefix: str = ""

    @property
    def stateful_set(self) -> StatefulSet | None:
        """The controller, if it is a StatefulSet that can be seen."""
        return self.controller if isinstance(self.controller, StatefulSet) else None


@dataclass(frozen=True, slots=True)
class Context:
    """What a member's value depends on beside its pod and claims; equal contexts give equal members."""

    set_name: str
    label: str
    ordinal: int | None
    place: int | None
    target: str
    role: Role | None


def natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts `pool-10` behind `pool-2`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(name)]


def ordinal_of(pod: Pod) -> int | None:
    """A StatefulSet pod's ordinal: the number behind the last dash of its name."""
    tail = pod.metadata.name.rpartition("-")[2]
    return int(tail) if tail.isdecimal() and len(tail) < 10 else None


class MemberBook:
    """Makes Members, and keeps each ready one for as long as its pod, claims and place stay the same."""

    def __init__(self, store: Store, claims: ClaimBook) -> None:
        self._store = store
        self._claims = claims
        self._memo: dict[str, tuple[Pod, tuple[Claim, ...], Context, Node | None, Member]] = {}

    def forget(self, uid: str) -> None:
        """Drops what is kept of a pod that is gone."""
        self._memo.pop(uid, None)

    def of_pod(self, pod: Pod, context: Context) -> Member:
        """The member that a pod is."""
        names = claims_of(pod)
        if len(names) > 1:  # the StatefulSet controller adds a pod's volumes in no order
            names.sort(key=natural)
        claims = tuple(self._claim(pod, name) for name in names)
        node = self._store.named("nodes", "", pod.spec.node_name, Node) if pod.spec.node_name else None
        memo = self._memo.get(pod.metadata.uid)
        if memo is not None:
            former = memo[4]
            if memo[0] is pod and former.health is Health.READY and memo[1] == claims and memo[2] == context \
                    and _same_node(memo[3], node):  # fmt: skip
                return former
        made = self._make(pod, claims, context, node)
        self._memo[pod.metadata.uid] = (pod, claims, context, node, made)
        return made

    def of_place(self, stateful_set: StatefulSet, ordinal: int, context: Context, before: Sequence[Member]) -> Member:
        """The place of a StatefulSet's pod that should exist and does not.

        Args:
            stateful_set: the set.
            ordinal: whose pod.
            context: as for a pod.
            before: the set's members with lower ordinals.
        """
        name = f"{stateful_set.name}-{ordinal}"
        health, note = self._not_created(stateful_set, name, before)
        claims = []
        for template in stateful_set.spec.volume_claim_templates:
            claim = f"{template.metadata.name}-{name}"
            item = self._store.named(CLAIMS, stateful_set.namespace, claim, PersistentVolumeClaim)
            if item is not None:
                claims.append(self._claims.claim(item, template.metadata.name))
        return empty_place(name, context, health, note, tuple(claims))

    def _claim(self, pod: Pod, name: str) -> Claim:
        pod_name = pod.metadata.name
        template = name.removesuffix(f"-{pod_name}")
        if template == name:
            template = name.removeprefix(f"{pod_name}-") if name.startswith(f"{pod_name}-") else ""
        item = self._store.named(CLAIMS, pod.metadata.namespace, name, PersistentVolumeClaim)
        if item is None:
            return self._claims.missing(pod.metadata.namespace, name, template)
        return self._claims.claim(item, template)

    def _make(self, pod: Pod, claims: tuple[Claim, ...], context: Context, node: Node | None) -> Member:
        state = pod_state(pod)
        health = state.health
        node_note = node_trouble(node)
        if health is Health.READY and node_note:
            health = Health.UNKNOWN  # a kubelet that does not report cannot tell that the pod is still ready
        note = ""
        if health is not Health.READY:
            note = node_note or why_not(self._store, pod, state, claims)
        meta = pod.metadata
        revision = meta.labels.get(REVISION, "")
        return Member(
            pod=meta.name, uid=meta.uid, label=context.label, set_name=context.set_name, ordinal=context.ordinal,
            role=context.role, health=health, phase=state.phase, ready=state.ready, restarts=state.restarts,
            last_restart=state.last_restart, last_restart_at=state.last_restart_at,
            created=times.parse(meta.creation_timestamp), node=pod.spec.node_name, ip=pod.status.pod_ip,
            revision=revision, current=not context.target or revision == context.target,
            images=tuple(item.image for item in pod.spec.containers), claims=claims, note=note,
            terminating_since=terminating_since(pod), stands_in=meta.annotations.stands_in.strip(),
        )  # fmt: skip

    def _not_created(self, stateful_set: StatefulSet, name: str, before: Sequence[Member]) -> tuple[Health, str]:
        failed = create_failure(self._store, stateful_set.uid, name)
        if failed is not None:
            return Health.FAILING, f"not created: {short_refusal(failed.message)}"
        if stateful_set.metadata.deletion_timestamp is not None:
            return Health.STOPPED, "not created: its StatefulSet is being deleted"
        if stateful_set.spec.pod_management_policy != "Parallel":
            waits = next((member for member in before if member.health is not Health.READY), None)
            if waits is not None:
                verb = "exist" if not waits.uid else "be ready"
                return Health.WAITING, f"{WAITS_FOR}{waits.pod} to {verb}"
        return Health.WAITING, "not created yet"


def empty_place(
    name: str, context: Context, health: Health, note: str, claims: tuple[Claim, ...], phase: str = "not created"
) -> Member:
    """A member without a pod."""
    return Member(
        pod=name, uid="", label=context.label, set_name=context.set_name, ordinal=context.ordinal, role=context.role,
        health=health, phase=phase, ready="", restarts=0, last_restart="", last_restart_at=None, created=None,
        node="", ip="", revision="", current=True, images=(), claims=claims, note=note,
    )  # fmt: skip


def terminating_since(pod: Pod) -> float | None:
    """When the pod was told to go.

    The deletion time that the server writes is when the grace period ENDS: seven days ahead for a RabbitMQ, half an
    hour for a CloudNativePG instance.
    """
    meta = pod.metadata
    ends = times.parse(meta.deletion_timestamp)
    return None if ends is None else ends - (meta.deletion_grace_period_seconds or 0)


def node_trouble(node: Node | None) -> str:
    """What is wrong with a node, empty when nothing is or when nodes may not be read."""
    if node is None:
        return ""
    for item in node.status.conditions:
        if item.type == "Ready" and item.status != "True":
            return f"node {node.name} is not ready" if item.status == "False" else f"node {node.name} does not report"
    return ""


def create_failure(store: Store, uid: str, name: str) -> Event | None:
    """The event that says why a controller could not make this pod (or its claim), if that is still the last word."""
    about = [event for event in store.events_of(uid) if f" {name} " in event.message or f"-{name} " in event.message]
    failed = events.newest(about, "FailedCreate")
    done = events.newest(about, "SuccessfulCreate")
    if failed is None or (done is not None and (events.last_seen(done) or 0) > (events.last_seen(failed) or 0)):
        return None
    return failed


def short_refusal(message: str) -> str:
    """What matters of the API server's refusal: the part behind "forbidden:" or "failed error:"."""
    for mark in (" is forbidden: ", "failed error: ", "Error creating: "):
        if mark in message:
            return message.partition(mark)[2]
    return message


def why_not(store: Store, pod: Pod, state: PodState, claims: Iterable[Claim]) -> str:
    """Why a pod is not ready, in a few words."""
    ask: dict[Health, Callable[[], str]] = {
        Health.WAITING: lambda: _unscheduled(pod, claims),
        Health.STARTING: lambda: _slow_start(store, pod, claims),
        Health.RUNNING: lambda: _not_ready(store, pod),
        Health.FAILING: lambda: _broken(pod, state),
        Health.TERMINATING: lambda: "still Ready while it drains" if is_ready(pod) else "",
    }
    told = ask.get(state.health)
    return told() if told is not None else pod.status.message


def _unscheduled(pod: Pod, claims: Iterable[Claim]) -> str:
    if pod.status.reason or state_gated(pod):
        return pod.status.message or "waits for its scheduling gates to be lifted"
    for claim in claims:
        if claim.phase != "Bound" and claim.note and "scheduled" not in claim.note:
            return f"claim {claim.name} is {claim.phase}: {claim.note}"
    scheduled = condition(pod, "PodScheduled")
    return scheduled.message if scheduled is not None else ""


def state_gated(pod: Pod) -> bool:
    """Whether a scheduling gate holds the pod."""
    scheduled = condition(pod, "PodScheduled")
    return scheduled is not None and scheduled.reason == "SchedulingGated"


def _slow_start(store: Store, pod: Pod, claims: Iterable[Claim]) -> str:
    started = any(status.state.running for status in pod.status.init_container_statuses)
    trouble = events.newest(
        store.events_of(pod.uid), "FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"
    )
    if trouble is not None and not started:
        return trouble.message
    for claim in claims:
        if claim.phase not in ("Bound", "Unknown"):
            return f"claim {claim.name} is {claim.phase}: {claim.note}"
    return ""


def _not_ready(store: Store, pod: Pod) -> str:
    failed = last_probe_failure(store, pod)
    if failed is not None:
        return failed.message.strip().removesuffix(":")
    if all(status.ready for status in pod.status.container_statuses):
        for gate in pod.spec.readiness_gates:
            found = condition(pod, gate.condition_type)
            if found is None or found.status != "True":
                return f"readiness gate {gate.condition_type} is not met"
    waiting = [status.name for status in pod.status.container_statuses if not status.ready]
    return f"{', '.join(waiting)} not ready" if waiting else ""


def last_probe_failure(store: Store, pod: Pod) -> Event | None:
    """The newest failure of a probe since the running containers were started."""
    since = min(
        (
            times.parse(status.state.running.started_at) or 0.0
            for status in pod.status.container_statuses
            if status.state.running is not None and not status.ready
        ),
        default=0.0,
    )
    return events.newest(store.events_of(pod.uid), "Unhealthy", since=since)


def _broken(pod: Pod, state: PodState) -> str:
    if pod.status.phase == "Failed":
        return pod.status.message or pod.status.reason
    status = state.container
    if status is None:
        return pod.status.message
    waiting = status.state.waiting
    if waiting is not None and waiting.reason in _PULL:
        return f"{status.name}: cannot pull {status.image or 'its image'}"
    how = status.state.terminated or status.last_state.terminated
    if how is not None:
        return f"{status.name} ended: {ended(how)}"
    return f"{status.name}: {waiting.message}" if waiting is not None and waiting.message else status.name


def _same_node(one: Node | None, other: Node | None) -> bool:
    return one is other or node_trouble(one) == node_trouble(other)
