"""What operators say, held against what is there.

An operator's status is a claim. It goes stale when the operator is down, it may count members that do not exist, and
some of it never meant what it seems to say. Each function here looks at one operator's object and at the pods, and
returns what a person should know; the phase itself is shown only as "operator says".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui.kube.objects import CustomResource, Pod
from tui.systems.model import Health, Role, Warning
from tui.systems.packaging import Custom
from tui.systems.podphase import is_ready


@dataclass(frozen=True, slots=True)
class Scene:
    """What an operator's claim is held against.

    Attributes:
        custom: the operator's object; None where it may not be read.
        pods: the workload's pods.
        name: of the workload.
        endpoints: how many ready endpoints a Service of the namespace has; None when that is not known.
    """

    custom: CustomResource | None
    pods: Sequence[Pod]
    name: str
    endpoints: Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Place:
    """A member that the operator names and that has no pod."""

    name: str
    health: Health
    note: str
    role: Role | None = None


@dataclass(slots=True)
class Findings:
    """What a look at an operator's object brought.

    Attributes:
        warnings: facts that want attention.
        places: members without a pod.
        overrides: health and note of pods that are not what Kubernetes says of them.
        stopped: why the whole workload is off on purpose, empty when it is not.
        image: of the servers, where no pod tells it.
    """

    warnings: list[Warning] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    overrides: dict[str, tuple[Health, str]] = field(default_factory=dict)
    stopped: str = ""
    image: str = ""


def look(packaging_id: str, scene: Scene) -> Findings:
    """Holds an operator's object against the pods, for the operators whose traps are known."""
    hook = _HOOKS.get(packaging_id)
    return hook(scene) if hook is not None else Findings()


def says(custom: Custom | None, item: CustomResource | None) -> str:
    """The operator's own verdict in its own words; empty when it gives none."""
    if custom is None or item is None or not custom.says:
        return ""
    value = dig(item, custom.says)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list):
        return ", ".join(word for word in map(_condition, value) if word)
    return ""


def desired(custom: Custom | None, item: CustomResource | None) -> int | None:
    """How many members the object asks for; None when it does not say."""
    value = dig(item, custom.desired) if custom is not None and item is not None and custom.desired else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def dig(item: CustomResource, path: Sequence[str]) -> object:
    """The value at a path such as `spec.instances`; None when there is none."""
    value: object = {"spec": item.spec, "status": item.status}
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(status: Mapping[str, Any], key: str) -> str:
    value = status.get(key)
    return value if isinstance(value, str) else ""


def _condition(item: object) -> str:
    if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
        return ""
    verdict = item.get("status")
    return item["type"] if verdict == "True" else f"{item['type']} {'not so' if verdict == 'False' else 'unknown'}"


# --- CloudNativePG


def _cloudnative_pg(scene: Scene) -> Findings:
    found = Findings()
    if scene.custom is None:
        return found
    status = scene.custom.status
    image = scene.custom.spec.get("imageName") or status.get("image")
    found.image = image if isinstance(image, str) else ""
    pods = {pod.name: pod for pod in scene.pods}
    phase = _text(status, "phase")
    if scene.custom.metadata.annotations.cnpg_hibernation == "on":
        found.stopped = "hibernated on purpose" if not pods else "being hibernated"
        if not pods and phase:
            evidence = f"annotation cnpg.io/hibernation: on; phase: {phase}"
            found.warnings.append(Warning("hibernated: no member runs", evidence, Health.STOPPED))
        found.places = [Place(name, Health.STOPPED, "hibernated") for name in _instances(status) if name not in pods]
        return found
    _fenced(scene, scene.custom, found)
    _primary(scene, found, status, pods)
    primary = _text(status, "currentPrimary")
    for name in _instances(status):
        if name not in pods:
            lost = name == primary
            found.places.append(
                Place(
                    name,
                    Health.FAILING if lost else Health.WAITING,
                    "its pod does not exist",
                    Role("primary", None, "status.currentPrimary, without a pod") if lost else None,
                )
            )
    counted = sum(1 for pod in scene.pods if is_ready(pod) and pod.metadata.deletion_timestamp is None)
    claimed = status.get("readyInstances")
    if isinstance(claimed, int) and claimed > counted:
        text = f"the operator counts {claimed} ready, {counted} are"
        found.warnings.append(Warning(text, f"status.readyInstances: {claimed}", Health.RUNNING))
    return found


def _instances(status: Mapping[str, Any]) -> list[str]:
    names = status.get("instanceNames")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _primary(scene: Scene, found: Findings, status: Mapping[str, Any], pods: Mapping[str, Pod]) -> None:
    """A primary that is named but not there, one that is being replaced, and a write Service that leads nowhere."""
    phase = _text(status, "phase")
    current, target = _text(status, "currentPrimary"), _text(status, "targetPrimary")
    service = _text(status, "writeService") or f"{scene.name}-rw"
    if current and current not in pods:
        found.warnings.append(
            Warning(f"the primary {current} does not exist", f"status.currentPrimary: {current}; phase: {phase}")
        )
    if current and target and target != current:
        text = f"the primary moves from {current} to {target}"
        if target == "pending":
            text = "failover: a new primary is being chosen"
        found.warnings.append(Warning(text, f"status.targetPrimary: {target}; phase: {phase}", Health.STARTING))
    if current and scene.endpoints(service) == 0:
        found.warnings.append(Warning(f"Service {service} has no endpoints: writes have no target", f"phase: {phase}"))


def _fenced(scene: Scene, custom: CustomResource, found: Findings) -> None:
    text = custom.metadata.annotations.cnpg_fenced
    if not text:
        return
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list):
        evidence = f"cnpg.io/fencedInstances: {text}"
        found.warnings.append(Warning("the fencing annotation cannot be read", evidence, Health.UNKNOWN))
        return
    primary = _text(custom.status, "currentPrimary")
    for pod in scene.pods:
        if "*" in names or pod.name in names:
            found.overrides[pod.name] = (Health.STOPPED, "fenced: PostgreSQL is kept down in it")
            found.warnings.append(
                Warning(
                    f"{pod.name} is fenced: PostgreSQL is kept down in it",
                    f"cnpg.io/fencedInstances: {text}; phase: {_text(custom.status, 'phase')}",
                    Health.FAILING if pod.name == primary else Health.RUNNING,
                )
            )


# --- RabbitMQ Cluster Operator


def _rabbitmq(scene: Scene) -> Findings:
    found = Findings()
    if scene.custom is None:
        return found
    wanted = dig(scene.custom, ("spec", "replicas"))
    counted = sum(1 for pod in scene.pods if is_ready(pod) and pod.metadata.deletion_timestamp is None)
    conditions = scene.custom.status.get("conditions")
    for item in conditions if isinstance(conditions, list) else []:
        if not isinstance(item, Mapping):
            continue
        kind, verdict = item.get("type"), item.get("status")
        message = item.get("message") or item.get("reason") or ""
        if kind == "AllReplicasReady" and verdict == "True" and isinstance(wanted, int) and counted < wanted:
            text = f"the operator says that all are ready, {counted} of {wanted} are"
            found.warnings.append(Warning(text, "AllReplicasReady: True", Health.RUNNING))
        elif kind == "ReconcileSuccess" and verdict == "False":
            text = "the operator cannot bring the cluster to its specification"
            found.warnings.append(Warning(text, str(message), Health.RUNNING))
        elif kind == "NoWarnings" and verdict == "False":
            found.warnings.append(Warning("the operator warns", str(message), Health.READY))
    return found


# --- Spotahome's redis-operator

_REDIS_ROLE = "redisfailovers-role"


def _spotahome(scene: Scene) -> Findings:
    found = Findings()
    servers = [pod for pod in scene.pods if pod.metadata.labels.get("app.kubernetes.io/component") == "redis"]
    masters = [pod.name for pod in servers if pod.metadata.labels.get(_REDIS_ROLE) == "master"]
    if servers and len(masters) != 1:
        said = ", ".join(f"{pod.name}: {pod.metadata.labels.get(_REDIS_ROLE, '(none)')}" for pod in servers)
        text = (
            "no member is labelled master: writes have no known target; ask a Sentinel"
            if not masters
            else f"{len(masters)} members are labelled master; ask a Sentinel"
        )
        found.warnings.append(Warning(text, f"label {_REDIS_ROLE} of {said}", Health.RUNNING))
    return found


_HOOKS: Mapping[str, Callable[[Scene], Findings]] = {
    "cloudnative-pg": _cloudnative_pg,
    "cluster-operator": _rabbitmq,
    "spotahome": _spotahome,
}
