"""HTTP over a way: aiohttp with sockets in place of addresses; keep-alive and limits stay its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_proto import ResponseHandler

from tui.services.way import Way

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace


class WayConnector(aiohttp.BaseConnector):
    """Connects each request over a way, whatever host its URL names; TLS asks for that host, or for `name`.

    Attributes:
        tls: what the last handshake came to (`TLSv1.3`), empty before one and without TLS.
        opened: how many connections were made.
    """

    def __init__(
        self, way: Callable[[], Way], *, context: ssl.SSLContext | None = None, name: str = "", limit: int = 8,
        keepalive: float = 60.0,
    ) -> None:  # fmt: skip
        """Makes one for a client session.

        Args:
            way: asked at each connection, so that it may be found anew.
            context: the TLS of https URLs.
            name: to verify in place of the URL's host.
            limit: connections at once.
            keepalive: seconds for which an idle one is kept.
        """
        super().__init__(limit=limit, keepalive_timeout=keepalive)
        self.tls = ""
        self.opened = 0
        self._way = way
        self._context = context
        self._name = name

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 (aiohttp's)
    ) -> ResponseHandler:
        """A connection of aiohttp's over a new socket of the way."""
        async with asyncio.timeout(timeout.sock_connect):
            sock: socket.socket = await self._way().connect()
            try:
                context = self._context if req.is_ssl() else None
                name = (self._name or req.url.raw_host) if context is not None else None
                transport, protocol = await self._loop.create_connection(
                    self._factory, sock=sock, ssl=context, server_hostname=name
                )
            except BaseException:
                sock.close()
                raise
        session = transport.get_extra_info("ssl_object")
        self.tls = session.version() if session is not None else ""
        self.opened += 1
        return protocol
