"""The near end of a tunnel: a connection that a listener accepted, or one half of a socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import select
import socket
import struct
import sys
import termios
from typing import Protocol

from tui.kube.forward import sockdiag
from tui.kube.forward.websocket import HIGH_WATER, LOW_WATER

#: Bytes read from a program at once, and sent as one frame. Larger ones cost less; but fifty frames may wait at the far
#: end while the application does not read (spdystream's queue), and that is memory of the node.
CHUNK = 128 << 10
_shared = bytearray(CHUNK)
_view = memoryview(_shared)
#: From Python 3.12 on a transport keeps what it could not send at once instead of copying it; our buffers are reused.
_KEPT_BY_TRANSPORT = sys.version_info >= (3, 12)
#: `SO_LINGER` on, for no seconds: closing sends a reset instead of the end of the data.
_RESET = struct.pack("ii", 1, 0)


class Near(Protocol):
    """Who is told what the near end does: a tunnel."""

    def local_connected(self, local: NearEnd) -> None:
        """A program has connected."""

    def local_data(self, data: memoryview) -> None:
        """Bytes from the program; good only during the call."""

    def local_ended(self) -> None:
        """The program sends no more. It may still read, or be gone."""

    def local_lost(self) -> None:
        """The program is gone. Called once, last of all."""

    def local_full(self) -> None:
        """The program does not read as fast as it is sent to."""

    def local_drained(self) -> None:
        """It has read."""


class NearEnd(Protocol):
    """What a tunnel asks of its near end; `LocalEnd` says what each of them does."""

    def write(self, data: memoryview) -> None:
        """Sends to the program; the data may be reused at once."""

    def end(self) -> None:
        """Nothing more comes."""

    def close(self) -> None:
        """Closes once all is sent."""

    def reset(self) -> None:
        """Closes with an error."""

    def reset_when_sent(self) -> None:
        """As `reset`, once the program has what was sent so far."""

    def pause(self) -> None:
        """Reads no more."""

    def resume(self) -> None:
        """Reads again."""

    @property
    def waiting(self) -> int:
        """Bytes that the program has not taken yet."""

    @property
    def undelivered(self) -> int:
        """Bytes that a reset would destroy."""

    @property
    def abandoned(self) -> bool | None:
        """Whether the program is gone altogether; None where it cannot be known."""


class LocalEnd(asyncio.BufferedProtocol):
    """A stream socket whose other end a program holds."""

    def __init__(self, near: Near) -> None:
        self._near = near
        self._transport: asyncio.Transport | None = None
        self._over = False

    # --- for the tunnel

    def write(self, data: memoryview) -> None:
        """Sends to the program; what it does not take at once is copied."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(bytes(data) if _KEPT_BY_TRANSPORT else data)

    def end(self) -> None:
        """Tells the program that nothing more comes, once all is sent."""
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                self._transport.write_eof()

    def close(self) -> None:
        """Closes once all is sent."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Closes so that the program sees an error, not an end: what it has of an answer is not whole."""
        self._over = True
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def reset_when_sent(self, tries: int = 100) -> None:
        """As `reset`, once the program has what was sent so far; not for long if it does not take it."""
        if self.undelivered and tries:
            asyncio.get_running_loop().call_later(0.02, self.reset_when_sent, tries - 1)
        else:
            self.reset()

    def pause(self) -> None:
        """Reads no more: the program has to wait."""
        if self._transport is not None and not self._over:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads again."""
        if self._transport is not None and not self._over:
            self._transport.resume_reading()

    @property
    def waiting(self) -> int:
        """Bytes that the program has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None and not self._over else 0

    @property
    def undelivered(self) -> int:
        """Bytes that have not reached the program's side, those in the kernel included: a reset destroys them."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None and not self._over else None
        if sock is None:
            return 0
        queued = bytearray(4)
        with contextlib.suppress(OSError):
            fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, queued)
        return self.waiting + int.from_bytes(queued, sys.byteorder)

    @property
    def abandoned(self) -> bool | None:
        """Whether the program has closed its socket altogether, and not only its sending half.

        A FIN does not tell, and whoever waits for an answer must not be cut off; but the kernel knows. None where it
        cannot be asked.
        """
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is None or self._over:
            return True
        try:
            if sock.family == socket.AF_UNIX:
                poll = select.poll()
                poll.register(sock.fileno(), 0)
                return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
            return sockdiag.orphaned(sock.getpeername(), sock.getsockname())
        except (OSError, ValueError):
            return None

    # --- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A program has connected."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (stream sockets only)
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self._near.local_connected(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """All connections read into one buffer: nothing stays in it."""
        return _view

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self._near.local_data(_view[:nbytes])

    def eof_received(self) -> bool:
        """The program sends no more; what it is still to get is sent all the same."""
        self._near.local_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The program is gone."""
        self._over = True
        self._near.local_lost()

    def pause_writing(self) -> None:
        """The program reads slower than it is sent to."""
        self._near.local_full()

    def resume_writing(self) -> None:
        """It has read."""
        self._near.local_drained()
