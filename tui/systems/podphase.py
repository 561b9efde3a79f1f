"""How a pod is: what `kubectl get pods` prints in STATUS, READY and RESTARTS, and what that means for its health."""

from __future__ import annotations

from dataclasses import dataclass

from tui.kube import times
from tui.kube.objects import Condition, ContainerStatus, Pod, Terminated
from tui.systems.model import Health

#: Waiting reasons that are a normal part of a start; any other means that something is wrong.
_STARTING = frozenset(("ContainerCreating", "PodInitializing", ""))


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod's state.

    Attributes:
        phase: what kubectl prints in STATUS; a running or broken init container's name is added.
        health: what it means.
        ready: "1/2"; sidecars are counted.
        restarts: as kubectl counts them.
        last_restart: reason and exit code of the newest termination that was followed by a restart.
        last_restart_at: when that was.
        container: the container that holds it up, None where there is none.
    """

    phase: str
    health: Health
    ready: str
    restarts: int
    last_restart: str
    last_restart_at: float | None
    container: ContainerStatus | None


def condition(pod: Pod, kind: str) -> Condition | None:
    """A pod's condition of that type."""
    return next((item for item in pod.status.conditions if item.type == kind), None)


def is_ready(pod: Pod) -> bool:
    """Whether the pod counts as ready: its own probes and its readiness gates."""
    for item in pod.status.conditions:
        if item.type == "Ready":
            return item.status == "True"
    return False


def pod_state(pod: Pod) -> PodState:
    """Reads a pod's state; the order of questions is that of kubectl's printer."""
    return _plain(pod) or _full(pod)


def _plain(pod: Pod) -> PodState | None:
    """The state of a pod of which there is nothing to tell, as most are; None for any other."""
    status = pod.status
    if status.phase != "Running" or status.reason or pod.spec.init_containers or not is_ready(pod) \
            or pod.metadata.deletion_timestamp is not None:  # fmt: skip
        return None
    restarts = 0
    for item in status.container_statuses:
        if not item.ready or item.state.running is None or item.last_state.terminated is not None:
            return None
        restarts += item.restart_count
    ready = len(status.container_statuses)
    return PodState("Running", Health.READY, f"{ready}/{len(pod.spec.containers)}", restarts, "", None, None)


def _full(pod: Pod) -> PodState:
    status = pod.status
    reason = status.reason or status.phase
    initialized = ready_condition = False
    for item in status.conditions:
        if item.type == "Ready":
            ready_condition = item.status == "True"
        elif item.type == "Initialized":
            initialized = item.status == "True"
        elif item.type == "PodScheduled" and item.reason == "SchedulingGated":
            reason = "SchedulingGated"
    count = _Count(len(pod.spec.containers))
    culprit: ContainerStatus | None = None
    name = ""
    stuck = _init_containers(pod, count)
    if stuck is not None:
        reason, culprit = stuck
        name = culprit.name
    if stuck is None or initialized:
        count.restarts = count.sidecar_restarts
        said, running = _containers(pod, count)
        if said is not None:
            reason, culprit = said
            name = ""
            if reason == "Completed" and running:
                reason = "Running" if ready_condition else "NotReady"
    health = _health(pod, reason, culprit, ready_condition)
    if pod.metadata.deletion_timestamp is not None:
        if status.reason == "NodeLost":
            reason, health, name = "Unknown", Health.UNKNOWN, ""
        elif status.phase not in ("Succeeded", "Failed"):
            reason, health, name = "Terminating", Health.TERMINATING, ""
    last, at = count.last
    return PodState(
        phase=f"{reason} {name}" if name and reason.startswith("Init:") else reason or "Unknown",
        health=health,
        ready=f"{count.ready}/{count.total}",
        restarts=count.restarts,
        last_restart=ended(last) if last is not None else "",
        last_restart_at=at,
        container=culprit,
    )


def ended(how: Terminated) -> str:
    """How a container ended, short: "OOMKilled 137", "Error 1", "signal 9"."""
    if how.reason:
        return f"{how.reason} {how.exit_code}"
    return f"signal {how.signal}" if how.signal else f"exit {how.exit_code}"


class _Count:
    """Sums over a pod's containers."""

    __slots__ = ("last", "ready", "restarts", "sidecar_restarts", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.ready = self.restarts = self.sidecar_restarts = 0
        self.last: tuple[Terminated | None, float | None] = (None, None)

    def termination(self, status: ContainerStatus) -> None:
        """Remembers the newest termination that was followed by a restart."""
        how = status.last_state.terminated
        if how is not None:
            at = times.parse(how.finished_at)
            if self.last[0] is None or (at or 0.0) >= (self.last[1] or 0.0):
                self.last = (how, at)


def _init_containers(pod: Pod, count: _Count) -> tuple[str, ContainerStatus] | None:
    """Counts the init containers; returns what the first unfinished one says."""
    specs = pod.spec.init_containers
    if not specs:
        return None
    sidecars = {item.name for item in specs if item.sidecar}
    count.total += len(sidecars)
    for place, status in enumerate(pod.status.init_container_statuses):
        count.restarts += status.restart_count
        count.termination(status)
        if status.name in sidecars:
            count.sidecar_restarts += status.restart_count
        state = status.state
        if state.terminated is not None and state.terminated.exit_code == 0:
            continue
        if status.name in sidecars and status.started:
            count.ready += status.ready
            continue
        if state.terminated is not None:
            return f"Init:{_how(state.terminated)}", status
        if state.waiting is not None and state.waiting.reason not in ("", "PodInitializing"):
            return f"Init:{state.waiting.reason}", status
        return f"Init:{place}/{len(specs)}", status
    return None


def _containers(pod: Pod, count: _Count) -> tuple[tuple[str, ContainerStatus] | None, bool]:
    """Counts the containers; returns what the first unwell one says, and whether any runs and is ready."""
    said: tuple[str, ContainerStatus] | None = None
    running = False
    for status in reversed(pod.status.container_statuses):
        count.restarts += status.restart_count
        count.termination(status)
        state = status.state
        if state.waiting is not None and state.waiting.reason:
            said = (state.waiting.reason, status)
        elif state.terminated is not None:
            said = (_how(state.terminated), status)
        elif status.ready and state.running is not None:
            running = True
            count.ready += 1
    return said, running


def _how(how: Terminated) -> str:
    if how.reason:
        return how.reason
    return f"Signal:{how.signal}" if how.signal else f"ExitCode:{how.exit_code}"


def _health(pod: Pod, reason: str, culprit: ContainerStatus | None, ready: bool) -> Health:
    phase = pod.status.phase
    if phase == "Succeeded":
        return Health.STOPPED
    if phase == "Failed":
        return Health.FAILING
    if phase == "Unknown" or not phase:
        return Health.UNKNOWN
    if ready:
        return Health.READY
    if culprit is not None:
        if culprit.state.waiting is not None:
            return Health.STARTING if culprit.state.waiting.reason in _STARTING else Health.FAILING
        over = culprit.state.terminated
        if over is not None and (over.exit_code or over.signal or reason.startswith("Init:")):
            return Health.FAILING
        if reason.startswith("Init:"):
            return Health.STARTING
    if phase == "Pending":
        scheduled = condition(pod, "PodScheduled")
        waits = scheduled.status != "True" if scheduled is not None else not pod.spec.node_name
        return Health.WAITING if waits else Health.STARTING
    return Health.RUNNING
