"""Connections to pods over a network that can be made slow."""

from __future__ import annotations

import asyncio

from tui.sandbox.kubelet.host import Host


class Slowed(asyncio.StreamReader):
    """Hands over what has arrived as late as the host says at that moment."""

    def __init__(self, host: Host) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._host = host

    async def read(self, n: int = -1) -> bytes:
        """As a StreamReader reads, and later."""
        data = await super().read(n)
        if self._host.delay:
            await asyncio.sleep(self._host.delay)
        return data
