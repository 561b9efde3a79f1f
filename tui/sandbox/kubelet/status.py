"""A pod's status from what became of its containers, in the words of the kubelet. Nothing here does anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tui.sandbox.model import Json

Kind = Literal["init", "sidecar", "main"]


def now() -> str:
    """The time as Kubernetes writes it: UTC, whole seconds."""
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(slots=True, eq=False)
class Container:
    """What is known of a container.

    Attributes:
        spec: its manifest.
        kind: whether it is an init container, a sidecar (an init container that stays), or neither.
        state: `waiting`, `running` or `terminated`.
        last: the state before the last restart.
        restarts: how often it was started anew.
        ready: its readiness probe succeeds (or it has none and runs); an init container that has completed.
        started: its startup probe has succeeded (or it has none and runs).
        id: of its last run.
        finished: it ends here and will not be started again.
    """

    spec: Json
    kind: Kind
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    id: str = ""
    finished: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.spec["name"])

    @property
    def exit_code(self) -> int | None:
        """How its last run ended; None while it runs or waits for its first."""
        ended = self.state.get("terminated") or self.last.get("terminated")
        return None if ended is None or "running" in self.state else int(ended["exitCode"])

    def status(self) -> Json:
        """Its entry under `containerStatuses`."""
        image = str(self.spec.get("image", ""))
        found: Json = {
            "image": image,
            "imageID": f"sandbox://{image}" if self.id else "",
            "lastState": self.last,
            "name": self.name,
            "ready": self.ready,
            "resources": self.spec.get("resources") or {},
            "restartCount": self.restarts,
            "started": self.started,
            "state": self.state,
        }
        if self.id:
            found["containerID"] = self.id
        if mounts := self.spec.get("volumeMounts"):
            found["volumeMounts"] = [
                {key: mount[key] for key in ("mountPath", "name", "readOnly") if key in mount} for mount in mounts
            ]
        return found


def terminated(code: int, number: int, started: str, container: str, message: str = "", reason: str = "") -> Json:
    """A `terminated` state; the reason is the runtime's unless one is given."""
    found: Json = {
        "containerID": container,
        "exitCode": code,
        "finishedAt": now(),
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "startedAt": started,
    }
    if number and code != 128 + number:
        found["signal"] = number
    if message:
        found["message"] = message
    return {"terminated": found}


def phase(containers: Sequence[Container], policy: str, *, ended: bool) -> str:
    """Pending, Running, Succeeded or Failed.

    Args:
        containers: all of the pod's.
        policy: the pod's restartPolicy.
        ended: nothing of it will be started any more, because it is being deleted or has failed at its start.
    """
    inits = [c for c in containers if c.kind == "init"]
    mains = [c for c in containers if c.kind == "main"]
    if ended:
        codes = [c.exit_code for c in containers if c.kind != "sidecar" and c.exit_code is not None]
        return "Failed" if any(codes) or len(codes) < len(mains) else "Succeeded"
    if any(c.finished and c.exit_code for c in inits) and policy == "Never":
        return "Failed"
    if not all(c.finished for c in inits):
        return "Pending"
    if all(c.finished for c in mains) and mains:
        return "Failed" if any(c.exit_code for c in mains) else "Succeeded"
    begun = [c for c in mains if "running" in c.state or c.exit_code is not None]
    return "Running" if begun else "Pending"


def conditions(pod: Json, containers: Sequence[Container], phase: str, *, sandbox: bool) -> list[Json]:
    """The pod's conditions: the kubelet's five, and those of others as they are.

    Args:
        pod: as the API has it: transition times stay where nothing changed, readiness gates are read from it.
        containers: all of the pod's.
        phase: its phase.
        sandbox: its volumes and its address are there.
    """
    before = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or []}
    served = [c for c in containers if c.kind != "init"]
    if phase in ("Succeeded", "Failed"):
        reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
        serving = gated = (False, reason, "")
        initialized = (
            all(c.ready for c in containers if c.kind == "init"),
            "PodCompleted" if phase == "Succeeded" else "",
            "",
        )
    else:
        unready = [c.name for c in served if not c.ready]
        waiting = [
            c.name for c in containers if (c.kind == "init" and not c.ready) or (c.kind == "sidecar" and not c.started)
        ]
        serving = _verdict(unready, "ContainersNotReady", "containers with unready status")
        gated = serving
        if not unready:
            gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
            closed = [gate for gate in gates if before.get(gate, {}).get("status") != "True"]
            message = "; ".join(
                f'the status of pod readiness gate "{gate}" is not "True", but {before[gate].get("status") or "False"}'
                if gate in before
                else f'corresponding condition of pod readiness gate "{gate}" does not exist.'
                for gate in closed
            )
            gated = (not closed, "ReadinessGatesNotReady" if closed else "", message)
        initialized = _verdict(waiting, "ContainersNotInitialized", "containers with incomplete status")
    wanted = {
        "PodReadyToStartContainers": (sandbox, "", ""),
        "Initialized": initialized,
        "Ready": gated,
        "ContainersReady": serving,
        "PodScheduled": (True, "", ""),
    }
    found = [_condition(kind, *verdict, before.get(kind)) for kind, verdict in wanted.items()]
    return found + [condition for kind, condition in before.items() if kind not in wanted]


def _verdict(names: Iterable[str], reason: str, message: str) -> tuple[bool, str, str]:
    listed = " ".join(names)
    return (False, reason, f"{message}: [{listed}]") if listed else (True, "", "")


def _condition(kind: str, good: bool, reason: str, message: str, before: Json | None) -> Json:
    status = "True" if good else "False"
    found: Json = {"lastProbeTime": None, "lastTransitionTime": now(), "status": status, "type": kind}
    if before is not None and before.get("status") == status:
        found["lastTransitionTime"] = before.get("lastTransitionTime") or found["lastTransitionTime"]
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    return found
