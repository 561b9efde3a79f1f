"""A process with its streams: what `Pods.exec` answers with, and how containers' output reaches their logs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Awaitable, Callable
from typing import Literal

from tui.sandbox.kubelet.processes import Child, Exit

_CHUNK = 64 * 1024
Stream = Literal["stdout", "stderr"]
#: Starts a process on three descriptors.
Start = Callable[[tuple[int, int, int], bool], Awaitable[Child]]
Signal = Callable[[Child, int], Awaitable[None]]


async def pump(descriptor: int, take: Callable[[bytes], Awaitable[None] | None]) -> None:
    """Reads a non-blocking descriptor to its end and closes it; waits for whoever takes a piece before it reads on."""
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        while True:
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                readable.clear()
                await readable.wait()
                continue
            except OSError:  # A terminal whose last process is gone says EIO.
                return
            if not data:
                return
            taken = take(data)
            if taken is not None:
                await taken
            else:
                await asyncio.sleep(0)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


class Running:
    """A process from outside: `tui.sandbox.model.Process`."""

    def __init__(self, signals: Signal) -> None:
        self._signals = signals
        self._child: Child | None = None
        self._output: asyncio.Queue[tuple[Stream, bytes]] = asyncio.Queue(16)
        self._pumps: list[asyncio.Task[None]] = []
        self._input = -1
        self._terminal = False
        self._killing: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, start: Start, signals: Signal, *, tty: bool, stdin: bool) -> Running:
        """Starts it, on a terminal or on pipes. OSError when it cannot be started."""
        self = cls(signals)
        self._terminal = tty
        outputs: dict[Stream, int] = {}
        if tty:
            ours, theirs = pty.openpty()
            given = (theirs, os.dup(theirs), os.dup(theirs))
            outputs["stdout"] = os.dup(ours)
            self._input = ours
        else:
            (out, out_in), (err, err_in) = os.pipe(), os.pipe()
            outputs |= {"stdout": out, "stderr": err}
            if stdin:
                source, self._input = os.pipe()
            else:
                source = os.open(os.devnull, os.O_RDONLY)
            given = (source, out_in, err_in)
        try:
            self._child = await start(given, tty)
        except BaseException:
            for descriptor in outputs.values():
                os.close(descriptor)
            self._close_input()
            raise
        if self._input >= 0:
            os.set_blocking(self._input, False)
        for stream, descriptor in outputs.items():
            self._pumps.append(asyncio.create_task(pump(descriptor, self._taker(stream))))
        return self

    def _taker(self, stream: Stream) -> Callable[[bytes], Awaitable[None]]:
        return lambda data: self._output.put((stream, data))

    async def read(self) -> tuple[Stream, bytes] | None:
        """The next output, None after the last."""
        while True:
            if not self._output.empty():
                return self._output.get_nowait()
            pumps = [task for task in self._pumps if not task.done()]
            if not pumps:
                return None if self._output.empty() else self._output.get_nowait()
            getting = asyncio.ensure_future(self._output.get())
            try:
                await asyncio.wait([getting, *pumps], return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getting.done():
                    getting.cancel()
            if getting.done() and not getting.cancelled():
                return getting.result()

    @property
    def child(self) -> Child:
        """What was started."""
        assert self._child is not None  # noqa: S101 (start() is the only way to make one)
        return self._child

    async def each(self, take: Callable[[Stream, bytes], None]) -> None:
        """Gives away all output, to its end."""
        while (piece := await self.read()) is not None:
            take(*piece)

    async def write(self, data: bytes) -> None:
        """Sends to its standard input; nothing when that is closed, at either end."""
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        while view and self._input >= 0:
            try:
                view = view[os.write(self._input, view) :]
            except BlockingIOError:
                descriptor, writable = self._input, asyncio.Event()
                loop.add_writer(descriptor, writable.set)
                try:
                    # One that has ended without reading is not waited for.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.5):
                            await writable.wait()
                finally:
                    loop.remove_writer(descriptor)
                if self._child is not None and not self._child.running:
                    return
            except OSError:
                self._close_input()

    def end_input(self) -> None:
        """Closes its standard input; on a terminal it sends the end-of-file character."""
        if self._terminal and self._input >= 0:
            with contextlib.suppress(OSError):
                os.write(self._input, b"\x04")
        else:
            self._close_input()

    def resize(self, width: int, height: int) -> None:
        """Tells it the terminal's size; nothing when it has none."""
        if self._terminal and self._input >= 0:
            size = struct.pack("HHHH", min(max(height, 0), 65535), min(max(width, 0), 65535), 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._input, termios.TIOCSWINSZ, size)

    async def wait(self) -> int:
        """Its exit code; 128 + n for signal n."""
        ended: Exit = await asyncio.shield(self.child.ended)
        self._close_input()
        return ended.code

    def kill(self) -> None:
        """Kills it with everything that it started, and forgets its output."""
        self._close_input()
        if self._child is not None and self._child.running:
            self._killing = asyncio.ensure_future(self._signals(self._child, signal.SIGKILL))
        for task in self._pumps:
            task.cancel()

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1


class Attached:
    """The input of a container's own process, which outlives those who are attached unless it wants it only once."""

    def __init__(self, process: Running, *, once: bool) -> None:
        self._process, self._once = process, once

    async def write(self, data: bytes) -> None:
        """Sends to its standard input."""
        await self._process.write(data)

    def end_input(self) -> None:
        """The first who was attached has sent everything: that is all there will be, with `stdinOnce`."""
        if self._once:
            self._process.end_input()

    def resize(self, width: int, height: int) -> None:
        """Tells it the terminal's size."""
        self._process.resize(width, height)
