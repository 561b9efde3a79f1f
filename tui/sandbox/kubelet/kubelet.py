"""The kubelet: keeps a `Pod` for each pod that is bound to the node, and answers what the API server asks of them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tui.sandbox.kubelet.addresses import Addresses
from tui.sandbox.kubelet.container import Runner
from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.logs import Log
from tui.sandbox.kubelet.node import Node
from tui.sandbox.kubelet.pod import Pod
from tui.sandbox.kubelet.processes import Processes
from tui.sandbox.kubelet.usage import Usage
from tui.sandbox.model import ApiError, Change, Console, Exec, Json, Logs, Objects, Process

_log = logging.getLogger(__name__)


class BusyError(Exception):
    """Another sandbox uses the state directory; the message names the directory."""


class Kubelet:
    """Runs the pods of the node; it is `tui.sandbox.model.Pods`.

    Everything that it keeps is below `state`: `pods/<uid>` (directories and logs, which go with the pod),
    `volumes/<name of the PersistentVolume>`, `shared`, `run`.
    """

    def __init__(self, objects: Objects, state: Path, node: str = "sandbox") -> None:
        state = state.absolute()
        self.host = Host(objects, state, node, Processes(state / "run"), Addresses(state))
        self.node = Node(self.host)
        self._pods: dict[str, Pod] = {}
        self._usage = Usage(self.host, lambda: [pod for pod in self._pods.values() if pod.address is not None])
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._lock = -1

    async def start(self) -> None:
        """Ends what an earlier run left, registers the node and runs its pods from now on.

        Raises:
            BusyError: another sandbox uses the directory.
            OSError: the directory cannot be written.
        """
        self._lock = _lock(self.host.state)
        await self.host.processes.open()
        self.node.beat()
        _clean(self.host)
        self._tasks = [
            asyncio.create_task(self._follow(), name="kubelet"),
            asyncio.create_task(self.node.run(), name="node"),
            asyncio.create_task(self._usage.run(), name="usage"),
        ]

    async def run(self) -> None:
        """Waits, once it has started, for as long as all of it works. RuntimeError says what does not any more."""
        tasks = [*self._tasks, self.host.processes.reader]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = done.pop()
        cause = None if ended.cancelled() else ended.exception()
        raise RuntimeError(f"the kubelet's {ended.get_name()} has ended") from cause

    async def stop(self, grace: float = 5.0) -> None:
        """Ends all containers, politely for so many seconds; the API keeps the pods, the next start runs them again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(pod.close(grace) for pod in self._pods.values()), *self._leaving, return_exceptions=True)
        await self.host.close()
        await self.host.processes.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def exec(self, namespace: str, pod: str, container: str, request: Exec) -> Process:
        """Starts a process in a container that runs."""
        runner = self._runner(namespace, pod, container)
        if runner.child is None or not runner.child.running:
            raise ApiError(
                500, "InternalError", f'unable to upgrade connection: container not found ("{runner.record.name}")'
            )
        try:
            return await runner.exec(request)
        except (OSError, ValueError) as error:
            word = request.command[0] if request.command else ""
            reason = getattr(error, "strerror", None) or str(error)
            raise ApiError(
                500, "InternalError", f'error executing command in container: exec: "{word}": {reason}'
            ) from error

    def console(self, namespace: str, pod: str, container: str) -> Console | None:
        """The input of a container's own process, for one who is attached; None when its manifest wants no `stdin`."""
        return self._runner(namespace, pod, container).console

    async def attach(self, namespace: str, pod: str, container: str) -> AsyncIterator[tuple[str, bytes]]:
        """What a container prints from now on: (`stdout` or `stderr`, bytes)."""
        runner = self._runner(namespace, pod, container)
        if runner.child is None or runner.log is None:
            raise ApiError(
                500, "InternalError", f'unable to upgrade connection: container not found ("{runner.record.name}")'
            )
        async for piece in runner.log.attach():
            yield piece

    async def logs(self, namespace: str, pod: str, container: str, wanted: Logs) -> AsyncIterator[bytes]:
        """A container's log, in pieces of whole lines."""
        runner = self._runner(namespace, pod, container)
        record, found = runner.record, runner.log
        if wanted.previous:
            path = self._pod(namespace, pod).volumes.directory / runner.log_path(record.restarts - 1)
            found = _closed(path) if record.restarts > 0 else None
            if found is None:
                message = f'previous terminated container "{record.name}" in pod "{pod}" not found'
                raise ApiError(400, "BadRequest", message)
        if found is None:
            reason = (record.state.get("waiting") or {}).get("reason", "ContainerCreating")
            message = f'container "{record.name}" in pod "{pod}" is waiting to start: {reason}'
            raise ApiError(400, "BadRequest", message)
        async for piece in found.read(wanted):
            yield piece

    async def connect(self, namespace: str, pod: str, port: int, uid: str = "") -> tuple[Any, Any]:
        """A connection to a port of a pod; OSError when it is refused. With a uid it must be that very pod."""
        self._hears()
        found = self._pods.get(uid) if uid else self._pod(namespace, pod)
        if found is None:
            raise _no_pod(pod)
        address = found.address
        if address is None:
            raise ConnectionRefusedError(f"pod {namespace}/{pod} has no address")
        return await asyncio.open_connection(address.ip, address.port(port))

    def stats(self) -> Json:
        """The kubelet's `stats/summary` of the one node."""
        self._hears()
        return self._usage.stats()

    def metrics(self) -> list[Json]:
        """`PodMetrics` of metrics.k8s.io."""
        return self._usage.metrics()

    @property
    def pods(self) -> list[Pod]:
        """The pods of the node."""
        return list(self._pods.values())

    def _hears(self) -> None:
        if not self.host.awake.is_set():
            message = "error dialing backend: dial tcp 127.0.0.1:10250: connect: connection refused"
            raise ApiError(500, "InternalError", message)

    def _pod(self, namespace: str, name: str) -> Pod:
        self._hears()
        for pod in self._pods.values():
            if pod.key == (namespace, name):
                return pod
        raise _no_pod(name)

    def _runner(self, namespace: str, name: str, container: str) -> Runner:
        pod = self._pod(namespace, name)
        known = [record.name for record in pod.records]
        if container not in known:
            raise ApiError(400, "BadRequest", f"container {container} is not valid for pod {name}")
        runner = pod.runners.get(container)
        if runner is None:
            record = next(record for record in pod.records if record.name == container)
            reason = (record.state.get("waiting") or {}).get("reason", "ContainerCreating")
            raise ApiError(400, "BadRequest", f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        return runner

    async def _follow(self) -> None:
        async for change in self.host.objects.subscribe(["pods"]):
            await self.host.awake.wait()
            try:
                self._take(change)
            except Exception:
                # What one pod's manifest does must not end the others.
                _log.exception("pod %s", change.object.get("metadata", {}).get("name"))

    def _take(self, change: Change) -> None:
        pod = change.object
        uid = pod["metadata"]["uid"]
        if change.type == "DELETED":
            if (gone := self._pods.pop(uid, None)) is not None:
                self._leaving.add(task := asyncio.create_task(_leave(gone), name="leave"))
                task.add_done_callback(self._leaving.discard)
        elif pod["spec"].get("nodeName") == self.host.node:
            if uid in self._pods:
                self._pods[uid].update(pod)
            else:
                self._pods[uid] = Pod(self.host, pod)
                self._pods[uid].start()


def _no_pod(name: str) -> ApiError:
    return ApiError(404, "NotFound", f'pods "{name}" not found', {"name": name, "kind": "pods"})


async def _leave(pod: Pod) -> None:
    await pod.close()
    await asyncio.to_thread(pod.forget)


def _closed(path: Path) -> Log | None:
    if not path.exists():
        return None
    log = Log(path)
    log.close()
    return log


def _clean(host: Host) -> None:
    """Removes the directories of pods that the API does not have any more."""
    known = {pod["metadata"]["uid"] for pod in host.objects.list("pods")}
    with contextlib.suppress(FileNotFoundError):
        for directory in (host.state / "pods").iterdir():
            if directory.name not in known:
                shutil.rmtree(directory, ignore_errors=True)


def _lock(state: Path) -> int:
    # Others may pass (PostgreSQL may have to run as nobody), but not look around.
    state.mkdir(0o711, parents=True, exist_ok=True)
    (state / "run").mkdir(0o700, exist_ok=True)
    (state / "volumes").mkdir(exist_ok=True)
    descriptor = os.open(state / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BusyError(f"another sandbox runs in {state}") from error
    return descriptor
