"""How much is in memory at once, whatever runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    """Bytes that may be held at the same time; who asks first gets them first, so that large parts do not starve.

    Args:
        size: bytes. What is larger than all of it gets all of it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, count: int) -> AsyncIterator[None]:
        """Holds so many bytes."""
        count = min(count, self.size)
        if self._waiting or count > self.free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.free += count  # it had just been given
                self._serve()
                raise
        else:
            self.free -= count
        try:
            yield
        finally:
            self.free += count
            self._serve()

    def _serve(self) -> None:
        while self._waiting:
            count, turn = self._waiting[0]
            if turn.cancelled():
                self._waiting.popleft()
                continue
            if count > self.free:
                return
            self._waiting.popleft()
            self.free -= count
            turn.set_result(None)
