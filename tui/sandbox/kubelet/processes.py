"""Starts processes through the supervisor, and hears how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.sandbox.kubelet import supervisor


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its exit code (128 + n for signal n) and the signal, 0 when none ended it."""

    code: int
    signal: int = 0


@dataclass(slots=True, eq=False)
class Child:
    """A process that the supervisor started.

    Attributes:
        number: ours for it.
        pid: its process id.
        ended: how it ended, once it has.
    """

    number: int
    pid: int = 0
    ended: asyncio.Future[Exit] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self.ended.done()


class Processes:
    """The kubelet's end of the supervisor."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._children: dict[int, Child] = {}
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._last = 0
        self._killing: set[asyncio.Future[None]] = set()
        self._sending = asyncio.Lock()
        self._link: socket.socket | None = None
        self._supervisor: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Starts the supervisor, which first ends what an earlier run left. OSError when it cannot."""
        self._run.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._supervisor = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                supervisor.__file__,
                str(theirs.fileno()),
                str(self._run),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                # Of its own session, lest Ctrl+C in the terminal reach it.
                start_new_session=True,
                cwd="/",
            )
        self._link = ours
        self._reader = asyncio.create_task(self._read(ours), name="supervisor")

    @property
    def reader(self) -> asyncio.Task[None]:
        """Runs, once opened, for as long as the supervisor does."""
        if self._reader is None:
            raise RuntimeError("the supervisor has not been started")
        return self._reader

    async def close(self) -> None:
        """Ends every process that still runs, and the supervisor."""
        self._closing = True
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.shutdown(socket.SHUT_WR)
        if self._supervisor is not None:
            await self._supervisor.wait()
        if self._reader is not None:
            await self._reader
        if self._link is not None:
            self._link.close()
            self._link = None

    async def start(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        streams: tuple[int, int, int],
        *,
        mark: str,
        tty: bool = False,
        litter: Sequence[str] = (),
    ) -> Child:
        """Starts a process in a session of its own.

        Args:
            argv: its words; the first is looked up in the environment's PATH.
            environment: its whole environment.
            directory: where it starts.
            streams: descriptors for its input, output and error output; they are closed here, whatever happens.
            mark: what else it leaves behind is known by: the container's id.
            tty: its input is a terminal, which becomes its controlling one.
            litter: paths of sockets that are removed when it has ended.

        Raises:
            OSError: it could not be started.
        """
        found = _which(argv[0], environment.get("PATH", os.defpath)) if argv else ""
        if not found:
            for descriptor in set(streams):
                os.close(descriptor)
            raise FileNotFoundError(2, "executable file not found in $PATH", argv[0] if argv else "")
        self._last += 1
        child = Child(self._last)
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._starting[child.number] = started
        self._children[child.number] = child
        message = {
            "do": "spawn",
            "id": child.number,
            "argv": [found, *argv[1:]],
            "env": dict(environment),
            "cwd": str(directory),
            "mark": mark,
            "tty": tty,
            "litter": list(litter),
        }
        try:
            await self._send(message, streams)
            child.pid = await started
        except BaseException:
            self._children.pop(child.number, None)
            self._starting.pop(child.number, None)
            raise
        finally:
            for descriptor in set(streams):
                os.close(descriptor)
        return child

    async def signal(self, child: Child, number: int, *, everything: bool = False) -> None:
        """Sends a signal to a process, or to it and all that it started; nothing when it has ended."""
        if child.running:
            with contextlib.suppress(OSError):
                await self._send({"do": "kill", "id": child.number, "signal": number, "all": everything}, ())

    async def _kill(self, number: int) -> None:
        with contextlib.suppress(OSError):
            await self._send({"do": "kill", "id": number, "signal": signal.SIGKILL, "all": True}, ())

    async def _send(self, message: dict[str, Any], streams: Sequence[int]) -> None:
        link, loop = self._link, asyncio.get_running_loop()
        if link is None:
            raise ConnectionError("the supervisor does not run")
        body = json.dumps(message).encode()
        data = supervisor.LENGTH.pack(len(body)) + body
        async with self._sending:
            if streams:
                while True:
                    try:
                        socket.send_fds(link, [data[:1]], list(streams))
                    except BlockingIOError:
                        await asyncio.sleep(0.005)
                    else:
                        break
                data = data[1:]
            await loop.sock_sendall(link, data)

    async def _read(self, link: socket.socket) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := await asyncio.get_running_loop().sock_recv(link, 65536):
                buffer += data
                while len(buffer) >= supervisor.LENGTH.size:
                    end = supervisor.LENGTH.size + supervisor.LENGTH.unpack_from(buffer)[0]
                    if len(buffer) < end:
                        break
                    self._told(json.loads(buffer[supervisor.LENGTH.size : end]))
                    buffer = buffer[end:]
        # The supervisor is gone, and with it (PR_SET_PDEATHSIG) every process that it started; not what these did.
        if not self._closing:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(supervisor.sweep, self._run)
        for started in self._starting.values():
            if not started.done():
                started.set_exception(ConnectionError("the supervisor ended"))
        for child in self._children.values():
            if not child.ended.done():
                child.ended.set_result(Exit(137, 9))
        self._children.clear()

    def _told(self, message: dict[str, Any]) -> None:
        number = message["id"]
        if "exit" in message:
            child = self._children.pop(number, None)
            if child is not None and not child.ended.done():
                child.ended.set_result(Exit(message["exit"], message["signal"]))
            return
        started = self._starting.pop(number, None)
        if started is None or started.done():
            if "pid" in message:  # Whoever wanted it has gone since.
                self._killing.add(task := asyncio.ensure_future(self._kill(number)))
                task.add_done_callback(self._killing.discard)
            return
        if "error" in message:
            started.set_exception(OSError(message["errno"], message["error"]))
        else:
            # Now, not when the caller runs again: the exit may be in the same packet.
            self._children[number].pid = message["pid"]
            started.set_result(message["pid"])


def _which(program: str, path: str) -> str:
    """Where a program is, empty when nowhere; as execvp(3) looks for it."""
    if "/" in program:
        return program
    for directory in path.split(os.pathsep):
        candidate = Path(directory or ".") / program
        # A directory of PATH into which this user may not look is passed over.
        with contextlib.suppress(OSError):
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return str(candidate)
    return ""
