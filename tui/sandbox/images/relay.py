"""Leads connections on; a program of its own (`python -I -S relay.py ADDRESS PORT TO`), standard library only.

For a server that cannot listen on the port that its pod promises: it listens on another one of the same address.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

_PIECE = 1 << 16


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hands on what comes, and its end."""
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


async def relay(address: str, port: int, target: int) -> None:
    """Serves for ever."""

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(address, target)
            with contextlib.closing(back):
                pumps = [asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))]
                # One that breaks breaks the other; one that ends lets the other end by itself.
                done, rest = await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
                for pump in rest:
                    pump.cancel()
                await asyncio.gather(*done, *rest, return_exceptions=True)

    server = await asyncio.start_server(lead, address, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
