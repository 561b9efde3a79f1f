"""Port-forward by SPDY in a websocket, frame for frame, as seen on Kubernetes 1.36.3 with containerd 2.3.7."""

from __future__ import annotations

import asyncio
import struct
import time
import zlib
from typing import Any

import aiohttp
import pytest
from peers import Peers
from spdy_client import SPDY, V4, Tunnel, frames
from streams_server import StreamsServer
from waiting import until

from tests.contract import peer
from tui import spdy_headers
from tui.sandbox.streams import connection, inbox, spdy, websocket

Client = aiohttp.ClientSession
PODS = "api/v1/namespaces/ns/pods/"
MB = 1 << 20


@pytest.fixture(autouse=True)
def ports(server: StreamsServer, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pods.ports = peers.ports
    monkeypatch.setattr(connection, "LINGER", 0.1)  # so that the tests do not take a second each


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER", 1.0)


@pytest.fixture
async def tunnel(client: Client) -> Any:
    async with client.ws_connect(f"{PODS}one/portforward", protocols=(SPDY,), max_msg_size=0) as ws:
        yield Tunnel(ws)


async def test_a_connection_is_two_streams(tunnel: Tunnel) -> None:
    data = await tunnel.pair(0, peer.SOURCE)
    assert [await tunnel.frame() for _ in range(2)] == [("reply", 1), ("reply", 3)]
    await tunnel.data(data, b"5 seed\n")
    assert await tunnel.frame() == (3, next(peer.blocks(5, "seed")), False)
    assert [await tunnel.frame() for _ in range(2)] == [(3, b"", True), (1, b"", True)]
    await tunnel.silence()  # and the websocket stays


async def test_streams_in_either_order_and_without_a_request_id(tunnel: Tunnel) -> None:
    await tunnel.open(1, "data", peer.BYTE, "x")
    await tunnel.open(3, "error", peer.BYTE, "x", 1)
    assert [await tunnel.frame() for _ in range(3)] == [("reply", 1), ("reply", 3), (1, b"!", False)]
    await tunnel.open(5, "error", peer.BYTE, "", 1)
    await tunnel.open(7, "data", peer.BYTE, "")
    assert [await tunnel.frame() for _ in range(3)] == [("reply", 5), ("reply", 7), (7, b"!", False)]


async def test_a_refused_connection_harms_no_other(tunnel: Tunnel) -> None:
    echo = await tunnel.pair(0, peer.ECHO)
    refused = await tunnel.pair(1, 4)
    replies = [await tunnel.frame() for _ in range(4)]
    assert replies == [("reply", 1), ("reply", 3), ("reply", 5), ("reply", 7)]
    assert await tunnel.frame() == (refused, b"", True)
    stream, text, fin = await tunnel.frame()
    assert (stream, fin) == (5, False) and b"dial tcp4 127.0.0.1:4: connect: connection refused" in text
    assert await tunnel.frame() == ("reset", 5, 5)
    await tunnel.data(echo, b"hello")
    assert await tunnel.frame() == (echo, b"hello", False)


async def test_a_reset_application_is_told_on_the_error_stream(tunnel: Tunnel) -> None:
    stream = await tunnel.pair(0, peer.RESET)
    await tunnel.data(stream, b"x")
    frames = [await tunnel.frame() for _ in range(5)]
    assert frames[2] == (3, b"", True) and frames[4] == ("reset", 1, 5)
    assert frames[3][1].endswith(b": read: connection reset by peer")


async def test_a_half_that_is_closed_leaves_the_other_a_second(tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)
    stream = await tunnel.pair(0, peer.KEEP)
    began = time.monotonic()
    await tunnel.data(stream, b"fin\n12345", 1)
    assert [await tunnel.frame() for _ in range(4)][2:] == [(3, b"", True), (1, b"", True)]
    assert 0.9 < time.monotonic() - began < 20
    stream = await tunnel.pair(1, peer.KEEP)
    await tunnel.data(stream, b"?fin\n")
    assert [await tunnel.frame() for _ in range(3)][2] == (7, b"5\n", False)


async def test_a_stream_that_is_given_up_closes_its_connection(tunnel: Tunnel, server: StreamsServer) -> None:
    stream = await tunnel.pair(0, peer.SILENT)
    await until(lambda: server.pods.writers)
    await tunnel.control(3, stream, 5)
    await until(server.pods.writers[0].transport.is_closing)
    await tunnel.data(stream, b"late")
    await tunnel.control(6, 1)
    while await tunnel.frame() != ("ping", 1):
        pass


async def test_streams_that_are_refused(tunnel: Tunnel) -> None:
    await tunnel.open(1, "weird", peer.BYTE)
    await tunnel.open(3, "data", "x")
    await tunnel.open(5, "data", "0")
    await tunnel.open(7, "data", "99999")
    await tunnel.open(9, "error", peer.BYTE, "9")
    await tunnel.open(11, "error", peer.BYTE, "9")
    await tunnel.open(4, "data", peer.BYTE, "9")
    assert [await tunnel.frame() for _ in range(4)] == [("reset", n, 5) for n in (1, 3, 5, 7)]
    assert [await tunnel.frame() for _ in range(3)] == [("reply", 9), ("reset", 11, 5), ("reset", 4, 5)]


async def test_a_stream_without_its_other_half_is_given_up(tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.sandbox.streams.spdy_forward._PATIENCE", 0.1)
    await tunnel.open(1, "data", peer.BYTE)
    assert [await tunnel.frame() for _ in range(2)] == [("reply", 1), ("reset", 1, 5)]


async def test_pings_settings_and_goodbye(tunnel: Tunnel) -> None:
    await tunnel.control(4, 0)
    await tunnel.control(9, 3, 100)
    await tunnel.control(6, 7)
    assert await tunnel.frame() == ("ping", 7)
    stream = await tunnel.pair(0, peer.ECHO)
    await tunnel.control(7, 0, 0)
    await tunnel.data(stream, b"after")
    assert [await tunnel.frame() for _ in range(3)][2] == (3, b"after", False)


async def test_what_was_sent_before_a_reset_is_delivered(tunnel: Tunnel, server: StreamsServer) -> None:
    data = await tunnel.pair(0, peer.KEEP)
    await tunnel.data(data, b"before-reset\n")
    for _ in range(20):
        await tunnel.data(data, bytes(MB))
    await tunnel.control(3, data, 5)
    await until(lambda: server.pods.writers and server.pods.writers[0].transport.is_closing())
    data = await tunnel.pair(1, peer.KEEP)
    await tunnel.data(data, b"?before-reset\n")
    while (frame := await tunnel.frame())[0] != data:
        pass
    assert frame == (data, b"%d\n" % (20 * MB), False)


async def test_an_application_that_does_not_read_holds_up_no_other_and_fills_no_memory(
    tunnel: Tunnel, server: StreamsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = queued = 0
    put = inbox.Inbox.put
    feed = websocket.WebSocket.feed_data

    def fed(self: websocket.WebSocket, data: bytes) -> tuple[bool, bytes]:
        nonlocal queued
        answer = feed(self, data)
        queued = max(queued, self._waiting)
        return answer

    monkeypatch.setattr(websocket.WebSocket, "feed_data", fed)

    async def measured(self: inbox.Inbox, data: bytes) -> None:
        nonlocal most
        most = max(most, self._size + len(data))
        await put(self, data)

    monkeypatch.setattr(inbox.Inbox, "put", measured)
    stalled = await tunnel.pair(0, peer.SLOW_SINK)
    echo = await tunnel.pair(1, peer.ECHO)
    for _ in range(4):
        await tunnel.frame()
    await tunnel.data(stalled, b"2\n60000000 late\n")
    blocks = list(peer.blocks(60_000_000, "late"))
    for block in blocks[:20]:
        await tunnel.data(stalled, block)
    await tunnel.data(echo, b"quick")
    assert await tunnel.frame() == (echo, b"quick", False)
    for block in blocks[20:]:
        await tunnel.data(stalled, block)
    assert await tunnel.frame() == (stalled, b"ok 60000000\n", False)
    assert inbox.BUDGET // 2 < most < inbox.BUDGET + MB
    assert websocket.IN_HIGH // 2 < queued < websocket.IN_HIGH + MB


@pytest.mark.parametrize("protocol", [V4, SPDY])
async def test_a_client_that_does_not_read_stops_the_application(
    client: Client, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0
    write = websocket.WebSocket._write

    def counted(self: websocket.WebSocket, opcode: int, prefix: bytes, data: bytes = b"") -> None:
        nonlocal sent
        sent += len(data)
        write(self, opcode, prefix, data)

    monkeypatch.setattr(websocket.WebSocket, "_write", counted)
    where = f"{PODS}one/portforward?ports={peer.ZEROS}"
    async with client.ws_connect(where, protocols=(protocol,), max_msg_size=0) as ws:
        if protocol == SPDY:
            tunnel = Tunnel(ws)
            await tunnel.data(await tunnel.pair(0, peer.ZEROS), b"%d\n" % (200 * MB))
        else:
            await ws.send_bytes(b"\0%d\n" % (200 * MB))
        transport = ws._response.connection.transport
        transport.pause_reading()
        before = -1
        async with asyncio.timeout(90):
            while before != (before := sent):
                await asyncio.sleep(0.3)
        assert MB < before < 64 * MB  # most of it in the kernel's buffers
        transport.resume_reading()
        got = 0
        async for message in ws:
            got += len(message.data)
            if got > 200 * MB:
                break
        assert sent >= 200 * MB


def test_frames_are_the_same_wherever_they_are_cut() -> None:
    whole = frames()

    def read(*pieces: bytes) -> list[Any]:
        reader, got, text = spdy.Reader(), [], b""
        for piece in pieces:
            for event in reader.receive(piece):
                if isinstance(event, spdy.Data):
                    text += bytes(event.data)
                    if event.fin:
                        got.append((event.stream, text))
                else:
                    got.append(event)
        return got

    expected = [spdy.Opened(1, {"port": "9001"}, False), spdy.Opened(3, {"port": "9001"}, False), (1, b"data"),
                spdy.Ping(3), spdy.Reset(3)]  # fmt: skip
    assert read(whole) == expected
    assert read(*[bytes((byte,)) for byte in whole]) == expected
    for at in range(len(whole)):
        assert read(whole[:at], whole[at:]) == expected


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n" + b"\xff" * 8,
        struct.pack(">II", 0x80020001, 10) + bytes(10),
        struct.pack(">II", 0x80030001, 1 << 23),
        struct.pack(">II", 0x80030001, 14) + bytes(14),
        struct.pack(">II", 0x80030006, 2) + bytes(2),
        struct.pack(">II", 0x80030001, 19) + bytes(10) + zlib.compress(b"x"),
    ],
)
async def test_what_is_no_spdy_ends_the_websocket(garbage: bytes, tunnel: Tunnel) -> None:
    if garbage.startswith(b"GET"):
        garbage = b"\xff" + garbage
    await tunnel.ws.send_bytes(garbage)
    assert (await asyncio.wait_for(tunnel.ws.receive(), 60)).type is aiohttp.WSMsgType.CLOSE


def test_headers_that_explode() -> None:
    packer = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    packed = bytes(10) + packer.compress(b"\0\0\0\1" + bytes(50 * MB)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(packed) < spdy.MAX_CONTROL
    with pytest.raises(spdy.SpdyError):
        spdy.Reader().receive(struct.pack(">II", 0x80030001, len(packed)) + packed)
