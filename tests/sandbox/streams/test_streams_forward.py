"""Port-forward by channels, byte for byte. What is expected was seen on Kubernetes 1.36.3 with containerd 2.3.7."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest
from peers import Peers
from spdy_client import SPDY, V4
from streams_server import StreamsServer
from waiting import until

from tests.contract import peer
from tui.sandbox.streams import connection

Client = aiohttp.ClientSession
PODS = "api/v1/namespaces/ns/pods/"
MB = 1 << 20


def little(port: int) -> bytes:
    return port.to_bytes(2, "little")


@pytest.fixture(autouse=True)
def ports(server: StreamsServer, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pods.ports = peers.ports
    monkeypatch.setattr(connection, "LINGER", 0.1)  # so that the tests do not take a second each


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER", 1.0)


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
    assert 0.9 < time.monotonic() - began < 20


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
