"""Port-forward, byte for byte. What is expected was seen on Kubernetes 1.36.3 with containerd 2.3.7."""

from __future__ import annotations

import asyncio
import json
import struct
import time
import zlib
from typing import Any

import aiohttp
import pytest
from peers import Peers, load
from streams_server import StreamsServer

from tui.sandbox.streams import connection, inbox, spdy, websocket

Client = aiohttp.ClientSession
PODS = "api/v1/namespaces/ns/pods/"
V4, SPDY = "v4.channel.k8s.io", "SPDY/3.1+portforward.k8s.io"
MB = 1 << 20
peer = load()


def little(port: int) -> bytes:
    return port.to_bytes(2, "little")


async def until(wanted: Any, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not wanted():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def ports(server: StreamsServer, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pods.ports = peers.ports
    monkeypatch.setattr(connection, "LINGER", 0.1)  # so that the tests do not take a second each


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER", 1.0)


# --- channels


def v4(client: Client, ports: object, protocols: tuple[str, ...] = (V4,), pod: str = "one") -> Any:
    return client.ws_connect(f"{PODS}{pod}/portforward?ports={ports}", protocols=protocols, max_msg_size=0)


@pytest.mark.parametrize("protocols", [(V4,), ()])
async def test_a_port_is_two_channels(client: Client, protocols: tuple[str, ...]) -> None:
    async with v4(client, peer.ECHO, protocols) as ws:
        assert [(await ws.receive()).data for _ in range(2)] == [b"\0" + little(9001), b"\1" + little(9001)]
        await ws.send_bytes(b"\0hello")
        assert (await ws.receive()).data == b"\0hello"


async def test_base64(client: Client) -> None:
    async with v4(client, peer.ECHO, ("v4.base64.channel.k8s.io",)) as ws:
        assert [(await ws.receive()).data for _ in range(2)] == ["0KSM=", "1KSM="]
        await ws.send_str("0aGVsbG8=")
        assert (await ws.receive()).data == "0aGVsbG8="


async def test_several_ports_and_one_that_refuses(client: Client) -> None:
    async with v4(client, f"{peer.ECHO},4") as ws:
        heads = [(await ws.receive()).data for _ in range(4)]
        assert heads == [b"\0" + little(9001), b"\1" + little(9001), b"\2" + little(4), b"\3" + little(4)]
        refusal = (await ws.receive()).data
        assert refusal[:1] == b"\3"
        text = refusal[1:].decode()
        assert text.startswith("error forwarding port 4 to pod ")
        assert "IPv4: dial tcp4 127.0.0.1:4: connect: connection refused IPv6 dial tcp6" in text
        await ws.send_bytes(b"\7nowhere")
        await ws.send_bytes(b"\1error")
        await ws.send_bytes(b"")
        await ws.send_bytes(b"\0still there")
        assert (await ws.receive()).data == b"\0still there"


@pytest.mark.parametrize("pod", ["one", "waiting"])
async def test_one_port_that_refuses_ends_the_websocket(client: Client, pod: str) -> None:
    async with v4(client, 4, pod=pod) as ws:
        got = [message.data async for message in ws]
        assert len(got) == 3 and ws.close_code == 1000


async def test_an_application_that_ends_leaves_a_second(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)
    began = time.monotonic()
    async with v4(client, peer.SOURCE) as ws:
        await ws.send_bytes(b"\x005 seed\n")
        got = [message.data async for message in ws]
    assert b"".join(data[1:] for data in got[2:]) == next(peer.blocks(5, "seed"))
    assert 0.9 < time.monotonic() - began < 2


async def test_an_application_that_resets(client: Client) -> None:
    async with v4(client, peer.RESET) as ws:
        await ws.send_bytes(b"\0x")
        got = [message.data async for message in ws]
    assert got[-1][:1] == b"\1" and got[-1].endswith(b": read: connection reset by peer") and b"writeto tcp4" in got[-1]


async def test_all_is_delivered_when_the_client_closes(server: StreamsServer, client: Client) -> None:
    async with v4(client, peer.KEEP) as ws:
        await ws.send_bytes(b"\0closing\n")
        for _ in range(40):
            await ws.send_bytes(b"\0" + bytes(MB))
    await until(lambda: all(writer.transport.is_closing() for writer in server.pods.writers))
    async with v4(client, peer.KEEP) as ws:
        await ws.send_bytes(b"\0?closing\n")
        assert [(await ws.receive()).data for _ in range(3)][2] == b"\0%d\n" % (40 * MB)


@pytest.mark.parametrize(
    ("where", "code", "text"),
    [
        ("one/portforward", 400, 'query parameter "port" is required'),
        ("one/portforward?ports=0", 400, 'port "0" must be > 0'),
        ("one/portforward?ports=x", 400, 'cannot convert to []int32: strconv.ParseUint: parsing "x": invalid syntax'),
        ("one/portforward?ports=1,,2", 400, 'cannot convert to []int32: strconv.ParseUint: parsing "": invalid syntax'),
        (
            "one/portforward?ports=99999", 400,
            'cannot convert to []int32: strconv.ParseUint: parsing "99999": value out of range',
        ),
        ("done/portforward?ports=1", 500, 'pod not found ("done_ns")'),
        ("nowhere/portforward?ports=1", 400, "pod nowhere does not have a host assigned"),
        ("nope/portforward?ports=1", 404, 'pods "nope" not found'),
    ],
)  # fmt: skip
async def test_refusals(client: Client, where: str, code: int, text: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": V4}
    async with client.get(PODS + where, headers=headers) as answer:
        body = await answer.text()
        assert (answer.status, json.loads(body)["message"] if body.startswith("{") else body) == (code, text)


async def test_handshakes(client: Client) -> None:
    async with client.get(f"{PODS}one/portforward?ports=1") as answer:
        assert (await answer.json())["message"] == "Upgrade request required"
    for protocols in (("v5.channel.k8s.io",), ("zzz",)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await v4(client, peer.ECHO, protocols)
        assert caught.value.status == 403
    for protocols in ((V4, SPDY), (SPDY, V4)):
        async with v4(client, peer.ECHO, protocols) as ws:
            assert ws.protocol == SPDY


async def test_frames_that_are_no_websocket(client: Client, server: StreamsServer) -> None:
    for frame in (
        b"\x82\x01\0",
        b"\xf2\x81\0\0\0\0\0",
        b"\x80\x81\0\0\0\0\0",
        b"\x83\x80\0\0\0\0",
        b"\x89\xfe\0\x80\0\0\0\0",
    ):
        async with v4(client, peer.ECHO) as ws:
            await ws.receive()
            await ws.receive()
            ws._response.connection.transport.write(frame)
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1002
    await until(lambda: all(writer.transport.is_closing() for writer in server.pods.writers))


async def test_fragments_and_pings_between_them(client: Client) -> None:
    async with v4(client, peer.ECHO) as ws:
        await ws.receive()
        await ws.receive()
        raw = (
            b"\x02\x82\0\0\0\0\0a"
            + b"\x89\x81\0\0\0\0p"
            + b"\x00\x81\0\0\0\0b"
            + b"\x80\x80\0\0\0\0"
            + b"\x82\x82\0\0\0\0\0c"
        )
        for byte in raw:  # cut wherever it can be
            ws._response.connection.transport.write(bytes((byte,)))
            await asyncio.sleep(0.001)
        got = b""
        while got != b"abc":
            got += (await ws.receive()).data[1:]


# --- SPDY


class Tunnel:
    """A client of SPDY in a websocket, which keeps what comes by stream."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.frames: list[tuple[Any, ...]] = []
        self._packer = zlib.compressobj(zdict=spdy.DICTIONARY)
        self._unpacker = zlib.decompressobj(zdict=spdy.DICTIONARY)
        self._bytes = b""

    async def open(self, stream: int, kind: str, port: object, request: str = "0", flags: int = 0) -> None:
        headers = {"streamtype": kind, "port": str(port)} | ({"requestid": request} if request else {})
        block = struct.pack(">I", len(headers))
        for text in (text.encode() for item in headers.items() for text in item):
            block += struct.pack(">I", len(text)) + text
        packed = (
            struct.pack(">IIH", stream, 0, 0) + self._packer.compress(block) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        )
        await self.ws.send_bytes(struct.pack(">II", 0x80030001, flags << 24 | len(packed)) + packed)

    async def pair(self, number: int, port: int) -> int:
        """Opens a connection. Returns the stream of its data."""
        await self.open(4 * number + 1, "error", port, str(number), 1)
        await self.open(4 * number + 3, "data", port, str(number))
        return 4 * number + 3

    async def data(self, stream: int, data: bytes, flags: int = 0) -> None:
        await self.ws.send_bytes(struct.pack(">II", stream, flags << 24 | len(data)) + data)

    async def control(self, kind: int, *words: int) -> None:
        await self.ws.send_bytes(struct.pack(f">II{len(words)}I", 0x80030000 | kind, 4 * len(words), *words))

    async def frame(self) -> tuple[Any, ...]:
        """The next frame: (`reply`, stream), (`reset`, stream, status), (`ping`, number) or (stream, data, fin)."""
        while len(self._bytes) < 8 or len(self._bytes) < 8 + (struct.unpack(">II", self._bytes[:8])[1] & 0xFFFFFF):
            message = await asyncio.wait_for(self.ws.receive(), 5)
            assert message.type is aiohttp.WSMsgType.BINARY, message
            self._bytes += message.data
        first, second = struct.unpack(">II", self._bytes[:8])
        size = second & 0xFFFFFF
        payload, self._bytes = self._bytes[8 : 8 + size], self._bytes[8 + size :]
        if not first >> 31:
            return first, payload, bool(second >> 24)
        assert first >> 16 == 0x8003
        words = struct.unpack_from(f">{len(payload) // 4}I", payload)
        if first & 0xFFFF == 2:
            assert self._unpacker.decompress(payload[4:]) == bytes(4)
            return "reply", words[0]
        return ({3: "reset", 6: "ping"}[first & 0xFFFF], *words)

    async def silence(self, seconds: float = 0.3) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.ws.receive(), seconds)


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
    assert 0.9 < time.monotonic() - began < 2
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
    assert await asyncio.wait_for(tunnel.frame(), 1) == (echo, b"quick", False)
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
        async with asyncio.timeout(20):
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


def frames() -> bytes:
    """Of every kind, with headers."""
    packer = zlib.compressobj(zdict=spdy.DICTIONARY)
    made = b""
    for stream in (1, 3):
        text = b"\0\0\0\1\0\0\0\4port\0\0\0\4" + b"9001"
        packed = struct.pack(">IIH", stream, 0, 0) + packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
        made += struct.pack(">II", 0x80030001, len(packed)) + packed
    return (
        made
        + spdy.head(1, 4, fin=True)
        + b"data"
        + spdy.ping(3)
        + spdy.reset(3)
        + struct.pack(">II", 0x80030005, 3)
        + b"xyz"
    )


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
    assert (await asyncio.wait_for(tunnel.ws.receive(), 3)).type is aiohttp.WSMsgType.CLOSE


def test_headers_that_explode() -> None:
    packer = zlib.compressobj(zdict=spdy.DICTIONARY)
    packed = bytes(10) + packer.compress(b"\0\0\0\1" + bytes(50 * MB)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(packed) < spdy.MAX_CONTROL
    with pytest.raises(spdy.SpdyError):
        spdy.Reader().receive(struct.pack(">II", 0x80030001, len(packed)) + packed)
