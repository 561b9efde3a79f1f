"""The server's side of SPDY in a websocket, as moby/spdystream in a container runtime behaves."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING

from test_spdy import control, data

from tui.spdy_headers import DICTIONARY

if TYPE_CHECKING:
    from fake_forward import Server, Socket


class Session:
    """One session: connections follow one another or run side by side.

    Attributes:
        opened: (stream, port, request id) of each connection.
        resets: streams that the client has reset.
    """

    def __init__(self, server: Server, socket: Socket) -> None:
        self.server, self.socket = server, socket
        socket.session = self  # type: ignore[attr-defined]
        self.packer = zlib.compressobj(zdict=DICTIONARY)
        self.unpacker = zlib.decompressobj(zdict=DICTIONARY)
        self.opened: list[tuple[int, int, str]] = []
        self.resets: list[int] = []
        self.pings: list[int] = []
        self.answer_pings = True
        self.error_streams: dict[str, int] = {}
        self.writers: dict[int, asyncio.Queue[bytes | None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        collected = bytearray()
        try:
            async for message in self.socket.messages():
                collected += message
                while len(collected) >= 8 and len(collected) >= 8 + (size := int.from_bytes(collected[5:8], "big")):
                    head, payload = bytes(collected[:8]), bytes(collected[8 : 8 + size])
                    del collected[: 8 + size]
                    await self._frame(head, payload)
        finally:
            for task in self.tasks:
                task.cancel()
            self.socket.writer.close()

    async def _frame(self, head: bytes, payload: bytes) -> None:
        first, second = struct.unpack(">II", head)
        if not first & 0x80000000:
            assert first in self.writers, f"data on stream {first}"
            if (queue := self.writers[first]) is not None:
                await queue.put(payload)
            return
        assert first >> 16 == 0x8003
        kind = first & 0xFFFF
        if kind == 1:
            self._open(payload, second >> 24)
        elif kind == 3:
            stream, status = struct.unpack(">II", payload)
            assert status == 5
            self.resets.append(stream)
            if stream in self.writers:
                await self.writers[stream].put(None)
        elif kind == 6:
            self.pings.append(int.from_bytes(payload, "big"))
            if self.answer_pings:
                await self.send(control(6, payload))
        else:
            raise AssertionError(f"a frame of type {kind}")

    def _open(self, payload: bytes, flags: int) -> None:
        stream = int.from_bytes(payload[:4], "big")
        block = self.unpacker.decompress(payload[10:])
        texts, at = [], 4
        while at < len(block):
            length = int.from_bytes(block[at : at + 4], "big")
            texts.append(block[at + 4 : at + 4 + length].decode())
            at += 4 + length
        headers = dict(zip(texts[::2], texts[1::2], strict=True))
        if headers["streamtype"] == "error":
            assert flags == 1
            self.error_streams[headers["requestid"]] = stream
            return
        error = self.error_streams.pop(headers["requestid"])
        self.writers[stream] = asyncio.Queue(50)  # frames, as in spdystream
        self.opened.append((stream, int(headers["port"]), headers["requestid"]))
        if self.server.accept_streams:
            task = asyncio.create_task(self._carry(error, stream, int(headers["port"])))
            self.tasks.add(task)

    def reply(self, stream: int) -> bytes:
        packed = self.packer.compress(bytes(4)) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        return control(2, stream.to_bytes(4, "big") + packed)

    async def send(self, text: bytes) -> None:
        if self.server.split:
            for at in range(0, len(text), 7):
                await self.socket.send(text[at : at + 7])
        else:
            await self.socket.send(text)

    async def _carry(self, error: int, stream: int, port: int) -> None:
        await self.send(self.reply(error) + self.reply(stream))
        try:
            reader, writer = await self.server.connect(self.socket.pod, port)
        except ConnectionRefusedError as refused:
            await self.end(error, stream, str(refused))
            return
        up = asyncio.create_task(self._up(self.writers[stream], writer))
        self.tasks.add(up)
        words = ""
        try:
            while read := await reader.read(1 << 16):
                await self.send(data(read, stream))
        except ConnectionResetError:
            words = "error forwarding port: read: connection reset by peer"
        up.cancel()
        if stream not in self.resets:
            await self.end(error, stream, words)
        writer.close()

    async def end(self, error: int, stream: int, words: str) -> None:
        """containerd ends the data stream before it says why."""
        await self.send(data(b"", stream, fin=True))
        if words:
            await self.send(data(words.encode(), error))
        await self.send(data(b"", error, fin=True))

    async def _up(self, queue: asyncio.Queue[bytes | None], writer: asyncio.StreamWriter) -> None:
        while (piece := await queue.get()) is not None:
            writer.write(piece)
            await writer.drain()
        writer.close()
