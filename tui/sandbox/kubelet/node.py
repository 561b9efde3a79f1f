"""The node as the API has it: its object, its heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import shutil
import uuid

from tui.sandbox.kubelet import usage
from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.status import now
from tui.sandbox.model import ApiError, Json

_log = logging.getLogger(__name__)
#: Seconds between heartbeats, as the kubelet has it.
HEARTBEAT = 10.0
_VERSION = "v1.36.3"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
#: The conditions: type → (reason, message) when all is well.
_WELL = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("KubeletReady", "kubelet is posting ready status"),
}
#: Below this share of free space the disk is under pressure, as the kubelet's `nodefs.available<10%` has it.
_FREE = 0.10


class Node:
    """Registers the node and keeps its conditions fresh."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._since: dict[str, tuple[str, str]] = {}

    async def run(self) -> None:
        """Beats for ever; a frozen node not at all."""
        while True:
            await self._host.awake.wait()
            self.beat()
            await asyncio.sleep(HEARTBEAT)

    def beat(self, *, anew: bool = False) -> None:
        """Makes the node or refreshes it; `anew` when others have written its conditions meanwhile."""
        if anew:
            self._since.clear()
        name, objects = self._host.node, self._host.objects
        try:
            if objects.get("nodes", "", name) is None:
                with contextlib.suppress(ApiError):
                    objects.create("nodes", self._object(), manager="kubelet")
            objects.patch("nodes", "", name, {"status": self._status()}, subresource="status", manager="kubelet")
        except ApiError as error:
            _log.warning("heartbeat of node %s: %s", name, error)

    def _object(self) -> Json:
        machine = _MACHINES.get(platform.machine(), platform.machine())
        labels = {
            "kubernetes.io/arch": machine,
            "kubernetes.io/hostname": self._host.node,
            "kubernetes.io/os": platform.system().lower(),
        }
        annotations = {
            "statetui/sandbox": "Pods are processes of this machine; sizes of volumes and limits are not enforced"
        }
        if self._host.addresses.shared:
            annotations["statetui/addresses"] = "This system has 127.0.0.1 only: pods share it, their ports are mapped"
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._host.node, "labels": labels, "annotations": annotations},
            "spec": {},
        }

    def _status(self) -> Json:
        cores, memory = usage.machine()
        space = shutil.disk_usage(self._host.state)
        resources = {
            "cpu": str(cores),
            "ephemeral-storage": f"{space.total // 1024}Ki",
            "memory": f"{memory // 1024}Ki",
            "pods": "110",
        }
        identity = uuid.uuid5(uuid.NAMESPACE_OID, str(self._host.state)).hex
        return {
            "addresses": [
                {"address": "127.0.0.1", "type": "InternalIP"},
                {"address": self._host.node, "type": "Hostname"},
            ],
            "allocatable": resources,
            "capacity": resources,
            "conditions": self._conditions(full=space.free < _FREE * space.total),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": _MACHINES.get(platform.machine(), platform.machine()),
                "bootID": identity,
                "containerRuntimeVersion": "sandbox://1",
                "kernelVersion": os.uname().release,
                "kubeProxyVersion": "",
                "kubeletVersion": _VERSION,
                "machineID": identity,
                "operatingSystem": platform.system().lower(),
                "osImage": f"statetui sandbox on {platform.system()}",
                "systemUUID": identity,
            },
        }

    def _conditions(self, *, full: bool) -> list[Json]:
        found = []
        for kind, well in _WELL.items():
            reason, message = well
            status = "True" if kind == "Ready" else "False"
            if kind == "DiskPressure" and full:
                status, reason, message = "True", "KubeletHasDiskPressure", "kubelet has disk pressure"
            if self._since.get(kind, ("", ""))[0] != status:
                self._since[kind] = (status, now())
            found.append(
                {
                    "lastHeartbeatTime": now(),
                    "lastTransitionTime": self._since[kind][1],
                    "message": message,
                    "reason": reason,
                    "status": status,
                    "type": kind,
                }
            )
        return found
