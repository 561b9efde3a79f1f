"""Connections as bytes in both directions, with and without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from typing import Protocol

#: Seconds without a byte after which a connection is given up.
IDLE = 60.0
#: Seconds for the first byte of an answer to a request that makes the store work (copies, completions).
WORKING = 900.0
#: Bytes that go to a socket, or come from it, at a time: more would keep the event loop.
SLICE = 1 << 18


class Pipe(Protocol):
    """Bytes in both directions."""

    async def send(self, data: bytes | memoryview) -> None:
        """Sends all of it. Raises OSError, or TimeoutError when nothing is taken for `IDLE` seconds."""
        ...

    async def receive(self, patience: float) -> bytes:
        """What comes next, at most `SLICE`; nothing at the end. Raises OSError, TimeoutError after so many seconds."""
        ...

    def stale(self) -> bool:
        """Whether an idle connection has ended."""
        ...

    def close(self) -> None:
        """Ends it at once."""
        ...


class PlainPipe:
    """A socket. One timer looks after it, and not one for each of its steps: those would cost more than the steps."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes it over."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._since: float | None = None  # when the step began that is waited for
        self._patience = IDLE
        self._silent = False
        self._timer = self._loop.call_later(IDLE, self._look)

    async def send(self, data: bytes | memoryview) -> None:
        """See `Pipe`."""
        view = memoryview(data)
        self._patience = IDLE
        for at in range(0, len(view), SLICE):
            self._since = self._loop.time()
            try:
                await self._loop.sock_sendall(self._sock, view[at : at + SLICE])
            except OSError:
                if self._silent:
                    raise TimeoutError(f"nothing was taken for {IDLE:g} s") from None
                raise
        self._since = None

    async def receive(self, patience: float) -> bytes:
        """See `Pipe`."""
        self._since, self._patience = self._loop.time(), patience
        data = await self._loop.sock_recv(self._sock, SLICE)
        self._since = None
        if not data and self._silent:
            raise TimeoutError(f"nothing came for {patience:g} s")
        return data

    def stale(self) -> bool:
        """See `Pipe`."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """See `Pipe`."""
        self._timer.cancel()
        self._sock.close()

    def _look(self) -> None:
        late = self._since is not None and self._loop.time() - self._since >= self._patience
        if late:
            self._silent = True
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)  # whoever waits is woken by it
            return
        self._timer = self._loop.call_later(IDLE / 4, self._look)


class TlsPipe:
    """A socket with TLS over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes | memoryview) -> None:
        """See `Pipe`."""
        view = memoryview(data)
        for at in range(0, len(view), SLICE):
            self._writer.write(view[at : at + SLICE])
            async with asyncio.timeout(IDLE):
                await self._writer.drain()

    async def receive(self, patience: float) -> bytes:
        """See `Pipe`."""
        async with asyncio.timeout(patience):
            return await self._reader.read(SLICE)

    def stale(self) -> bool:
        """See `Pipe`."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        """See `Pipe`."""
        self._writer.transport.abort()
