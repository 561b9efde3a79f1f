"""Clients that send what no client should: refusals, never an error of the server's own."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import struct
from urllib.parse import quote

import aiohttp
import pytest
from peers import Peers
from spdy_client import SPDY, V4, frames
from streams_server import StreamsServer

from tui.sandbox.streams import spdy

WORDS = [
    "", "0", "1", "-1", "true", "maybe", "x", "a", "zz", "9" * 40, "0" * 5000, "1e3", "٣", "\0", "🙂", "../..", "a/b",
    "2026-02-30T00:00:00Z", "9999-12-31T23:59:60Z", "0000-00-00T00:00:00Z", "2026-01-01T00:00:00+99:99",
    "2026-01-01T00:00:00." + "9" * 400 + "Z", "9001", "1,2", ",", "65535,65536", ",".join(["9001"] * 300),
]  # fmt: skip
NAMES = [
    "container", "follow", "previous", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "limitBytes", "stream",
    "stdin", "stdout", "stderr", "tty", "ports", "labelSelector", "unknown",
]  # fmt: skip
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
}  # fmt: skip


async def test_parameters_at_random(server: StreamsServer, client: aiohttp.ClientSession) -> None:
    chance = random.Random(7)
    seen: dict[int, int] = {}
    server.pods.lines.append(None)
    for _ in range(600):
        query = "&".join(f"{chance.choice(NAMES)}={quote(chance.choice(WORDS))}" for _ in range(chance.randint(0, 4)))
        pod, what = (
            chance.choice(["one", "two", "done", "nope", "%00"]),
            chance.choice(["log", "log", "exec", "portforward"]),
        )
        where = f"api/v1/namespaces/ns/pods/{pod}/{what}?{query}"
        if chance.random() < 0.1:
            where = f"apis/metrics.k8s.io/v1beta1/pods?{query}"
        headers = (
            {}
            if what == "log" or chance.random() < 0.5
            else UPGRADE | {"Sec-WebSocket-Protocol": chance.choice(WORDS[:8])}
        )
        if what == "exec":
            where += "&command=true"
        if len(where) > 8000:
            continue  # aiohttp itself refuses a longer line
        async with client.get(where, headers=headers, timeout=aiohttp.ClientTimeout(5)) as answer:
            seen[answer.status] = seen.get(answer.status, 0) + 1
            if answer.status >= 500:
                assert (await answer.text()).startswith(("pod not found", "container not found")), where
    assert seen[200] > 20 and seen[400] > 100 and seen[422] > 10 and set(seen) <= {101, 200, 400, 403, 404, 422, 500}, (
        seen
    )


@pytest.mark.parametrize("protocol", [SPDY, V4])
async def test_bytes_at_random(
    server: StreamsServer, peers: Peers, client: aiohttp.ClientSession, protocol: str
) -> None:
    server.pods.ports = peers.ports
    chance = random.Random(protocol)
    for number in range(60):
        raw = bytearray(frames()) if number % 2 else bytearray(os.urandom(200))
        for _ in range(chance.randint(0, 6)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        async with client.ws_connect(
            "api/v1/namespaces/ns/pods/one/portforward?ports=9001", protocols=(protocol,)
        ) as ws:
            if number % 3:
                await ws.send_bytes(bytes(raw))
            else:  # as frames of the websocket
                ws._response.connection.transport.write(bytes(raw))
            await asyncio.sleep(0.002)
            ws._response.connection.transport.abort()
    async with asyncio.timeout(90):
        while not all(writer.transport.is_closing() for writer in server.pods.writers):
            await asyncio.sleep(0.05)


def test_frames_of_spdy_at_random() -> None:
    chance = random.Random(1)
    refused = 0
    for _ in range(5000):
        raw = bytearray(frames())
        for _ in range(chance.randint(1, 8)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            spdy.Reader().receive(bytes(raw))
        except spdy.SpdyError:
            refused += 1
    assert 500 < refused < 5000
    with pytest.raises(spdy.SpdyError):
        spdy.Reader().receive(struct.pack(">II", 0x80030001, 0))
