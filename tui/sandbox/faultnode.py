"""What faults do to the node: its processes, its silence, its disk."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from tui.sandbox.kubelet.kubelet import Kubelet
from tui.sandbox.kubelet.pod import Pod
from tui.sandbox.model import ApiError
from tui.sandbox.objects import later, now
from tui.sandbox.registry import Registry

#: The file that fills a volume.
FILLING = ".statetui-fault-filling"
_LOST = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
_UNREACHABLE = "node.kubernetes.io/unreachable"
#: For so many seconds a pod tolerates that its node is not reached, unless it says otherwise.
TOLERATED = 300


async def send(kubelet: Kubelet, pod: Pod, number: int, *kinds: str) -> int:
    """Sends a signal to all processes of a pod's containers, or of those of some kinds; to how many containers."""
    count = 0
    for runner in list(pod.runners.values()):
        child = runner.child
        if child is not None and child.running and (not kinds or runner.record.kind in kinds):
            await kubelet.host.processes.signal(child, number, everything=True)
            count += 1
    return count


class Freezer:
    """Freezes the node: the kubelet tells nothing, hears nothing and starts nothing until it is thawed."""

    def __init__(self, registry: Registry, kubelet: Kubelet) -> None:
        self._registry, self._kubelet = registry, kubelet
        self._stopped: list[Pod] = []

    async def freeze(self, *, processes: bool, evict: int) -> None:
        """Freezes it.

        Args:
            processes: whether the pods' processes stand still as well, as on a machine that hangs.
            evict: after how many seconds its pods are to be marked for deletion, at most `TOLERATED`.
        """
        self._kubelet.host.awake.clear()
        self._stopped = self._kubelet.pods if processes else []
        for pod in self._stopped:
            await send(self._kubelet, pod, signal.SIGSTOP)
        self._lose(evict)

    async def thaw(self) -> None:
        """Lets everything go on, and the kubelet say how it is."""
        for pod in self._stopped:
            await send(self._kubelet, pod, signal.SIGCONT)
        self._stopped = []
        self.taint(on=False)
        self._kubelet.host.awake.set()
        self._kubelet.node.beat(anew=True)
        for pod in self._kubelet.pods:
            pod.changed(anew=True)

    def _lose(self, evict: int) -> None:
        """Writes what the controller of nodes writes of a node that is not heard any more, 40 s earlier than it."""
        host = self._kubelet.host
        node = self._registry.get("nodes", "", host.node)
        if node is None:
            return
        reason, message = _LOST
        conditions = [
            {**each, "status": "Unknown", "reason": reason, "message": message, "lastTransitionTime": now()}
            for each in (node.get("status") or {}).get("conditions") or []
        ]
        status = {"status": {"conditions": conditions}}
        self._registry.patch("nodes", "", host.node, status, subresource="status", manager="node-controller")
        self.taint(on=True, evict=evict)
        self._registry.event(
            node, "NodeNotReady", f"Node {host.node} status is now: NodeNotReady", source="node-controller"
        )
        for pod in self._registry.list("pods"):
            if pod["spec"].get("nodeName") != host.node:
                continue
            meta = pod["metadata"]
            conditions = [
                {**each, "status": "False", "lastTransitionTime": now()} if each["type"] == "Ready" else each
                for each in (pod.get("status") or {}).get("conditions") or []
            ]
            with contextlib.suppress(ApiError):
                self._registry.patch(
                    "pods", meta["namespace"], meta["name"], {"status": {"conditions": conditions}},
                    subresource="status", manager="node-controller",
                )  # fmt: skip

    def taint(self, *, on: bool, evict: int = TOLERATED) -> None:
        """Marks the node as unreachable, or takes the marks away; see `freeze` for `evict`."""
        node = self._registry.get("nodes", "", self._kubelet.host.node)
        if node is None:
            return
        taints = node.get("spec", {}).get("taints") or []
        wanted = [taint for taint in taints if taint.get("key") != _UNREACHABLE]
        if on:
            wanted.append({"key": _UNREACHABLE, "effect": "NoSchedule", "timeAdded": now()})
            # What a pod tolerates counts from here on: an earlier time makes the wait a shorter one.
            since = later(evict - TOLERATED)
            wanted.append({"key": _UNREACHABLE, "effect": "NoExecute", "timeAdded": since})
        if wanted != taints:
            self._registry.patch("nodes", "", self._kubelet.host.node, {"spec": {"taints": wanted or None}})


def fill(file: Path, size: int) -> None:
    """Writes a file that takes so many bytes of the disk, or none when it cannot."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            block = bytes(1 << 20)
            for begin in range(0, size, len(block)):
                os.write(descriptor, block[: size - begin])
    except OSError:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
