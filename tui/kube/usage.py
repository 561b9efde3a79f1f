"""How full the volumes are, from the kubelets' summaries through the API server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What a volume holds, as the kubelet reports it.

    Attributes:
        used: bytes.
        capacity: bytes of the file system.
        available: bytes that an unprivileged writer can still add.
        inodes_used: inodes in use, None where not reported.
        inodes: inodes in all, None where not reported.
        shared: True when the figure is that of a file system larger than the claim (a host path or NFS share):
            then `used` is not this claim's own.
        at: when it was read.
    """

    used: int
    capacity: int
    available: int
    inodes_used: int | None = None
    inodes: int | None = None
    shared: bool = False
    at: float = 0.0

    @property
    def fraction(self) -> float:
        """Used of capacity, 0..1."""
        return self.used / self.capacity if self.capacity else 0.0
