"""The slow network, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from tui.sandbox.latency import Latency, Slowed

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(serve: Serve, latency: Latency) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of a server that `serve` is."""
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        reader = asyncio.StreamReader()
        return Slowed(asyncio.StreamReaderProtocol(reader, serve), latency)

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


async def test_all_arrives_later_and_in_order_also_when_the_network_becomes_faster() -> None:
    latency = Latency()
    latency.seconds = 0.3
    sent = b"".join(number.to_bytes(4) for number in range(50_000))

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(sent), 1000):
            if start == len(sent) // 2:
                latency.seconds = 0.0
            writer.write(sent[start : start + 1000])
        writer.close()

    async with served(serve, latency) as (reader, _):
        began = time.monotonic()
        assert await reader.readexactly(4) == sent[:4]
        assert time.monotonic() - began >= 0.29
        assert await reader.read(-1) == sent[4:]


async def test_who_sends_waits_while_much_is_under_way() -> None:
    latency = Latency()
    latency.seconds = 3600.0
    filled = asyncio.Event()
    written = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while True:
            writer.write(bytes(64 << 10))
            written += 64 << 10
            if written > 256 << 10:
                filled.set()
            await writer.drain()

    async with served(serve, latency), asyncio.timeout(30):
        await filled.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert written < 1 << 20


async def test_a_client_that_goes_ends_what_is_under_way() -> None:
    latency = Latency()
    latency.seconds = 3600.0
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"never")
        assert await reader.read() == b""
        writer.transport.abort()
        ended.set()

    async with served(serve, latency) as (_, writer), asyncio.timeout(30):
        writer.close()
        await ended.wait()
