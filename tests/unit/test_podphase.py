"""STATUS, READY and RESTARTS as kubectl prints them, and what they mean."""

# ruff: noqa: E501 - tables, one case a line

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tui.kube import objects as o
from tui.systems.model import Health
from tui.systems.podphase import ended, pod_state


def status(
    name: str = "db", *, restarts: int = 0, ready: bool = False, last: dict[str, Any] | None = None, **state: Any
) -> dict[str, Any]:
    """A container status; `waiting`, `running` or `terminated` make its state."""
    started = state.pop("started", None)
    found: dict[str, Any] = {"name": name, "ready": ready, "restartCount": restarts, "state": state}
    if last is not None:
        found["lastState"] = {"terminated": last}
    if started is not None:
        found["started"] = started
    return found


def build(
    phase: str = "Running",
    containers: list[dict[str, Any]] | None = None,
    init: list[dict[str, Any]] | None = None,
    *,
    ready: bool | None = False,
    initialized: bool | None = None,
    sidecars: tuple[str, ...] = (),
    total: int = 0,
    node: str = "node-1",
    meta: dict[str, Any] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    **rest: Any,
) -> o.Pod:
    containers = containers or []
    init = init or []
    told = list(conditions or [])
    if ready is not None:
        told.append({"type": "Ready", "status": str(ready)})
    if initialized is None:
        initialized = not init
    told.append({"type": "Initialized", "status": str(initialized)})
    spec = {
        "nodeName": node,
        "containers": [{"name": item["name"]} for item in containers] or [{"name": f"c{n}"} for n in range(total or 1)],
        "initContainers": [
            {"name": item["name"], **({"restartPolicy": "Always"} if item["name"] in sidecars else {})} for item in init
        ],
    }
    body = {"phase": phase, "conditions": told, "containerStatuses": containers, "initContainerStatuses": init, **rest}
    return msgspec.convert({"metadata": {"name": "p", "uid": "u", **(meta or {})}, "spec": spec, "status": body}, o.Pod)


DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
RUNNING = {"running": {"startedAt": "2026-11-23T12:00:00Z"}}
GONE = {"deletionTimestamp": "2026-11-23T12:00:30Z", "deletionGracePeriodSeconds": 30}


@pytest.mark.parametrize(
    ("pod", "phase", "ready", "health"),
    [
        (build(containers=[status(ready=True, **RUNNING)], ready=True), "Running", "1/1", Health.READY),
        (build(containers=[status(**RUNNING)]), "Running", "0/1", Health.RUNNING),
        (build(containers=[status("a", ready=True, **RUNNING), status("b", **RUNNING)]), "Running", "1/2", Health.RUNNING),
        (build("Pending", ready=None, total=2, node="", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]), "Pending", "0/2", Health.WAITING),
        (build("Pending", ready=None, node="", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]), "SchedulingGated", "0/1", Health.WAITING),
        (build("Pending", [status(waiting={"reason": "ContainerCreating"})], conditions=[{"type": "PodScheduled", "status": "True"}]), "ContainerCreating", "0/1", Health.STARTING),
        (build("Pending", ready=None, conditions=[{"type": "PodScheduled", "status": "True"}]), "Pending", "0/1", Health.STARTING),
        (build("Pending", [status(waiting={"reason": "ImagePullBackOff"})]), "ImagePullBackOff", "0/1", Health.FAILING),
        (build("Pending", [status(waiting={"reason": "CreateContainerConfigError"})]), "CreateContainerConfigError", "0/1", Health.FAILING),
        (build(containers=[status(restarts=4, waiting={"reason": "CrashLoopBackOff"}, last={"exitCode": 1, "reason": "Error"})]), "CrashLoopBackOff", "0/1", Health.FAILING),
        (build(containers=[status(terminated={"exitCode": 137, "reason": "OOMKilled"})]), "OOMKilled", "0/1", Health.FAILING),
        (build(containers=[status(terminated={"exitCode": 3})]), "ExitCode:3", "0/1", Health.FAILING),
        (build(containers=[status(terminated={"exitCode": 0, "signal": 9})]), "Signal:9", "0/1", Health.FAILING),
        (build("Succeeded", [status(**DONE)]), "Completed", "0/1", Health.STOPPED),
        (build("Failed", reason="Evicted"), "Evicted", "0/1", Health.FAILING),
        (build(containers=[status("a", **DONE), status("b", ready=True, **RUNNING)], ready=True), "Running", "1/2", Health.READY),
        (build(containers=[status("a", **DONE), status("b", ready=True, **RUNNING)]), "NotReady", "1/2", Health.RUNNING),
        (build("Unknown", ready=None), "Unknown", "0/1", Health.UNKNOWN),
        (build("", ready=None), "Unknown", "0/1", Health.UNKNOWN),
        # init containers
        (build("Pending", [status(waiting={"reason": "PodInitializing"})], [status("init-mysql", **DONE), status("clone-mysql", **RUNNING)]), "Init:1/2 clone-mysql", "0/1", Health.STARTING),
        (build("Pending", [status(waiting={"reason": "PodInitializing"})], [status("one", waiting={"reason": "PodInitializing"}), status("two", waiting={"reason": "PodInitializing"})]), "Init:0/2 one", "0/1", Health.STARTING),
        (build("Pending", [], [status("one", terminated={"exitCode": 1, "reason": "Error"})]), "Init:Error one", "0/1", Health.FAILING),
        (build("Pending", [], [status("one", waiting={"reason": "CrashLoopBackOff"})]), "Init:CrashLoopBackOff one", "0/1", Health.FAILING),
        (build("Pending", [], [status("one", terminated={"exitCode": 7})]), "Init:ExitCode:7 one", "0/1", Health.FAILING),
        (build("Pending", [], [status("one", terminated={"exitCode": 1, "signal": 9})]), "Init:Signal:9 one", "0/1", Health.FAILING),
        (build("Pending", [], [status("one", waiting={"reason": "ErrImagePull"})]), "Init:ErrImagePull one", "0/1", Health.FAILING),
        # sidecars: started is enough for the next, and they count
        (build("Pending", [status(waiting={"reason": "PodInitializing"})], [status("log", started=True, ready=True, **RUNNING), status("one", **RUNNING)], sidecars=("log",)), "Init:1/2 one", "1/2", Health.STARTING),
        (build(containers=[status(ready=True, **RUNNING)], init=[status("log", started=True, ready=True, **RUNNING)], sidecars=("log",), ready=True, initialized=True), "Running", "2/2", Health.READY),
        # on the way out
        (build(containers=[status(ready=True, **RUNNING)], ready=True, meta=GONE), "Terminating", "1/1", Health.TERMINATING),
        (build(containers=[status(ready=True, **RUNNING)], ready=True, meta=GONE, reason="NodeLost"), "Unknown", "1/1", Health.UNKNOWN),
        (build("Succeeded", [status(**DONE)], meta=GONE), "Completed", "0/1", Health.STOPPED),
        (build("Failed", [status(terminated={"exitCode": 1, "reason": "Error"})], meta=GONE), "Error", "0/1", Health.FAILING),
    ],
)  # fmt: skip
def test_status(pod: o.Pod, phase: str, ready: str, health: Health) -> None:
    state = pod_state(pod)
    assert (state.phase, state.ready, state.health) == (phase, ready, health)


def test_restarts_are_of_all_containers_with_the_newest_reason() -> None:
    older = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-23T11:00:00Z"}
    newer = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T12:00:00Z"}
    state = pod_state(build(containers=[status("a", restarts=2, last=newer, ready=True, **RUNNING), status("b", restarts=3, last=older, ready=True, **RUNNING)], ready=True))  # fmt: skip
    assert (state.restarts, state.last_restart, state.last_restart_at) == (5, "OOMKilled 137", 1795435200.0)


def test_restarts_of_init_containers_count_until_they_are_done() -> None:
    init = [status("one", restarts=4, terminated={"exitCode": 1, "reason": "Error"})]
    assert pod_state(build("Pending", [], init)).restarts == 4
    done = [status("one", restarts=4, **DONE)]
    assert (
        pod_state(build(containers=[status(ready=True, **RUNNING)], init=done, ready=True, initialized=True)).restarts
        == 0
    )


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (o.Terminated(exit_code=137, reason="OOMKilled"), "OOMKilled 137"),
        (o.Terminated(exit_code=0, reason="Completed"), "Completed 0"),
        (o.Terminated(signal=9), "signal 9"),
        (o.Terminated(exit_code=2), "exit 2"),
    ],
)
def test_how_a_container_ended(how: o.Terminated, text: str) -> None:
    assert ended(how) == text
