"""The process that all containers are children of: it ends them when the sandbox ends, however it ends.

It runs as a program of its own (`python -I -S supervisor.py SOCKET RUN`), so it imports nothing but the standard
library. The kubelet tells it over a stream socket what to start; when that socket closes, everything that it started,
daemons included, is killed: it is the "child subreaper" (prctl(2)) of whatever they leave behind. `RUN/pids` names each
process that runs by its id and its start time, so that the next supervisor finds what even this one could not end; the
rest is known by a variable of its environment. What servers leave outside of their directories when they are killed
(`litter`: paths of sockets) is removed with them.

A message is four bytes of length (big endian) and JSON; the descriptors of a spawn travel with its first byte.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: Environment variable by which a process is known to belong to a container, whatever it did to its session.
MARK = "STATETUI_SANDBOX_CONTAINER"
#: Environment variable by which it is known to belong to this sandbox: its directory RUN.
RUN = "STATETUI_SANDBOX_RUN"
_PROC = Path("/proc")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
#: How often, with a pause of so many seconds, is tried to end processes; one that the kernel holds is left to it.
_TRIES, _PAUSE = 250, 0.02
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
LENGTH = struct.Struct(">I")
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def processes() -> dict[int, tuple[int, int, int]]:
    """All processes of the machine: id → (parent, session, start time in clock ticks); empty without a Linux /proc."""
    found: dict[int, tuple[int, int, int]] = {}
    if not (_PROC / "self" / "stat").exists():
        return found
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (known := _process(entry.name)) is not None:
            found[int(entry.name)] = known
    return found


def _process(pid: str) -> tuple[int, int, int] | None:
    try:
        # The name, in brackets, may hold blanks and brackets itself.
        fields = (_PROC / pid / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def family(root: int, table: dict[int, tuple[int, int, int]]) -> set[int]:
    """A process, its descendants and the members of its session."""
    children: dict[int, list[int]] = {}
    for pid, (parent, session, _) in table.items():
        children.setdefault(parent, []).append(pid)
        if session == root and pid != root:
            children.setdefault(root, []).append(pid)
    members, pending = set(), [root]
    while pending:
        pid = pending.pop()
        if pid not in members:
            members.add(pid)
            pending += children.get(pid, [])
    return members & (table.keys() | {root})


def _has(pid: int, name: str, value: str) -> bool:
    """Whether a process was started with a variable of its environment."""
    try:
        return f"{name}={value}".encode() in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _zombie(pid: int) -> bool:
    """Whether it has ended, and only its parent has not heard of it."""
    try:
        return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def become_reaper() -> None:
    """Makes this process the parent of all orphans among its descendants; on Linux, elsewhere it does nothing."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_descendants() -> None:
    """Kills whatever this process has started, or has become the parent of, and reaps it."""
    for _ in range(_TRIES):
        members = family(os.getpid(), processes()) - {os.getpid()}
        for pid in members:
            _signal(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not members:
            return
        time.sleep(_PAUSE)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def sweep(run: Path) -> None:
    """Ends what an earlier run left: what was noted, if it is still that very process, and what bears the run's name.

    Args:
        run: the directory of the run; all notes in it are forgotten.
    """
    noted: dict[int, int] = {}
    litter: list[str] = []
    for note in sorted((run / "pids").iterdir()):
        with contextlib.suppress(ValueError, OSError, KeyError, TypeError):
            told = json.loads(note.read_text("utf-8"))
            noted[int(note.name)] = int(told["start"])
            litter += told["litter"]
    for _ in range(_TRIES):
        table = processes()
        left = {pid for pid in table if pid != os.getpid() and _has(pid, RUN, str(run))}
        for pid, start in noted.items():
            if pid in table and table[pid][2] == start and pid != os.getpid():
                left |= family(pid, table)
        left = {pid for pid in left if not _zombie(pid)}
        for pid in left:
            _signal(pid, signal.SIGKILL)
        if not left:
            break
        time.sleep(_PAUSE)
    _tidy(litter)
    for note in (run / "pids").iterdir():
        note.unlink(missing_ok=True)


def _tidy(paths: Iterable[str]) -> None:
    """Removes sockets that nobody serves any more."""
    for path in map(Path, paths):
        with contextlib.suppress(OSError):
            if path.is_socket() and not path.is_symlink():
                path.unlink()


class Supervisor:
    """Starts, signals and reaps; see the module."""

    def __init__(self, link: socket.socket, run: Path) -> None:
        self._link, self._run, self._pids = link, run, run / "pids"
        self._of: dict[int, tuple[int, str]] = {}  # process → (the kubelet's number for it, mark)
        self._litter: dict[int, list[str]] = {}
        self._littered: set[str] = set()
        self._buffer = b""
        self._descriptors: list[int] = []
        self._wake, wakes = socket.socketpair()
        wakes.setblocking(False)
        self._wakes = wakes
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Serves until the kubelet is gone, then ends everything."""
        try:
            while self._once():
                pass
        finally:
            self._end()

    def _once(self) -> bool:
        ready, _, _ = select.select([self._link, self._wake], [], [])
        if self._wake in ready:
            self._wake.recv(4096)
        self._reap()
        if self._link not in ready:
            return True
        try:
            data, descriptors, _, _ = socket.recv_fds(self._link, 65536, 16)
        except ConnectionError:
            return False
        if not data:
            return False
        self._descriptors += descriptors
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                break
            message = json.loads(self._buffer[LENGTH.size : end])
            self._buffer = self._buffer[end:]
            (self._spawn if message["do"] == "spawn" else self._kill)(message)
        return True

    def _tell(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        with contextlib.suppress(OSError):
            self._link.sendall(LENGTH.pack(len(body)) + body)

    def _spawn(self, wanted: dict[str, Any]) -> None:
        streams, self._descriptors = self._descriptors[:3], self._descriptors[3:]
        tty = wanted["tty"]

        def child() -> None:
            # What is ignored here would stay ignored there: a shell could not even trap it.
            for number in _IGNORED:
                signal.signal(number, signal.SIG_DFL)
            if _libc is not None:
                _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if tty:
                import fcntl  # noqa: PLC0415
                import termios  # noqa: PLC0415

                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            os.umask(0o022)

        try:
            process = subprocess.Popen(
                wanted["argv"],
                env={**wanted["env"], MARK: wanted["mark"], RUN: str(self._run)},
                cwd=wanted["cwd"],
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                start_new_session=True,
                preexec_fn=child,  # noqa: PLW1509 (this process has one thread)
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._tell({"id": wanted["id"], "error": str(error), "errno": getattr(error, "errno", None) or 0})
            return
        finally:
            for descriptor in streams:
                os.close(descriptor)
        process.returncode = 0  # It is reaped below: Popen must not wait for it as well.
        self._of[process.pid] = (wanted["id"], wanted["mark"])
        if litter := wanted.get("litter"):
            self._litter[process.pid] = litter
            self._littered.update(litter)
        note = {"start": (_process(str(process.pid)) or (0, 0, 0))[2], "litter": litter or []}
        # On a full disk the process runs all the same; only a killed supervisor's heir will know less.
        with contextlib.suppress(OSError):
            (self._pids / str(process.pid)).write_text(json.dumps(note), "utf-8")
        self._tell({"id": wanted["id"], "pid": process.pid})

    def _kill(self, wanted: dict[str, Any]) -> None:
        for pid, (number, mark) in list(self._of.items()):
            if number == wanted["id"]:
                if not wanted["all"]:
                    _signal(pid, wanted["signal"])
                    continue
                for member in self._members(pid, mark):
                    _signal(member, wanted["signal"])

    def _members(self, pid: int, mark: str) -> set[int]:
        table = processes()
        me = os.getpid()
        orphans = {
            p for p, (parent, _, _) in table.items() if parent == me and p not in self._of and _has(p, MARK, mark)
        }
        members = family(pid, table) if pid in table else {p for p in table if table[p][1] == pid}
        for orphan in orphans:
            members |= family(orphan, table)
        if not table:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        return members

    def _strangers(self) -> bool:
        try:
            children = (_PROC / "self" / "task" / str(os.getpid()) / "children").read_text("utf-8").split()
        except OSError:
            return True
        return any(int(child) not in self._of for child in children)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid not in self._of:
                continue
            number, mark = self._of.pop(pid)
            # With its first process a container ends. What it leaves behind has become a child of this process: mostly
            # nothing, and then all processes of the machine need not be looked at.
            if self._strangers():
                for member in self._members(pid, mark) - {pid}:
                    _signal(member, signal.SIGKILL)
            _tidy(self._litter.pop(pid, ()))
            with contextlib.suppress(OSError):
                (self._pids / str(pid)).unlink(missing_ok=True)
            code = os.waitstatus_to_exitcode(status)
            self._tell({"id": number, "exit": code if code >= 0 else 128 - code, "signal": max(0, -code)})

    def _end(self) -> None:
        for _ in range(_TRIES):
            table = processes()
            members = set(self._of) if not table else family(os.getpid(), table) - {os.getpid()}
            for pid in members:
                _signal(pid, signal.SIGKILL)
                if not table:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)
            self._reap()
            if not members:
                break
            time.sleep(_PAUSE)
        # Once more: a server may have made them after its container's first process had gone and been tidied up after.
        _tidy(self._littered)
        with contextlib.suppress(OSError):
            for note in self._pids.iterdir():
                note.unlink(missing_ok=True)


def main() -> None:
    """The program: the socket's descriptor and the directory of notes are its arguments."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    become_reaper()
    run = Path(sys.argv[2])
    (run / "pids").mkdir(parents=True, exist_ok=True)
    sweep(run)
    Supervisor(socket.socket(fileno=int(sys.argv[1])), run).run()


if __name__ == "__main__":
    main()
