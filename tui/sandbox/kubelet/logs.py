"""Containers' logs: kept with stamps, in the form of the runtime interface (CRI); read as `kubectl logs` asks."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

from tui.sandbox.model import Logs

#: A file is begun anew at this size; one older one is kept, as the kubelet's `containerLogMaxSize` has it.
ROTATE_AT = 10 * 1024 * 1024
#: A line longer than this is kept in parts.
_PART = 16 * 1024
_CHUNK = 64 * 1024


def stamp(seconds: float | None = None) -> str:
    """A time as RFC 3339 with nanoseconds, in UTC; now when none is given."""
    nanoseconds = time.time_ns() if seconds is None else int(seconds * 1e9)
    whole = dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"


class Log:
    """The log of one run of a container."""

    def __init__(self, path: Path, rotate_at: int = ROTATE_AT) -> None:
        self.path = path
        self.closed = False
        self._rotate_at = rotate_at
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("ab")
        self._size = path.stat().st_size
        self._rest = {"stdout": b"", "stderr": b""}
        self._changed: set[asyncio.Event] = set()
        self._listeners: set[asyncio.Queue[tuple[str, bytes]]] = set()

    @property
    def older(self) -> Path:
        """The file before the last rotation."""
        return self.path.with_name(self.path.name + ".1")

    def feed(self, stream: str, data: bytes) -> None:
        """Takes what the container printed to `stdout` or `stderr`. A full disk loses lines, never the container."""
        if self.closed:
            return
        for listener in self._listeners:
            # Who attaches and does not read loses the oldest output; the container must not wait for it.
            if listener.full():
                listener.get_nowait()
            listener.put_nowait((stream, data))
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        while len(rest) > _PART:
            self._write(stream, b"P", rest[:_PART])
            rest = rest[_PART:]
        if lines:
            # With one stamp for all that came at once: `yes` prints millions of lines a second.
            begin = b"\n%s %s F " % (stamp().encode(), stream.encode())
            self._write(stream, b"F", begin.join(lines))
        self._rest[stream] = rest
        self._flush()

    def close(self) -> None:
        """Nothing comes any more."""
        if self.closed:
            return
        for stream, rest in self._rest.items():
            if rest:
                self._write(stream, b"F", rest)
        self._flush()
        self.closed = True
        self._file.close()
        self._wake()

    def end(self, *, lines: int, size: int) -> str:
        """The last so many lines that were printed, or bytes if that is less. OSError when it cannot be read."""
        path, start = _last_lines([self.path], lines)
        with path.open("rb") as file:
            file.seek(max(start, file.seek(0, 2) - 2 * size))
            printed = b"".join(_shown(file.read().split(b"\n"), Logs()))
        return printed[-size:].decode("utf-8", "replace")

    async def attach(self) -> AsyncIterator[tuple[str, bytes]]:
        """What is printed from now on, until the container ends."""
        listener: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(256)
        changed = asyncio.Event()
        self._listeners.add(listener)
        self._changed.add(changed)
        try:
            while True:
                changed.clear()
                while not listener.empty():
                    yield listener.get_nowait()
                if self.closed:
                    return
                await changed.wait()
        finally:
            self._listeners.discard(listener)
            self._changed.discard(changed)

    async def read(self, wanted: Logs) -> AsyncIterator[bytes]:
        """The part that is wanted, in pieces of whole lines; with `follow` until the container ends."""
        left = wanted.limit if wanted.limit is not None else None
        async for piece in self._pieces(wanted):
            if left is None:
                yield piece
                continue
            if left > 0:
                yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return

    async def _pieces(self, wanted: Logs) -> AsyncIterator[bytes]:
        changed = asyncio.Event()
        self._changed.add(changed)
        try:
            with contextlib.ExitStack() as files:
                file = files.enter_context(_open(self.path))
                older = [self.older] if self.older.exists() else []
                start = _last_lines([*older, self.path], wanted.tail) if wanted.tail is not None else None
                for path in older:
                    with _open(path) as before:
                        if start is None or start[0] == path:
                            before.seek(start[1] if start is not None else 0)
                            async for piece in _drain(before, wanted):
                                yield piece
                if start is not None and start[0] == self.path:
                    file.seek(start[1])
                while True:
                    changed.clear()
                    async for piece in _drain(file, wanted):
                        yield piece
                    if self._rotated(file):
                        file = files.enter_context(_open(self.path))
                    elif self.closed or not wanted.follow:
                        return
                    else:
                        await changed.wait()
        finally:
            self._changed.discard(changed)

    def _rotated(self, file: IO[bytes]) -> bool:
        with contextlib.suppress(OSError):
            return self.path.stat().st_ino != os.fstat(file.fileno()).st_ino
        return False

    def _write(self, stream: str, part: bytes, line: bytes) -> None:
        with contextlib.suppress(OSError):
            self._size += self._file.write(b"%s %s %s %s\n" % (stamp().encode(), stream.encode(), part, line))

    def _flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()
            if self._size > self._rotate_at:
                self._file.close()
                self.path.replace(self.older)
                self._file = self.path.open("ab")
                self._size = 0
        self._wake()

    def _wake(self) -> None:
        for event in self._changed:
            event.set()


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _last_lines(paths: list[Path], count: int) -> tuple[Path, int]:
    """Where the last so many whole lines of some files, oldest first, begin."""
    if count <= 0:
        return paths[-1], paths[-1].stat().st_size
    for path in reversed(paths):
        with path.open("rb") as file:
            position = file.seek(0, 2)
            while position > 0:
                size = min(_CHUNK, position)
                position -= size
                file.seek(position)
                block = file.read(size)
                ends = [at for at, byte in enumerate(block) if byte == 10]
                # A partial line ("P") does not end a line, but is rare: counted as one it yields less, never more.
                for at in reversed(ends):
                    if count == 0:
                        return path, position + at + 1
                    count -= 1
    return paths[0], 0


async def _drain(file: IO[bytes], wanted: Logs) -> AsyncIterator[bytes]:
    rest = b""
    while data := file.read(_CHUNK):
        *lines, rest = (rest + data).split(b"\n")
        piece = b"".join(_shown(lines, wanted))
        if piece:
            yield piece
        await asyncio.sleep(0)
    if rest:
        file.seek(-len(rest), 1)


def _shown(lines: list[bytes], wanted: Logs) -> Iterator[bytes]:
    since = stamp(wanted.since).encode() if wanted.since is not None else b""
    for line in lines:
        at, _, rest = line.partition(b" ")
        if at < since:
            continue
        _, _, rest = rest.partition(b" ")
        part, _, text = rest.partition(b" ")
        end = b"\n" if part == b"F" else b""
        yield at + b" " + text + end if wanted.timestamps else text + end
