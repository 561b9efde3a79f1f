"""Where other programs reach a forward: a port on loopback, or a Unix socket. Opened only when somebody asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tui.kube.forward.janitor import Janitor
from tui.kube.forward.local import LocalEnd
from tui.kube.forward.tunnel import Tunnel
from tui.problem import Cause, Problem, ProblemError

#: The only address that is listened on: whoever wants others to get in has to put something in between on purpose.
HOST = "127.0.0.1"
#: Connections that may wait to be accepted.
BACKLOG = 1024
#: Ports tried behind the preferred one before any free one is taken.
NEXT = 20
#: What is added to ports below 1024, which an ordinary user may not take: 80 becomes 8080.
UNPRIVILEGED = 8000
#: Bytes of a Unix socket's path that every system takes.
LONGEST_PATH = 103


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A port on 127.0.0.1.

    Attributes:
        port: the wanted one, 0 for any.
        exact: whether another one will not do.
    """

    port: int = 0
    exact: bool = False


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket; it is made with mode 0600.

    Attributes:
        path: where.
        directory: made for it, and to go with it.
    """

    path: Path
    directory: Path | None = None


Address = TcpAddress | UnixAddress


def preferred_port(remote: int) -> int:
    """The local port that a remote one is offered on: the same, or one that needs no privilege."""
    return remote if remote >= 1024 else remote + UNPRIVILEGED


class Listener:
    """Accepts connections; each becomes a tunnel."""

    def __init__(self, accept: Callable[[], Tunnel]) -> None:
        self.address = ""
        self.host = ""
        self.port = 0
        self.path: Path | None = None
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._identity = (0, 0)
        self._janitor: Janitor | None = None

    async def open(self, wanted: Address) -> None:
        """Starts to listen.

        Raises:
            ProblemError: the address cannot be had.
        """
        if isinstance(wanted, TcpAddress):
            await self._open_tcp(wanted)
        else:
            await self._open_unix(wanted)

    def close(self) -> None:
        """Accepts no more, and removes a socket's file. Connections go on."""
        server, self._server = self._server, None
        if server is not None:
            server.close()  # never waits for connections: that is what `wait_closed` would do from Python 3.12 on
        path, self.path = self.path, None
        if path is not None:
            with contextlib.suppress(OSError):
                if _identity(path) == self._identity:  # not somebody else's by now
                    path.unlink()
        if self._janitor is not None:
            self._janitor.dismiss()

    def _end(self) -> LocalEnd:
        return LocalEnd(self._accept())

    async def _open_tcp(self, wanted: TcpAddress) -> None:
        loop = asyncio.get_running_loop()
        ports = [wanted.port] if wanted.exact or not wanted.port else [*range(wanted.port, wanted.port + NEXT), 0]
        if not 0 <= wanted.port <= 65535:
            raise ProblemError(Problem(Cause.CONFIG, f"There is no port {wanted.port}", "", "They end at 65535."))
        for port in ports:
            if port > 65535:
                continue
            try:
                self._server = await loop.create_server(self._end, HOST, port, backlog=BACKLOG)
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES) and port != ports[-1]:
                    continue
                raise ProblemError(_taken(port, error)) from error
            break
        assert self._server is not None  # noqa: S101  (the last attempt raised otherwise)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{self.host}:{self.port}"

    async def _open_unix(self, wanted: UnixAddress) -> None:
        path = wanted.path
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise ProblemError(
                Problem(
                    Cause.CONFIG, f"The path of the socket is longer than {LONGEST_PATH} bytes", str(path),
                    "Choose a shorter one, in $XDG_RUNTIME_DIR or /tmp.",
                )
            )  # fmt: skip
        _clear_the_way(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o177)  # there must be no moment in which others could connect
            try:
                sock.bind(str(path))
            finally:
                os.umask(before)
            self._identity = _identity(path)
            self._janitor = Janitor(path, wanted.directory)
            self._server = await asyncio.get_running_loop().create_unix_server(self._end, sock=sock, backlog=BACKLOG)
        except OSError as error:
            sock.close()
            raise ProblemError(
                Problem(Cause.CONFIG, f"No socket can be made at {path}", error.strerror or str(error))
            ) from error
        self.path = path
        self.address = f"unix:{path}"


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _taken(port: int, error: OSError) -> Problem:
    if error.errno == errno.EADDRINUSE:
        remedy = "Name no port to get the next free one, or see who has it: ss -ltnp"
        return Problem(Cause.CONFIG, f"Port {port} on {HOST} is taken", error.strerror or "", remedy)
    remedy = "Ports below 1024 are for root; choose a higher one." if error.errno == errno.EACCES else ""
    return Problem(Cause.CONFIG, f"Port {port} on {HOST} cannot be used", error.strerror or str(error), remedy)


def _clear_the_way(path: Path) -> None:
    """Removes the socket that a program left which was killed; refuses to touch anything else."""
    try:
        kind = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(kind):
        raise ProblemError(
            Problem(Cause.CONFIG, f"{path} exists and is not a socket", "", "Choose another path, or remove it.")
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                path.unlink()
            return
        except OSError:
            pass
    raise ProblemError(
        Problem(Cause.CONFIG, f"Another program listens at {path}", "", "Choose another path, or end that program.")
    )
