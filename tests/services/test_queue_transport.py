"""The management API's connections, against a server that does what RabbitMQ's does to idle ones."""

from __future__ import annotations

import asyncio

import pytest
from bucket_servers import LocalWay, free_ports

from tui.services.queue import transport
from tui.services.queue.management import Management
from tui.services.queue.model import Login


async def test_no_question_goes_to_a_connection_that_the_server_may_be_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport._KEPT < 5, "Cowboy closes an idle connection after 5 s"
    monkeypatch.setattr(transport, "_KEPT", 0.05)
    (port,) = free_ports(1)
    connections = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request, and hangs up at the next one: it closed before that came."""
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
        await reader.read(1)
        writer.close()

    async def finder() -> LocalWay:
        return LocalWay(port)

    async with await asyncio.start_server(once, "127.0.0.1", port):
        api = Management(finder, Login("guest", "guest"))
        try:
            for _ in range(3):
                assert await api.vhosts() == []
                await asyncio.sleep(0.1)
        finally:
            await api.close()
    assert connections == 3
