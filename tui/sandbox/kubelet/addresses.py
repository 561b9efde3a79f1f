"""An address of its own for each pod, in 127.0.0.0/8, so that several servers may listen on one port.

Linux answers for the whole of 127.0.0.0/8 on its loopback interface. Other systems (macOS) have 127.0.0.1 alone: there
all pods share it, and each port that a container names is mapped to one that is free.
"""

from __future__ import annotations

import contextlib
import errno
import json
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
    """Hands out addresses in 127.a.0.0/16; a is the state directory's own, so that two sandboxes rarely share one.

    A name keeps its address, also when its pod is made anew and when the sandbox starts again: servers that keep the
    addresses of their peers (replicas, a Raft log) would not find them again, as no name resolves here. A real
    cluster gives a new address to each pod.
    """

    def __init__(self, state: Path) -> None:
        seed = zlib.crc32(str(state).encode())
        self._base = (127 << 24) | (64 + seed % 128 << 16)
        self._file = state / "run" / "addresses.json"
        self._used: set[str] = set()
        self._known = self._load()
        self.shared = not usable(_ip(self._base + 2))

    def allocate(self, name: str) -> Address:
        """The address of a name, or one that is free when the name's is in use. OSError when all are taken."""
        if self.shared:
            return Address(_LOOPBACK, shared=True)
        ip = self._known.get(name, "")
        if not ip or ip in self._used:
            taken = self._used | set(self._known.values())
            free = (_ip(self._base + n) for n in range(1 << 16) if n % 256 not in (0, 1, 255))
            ip = next((ip for ip in free if ip not in taken), "")
        if not ip:
            raise OSError(errno.EADDRNOTAVAIL, "no address is free in 127.0.0.0/8")
        self._used.add(ip)
        self._known.setdefault(name, ip)
        self._save()
        return Address(ip)

    def busy(self, name: str) -> bool:
        """Whether the name's address is in use: by the pod that had the name before, whose containers still end."""
        return self._known.get(name, "") in self._used

    def release(self, address: Address, name: str) -> None:
        """Takes an address back; a name that ends in an ordinal keeps it."""
        self._used.discard(address.ip)
        if not name.rpartition("-")[2].isdecimal() and self._known.get(name) == address.ip:
            del self._known[name]
            self._save()

    def _load(self) -> dict[str, str]:
        prefix = f"127.{self._base >> 16 & 255}."
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads(self._file.read_text("utf-8"))
            return {str(name): str(ip) for name, ip in found.items() if str(ip).startswith(prefix)}
        return {}

    def _save(self) -> None:
        with contextlib.suppress(OSError):
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(self._known), "utf-8")
            part.replace(self._file)


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
