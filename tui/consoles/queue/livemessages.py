"""The console's messages: over AMQP, one connection for each virtual host, and one more for each job."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.services.queue.amqp import Broker
    from tui.systems.queuesession import QueueSession

#: Opens AMQP in a virtual host.
Opener = Callable[[str], Awaitable["QueueSession"]]


class LiveMessages:
    """Messages of a broker."""

    def __init__(self, session: QueueSession, opener: Opener) -> None:
        """Opens nothing yet.

        Args:
            session: of the login's own virtual host.
            opener: opens another one.
        """
        self.opener = opener
        self._own = session
        self._others: dict[str, QueueSession] = {}
        self._opening = asyncio.Lock()

    def blocked(self) -> str:
        """Why the broker takes nothing from publishers now; empty when it does, or when that is not known."""
        return self._own.broker.blocked if self._own.broker is not None else ""

    async def _session(self, vhost: str) -> QueueSession:
        """The session of a virtual host; opened when it is needed first."""
        if vhost == self._own.login.vhost:
            return self._own
        async with self._opening:
            if vhost not in self._others:
                self._others[vhost] = await self.opener(vhost)
            return self._others[vhost]

    async def _broker(self, vhost: str) -> Broker:
        """A connection that stands; another one where the last has ended."""
        session = await self._session(vhost)
        if session.broker is None or session.broker.closed is not None:
            return await session.reconnect()
        return session.broker

    async def close_messages(self) -> None:
        """Ends the connections to other virtual hosts."""
        others, self._others = list(self._others.values()), {}
        for one in others:
            await one.close()
