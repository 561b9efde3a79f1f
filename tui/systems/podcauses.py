"""Why one pod is not ready, in its own words and those of the scheduler, the kubelet and its containers."""

from __future__ import annotations

from collections.abc import Iterator

from tui.kube import events, times
from tui.kube.objects import ContainerStatus, Event, Pod, Terminated
from tui.kube.store import Store
from tui.systems.members import last_probe_failure
from tui.systems.model import Reason
from tui.systems.packaging import split_image
from tui.systems.podphase import condition, ended, pod_state

_PULL = frozenset(("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable"))
_CONFIG = frozenset(("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError"))
_MOUNT = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox")
_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")
_LOGS = "Its last lines: kubectl logs -n {namespace} {pod} -c {container} --previous"


def pod_causes(store: Store, pod: Pod, depth: int) -> Iterator[Reason]:
    """The causes that a pod itself tells of, scheduling apart."""
    state = pod_state(pod)
    if pod.status.phase == "Failed":
        yield Reason(depth, f"the pod failed: {pod.status.reason or 'no reason given'}", pod.status.message)
    status = state.container
    statuses = [status] if status is not None else []
    if status is None:
        statuses = [item for item in pod.status.container_statuses if not item.ready]
    if pod.status.phase == "Pending" and status is None and pod.spec.node_name:
        yield from _mounts(store, pod, depth, "the kubelet has not started its containers")
        return
    for item in statuses:
        yield from _container(store, pod, item, depth)
    if not statuses:
        yield from _gates(pod, depth)


def _container(store: Store, pod: Pod, status: ContainerStatus, depth: int) -> Iterator[Reason]:
    kind = (
        "init container"
        if any(item.name == status.name for item in pod.status.init_container_statuses)
        else "container"
    )
    waiting, running, over = status.state.waiting, status.state.running, status.state.terminated
    if waiting is not None and waiting.reason in _PULL:
        image = _image_of(pod, status)
        yield Reason(depth, f"{kind} {status.name}: its image cannot be pulled", waiting.message)
        pulls = [event for event in store.events_of(pod.uid) if event.message.startswith("Failed to pull")]
        told = events.newest(pulls)
        if told is not None and told.message != waiting.message:
            yield Reason(
                depth + 1, "the registry refuses it", told.message, image_remedy(image), events.last_seen(told)
            )
        else:
            yield Reason(depth + 1, f"the image is {image}", remedy=image_remedy(image))
    elif waiting is not None and waiting.reason == "CrashLoopBackOff":
        yield Reason(
            depth, f"{kind} {status.name} ends again and again ({status.restart_count} restarts)", waiting.message
        )
        yield from _end(pod, status, status.last_state.terminated, depth + 1, kind)
    elif waiting is not None and waiting.reason in _CONFIG:
        yield Reason(depth, f"{kind} {status.name} cannot be made: {waiting.reason}", waiting.message)
    elif waiting is not None and waiting.reason not in ("", "ContainerCreating", "PodInitializing"):
        yield Reason(depth, f"{kind} {status.name} waits: {waiting.reason}", waiting.message)
    elif over is not None:
        yield from _end(pod, status, over, depth, kind)
    elif running is not None and kind == "init container":
        yield Reason(
            depth, f"{kind} {status.name} is still running", remedy="Wait for it, or read its log.",
            at=times.parse(running.started_at),
        )  # fmt: skip
    elif running is not None:
        yield from _probe(store, pod, status, depth)
    else:
        yield from _mounts(store, pod, depth, f"{kind} {status.name} has not been started")


def _end(
    pod: Pod, status: ContainerStatus, how: Terminated | None, depth: int, kind: str = "container"
) -> Iterator[Reason]:
    if how is None:
        return
    remedy = _LOGS.format(namespace=pod.namespace, pod=pod.name, container=status.name)
    if how.reason == "OOMKilled":
        remedy = "It was killed for using more memory than its limit: raise the limit, or give it less to do."
    yield Reason(depth, f"{kind} {status.name} ended: {ended(how)}", how.message, remedy, times.parse(how.finished_at))


def _probe(store: Store, pod: Pod, status: ContainerStatus, depth: int) -> Iterator[Reason]:
    failed = last_probe_failure(store, pod)
    name = "startup" if status.started is False else "readiness"
    if failed is not None:
        word = failed.message.partition(" probe")[0].lower() if " probe" in failed.message else name
        count = events.times_seen(failed)
        yield Reason(
            depth,
            f"container {status.name} runs, but its {word} probe fails" + (f" ({count} times)" if count > 1 else ""),
            failed.message,
            at=events.last_seen(failed),
        )
    else:
        yield Reason(depth, f"container {status.name} runs, and its {name} probe has not passed")
    if status.restart_count:
        yield from _end(pod, status, status.last_state.terminated, depth + 1)


def _gates(pod: Pod, depth: int) -> Iterator[Reason]:
    for gate in pod.spec.readiness_gates:
        found = condition(pod, gate.condition_type)
        if found is None or found.status != "True":
            evidence = f"{found.reason}: {found.message}".strip(": ") if found is not None else ""
            yield Reason(depth, f"its readiness gate {gate.condition_type} is not met", evidence)


def _mounts(store: Store, pod: Pod, depth: int, text: str) -> Iterator[Reason]:
    trouble = events.newest(store.events_of(pod.uid), *_MOUNT)
    yield Reason(depth, text)
    if trouble is not None:
        yield Reason(
            depth + 1, _mount_text(trouble), trouble.message, _mount_remedy(trouble), events.last_seen(trouble)
        )


def _mount_text(event: Event) -> str:
    return {
        "FailedAttachVolume": "a volume cannot be attached to its node",
        "FailedCreatePodSandBox": "its sandbox (network, cgroup) cannot be made",
    }.get(event.reason, "a volume cannot be mounted")


def _mount_remedy(event: Event) -> str:
    if "Multi-Attach" in event.message:
        return (
            "The volume is still attached to another node. It is let go when the pod there is gone; "
            "a node that is lost for good must be removed (or tainted out-of-service) first."
        )
    if "not found" in event.message and ("secret" in event.message or "configmap" in event.message):
        return "Make the missing object; the kubelet tries again by itself."
    return ""


def _image_of(pod: Pod, status: ContainerStatus) -> str:
    for item in (*pod.spec.containers, *pod.spec.init_containers):
        if item.name == status.name:
            return item.image
    return status.image


def image_remedy(image: str) -> str:
    """What is known of images that can no longer be had where their names point."""
    repository = split_image(image)[0]
    for host in _HUB:
        repository = repository.removeprefix(host)
    if repository.startswith("bitnami/"):
        name = repository.removeprefix("bitnami/")
        return (
            f"Bitnami's images were removed from docker.io/bitnami. Frozen ones are at bitnamilegacy/{name} "
            "(chart: image.repository, and global.security.allowInsecureImages=true); they get no fixes."
        )
    if repository.startswith("minio/"):
        return (
            f"MinIO's images were removed from Docker Hub. Frozen ones were at quay.io/{repository}; "
            "name an image that you can have in the Tenant or chart."
        )
    return "Check the name and tag, the registry, and the pull secret of the pod's service account."
