"""The near end of a tunnel whose program is this one: bytes are handed over in memory, without a socket in between.

A socket pair costs each byte two copies and two system calls, and each wait a change of what is polled: half of what a
download spent. Here what the far end brings is copied once, to where it is wanted.
"""

from __future__ import annotations

import asyncio

from tui.kube.forward.forward import Forward
from tui.kube.forward.local import CHUNK, Near
from tui.kube.forward.tunnel import Tunnel

#: Bytes that may lie here unread before the far end is no longer read, and those at which it is read again.
HIGH_WATER, LOW_WATER = 512 << 10, 128 << 10
#: Seconds between two looks, and how many, for a reset that waits until all was read.
_LOOK, _LOOKS = 0.02, 100


async def connect(forward: Forward) -> tuple[DirectEnd, Tunnel]:
    """Opens a connection in memory for a client of ours; see `Forward.connect` for one with a socket.

    Raises:
        ProblemError: no pod is ready in time, or it cannot be reached; the reason is the forward's.
    """
    tunnel = forward.accept()
    end = DirectEnd(tunnel)
    try:
        tunnel.local_connected(end)
        await tunnel.attached()
    except BaseException:
        end.drop()
        raise
    return end, tunnel


class DirectEnd:
    """Both what a tunnel writes to (`local.NearEnd`) and what a client reads from (`services.way.Stream`).

    Attributes:
        moved: bytes that went through it, in both directions.
    """

    def __init__(self, near: Near) -> None:
        self.moved = 0
        self._near = near
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()  # what came while nobody had asked
        self._into: memoryview | None = None  # where the next bytes go
        self._filled = self._least = 0
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._full = False  # the far end was told to wait
        self._held = False  # we were
        self._ended = False  # the application sends no more
        self._reset = False
        self._over = False  # the tunnel knows that nobody is here

    # --- for the client

    async def receive_into(self, view: memoryview, least: int) -> int:
        """Fills memory with what comes, and waits until there are so many bytes. See `services.way.Stream`."""
        count = min(len(view), len(self._kept))
        if count:
            view[:count] = memoryview(self._kept)[:count]
            del self._kept[:count]
            self._read_again()
        if count >= least or (count and (self._ended or self._reset)):
            return count
        if self._reset:
            raise ConnectionResetError("the connection was reset")
        if self._ended:
            return 0
        self._into, self._filled, self._least = view, count, least
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = self._into = None
        return self._came()

    def _came(self) -> int:
        if self._reset and not self._filled:
            raise ConnectionResetError("the connection was reset")
        return self._filled

    async def send(self, data: memoryview) -> None:
        """Sends all of it; waits while the far end does not take more. See `services.way.Stream`."""
        for at in range(0, len(data), CHUNK):
            while self._held and not self._reset and not self._ended:
                self._writer = self._loop.create_future()
                try:
                    await self._writer
                finally:
                    self._writer = None
            if self._reset or self._ended or self._over:
                raise BrokenPipeError("the connection is closed")
            piece = data[at : at + CHUNK]
            self.moved += len(piece)
            self._near.local_data(piece)
            if len(data) > CHUNK:
                await asyncio.sleep(0)  # others have their turn, whatever the size

    def stale(self) -> bool:
        """Whether an idle connection has ended, or brought what nobody asked for."""
        return self._ended or self._reset or self._over or bool(self._kept)

    def drop(self) -> None:
        """Ends it at once; who still waits for something is told that it was reset."""
        self._reset = True
        self._kept.clear()
        self._wake()
        self._leave()

    def _read_again(self) -> None:
        if self._full and len(self._kept) <= LOW_WATER:
            self._full = False
            self._near.local_drained()
        if self._ended and not self._kept:
            self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._near.local_lost()

    def _wake(self) -> None:
        for waiting in (self._reader, self._writer):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    # --- for the tunnel

    def write(self, data: memoryview) -> None:
        """Hands bytes to the client: to where it wants them if it waits, else they are kept."""
        if self._reset or self._over:
            return
        self.moved += len(data)
        into = self._into
        if into is not None:
            start = self._filled
            count = min(len(data), len(into) - start)
            into[start : start + count] = data[:count]
            self._filled += count
            if self._filled >= self._least and self._reader is not None and not self._reader.done():
                self._reader.set_result(None)
            if count == len(data):
                return
            data = data[count:]
        self._kept += data
        if len(self._kept) > HIGH_WATER and not self._full:
            self._full = True
            self._near.local_full()

    def end(self) -> None:
        """The application sends no more."""
        self._ended = True
        self._wake()

    def close(self) -> None:
        """Closes once all was read."""
        self._ended = True
        self._wake()
        if not self._kept:
            self._loop.call_soon(self._leave)

    def reset(self) -> None:
        """Closes so that the client gets an error, not an end."""
        self._reset = True
        self._kept.clear()
        self._wake()
        self._loop.call_soon(self._leave)

    def reset_when_sent(self, tries: int = _LOOKS) -> None:
        """As `reset`, once the client has what came so far; not for long if it does not take it."""
        if self._kept and tries:
            self._loop.call_later(_LOOK, self.reset_when_sent, tries - 1)
        else:
            self.reset()

    def pause(self) -> None:
        """The client has to wait with what it sends."""
        self._held = True

    def resume(self) -> None:
        """It may send again."""
        self._held = False
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    @property
    def waiting(self) -> int:
        """Bytes that the client has not read yet."""
        return len(self._kept)

    @property
    def undelivered(self) -> int:
        """The same: there is nothing in between."""
        return len(self._kept)

    @property
    def abandoned(self) -> bool | None:
        """Whether the client has closed it."""
        return self._over
