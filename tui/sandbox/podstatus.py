"""The STATUS, READY and RESTARTS of a pod, as `kubectl get pods` words them."""

from __future__ import annotations

from tui.sandbox import ages
from tui.sandbox.model import Json


def cells(pod: Json) -> tuple[str, str, str]:
    """READY, STATUS and RESTARTS."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    statuses: list[Json] = status.get("containerStatuses", [])
    sidecars = {part.get("name") for part in spec.get("initContainers", []) if part.get("restartPolicy") == "Always"}
    first: list[Json] = status.get("initContainerStatuses", [])
    reason = status.get("reason") or status.get("phase", "")
    if any(gate.get("reason") == "SchedulingGated" for gate in status.get("conditions", [])):
        reason = "SchedulingGated"
    waiting = _initializing(first, sidecars, len(spec.get("initContainers", [])))
    counted = [part for part in first if part.get("name") in sidecars]
    if waiting:
        reason, counted = waiting, first
    else:
        reason = _running(statuses, status, reason)
        counted = [*counted, *statuses]
    if pod["metadata"].get("deletionTimestamp"):
        reason = "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    ready = sum(bool(part.get("ready")) for part in [*statuses, *(part for part in first if part["name"] in sidecars)])
    total = len(spec.get("containers", [])) + len(sidecars)
    return f"{ready}/{total}", reason, _restarts(counted)


def _restarts(statuses: list[Json]) -> str:
    count = sum(part.get("restartCount", 0) for part in statuses)
    ends = [part.get("lastState", {}).get("terminated", {}).get("finishedAt", "") for part in statuses]
    last = max(filter(None, ends), default="")
    return f"{count} ({ages.since(last)} ago)" if count and last else str(count)


def _ended(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _initializing(statuses: list[Json], sidecars: set[object], total: int) -> str:
    for index, part in enumerate(statuses):
        state = part.get("state", {})
        if state.get("terminated", {}).get("exitCode", 1) == 0 or (
            part.get("name") in sidecars and part.get("started")
        ):
            continue
        if "terminated" in state:
            return f"Init:{_ended(state['terminated'])}"
        reason = state.get("waiting", {}).get("reason", "")
        return f"Init:{reason}" if reason and reason != "PodInitializing" else f"Init:{index}/{total}"
    return ""


def _running(statuses: list[Json], status: Json, reason: str) -> str:
    runs = False
    for part in reversed(statuses):
        state = part.get("state", {})
        if state.get("waiting", {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif "terminated" in state:
            reason = _ended(state["terminated"])
        elif part.get("ready") and "running" in state:
            runs = True
    if reason == "Completed" and runs:
        ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions", []))
        return "Running" if ready else "NotReady"
    return reason
