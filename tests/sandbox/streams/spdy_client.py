"""A client's side of SPDY in a websocket, for tests."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Any

import aiohttp
import pytest

from tui import spdy_headers
from tui.sandbox.streams import spdy

V4, SPDY = "v4.channel.k8s.io", "SPDY/3.1+portforward.k8s.io"


class Tunnel:
    """A client of SPDY in a websocket, which keeps what comes by stream."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.frames: list[tuple[Any, ...]] = []
        self._packer = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
        self._unpacker = zlib.decompressobj(zdict=spdy_headers.DICTIONARY)
        self._bytes = b""

    async def open(self, stream: int, kind: str, port: object, request: str = "0", flags: int = 0) -> None:
        headers = {"streamtype": kind, "port": str(port)} | ({"requestid": request} if request else {})
        block = struct.pack(">I", len(headers))
        for text in (text.encode() for item in headers.items() for text in item):
            block += struct.pack(">I", len(text)) + text
        packed = (
            struct.pack(">IIH", stream, 0, 0) + self._packer.compress(block) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        )
        await self.ws.send_bytes(struct.pack(">II", 0x80030001, flags << 24 | len(packed)) + packed)

    async def pair(self, number: int, port: int) -> int:
        """Opens a connection. Returns the stream of its data."""
        await self.open(4 * number + 1, "error", port, str(number), 1)
        await self.open(4 * number + 3, "data", port, str(number))
        return 4 * number + 3

    async def data(self, stream: int, data: bytes, flags: int = 0) -> None:
        await self.ws.send_bytes(struct.pack(">II", stream, flags << 24 | len(data)) + data)

    async def control(self, kind: int, *words: int) -> None:
        await self.ws.send_bytes(struct.pack(f">II{len(words)}I", 0x80030000 | kind, 4 * len(words), *words))

    async def frame(self) -> tuple[Any, ...]:
        """The next frame: (`reply`, stream), (`reset`, stream, status), (`ping`, number) or (stream, data, fin)."""
        while len(self._bytes) < 8 or len(self._bytes) < 8 + (struct.unpack(">II", self._bytes[:8])[1] & 0xFFFFFF):
            message = await asyncio.wait_for(self.ws.receive(), 60)
            assert message.type is aiohttp.WSMsgType.BINARY, message
            self._bytes += message.data
        first, second = struct.unpack(">II", self._bytes[:8])
        size = second & 0xFFFFFF
        payload, self._bytes = self._bytes[8 : 8 + size], self._bytes[8 + size :]
        if not first >> 31:
            return first, payload, bool(second >> 24)
        assert first >> 16 == 0x8003
        words = struct.unpack_from(f">{len(payload) // 4}I", payload)
        if first & 0xFFFF == 2:
            assert self._unpacker.decompress(payload[4:]) == bytes(4)
            return "reply", words[0]
        return ({3: "reset", 6: "ping"}[first & 0xFFFF], *words)

    async def silence(self, seconds: float = 0.3) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.ws.receive(), seconds)


def frames() -> bytes:
    """Of every kind, with headers."""
    packer = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    made = b""
    for stream in (1, 3):
        text = b"\0\0\0\1\0\0\0\4port\0\0\0\4" + b"9001"
        packed = struct.pack(">IIH", stream, 0, 0) + packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
        made += struct.pack(">II", 0x80030001, len(packed)) + packed
    return (
        made
        + spdy.head(1, 4, fin=True)
        + b"data"
        + spdy.ping(3)
        + spdy.reset(3)
        + struct.pack(">II", 0x80030005, 3)
        + b"xyz"
    )
