"""The server's end of a websocket whose messages are read in pieces, with a bounded amount waiting either way.

aiohttp's own `WebSocketResponse` collects whole messages in an unbounded number of objects and copies each more than
once. What is needed here is less: no text, no compression, and bytes passed on as they arrive.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import struct
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from aiohttp import web

from tui.sandbox.model import ApiError

try:
    from aiohttp._websocket.helpers import websocket_mask as _mask
except ImportError:  # another layout of aiohttp: slower, not wrong

    def _mask(mask: bytes, data: bytearray) -> None:
        size = len(data)
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
        data[:] = (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")


#: Bytes that wait to be taken before the client is no longer read, and those at which it is read again.
IN_HIGH, IN_LOW = 512 << 10, 128 << 10
#: Bytes that wait to be sent before a sender has to wait, and those at which it goes on.
OUT_HIGH, OUT_LOW = 512 << 10, 128 << 10
#: Seconds for which a client may take its time to answer our Close. Closing earlier could cut off what it has not read.
GOODBYE: Final = 10.0
_MAX_CONTROL: Final = 125
#: What a piece costs besides its bytes: a client that sends very short ones must not fill the memory either.
_COST: Final = 128
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Piece(NamedTuple):
    """Part of a message, as it came.

    Attributes:
        data: unmasked; may be empty.
        begins: whether it is the first of its message.
        ends: whether it is the last.
        text: whether the message is text.
    """

    data: bytearray
    begins: bool
    ends: bool
    text: bool


def wants_websocket(request: web.Request) -> bool:
    """Whether a request asks for a websocket."""
    return (
        request.method == "GET"
        and "upgrade" in request.headers.get("Connection", "").lower()
        and request.headers.get("Upgrade", "").lower() == "websocket"
    )


def require_upgrade(request: web.Request) -> None:
    """Refuses a request that asks for no other protocol at all.

    Raises:
        ApiError: it does not.
    """
    if "upgrade" not in request.headers.get("Connection", "").lower():
        raise ApiError(400, "BadRequest", "Upgrade request required")


def require_websocket(request: web.Request) -> None:
    """Refuses any other protocol: kubectl before 1.30 (exec) and 1.31 (port-forward) knows nothing but SPDY.

    Raises:
        ApiError: it is not a websocket.
    """
    if not wants_websocket(request):
        raise ApiError(400, "BadRequest", "the sandbox speaks websockets only, as kubectl 1.31 and newer do")


def offered(request: web.Request) -> list[str]:
    """The subprotocols that a client offers, in its order."""
    return [
        name.strip()
        for value in request.headers.getall("Sec-WebSocket-Protocol", [])
        for name in value.split(",")
        if name.strip()
    ]


class WebSocket:
    """One websocket, from its handshake to its end.

    Attributes:
        subprotocol: what was agreed on; empty when the client offered none.
        closed: whether nothing can be sent any more.
    """

    def __init__(self, request: web.Request, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.closed = False
        self._request = request
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[Piece] = deque()
        self._waiting = 0  # bytes in there
        self._paused = False
        self._over = False  # the client sends no more
        self._discard = False
        self._arrived = asyncio.Event()
        self._sending = asyncio.Lock()
        self._left = b""  # of a header or a control frame that is not all here
        self._remaining = 0  # bytes of the frame's payload that are still to come
        self._key = b""
        self._begins = self._final = self._text = self._fragmented = False

    @classmethod
    async def accept(cls, request: web.Request, known: Sequence[str]) -> tuple[WebSocket, web.StreamResponse]:
        """Does the handshake. The response must be what the handler returns.

        Args:
            request: for which `wants_websocket` holds.
            known: the subprotocols, the preferred ones first; an empty one stands for none.

        Raises:
            ApiError: the version or the key is wrong.
            aiohttp.web.HTTPForbidden: no subprotocol in common, answered as golang.org/x/net/websocket does.
        """
        names = offered(request)
        chosen = next((name for name in known if name in names), None if names else "")
        if chosen is None or chosen not in known:
            raise web.HTTPForbidden(text="", headers={"Connection": "close"})
        key = request.headers.get("Sec-WebSocket-Key", "")
        try:
            good = len(base64.b64decode(key, validate=True)) == 16
        except (binascii.Error, ValueError):
            good = False
        if not good or request.headers.get("Sec-WebSocket-Version") != "13":
            raise ApiError(400, "BadRequest", "not a websocket handshake of version 13")
        digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
        answer = {"Upgrade": "websocket", "Connection": "Upgrade"}
        answer["Sec-WebSocket-Accept"] = base64.b64encode(digest).decode()
        if chosen:
            answer["Sec-WebSocket-Protocol"] = chosen
        response = web.StreamResponse(status=101, headers=answer)
        response.force_close()
        await response.prepare(request)
        socket = cls(request, chosen)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        transport.set_write_buffer_limits(high=OUT_HIGH, low=OUT_LOW)
        socket._transport = transport
        # The way in which aiohttp's own websocket gets at the bytes behind the handshake; what it calls is below.
        request.protocol.set_parser(socket)  # type: ignore[arg-type]
        return socket, response

    # --- sending

    async def send(self, prefix: bytes, data: bytes | bytearray | memoryview = b"", *, text: bool = False) -> None:
        """Sends one message made of two parts, and waits while too much waits to be sent.

        Raises:
            ConnectionResetError: the client is gone.
        """
        async with self._sending:
            await self._request.writer.drain()
            self._write(_TEXT if text else _BINARY, prefix, data)

    async def drain(self) -> None:
        """Waits while too much waits to be sent."""
        await self._request.writer.drain()

    def send_now(self, data: bytes) -> None:
        """Sends one short message without waiting; nothing when the client is gone. `drain` must follow some time."""
        with contextlib.suppress(ConnectionResetError):
            self._write(_BINARY, data)

    def _write(self, opcode: int, prefix: bytes, data: bytes | bytearray | memoryview = b"") -> None:
        transport = self._transport
        if self.closed or transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        size = len(prefix) + len(data)
        if size <= _MAX_CONTROL:
            header = bytes((0x80 | opcode, size))
        elif size <= 0xFFFF:
            header = struct.pack("!BBH", 0x80 | opcode, 126, size)
        else:
            header = struct.pack("!BBQ", 0x80 | opcode, 127, size)
        transport.write(b"".join((header, prefix, data)))

    async def close(self, code: int = 1000) -> None:
        """Says goodbye after all that was sent, and waits until the client has taken it; no failure is told."""
        self._discard = True
        self._pieces.clear()
        self._waiting = 0
        self._resume()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        with contextlib.suppress(ConnectionError):
            if not self.closed:
                self._write(_CLOSE, struct.pack("!H", code))
                self.closed = True
            transport.set_write_buffer_limits(high=0)
            await self._request.writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    while not self._over:
                        self._arrived.clear()
                        await self._arrived.wait()
        transport.close()

    def abort(self) -> None:
        """Drops the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- receiving

    async def receive(self) -> Piece | None:
        """The next piece of a message, None when the client sends no more."""
        while not self._pieces:
            if self._over:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        piece = self._pieces.popleft()
        self._waiting -= len(piece.data) + _COST
        if self._waiting <= IN_LOW:
            self._resume()
        return piece

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # --- called by aiohttp

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes have come. Answers, for aiohttp, that it was not the end and that none are left."""
        if self._left:
            data, self._left = self._left + data, b""
        view = memoryview(data)
        at, end = 0, len(view)
        while at < end and not self._over:
            if self._remaining:
                stop = min(end, at + self._remaining)
                self._payload(view[at:stop])
                at = stop
                continue
            step = self._header(view[at:])
            if not step:
                self._left = bytes(view[at:])
                break
            at += step
        if self._waiting > IN_HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """The connection is gone."""
        self._over = self.closed = True
        self._transport = None
        self._arrived.set()

    def _payload(self, view: memoryview) -> None:
        data = bytearray(view)
        _mask(self._key, data)
        self._remaining -= len(data)
        turn = len(data) % 4
        self._key = self._key[turn:] + self._key[:turn]
        self._add(data)

    def _add(self, data: bytearray) -> None:
        if not self._discard:
            ends = self._final and not self._remaining
            self._pieces.append(Piece(data, self._begins, ends, self._text))
            self._waiting += len(data) + _COST
            self._arrived.set()
        self._begins = False

    def _header(self, data: memoryview) -> int:
        """Reads a header, and a control frame whole. Returns the bytes taken, 0 when there are too few."""
        if len(data) < 2:
            return 0
        first, second = data[0], data[1]
        if first & 0x70 or not second & 0x80:
            return self._fail(len(data))
        opcode, size = first & 0x0F, second & 0x7F
        more = {126: 2, 127: 8}.get(size, 0)
        taken = 2 + more + 4
        if len(data) < taken:
            return 0
        if more:
            size = int.from_bytes(data[2 : 2 + more], "big")
        key = bytes(data[taken - 4 : taken])
        final = bool(first & 0x80)
        if size >> 62:
            return self._fail(len(data))
        if opcode in (_CONTINUATION, _TEXT, _BINARY):
            if (opcode == _CONTINUATION) is not self._fragmented:
                return self._fail(len(data))
            if opcode != _CONTINUATION:
                self._begins, self._text = True, opcode == _TEXT
            self._fragmented, self._final = not final, final
            self._remaining, self._key = size, key
            if not size:
                self._add(bytearray())
            return taken
        if size > _MAX_CONTROL or not final or opcode not in (_CLOSE, _PING, _PONG):
            return self._fail(len(data))
        if len(data) < taken + size:
            return 0
        payload = bytearray(data[taken : taken + size])
        _mask(key, payload)
        self._control(opcode, bytes(payload))
        return taken + size

    def _control(self, opcode: int, payload: bytes) -> None:
        transport = self._transport
        if opcode == _CLOSE:
            with contextlib.suppress(ConnectionResetError):
                self._write(_CLOSE, payload[:2])
            self._over = self.closed = True
            self._arrived.set()
        elif opcode == _PING and transport is not None and transport.get_write_buffer_size() <= OUT_HIGH:
            # Not answered when the client does not read: it may go on pinging for as long as it likes.
            with contextlib.suppress(ConnectionResetError):
                self._write(_PONG, payload)

    def _fail(self, taken: int) -> int:
        """The client broke the protocol of websockets."""
        with contextlib.suppress(ConnectionResetError):
            self._write(_CLOSE, struct.pack("!H", 1002))
        self._over = self.closed = True
        self._arrived.set()
        return taken
