"""What waits for one reader, and makes its writer wait when it is much."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

#: Bytes that an inbox holds before `put` waits. A real runtime holds 50 frames of SPDY for a stream.
BUDGET: Final = 1 << 20
#: What a piece costs besides its bytes: very short ones must not fill the memory either.
_COST: Final = 128


class Inbox:
    """Bytes on their way from a client to a connection."""

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray | memoryview] = deque()
        self._size = 0
        self._ended = self._shut = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, data: bytes | bytearray | memoryview) -> None:
        """Adds bytes, and waits until there is room for more; nothing once the reader is gone."""
        if self._shut or self._ended or not data:
            return
        self._pieces.append(data)
        self._size += len(data) + _COST
        self._filled.set()
        if self._size > BUDGET:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._filled.set()

    def shut(self) -> None:
        """The reader is gone: nothing is kept, and nobody waits."""
        self._shut = True
        self._pieces.clear()
        self._size = 0
        self._room.set()

    async def get(self) -> bytes | bytearray | memoryview:
        """The next bytes; empty after the last."""
        while not self._pieces:
            if self._ended or self._shut:
                return b""
            self._filled.clear()
            await self._filled.wait()
        data = self._pieces.popleft()
        self._size -= len(data) + _COST
        if self._size <= BUDGET // 2:
            self._room.set()
        return data
