"""Claims that hold as much as they may: nothing stops a process here, so it is said what a cluster would have done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.pod import Pod
from tui.sandbox.quantities import quantity

#: The share of its size below which a volume that was full counts as emptied.
_EMPTIED = 0.95


def size_of(host: Host, namespace: str, claim: str) -> int:
    """How many bytes a claim may hold; 0 when that is not known."""
    found = host.objects.get("persistentvolumeclaims", namespace, claim) or {}
    return quantity(((found.get("status") or {}).get("capacity") or {}).get("storage", "0"))


class Fullness:
    """Says once of each claim that it is full, and again when it was emptied meanwhile.

    Why it is not enforced: quotas of directories and mounts of small file systems need root, and a limit for each file
    (RLIMIT_FSIZE) would end a server by a signal that no full volume sends.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._full: set[Path] = set()

    def look(self, pods: Iterable[Pod], used: Mapping[Path, tuple[int, int]]) -> None:
        """Compares what claims hold, bytes and files by their directory, with what they may."""
        for pod in pods:
            for volume, claim in pod.volumes.claims.items():
                real = pod.volumes.real.get(volume)
                size, held = size_of(self._host, pod.key[0], claim), used.get(real or Path(), (0, 0))[0]
                if real is None or not size:
                    continue
                if held < size * _EMPTIED:
                    self._full.discard(real)
                elif held >= size and real not in self._full:
                    self._full.add(real)
                    self._say(pod, claim, held, size)

    def _say(self, pod: Pod, claim: str, held: int, size: int) -> None:
        message = (
            f"Claim {claim} is full: it holds {held >> 20} MiB and was to hold {size >> 20} MiB. In a cluster, writing "
            "would fail by now with 'No space left on device'; the sandbox cannot enforce it. "
            "Remove data, or make the claim larger"
        )
        self._host.event(pod.object, "VolumeFull", message, "Warning")
        found = self._host.objects.get("persistentvolumeclaims", pod.key[0], claim)
        if found is not None:
            self._host.event(found, "VolumeFull", message, "Warning")
