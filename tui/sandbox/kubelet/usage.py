"""What pods use: processor time and memory from /proc, claims by counting their files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tui.sandbox.kubelet import supervisor
from tui.sandbox.kubelet.fullness import Fullness, size_of
from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.pod import Pod
from tui.sandbox.kubelet.status import now
from tui.sandbox.model import Json

#: Seconds between two samples; the kubelet's own measure every 10.
PERIOD = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a container used: processor time in nanoseconds since its start and per second, memory in bytes."""

    at: str
    total: int = 0
    rate: int = 0
    memory: int = 0


def disk(directory: Path) -> tuple[int, int]:
    """Bytes that the files below a directory take on the disk, and how many there are; what vanishes is not counted."""
    total = count = 0
    pending = [directory]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    total += found.st_blocks * 512
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
    return total, count


class Usage:
    """Samples what the pods use, and tells it as the kubelet does."""

    def __init__(self, host: Host, pods: Callable[[], Iterable[Pod]]) -> None:
        self._host, self._pods = host, pods
        self._samples: dict[str, Sample] = {}
        self._last = time.monotonic()
        self._disk: dict[Path, tuple[int, int]] = {}
        self._began = now()
        self._fullness = Fullness(host)

    async def run(self) -> None:
        """Samples for ever."""
        while True:
            await self.sample()
            await asyncio.sleep(PERIOD)

    async def sample(self) -> None:
        """Looks once; the counting of files is done by a thread."""
        pods = list(self._pods())
        mains = {r.mark: r.child.pid for pod in pods for r in pod.runners.values() if r.child is not None}
        directories = {real for pod in pods for real in pod.volumes.real.values()}
        used, counted = await asyncio.to_thread(lambda: (_used(mains), {path: disk(path) for path in directories}))
        passed = time.monotonic() - self._last
        self._last += passed
        samples = {}
        for mark, (total, memory) in used.items():
            before = self._samples.get(mark)
            rate = max(0, int((total - before.total) / passed)) if before is not None and passed > 0 else 0
            samples[mark] = Sample(now(), total, rate, memory)
        self._samples, self._disk = samples, counted
        self._fullness.look(pods, counted)

    def stats(self) -> Json:
        """`stats/summary` of the node."""
        memory, available, files = _memory(), _memory("MemAvailable"), os.statvfs(self._host.state)
        total = sum(s.rate for s in self._samples.values())
        node = {
            "nodeName": self._host.node,
            "startTime": self._began,
            "cpu": {
                "time": now(),
                "usageNanoCores": total,
                "usageCoreNanoSeconds": sum(s.total for s in self._samples.values()),
            },
            "memory": {
                "time": now(),
                "availableBytes": available,
                "usageBytes": memory - available,
                "workingSetBytes": memory - available,
            },
            "fs": {
                "time": now(),
                "availableBytes": files.f_bavail * files.f_frsize,
                "capacityBytes": files.f_blocks * files.f_frsize,
                "usedBytes": (files.f_blocks - files.f_bfree) * files.f_frsize,
                "inodesFree": files.f_ffree,
                "inodes": files.f_files,
                "inodesUsed": files.f_files - files.f_ffree,
            },
        }
        return {"node": node, "pods": [self._pod(pod) for pod in self._pods()]}

    def metrics(self) -> list[Json]:
        """`PodMetrics` of metrics.k8s.io, of the pods that run."""
        found = []
        for pod in self._pods():
            meta = pod.object["metadata"]
            containers = [
                {"name": name, "usage": {"cpu": f"{sample.rate}n", "memory": f"{sample.memory // 1024}Ki"}}
                for name, runner in pod.runners.items()
                if (sample := self._samples.get(runner.mark)) is not None
            ]
            if containers:
                found.append(
                    {
                        "apiVersion": "metrics.k8s.io/v1beta1",
                        "kind": "PodMetrics",
                        "metadata": {
                            "name": meta["name"],
                            "namespace": meta["namespace"],
                            "labels": dict(meta.get("labels") or {}),
                            "creationTimestamp": now(),
                        },
                        "timestamp": now(),
                        "window": f"{PERIOD:g}s",
                        "containers": containers,
                    }
                )
        return found

    def _pod(self, pod: Pod) -> Json:
        meta = pod.object["metadata"]
        containers, samples = [], []
        for name, runner in pod.runners.items():
            if (sample := self._samples.get(runner.mark)) is not None:
                samples.append(sample)
                containers.append({"name": name, "startTime": _started(runner.record.state), **_use([sample])})
        return {
            "podRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "startTime": (pod.object.get("status") or {}).get("startTime") or now(),
            "containers": containers,
            **_use(samples),
            "volume": [self._volume(pod, name, real) for name, real in pod.volumes.real.items()],
        }

    def _volume(self, pod: Pod, name: str, real: Path) -> Json:
        """A volume's figures: a claim's capacity is its size, though nothing enforces it; any other's is the disk's."""
        used, count = self._disk.get(real, (0, 0))
        files = os.statvfs(self._host.state)
        capacity, free = files.f_blocks * files.f_frsize, files.f_bavail * files.f_frsize
        found: Json = {"name": name, "time": now()}
        if claim := pod.volumes.claims.get(name):
            found["pvcRef"] = {"name": claim, "namespace": pod.key[0]}
            if size := size_of(self._host, pod.key[0], claim):
                capacity, free = size, max(0, min(size - used, free))
        return found | {
            "availableBytes": free,
            "capacityBytes": capacity,
            "usedBytes": used,
            "inodesFree": files.f_ffree,
            "inodes": files.f_files,
            "inodesUsed": count,
        }


def _started(state: Json) -> str:
    return str((state.get("running") or {}).get("startedAt") or now())


def _use(samples: list[Sample]) -> Json:
    at = samples[-1].at if samples else now()
    memory = sum(s.memory for s in samples)
    return {
        "cpu": {
            "time": at,
            "usageNanoCores": sum(s.rate for s in samples),
            "usageCoreNanoSeconds": sum(s.total for s in samples),
        },
        "memory": {"time": at, "usageBytes": memory, "workingSetBytes": memory, "rssBytes": memory},
    }


def _used(mains: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Nanoseconds and bytes of each container's processes; nothing where there is no /proc."""
    table = supervisor.processes()
    found = {}
    for mark, pid in mains.items():
        if pid not in table:
            continue
        total = memory = 0
        for member in supervisor.family(pid, table):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{member}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) * 1_000_000_000 // _TICKS
                memory += int(fields[21]) * _PAGE
                # Shared pages, counted once for each process, would make of PostgreSQL a glutton.
                shared = int(Path(f"/proc/{member}/statm").read_text("utf-8").split()[2]) * _PAGE
                memory -= shared if member != pid else 0
        found[mark] = (total, max(0, memory))
    return found


def _memory(line: str = "MemTotal") -> int:
    with contextlib.suppress(OSError):
        for entry in Path("/proc/meminfo").read_text("utf-8").splitlines():
            if entry.startswith(f"{line}:"):
                return int(entry.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES" if line == "MemTotal" else "SC_AVPHYS_PAGES") * _PAGE
    return 0


def machine() -> tuple[int, int]:
    """Cores and bytes of memory of this machine."""
    return os.cpu_count() or 1, _memory()
