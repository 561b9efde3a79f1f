"""A transport without a network, and a websocket on it whose messages are collected."""

from __future__ import annotations

import asyncio

from fake_forward import read_frame

from tui.kube.api import Upgraded
from tui.kube.forward.websocket import WebSocket


class Transport(asyncio.Transport):
    """Takes what is written, and hands in what is fed as an event loop does."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.calls: list[str] = []
        self.protocol: asyncio.BufferedProtocol | None = None
        self.limits: tuple[int, int] | None = None
        self.size = 0
        self.reading = True
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def set_protocol(self, protocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high=None, low=None) -> None:
        self.limits = (high, low)

    def get_write_buffer_size(self) -> int:
        return self.size

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.calls.append("close")
        self.closing = True

    def abort(self) -> None:
        self.calls.append("abort")
        self.closing = True

    def get_extra_info(self, name, default=None):
        return f"the {name}"

    def feed(self, data: bytes) -> None:
        while data:
            room = self.protocol.get_buffer(-1)
            taken = min(len(room), len(data))
            room[:taken] = data[:taken]
            self.protocol.buffer_updated(taken)
            data = data[taken:]


class Heard:
    """Collects what a websocket brings."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ends: list[tuple[str, bool]] = []
        self.events: list[str] = []
        self.empty = 0
        self.on_bytes = lambda: None

    def message_bytes(self, data, *, begins):
        assert not self.ends, "bytes after the end"
        if begins:
            self.messages.append(bytes(data))
            self.empty += not data
        else:
            assert len(data)
            self.messages[-1] += bytes(data)
        self.on_bytes()

    def socket_closed(self, why, *, clean):
        self.ends.append((why, clean))

    def socket_full(self):
        self.events.append("full")

    def socket_drained(self):
        self.events.append("drained")

    def pong_received(self):
        self.events.append("pong")


class Made:
    def __init__(self, early: bytes = b"", resume: bool = True) -> None:
        self.heard, self.transport, self.released = Heard(), Transport(), 0
        self.socket = WebSocket(self.heard)
        self.socket.adopt(Upgraded(self.transport, early, self._release))
        if resume:
            self.socket.resume()

    def _release(self) -> None:
        self.released += 1

    async def sent(self) -> list[tuple[int, bytes]]:
        reader = asyncio.StreamReader()
        reader.feed_data(bytes(self.transport.written))
        reader.feed_eof()
        frames = []
        while not reader.at_eof():
            frames.append(await read_frame(reader))
        return frames
