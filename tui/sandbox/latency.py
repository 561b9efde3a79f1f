"""Connections over which everything arrives later: what a slow network does to answers, watches, logs and forwards.

It stands between aiohttp and the connections that it serves, so that nothing that is sent can go around it. Only the
way to the client is slow: a round trip takes that much longer, as it would if each way took half of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

#: Bytes that may be on their way before the sender has to wait.
_HIGH = 256 << 10


class Latency:
    """How slow the network is; `seconds` may be changed at any time and holds for what is sent from then on."""

    def __init__(self) -> None:
        self.seconds = 0.0


class _Transport(asyncio.Transport):
    """A transport that hands over what is written after a while, and in order."""

    def __init__(self, transport: asyncio.Transport, latency: Latency, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._transport, self._latency, self._protocol = transport, latency, protocol
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[float, Callable[[], object], int]] = deque()
        self._size = 0
        self._high = _HIGH
        self._full = self._paused = self._closing = False
        self._timer: asyncio.TimerHandle | None = None

    # ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._latency.seconds and not self._under_way:
            self._transport.write(data)
            return
        # The sender may use its buffer again before this one is sent.
        copy = bytes(data)
        self._send(lambda: self._transport.write(copy), len(copy))

    def write_eof(self) -> None:
        self._send(self._transport.write_eof, 0)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._send(self._transport.close, 0)

    def abort(self) -> None:
        self._closing = True
        self.lose()
        self._transport.abort()

    def _send(self, step: Callable[[], object], size: int) -> None:
        if not self._latency.seconds and not self._under_way:
            step()
            return
        due = self._loop.time() + self._latency.seconds
        if self._under_way:
            # Nothing overtakes what was sent before, even if the network has become faster.
            due = max(due, self._under_way[-1][0])
        self._under_way.append((due, step, size))
        self._size += size
        self._heed()
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        now = self._loop.time()
        # Those that are due within a millisecond come along: the loop's clock is no finer.
        while self._under_way and self._under_way[0][0] <= now + 0.001:
            _, step, size = self._under_way.popleft()
            self._size -= size
            step()
        if self._under_way:
            self._timer = self._loop.call_at(self._under_way[0][0], self._arrive)
        self._heed()

    def lose(self) -> None:
        """Forgets what is under way: the connection is gone."""
        self._under_way.clear()
        self._size = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ── Back-pressure ────────────────────────────────────────────────────────────────────────────────────────────────

    def fill(self, *, full: bool) -> None:
        """Takes in whether the connection itself takes no more."""
        self._full = full
        self._heed()

    def _heed(self) -> None:
        paused = self._full or self._size > self._high
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._protocol.pause_writing()
            else:
                self._protocol.resume_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = _HIGH if high is None else high
        self._transport.set_write_buffer_limits(high, low)
        self._heed()

    def get_write_buffer_size(self) -> int:
        return self._size + self._transport.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._transport.get_write_buffer_limits()

    # ── What is passed on ────────────────────────────────────────────────────────────────────────────────────────────

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  (as asyncio has it)
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        raise NotImplementedError("the protocol stays the one that the connection began with")

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


class Slowed(asyncio.Protocol):
    """Serves a connection with another protocol, whose sending it slows."""

    def __init__(self, protocol: asyncio.Protocol, latency: Latency) -> None:
        """Begins with the connection; `latency` is asked each time something is sent."""
        self._protocol, self._latency = protocol, latency
        self._transport: _Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = _Transport(cast("asyncio.Transport", transport), self._latency, self._protocol)
        self._protocol.connection_made(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._transport is not None:
            self._transport.lose()
        self._protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._transport is not None:
            self._transport.fill(full=True)

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._transport is not None:
            self._transport.fill(full=False)
