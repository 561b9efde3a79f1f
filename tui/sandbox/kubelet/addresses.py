"""An address of its own for each pod, in 127.0.0.0/8, so that several servers may listen on one port.

Linux answers for the whole of 127.0.0.0/8 on its loopback interface. Other systems (macOS) have 127.0.0.1 alone: there
all pods share it, and each port that a container names is mapped to one that is free. So is, everywhere, a port on
which another program listens at all addresses of this machine.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import socket
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

_LOOPBACK = "127.0.0.1"
#: How many addresses are looked at for one where nobody listens on a pod's ports.
_TRIES = 8


@dataclass(slots=True, eq=False)
class Address:
    """Where a pod is reached.

    Attributes:
        ip: its address.
        shared: other pods have the same one: ports are mapped.
        mapped: ports of the manifest, and those that stand in for them.
        refused: an address that it would have had, where another program listens on one of its ports.
    """

    ip: str
    shared: bool = False
    mapped: dict[int, int] = field(default_factory=dict)
    refused: str = ""
    _free: Callable[[str], int] = field(kw_only=True)
    _keep: Callable[[], None] = field(kw_only=True)

    def port(self, port: int) -> int:
        """The port on which a server listens that would listen on this one if that were the pod's alone."""
        if self.shared and port not in self.mapped and port not in self.mapped.values():
            self.map(port)
        # One that is mapped already stays as it is: stand-ins' probes name real ports.
        return self.mapped.get(port, port)

    def map(self, port: int) -> None:
        """Lets a free port stand in for one."""
        self.mapped[port] = self._free(self.ip)
        self._keep()


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
        self._ports = state / "run" / "ports.json"
        self._used: set[str] = set()
        self._known = self._load()
        self._mapped = self._load_ports()
        self.shared = not usable(_ip(self._base + 2))

    def allocate(self, name: str, ports: Collection[int] = ()) -> Address:
        """The address of a name, or one that is free when the name's is in use.

        Args:
            name: whose.
            ports: what will be listened on there: an address where another program does is not given, and where it
                does at all addresses, the port is mapped.

        Raises:
            OSError: all are taken.
        """
        if self.shared:
            return self._shared(name)
        ip, refused = self._known.get(name, ""), ""
        if ip and ip not in self._used and (taken := _taken(ip, ports)):
            refused = f"{ip}:{taken[0]}"
        if not ip or ip in self._used or refused:
            given = self._used | set(self._known.values())
            free = (_ip(self._base + n) for n in range(1 << 16) if n % 256 not in (0, 1, 255))
            found = itertools.islice((one for one in free if one not in given), _TRIES)
            best = min(found, key=lambda one: len(_taken(one, ports)), default="")
            if not best and not ip:
                raise OSError(errno.EADDRNOTAVAIL, "no address is free in 127.0.0.0/8")
            if not ip or ip in self._used or len(_taken(best, ports)) < len(_taken(ip, ports)):
                ip = best
                if refused:
                    self._known.pop(name, None)
            else:
                refused = ""
        self._used.add(ip)
        self._known.setdefault(name, ip)
        self._save()
        taken = _taken(ip, ports)
        made = self._address(ip, self._before(name, ip, taken), refused=refused)
        for port in taken:
            if port not in made.mapped:
                made.map(port)
        return made

    def _shared(self, name: str) -> Address:
        mapped = self._before(name, _LOOPBACK, self._mapped.get(name, {}))
        return self._address(_LOOPBACK, mapped)

    def _before(self, name: str, ip: str, ports: Collection[int]) -> dict[int, int]:
        """What stood in for some ports of a name, as far as it is free: peers remember it."""
        known = self._mapped.get(name, {})
        self._mapped[name] = {port: real for port, real in known.items() if port in ports and not _taken(ip, [real])}
        return self._mapped[name]

    def port(self, name: str, port: int) -> int:
        """Where a name's server listens that should listen on a port."""
        mapped = self._mapped.setdefault(name, {})
        ip = _LOOPBACK if self.shared else self._known.get(name, _LOOPBACK)
        return self._address(ip, mapped).port(port)

    def _address(self, ip: str, mapped: dict[int, int], refused: str = "") -> Address:
        return Address(ip, self.shared, mapped, refused, _free=self._free, _keep=self._save_ports)

    def _free(self, ip: str) -> int:
        """A port where nobody listens, and which stands in for no other: that one's server may start later."""
        promised = {real for ports in self._mapped.values() for real in ports.values()}
        while True:
            with socket.socket() as probe:
                probe.bind((ip, 0))
                port = int(probe.getsockname()[1])
            if port not in promised:
                return port

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

    def _load_ports(self) -> dict[str, dict[int, int]]:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads(self._ports.read_text("utf-8"))
            return {name: {int(port): int(real) for port, real in ports.items()} for name, ports in found.items()}
        return {}

    def _save_ports(self) -> None:
        _write(self._ports, self._mapped)

    def _save(self) -> None:
        _write(self._file, self._known)


def _write(path: Path, value: object) -> None:
    with contextlib.suppress(OSError):
        part = path.with_suffix(".part")
        part.write_text(json.dumps(value), "utf-8")
        part.replace(path)


def _taken(ip: str, ports: Collection[int]) -> list[int]:
    """Those of the ports on which somebody listens at an address, or at all."""
    found = []
    for port in ports:
        with socket.socket() as probe:
            # What a server left a moment ago (TIME_WAIT) is no listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ip, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    found.append(port)
    return found


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
