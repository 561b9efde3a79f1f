"""How full a volume is: the value that the rest of the program passes around."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        at: when it was read; two readings that differ in nothing else are equal.
    """

    used: int
    capacity: int
    available: int
    inodes_used: int | None = None
    inodes: int | None = None
    shared: bool = False
    at: float = field(default=0.0, compare=False)

    @property
    def fraction(self) -> float:
        """Used of capacity, 0..1."""
        return self.used / self.capacity if self.capacity else 0.0
