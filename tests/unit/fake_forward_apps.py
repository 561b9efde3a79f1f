"""Small applications for forwards to lead to."""

from __future__ import annotations

import asyncio
import socket
import struct

BLOCK = 1 << 16


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(BLOCK):
        writer.write(data)
        await writer.drain()


def source(data: bytes):
    """Sends DATA as soon as a byte has come, and closes."""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        await writer.drain()

    return app


def speaks_first(data: bytes):
    """Sends DATA at once, then echoes."""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await echo(reader, writer)

    return app


class Sink:
    """Collects what comes, connection by connection; reads nothing while `gate` is not set."""

    def __init__(self) -> None:
        self.got: list[bytearray] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = bytearray()
        self.got.append(mine)
        await self.gate.wait()
        while data := await reader.read(BLOCK):
            mine += data


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(BLOCK):
        pass


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and closes at once."""


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Drops the connection after the first bytes."""
    await reader.read(BLOCK)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def says(word: bytes):
    """Answers each line with a word."""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(word + b"\n")

    return app
