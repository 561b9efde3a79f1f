"""An address of its own for each pod, in 127.0.0.0/8, so that several servers may listen on one port.

Linux answers for the whole of 127.0.0.0/8 on its loopback interface. Other systems (macOS) have 127.0.0.1 alone: there
all pods share it, and each port that a container names is mapped to one that is free.
"""

from __future__ import annotations

import errno
import socket
import zlib
from dataclasses import dataclass, field
from pathlib import Path

_LOOPBACK = "127.0.0.1"


@dataclass(slots=True, eq=False)
class Address:
    """Where a pod is reached.

    Attributes:
        ip: its address.
        shared: other pods have the same one: ports are mapped.
    """

    ip: str
    shared: bool = False
    _mapped: dict[int, int] = field(default_factory=dict)

    def port(self, port: int) -> int:
        """The port on which a server listens that would listen on this one if the address were the pod's alone."""
        if not self.shared:
            return port
        if port not in self._mapped:
            with socket.socket() as probe:
                probe.bind((_LOOPBACK, 0))
                self._mapped[port] = probe.getsockname()[1]
        return self._mapped[port]


class Addresses:
    """Hands out addresses: 127.a.b.2 to 127.a.b.254 and 127.a.b+1.…, where a and b are the state directory's own.

    Two sandboxes on one machine so get different ones nearly always, and the same sandbox the same ones.
    """

    def __init__(self, state: Path) -> None:
        seed = zlib.crc32(str(state).encode())
        self._base = (127 << 24) | (64 + seed % 128 << 16)
        self._next = (seed >> 8) % 128 << 8
        self._used: set[str] = set()
        self.shared = not usable(str(_ip(self._base + 2)))

    def allocate(self) -> Address:
        """A free address. OSError when all 65,000 are taken."""
        if self.shared:
            return Address(_LOOPBACK, shared=True)
        for _ in range(1 << 16):
            self._next = (self._next + 1) % (1 << 16)
            ip = _ip(self._base + self._next)
            if self._next % 256 not in (0, 1, 255) and ip not in self._used:
                self._used.add(ip)
                return Address(ip)
        raise OSError(errno.EADDRNOTAVAIL, "no address is free in 127.0.0.0/8")

    def release(self, address: Address) -> None:
        """Takes an address back."""
        self._used.discard(address.ip)


def usable(ip: str) -> bool:
    """Whether a server may listen on this address here."""
    try:
        with socket.socket() as probe:
            probe.bind((ip, 0))
    except OSError:
        return False
    return True


def _ip(number: int) -> str:
    return socket.inet_ntoa(number.to_bytes(4, "big"))
