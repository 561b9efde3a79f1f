"""Runs a program in a real pseudo-terminal, notes when what it writes appears, and counts the bytes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path

ESCAPES = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[\[\]P][0-9;:<>=?$!\"' ]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78MDEc]"
)


class Terminal:
    """A child on a pty of its own. `seconds` count from its start."""

    def __init__(
        self, command: list[str], size: tuple[int, int] = (140, 40), environment: dict[str, str] | None = None
    ) -> None:
        self.started = time.monotonic()
        self.bytes = 0
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", **(environment or {}))
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._rest = b""

    @property
    def seconds(self) -> float:
        """Since the start of the process."""
        return time.monotonic() - self.started

    def pump(self, seconds: float) -> bool:
        """Reads for a while; False when the program has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                return True
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:
                return False
            if not data:
                return False
            self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self.bytes += len(data)
        data = self._rest + data
        cut = data.rfind(b"\x1b")
        if cut >= len(data) - 40 and not ESCAPES.match(data, cut):
            data, self._rest = data[:cut], data[cut:]
        else:
            self._rest = b""
        self.text = (self.text + ESCAPES.sub(b"", data).decode("utf-8", "replace"))[-200_000:]

    def until(self, pattern: str, timeout: float = 30) -> float:
        """Seconds from the process' start until the pattern is written. Fails after `timeout` more seconds."""
        end, sought = time.monotonic() + timeout, re.compile(pattern)
        while not sought.search(self.text):
            if time.monotonic() > end:
                raise SystemExit(
                    f"{pattern!r} did not appear within {timeout} s; the last of what did:\n{self.text[-1500:]}"
                )
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self._take(os.read(self.fd, 1 << 16))
                except OSError:
                    raise SystemExit(f"the program ended before {pattern!r}:\n{self.text[-1500:]}") from None
        return self.seconds

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self.fd, keys.encode())

    def resident(self) -> int:
        """Resident memory of the program now, MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000

    def cpu(self) -> float:
        """Processor seconds that the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Ends the program and waits for it."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, sign)
            except ProcessLookupError:
                break
            for _ in range(30):
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self.fd)
                    return
                self.pump(0.1)
