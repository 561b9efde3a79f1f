"""A client's websocket as a pump needs it: bytes are handed on as they arrive, and nothing waits in a queue.

aiohttp does the handshake and gives its transport away; what follows here is the frames of RFC 6455. aiohttp's own
reader is not used because it copies every message into objects and a queue, and pulls from it task by task: this one
spends about half of the processor's time for each byte. There is no extension and no text: Kubernetes sends binary
messages without compression.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from typing import Protocol

from tui.kube.api import Upgraded

try:
    from aiohttp._websocket.helpers import websocket_mask as _mask
except ImportError:  # another layout of aiohttp: slower, not wrong

    def _mask(mask: bytes, data: bytearray) -> None:
        size = len(data)
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
        data[:] = (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")


#: Bytes that one reading takes at most; all connections share the buffer, because nothing stays in it between two.
READ = 256 << 10
#: Bytes that may wait to be sent before the other end is no longer read, and those at which it is read again.
HIGH_WATER, LOW_WATER = 256 << 10, 64 << 10
#: A control frame's payload.
MAX_CONTROL = 125

_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA
#: The longest header that a server sends: 2 bytes and a length of 8.
_MAX_HEADER = 10
_PLACE = bytes(14)
_shared = bytearray(_MAX_HEADER + MAX_CONTROL + READ)
_view = memoryview(_shared)


class Messages(Protocol):
    """Who is given what a websocket brings."""

    def message_bytes(self, data: memoryview, *, begins: bool) -> None:
        """Part of a binary message, as it came; `data` is good only during the call.

        Args:
            data: the bytes, never none unless the message is empty.
            begins: whether they are the first of their message.
        """

    def socket_closed(self, why: str, *, clean: bool) -> None:
        """The websocket has ended: `clean` after a Close frame that means "done". Called once, last of all."""

    def socket_full(self) -> None:
        """More waits to be sent than should; whatever is sent now is kept all the same."""

    def socket_drained(self) -> None:
        """What waited has been sent."""

    def pong_received(self) -> None:
        """The other side answered a ping."""


class WebSocket(asyncio.BufferedProtocol):
    """One websocket over a transport whose handshake is done.

    Attributes:
        heard: when bytes arrived last, by the loop's clock.
    """

    def __init__(self, messages: Messages) -> None:
        self.heard = 0.0
        self._messages = messages
        self._transport: asyncio.Transport | None = None
        self._release: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._early = b""
        self._left = b""  # the beginning of a header or of a control frame
        self._remaining = 0  # bytes of the frame's payload that have not come
        self._begins = False
        self._fragmented = False
        self._over = False

    def adopt(self, upgraded: Upgraded) -> None:
        """Takes a connection over from whoever did the handshake, with what had arrived after it.

        Nothing is read, and nothing told, before `resume`.
        """
        transport = upgraded.transport
        self._early = upgraded.early
        self._transport, self._release = transport, upgraded.release
        self.heard = self._loop.time()
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        transport.pause_reading()

    # --- sending

    def send(self, prefix: bytes, data: bytes | bytearray | memoryview = b"") -> None:
        """Sends one binary message made of two parts. The data may be reused at once."""
        self._send_frame(0x80 | _BINARY, prefix, data)

    def ping(self) -> None:
        """Asks for a pong."""
        self._send_frame(0x80 | _PING, b"")

    def close(self, code: int = 1000) -> None:
        """Says goodbye and closes once all is sent. Nothing more is received, and `socket_closed` is not called."""
        if self._transport is not None and not self._over:
            self._send_frame(0x80 | _CLOSE, struct.pack("!H", code))
            self._over = True
            self._transport.close()
            self._let_go()

    def abort(self) -> None:
        """Drops the connection at once; `socket_closed` is not called."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()
        self._let_go()

    def _let_go(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()

    def pause(self) -> None:
        """Reads no more: the server, and whoever sends to it, has to wait."""
        if self._transport is not None and not self._over:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads, for the first time or again."""
        if self._transport is not None and not self._over:
            self._transport.resume_reading()
        early, self._early = self._early, b""
        if early:
            self._take(memoryview(early))  # after the transport, because who is told may pause it

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size() if self._transport is not None and not self._over else 0

    def info(self, name: str) -> object:
        """What the transport knows (`get_extra_info`)."""
        return self._transport.get_extra_info(name) if self._transport is not None else None

    def _send_frame(self, first: int, prefix: bytes, data: bytes | bytearray | memoryview = b"") -> None:
        if self._transport is None or self._over or self._transport.is_closing():
            return
        size = len(prefix) + len(data)
        if size <= MAX_CONTROL:
            header = bytes((first, 0x80 | size))
        elif size <= 0xFFFF:
            header = struct.pack("!BBH", first, 0xFE, size)
        else:
            header = struct.pack("!BBQ", first, 0xFF, size)
        # The frame is made with one copy and masked with one call. The header's place is masked too, to no effect, so
        # the payload starts somewhere within the key: the server is told a key that starts there.
        key, told = os.urandom(4), len(header) + 4
        frame = bytearray().join((_PLACE[:told], prefix, data))
        _mask(key, frame)
        turn = told % 4
        frame[:told] = header + key[turn:] + key[:turn]
        self._transport.write(frame)

    # --- receiving: called by the transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go: behind what was left of the last ones."""
        left = self._left
        if left:
            _view[: len(left)] = left
        return _view[len(left) :]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self.heard = self._loop.time()
        end = len(self._left) + nbytes
        self._left = b""
        self._take(_view[:end])

    def eof_received(self) -> bool:
        """The connection ends without a word; the transport closes itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone without a Close frame."""
        if not self._over:
            words = str(exc).strip() or type(exc).__name__ if exc is not None else "it ended without a word"
            self._over = True
            self._let_go()
            self._messages.socket_closed(f"the connection to the API server dropped: {words}", clean=False)

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._messages.socket_full()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._messages.socket_drained()

    def _take(self, data: memoryview) -> None:
        """Goes through what has come, frame by frame; a header that is not whole stays for the next time."""
        at, end = 0, len(data)
        while at < end:
            if self._over:  # by us, perhaps in the middle of a frame: TLS hands on what it holds while it closes
                return
            if self._remaining:
                stop = min(end, at + self._remaining)
                self._remaining -= stop - at
                begins, self._begins = self._begins, False
                self._messages.message_bytes(data[at:stop], begins=begins)
                at = stop
                continue
            step = self._header(data[at:])
            if not step:
                self._left = bytes(data[at:])
                return
            at += step

    def _header(self, data: memoryview) -> int:
        """Reads a header, and a control frame whole. Returns the bytes taken, 0 when there are too few."""
        if len(data) < 2:
            return 0
        first, second = data[0], data[1]
        opcode, size, taken = first & 0x0F, second & 0x7F, 2
        if size == 126:
            if len(data) < 4:
                return 0
            size, taken = (data[2] << 8) | data[3], 4
        elif size == 127:
            if len(data) < 10:
                return 0
            size, taken = int.from_bytes(data[2:10], "big"), 10
        if first & 0x70 or second & 0x80 or size >> 62:
            return self._fail("the server broke the websocket protocol", len(data))
        if opcode in (_BINARY, _CONTINUATION):
            if (opcode == _CONTINUATION) is not self._fragmented:
                return self._fail("the server mixed up the fragments of its messages", len(data))
            self._fragmented = not first & 0x80
            self._remaining = size
            self._begins = self._begins or opcode == _BINARY  # still, when the fragments so far were empty
            if not size and self._begins and not self._fragmented:
                self._begins = False
                self._messages.message_bytes(data[:0], begins=True)
            return taken
        if size > MAX_CONTROL or not first & 0x80 or opcode not in (_CLOSE, _PING, _PONG):
            return self._fail(f"the server sent a frame that is not expected here (opcode {opcode})", len(data))
        if len(data) < taken + size:
            return 0
        self._control(opcode, bytes(data[taken : taken + size]))
        return taken + size

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._send_frame(0x80 | _PONG, payload)
        elif opcode == _PONG:
            self._messages.pong_received()
        else:
            self._closed(payload)

    def _closed(self, payload: bytes) -> None:
        """A Close frame. Only 1000 says that all was sent: 1001 is what something says that shuts down meanwhile."""
        if len(payload) == 1:
            self._fail("the server broke the websocket protocol", 0)
            return
        code = int.from_bytes(payload[:2], "big") if payload else 1000
        words = payload[2:].decode("utf-8", "replace")
        self.close(code)
        why = "" if code == 1000 else f"the API server closed the websocket with code {code} {words}".rstrip()
        if not why and self._fragmented:
            why = "the API server closed the websocket in the middle of a message"
        self._messages.socket_closed(why, clean=not why)

    def _fail(self, why: str, taken: int) -> int:
        self.abort()
        self._messages.socket_closed(why, clean=False)
        return taken
