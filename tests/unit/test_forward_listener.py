"""Local addresses: ports on loopback, Unix sockets, and what is left behind when the program is killed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tui.kube.forward import janitor
from tui.kube.forward.janitor import Janitor
from tui.kube.forward.listener import LONGEST_PATH, NEXT, Listener, TcpAddress, UnixAddress, preferred_port
from tui.problem import Cause, ProblemError


def refused() -> None:
    raise AssertionError("nobody connects here")


@contextlib.asynccontextmanager
async def listening(wanted, accept=refused):
    listener = Listener(accept)
    await listener.open(wanted)
    try:
        yield listener
    finally:
        listener.close()


@contextlib.contextmanager
def taken(count: int = 1):
    """So many neighbouring ports of 127.0.0.1 that others have, the first of which is yielded."""
    with contextlib.ExitStack() as stack:
        for first in range(20_000, 60_000, 100):
            with contextlib.ExitStack() as attempt:
                try:
                    for port in range(first, first + count):
                        attempt.enter_context(socket.create_server(("127.0.0.1", port)))
                except OSError:
                    continue
                stack.enter_context(attempt.pop_all())
                break
        yield first


async def told(wanted) -> str:
    with pytest.raises(ProblemError) as caught:
        async with listening(wanted):
            pass
    assert caught.value.problem.cause is Cause.CONFIG
    return str(caught.value.problem)


@pytest.mark.parametrize(("remote", "local"), [(80, 8080), (443, 8443), (1023, 9023), (1024, 1024), (65_535, 65_535)])
def test_the_port_that_is_offered(remote, local):
    assert preferred_port(remote) == local


async def test_a_port_that_is_free_is_taken_and_only_on_loopback():
    with taken() as port:
        pass
    for exact in (False, True):
        async with listening(TcpAddress(port, exact=exact)) as listener:
            assert (listener.host, listener.port, listener.address) == ("127.0.0.1", port, f"127.0.0.1:{port}")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    async with listening(TcpAddress()) as listener:
        assert listener.port >= 1024
    listener.close()  # twice


async def test_the_next_port_when_one_is_taken_and_any_when_all_are():
    with taken(3) as port:
        async with listening(TcpAddress(port)) as listener:
            assert port + 3 <= listener.port < port + NEXT
        said = await told(TcpAddress(port, exact=True))
        assert f"Port {port} on 127.0.0.1 is taken" in said and "ss -ltnp" in said
    with taken(NEXT) as port:
        async with listening(TcpAddress(port)) as listener:
            assert not port <= listener.port < port + NEXT


async def test_ports_for_root(monkeypatch):
    loop = asyncio.get_running_loop()
    usual, tried = loop.create_server, []

    async def create_server(end, host, port, **options):
        tried.append(port)
        if 0 < port < 1024:
            raise OSError(errno.EACCES, "Permission denied")
        return await usual(end, host, 0, **options)

    monkeypatch.setattr(loop, "create_server", create_server)
    async with listening(TcpAddress(80)) as listener:
        assert listener.port >= 1024 and tried == [*range(80, 80 + NEXT), 0]
    said = await told(TcpAddress(80, exact=True))
    assert "Port 80 on 127.0.0.1 cannot be used" in said and "for root" in said


async def test_ports_that_are_none(monkeypatch):
    assert "70000" in await told(TcpAddress(70_000, exact=True))
    assert "no port -1" in await told(TcpAddress(-1))
    async with listening(TcpAddress(65_530)) as listener:
        assert listener.port
    loop = asyncio.get_running_loop()

    async def create_server(*_: object, **__: object):
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    monkeypatch.setattr(loop, "create_server", create_server)
    assert "Cannot assign requested address" in await told(TcpAddress(5000))


# --- Unix sockets


async def test_a_unix_socket_is_for_this_user_only_and_goes_with_the_listener(tmp_path):
    path = tmp_path / "s"
    before = os.umask(0o022)
    os.umask(before)
    async with listening(UnixAddress(path)) as listener:
        mode = path.stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
        assert (listener.address, listener.path, listener.port) == (f"unix:{path}", path, 0)
        after = os.umask(0o022)
        os.umask(after)
        assert before == after
    assert not path.exists()


async def test_what_a_killed_program_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with listening(UnixAddress(path)):
        assert "Another program listens" in await told(UnixAddress(path))
        assert path.exists()
    path.write_text("precious")
    assert "is not a socket" in await told(UnixAddress(path)) and path.read_text() == "precious"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert "is not a socket" in await told(UnixAddress(path)) and path.is_symlink()


async def test_a_socket_of_datagrams_is_somebody_elses(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "s"))
        assert "Another program listens" in await told(UnixAddress(tmp_path / "s"))
        assert (tmp_path / "s").exists()


async def test_paths_that_will_not_do(tmp_path):
    long = tmp_path / ("x" * (LONGEST_PATH + 1 - len(str(tmp_path)) - 1))
    said = await told(UnixAddress(long))
    assert "longer than 103 bytes" in said and "/tmp" in said
    assert "ä" * 60 in await told(UnixAddress(Path("/tmp") / ("ä" * 60)))  # bytes, not characters
    said = await told(UnixAddress(tmp_path / "missing" / "s"))
    assert "No socket can be made" in said and "No such file" in said


async def test_somebody_elses_socket_is_not_removed(tmp_path):
    path = tmp_path / "s"
    async with listening(UnixAddress(path)):
        path.rename(tmp_path / "moved")  # keeps the inode in use
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(path))
    assert path.exists()
    other.close()


async def test_a_socket_that_somebody_removed_is_no_failure(tmp_path):
    async with listening(UnixAddress(tmp_path / "s")):
        (tmp_path / "s").unlink()


# --- the janitor

PROGRAM = """
import asyncio, socket, sys
from pathlib import Path
from tui.kube.forward import janitor
from tui.kube.forward.listener import Listener, UnixAddress

async def main():
    directory = janitor.private_directory() if sys.argv[1] == "own" else None
    path = (directory or Path(sys.argv[1])) / "s"
    listener = Listener(lambda: None)
    await listener.open(UnixAddress(path, directory))
    print(path, flush=True)
    sys.stdin.readline()
    listener.close()
    with socket.socket(socket.AF_UNIX) as others:
        others.bind(str(path))
    print("closed", flush=True)
    sys.stdin.readline()

asyncio.run(main())
"""


def started(where: str, runtime: Path) -> tuple[subprocess.Popen[bytes], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().decode().strip())


def gone(path: Path) -> bool:
    for _ in range(200):
        if not os.path.lexists(path):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_programs_socket_is_removed_with_its_own_directory(how, tmp_path):
    process, path = started("own", tmp_path)
    with process:
        assert path.is_socket() and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.parent.parent == tmp_path
        process.send_signal(how)
    assert gone(path) and gone(path.parent)


def test_a_directory_of_the_users_stays():
    with contextlib.ExitStack() as stack:
        directory = janitor.private_directory()
        stack.callback(janitor.remove_directory, directory)
        process, path = started(str(directory), directory)
        with process:
            process.kill()
        assert gone(path) and directory.is_dir()
    assert not directory.exists()


def test_a_janitor_that_was_dismissed_removes_nothing(tmp_path):
    process, path = started(str(tmp_path), tmp_path)
    with process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"closed\n"
        process.kill()
    time.sleep(0.1)
    assert path.is_socket()


def test_only_a_socket_is_removed_and_only_an_empty_directory(tmp_path):
    directory = tmp_path / "d"
    directory.mkdir()
    path = directory / "-rf *"
    path.write_text("x")
    one = Janitor(path, directory)
    shell = one._shell
    assert shell is not None and shell.stdin is not None
    shell.stdin.close()  # as if we were gone
    shell.wait(5)
    assert path.read_text() == "x"


def test_where_no_shell_can_be_started_nobody_waits(tmp_path, monkeypatch):
    def popen(*_: object, **__: object):
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", popen)
    Janitor(tmp_path / "s").dismiss()


def test_a_private_directory_without_a_runtime_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    made = janitor.private_directory()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700 and made.name.startswith("statetui-")
    (made / "left").write_text("x")
    janitor.remove_directory(made)
    janitor.remove_directory(made)
    assert not made.exists()
