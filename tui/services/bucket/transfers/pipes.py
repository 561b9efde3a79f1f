"""Connections as bytes in both directions, with and without TLS."""

from __future__ import annotations

import asyncio
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

    async def receive(self) -> bytes:
        """What comes next, at most `SLICE`; nothing at the end. Raises OSError."""
        ...

    def stale(self) -> bool:
        """Whether an idle connection has ended."""
        ...

    def close(self) -> None:
        """Ends it at once."""
        ...


class PlainPipe:
    """A socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock

    async def send(self, data: bytes | memoryview) -> None:
        """See `Pipe`."""
        view = memoryview(data)
        for at in range(0, len(view), SLICE):
            async with asyncio.timeout(IDLE):
                await self._loop.sock_sendall(self._sock, view[at : at + SLICE])

    async def receive(self) -> bytes:
        """See `Pipe`."""
        return await self._loop.sock_recv(self._sock, SLICE)

    def stale(self) -> bool:
        """Whether something came while nothing was asked for: the end, that is."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """See `Pipe`."""
        self._sock.close()


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

    async def receive(self) -> bytes:
        """See `Pipe`."""
        return await self._reader.read(SLICE)

    def stale(self) -> bool:
        """See `Pipe`."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        """See `Pipe`."""
        self._writer.transport.abort()
