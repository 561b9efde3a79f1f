"""The program as a process on a pseudo-terminal of its own, with a screen that can be read and awaited.

It runs beside the test's event loop, so that a fake API server of the same loop can answer it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.cells import cell_len

#: Where the fake API server is.
sys.path.append(str(Path(__file__).parents[1] / "unit"))

_TOKEN = re.compile(
    r"\x1b\[(\d*)(?:;(\d*))?H|(\x1b\[2?J)|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP.*?\x1b\\|\x1b[^\[\]P]|(.)",
    re.DOTALL,
)
_PART = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|P[^\x1b]*\x1b?)?$")

#: How long something may take that takes a second on an idle machine, seconds.
ON_SCREEN = 60.0


class Screen:
    """What the terminal shows; text only."""

    def __init__(self, width: int, height: int) -> None:
        self._rest = ""
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [[" "] * width for _ in range(height)]
        self._x = self._y = 0

    def feed(self, data: str) -> None:
        data = self._rest + data
        part = _PART.search(data)
        data, self._rest = (data[: part.start()], part[0]) if part else (data, "")
        for match in _TOKEN.finditer(data):
            row, column, wiped, char = match.groups()
            if char is not None:
                self._put(char)
            elif wiped:
                self.resize(self.width, self.height)
            elif row is not None:
                self._y, self._x = int(row or 1) - 1, int(column or 1) - 1

    def _put(self, char: str) -> None:
        if char == "\r":
            self._x = 0
        elif char == "\n":
            self._y += 1
        elif self._y < self.height and self._x < self.width:
            self._cells[self._y][self._x] = char
            size = cell_len(char)
            if size == 2 and self._x + 1 < self.width:
                self._cells[self._y][self._x + 1] = ""
            self._x += size

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self._cells)


class Program:
    """`statetui` on a pseudo-terminal.

    Attributes:
        raw: every byte that it wrote.
        screen: what stands on the terminal.
        ended: whether the terminal has been closed by everyone who wrote to it.
    """

    def __init__(
        self,
        *words: str,
        kubeconfig: str = "",
        size: tuple[int, int] = (100, 30),
        environment: Mapping[str, str] | None = None,
        ignore_hangup: bool = False,
        shell: bool = False,
    ) -> None:
        """Starts it; with `shell` an interactive shell in its place, in whose job it is for the test to start it."""
        self._master, slave = os.openpty()
        self._size(size)
        self.before = termios.tcgetattr(slave)

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hangup else signal.SIG_DFL)

        command = ["bash", "--norc", "--noprofile", "-i"] if shell else [sys.executable, "-m", "tui", *words]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509 - two system calls, and no lock of ours is held
            env={**os.environ, "KUBECONFIG": kubeconfig, **(environment or {})},
        )  # fmt: skip
        self._slave = slave
        self.pid = self.process.pid
        self.raw = bytearray()
        self.screen = Screen(*size)
        self.ended = False
        self._told = asyncio.Event()
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    async def __aenter__(self) -> Program:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        if self._slave >= 0:
            os.close(self._slave)
        if self.process.poll() is None:
            self.process.kill()
        await asyncio.to_thread(self.process.wait)

    # --- the terminal's side

    def _size(self, size: tuple[int, int]) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def _read(self) -> None:
        try:
            data = os.read(self._master, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.raw += data
            self.screen.feed(data.decode("utf-8", "replace"))
        else:
            self.ended = True
            asyncio.get_running_loop().remove_reader(self._master)
        self._told.set()

    def hang_up(self) -> None:
        """Closes the terminal, as closing its window does."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = -1

    def resize(self, width: int, height: int) -> None:
        self.screen.resize(width, height)
        self._size((width, height))

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    @property
    def modes(self) -> list[Any]:
        """The terminal's line settings now."""
        return termios.tcgetattr(self._slave)

    # --- waiting

    @property
    def text(self) -> str:
        return self.screen.text

    async def until(self, wanted: str | Callable[[str], Any], seconds: float = ON_SCREEN) -> float:
        """Waits until a pattern stands on the screen, or something is true of its text; the seconds it took."""
        began = time.monotonic()
        sought = re.compile(wanted).search if isinstance(wanted, str) else wanted
        try:
            async with asyncio.timeout(seconds):
                while not sought(self.text):
                    assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.text}"
                    self._told.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._told.wait(), 0.5)
        except TimeoutError:
            raise AssertionError(f"{wanted!r} did not come within {seconds} s:\n{self.text}") from None
        return time.monotonic() - began

    async def more(self, seconds: float = ON_SCREEN) -> None:
        """Waits for the next bytes that the program writes."""
        self._told.clear()
        try:
            await asyncio.wait_for(self._told.wait(), seconds)
        except TimeoutError:
            raise AssertionError(f"nothing was written within {seconds} s:\n{self.text}") from None

    async def exit_code(self, seconds: float = ON_SCREEN) -> int:
        """Waits for the end of the process."""
        try:
            return await asyncio.to_thread(self.process.wait, seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs after {seconds} s:\n{self.text}") from None

    # --- the process

    def cpu(self) -> float:
        """Processor seconds used so far; also of a process that has ended but was not waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def over(self) -> bool:
        """Whether it has ended. It is not reaped by this, so that `cpu` still works."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def peak_megabytes(self) -> int:
        """The most memory that was resident."""
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) // 1024
